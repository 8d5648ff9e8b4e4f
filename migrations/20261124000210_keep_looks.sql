-- The desk's day: when each device last looked, so that its queue shows what changed since; indexes by which that is
-- found; and when a desk was last there, for those who may know.
SET ROLE hn_owner;

CREATE TABLE hn.look (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    pos         bigint      NOT NULL,               -- everything up to here was shown
    at          timestamptz NOT NULL,
    CONSTRAINT look_pk PRIMARY KEY (ctx, actor, device),
    CONSTRAINT look_device_exists FOREIGN KEY (ctx, actor, device) REFERENCES hn.device
);
GRANT SELECT, INSERT, UPDATE ON hn.look TO hn_app;
ALTER TABLE hn.look ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.look FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON hn.look TO hn_app
    USING (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()))
    WITH CHECK (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()));

CREATE INDEX statement_by_actor ON hn.statement (ctx, actor, pos);
CREATE INDEX revision_returned ON hn.revision (ctx, org, pos) WHERE screening = 'returned';
CREATE INDEX revision_waits_for_second ON hn.revision (ctx, org, pos) WHERE cosign = 'waiting';

RESET ROLE;

-- When the devices of a desk last said how far they have kept its mailbox: the coordinator may know it of every desk,
-- others of their own. An organisation sees of a party only when that took what it notified itself, which is in the
-- audience: more would tell it when others notify.
GRANT CREATE ON SCHEMA hn TO hn_matcher;
GRANT SELECT ON hn.device TO hn_matcher;
SET ROLE hn_matcher;
CREATE FUNCTION hn.desks_seen() RETURNS TABLE (actor text, devices bigint, seen_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
    SELECT d.actor, count(*) FILTER (WHERE d.state = 'active' AND d.role <> 'party-planner'), max(d.cursor_at)
      FROM hn.device d
     WHERE d.ctx = hn.ctx() AND (hn.is_coordinator() OR d.actor = hn.me())
     GROUP BY d.actor
$$;
REVOKE ALL ON FUNCTION hn.desks_seen() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.desks_seen() TO hn_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
