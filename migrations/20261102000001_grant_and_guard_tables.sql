-- Who may touch what. The application's role sees its own tenant only, by forced row-level security; intake and worker
-- work across tenants and never serve a read to anyone; the matcher owns the one function that finds candidates.
SET ROLE hn_owner;

-- The tenant of this transaction. Outside one, `set_config(..., true)` leaves '', hence nullif.
CREATE FUNCTION hn.ctx() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('hn.ctx', true), '') $$;
CREATE FUNCTION hn.me() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('hn.actor', true), '') $$;
CREATE FUNCTION hn.is_coordinator() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('hn.kind', true), '') = 'coordinator' $$;

GRANT USAGE ON SCHEMA hn TO hn_app, hn_intake, hn_worker, hn_matcher;
GRANT EXECUTE ON FUNCTION hn.ctx(), hn.me(), hn.is_coordinator() TO hn_app, hn_intake, hn_worker, hn_matcher;

-- Intake: inserts everything, reads what it decides by, updates the read models; deletes nothing.
GRANT SELECT, INSERT ON hn.statement, hn.part, hn.seal, hn.ack, hn.mailbox, hn.cover, hn.device_key TO hn_intake;
GRANT SELECT, INSERT, UPDATE ON hn.context, hn.actor, hn.device, hn.invite, hn.notification, hn.revision, hn.audience TO hn_intake;
GRANT UPDATE (until_pos) ON hn.device_key TO hn_intake;
GRANT SELECT, UPDATE ON hn.head TO hn_intake;

-- Worker: seals and delivers; moves cursors.
GRANT SELECT ON hn.head, hn.context, hn.actor, hn.device, hn.device_key, hn.statement, hn.part, hn.seal, hn.mailbox,
    hn.notification, hn.revision, hn.audience TO hn_worker;
GRANT UPDATE (cursor_seq, cursor_at) ON hn.device TO hn_worker;
GRANT UPDATE (counts, fetched_at) ON hn.audience TO hn_worker;

-- The application: reads its own, and writes the log of checks.
GRANT SELECT ON hn.head, hn.context, hn.actor, hn.device, hn.device_key, hn.notification, hn.revision, hn.audience,
    hn.ack, hn.statement, hn.mailbox TO hn_app;
GRANT SELECT, INSERT ON hn.check_log TO hn_app;

ALTER TABLE hn.notification ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.notification FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.revision     ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.revision     FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.audience     ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.audience     FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.ack          ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.ack          FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.statement    ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.statement    FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.mailbox      ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.mailbox      FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.cover        ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.cover        FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.part         ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.part         FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.seal         ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.seal         FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.check_log    ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.check_log    FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.device       ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.device       FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.invite       ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.invite       FORCE ROW LEVEL SECURITY;

-- Intake and worker work across tenants.
CREATE POLICY intake_all ON hn.notification TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.revision     TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.audience     TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.ack          TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.statement    TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.mailbox      TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.cover        TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.part         TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.seal         TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.device       TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.invite       TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.notification TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.revision     TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.audience     TO hn_worker USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.statement    TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.mailbox      TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.part         TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.seal         TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.device       TO hn_worker USING (true) WITH CHECK (true);

-- The application's tenant: an organisation its own, a party what was notified to it, the coordinator its context.
-- (select …) lets the planner evaluate the setting once.
CREATE POLICY tenant ON hn.notification TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (
        org = (SELECT hn.me()) OR (SELECT hn.is_coordinator())
        OR EXISTS (SELECT FROM hn.audience a WHERE a.nid = notification.nid AND a.party = (SELECT hn.me()))));
CREATE POLICY tenant ON hn.revision TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (
        org = (SELECT hn.me()) OR (SELECT hn.is_coordinator())
        OR EXISTS (SELECT FROM hn.audience a WHERE a.nid = revision.nid AND a.rev = revision.rev AND a.party = (SELECT hn.me()))));
CREATE POLICY tenant ON hn.audience TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (org = (SELECT hn.me()) OR party = (SELECT hn.me()) OR (SELECT hn.is_coordinator())));
CREATE POLICY tenant ON hn.ack TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (org = (SELECT hn.me()) OR party = (SELECT hn.me()) OR (SELECT hn.is_coordinator())));
CREATE POLICY tenant ON hn.mailbox TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()));
CREATE POLICY tenant ON hn.statement TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (
        actor = (SELECT hn.me())
        OR kind IN ('keys', 'renew', 'revoke', 'policy', 'admit', 'duty')
        OR EXISTS (SELECT FROM hn.mailbox m WHERE m.ctx = statement.ctx AND m.actor = (SELECT hn.me()) AND m.pos = statement.pos)));
CREATE POLICY tenant ON hn.check_log TO hn_app
    USING (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()))
    WITH CHECK (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()));
-- A certificate is looked up before there is a tenant: by its key's hash, which only its holder can show.
CREATE POLICY tenant ON hn.device TO hn_app USING (
    (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()))
    OR spki = decode(nullif(current_setting('hn.spki', true), ''), 'hex'));

-- The matcher: owns one function and nothing else.
GRANT SELECT ON hn.cover, hn.audience, hn.revision, hn.notification, hn.part, hn.seal, hn.statement, hn.actor TO hn_matcher;

RESET ROLE;

-- Candidates for a check by the tenant of this transaction: every revision that counts for it and whose cover meets the
-- search boxes, with the sealed parts that the exact test needs. More than the true hits, never fewer.
CREATE FUNCTION hn.candidates(boxes public.geometry, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (
    nid uuid, rev integer, pos bigint, hash bytea, org text, subject text, tier text, latest boolean,
    emergency boolean, screening text, cosign text, duty text,
    place bytea, place_month text, audience bytea, audience_month text, contact bytea, contact_month text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
    SELECT r.nid, r.rev, r.pos, r.hash, r.org, n.subject, a.tier, n.rev = r.rev,
           r.emergency, r.screening, r.cosign, o.duty,
           p.content, p.month, q.content, q.month, s.content, s.month
      FROM hn.cover c
      JOIN hn.audience a ON a.nid = c.nid AND a.rev = c.rev AND a.party = hn.me() AND a.counts
      JOIN hn.revision r ON r.nid = c.nid AND r.rev = c.rev
      JOIN hn.notification n ON n.nid = c.nid
      JOIN hn.actor o ON o.ctx = r.ctx AND o.actor = r.org
      JOIN hn.actor me ON me.ctx = a.ctx AND me.actor = a.party
      LEFT JOIN hn.part p ON p.pos = r.pos AND p.part = 'place' AND a.tier IN ('exact', 'on_check')
      LEFT JOIN hn.part q ON q.pos = r.pos AND q.part = 'audience.' || a.party
      LEFT JOIN hn.seal s ON s.pos = r.pos AND s.part = 'contact' AND s.kid = me.desk_kid AND a.tier IN ('exact', 'on_check')
     WHERE c.ctx = hn.ctx()
       AND c.cover && boxes AND public.ST_Intersects(c.cover, boxes)
       AND c.validity && tstzrange(from_at, until_at, '[]')
$$;
-- A new owner must be able to create in the schema, unless a superuser says so: only for this statement.
GRANT CREATE ON SCHEMA hn TO hn_matcher;
ALTER FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) OWNER TO hn_matcher;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
REVOKE ALL ON FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) TO hn_app;
