-- What the coordinator relayed to parties by other means, and what it transcribed from their letters. To whom and how is
-- sealed in the parts; here stands what organisation and coordinator need to see where a notification stands.
SET ROLE hn_owner;

CREATE TABLE hn.relay (
    pos         bigint      NOT NULL,
    item        integer     NOT NULL,
    ctx         text        NOT NULL,
    party       text        NOT NULL,
    org         text        NOT NULL,
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    at          timestamptz NOT NULL,
    CONSTRAINT relay_pk PRIMARY KEY (pos, item),
    CONSTRAINT relay_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT relay_audience_exists FOREIGN KEY (nid, rev, party) REFERENCES hn.audience (nid, rev, party)
);
CREATE INDEX relay_by_notification ON hn.relay (nid, party, pos);

GRANT SELECT, INSERT ON hn.relay TO hn_intake;
GRANT SELECT ON hn.relay TO hn_app;

ALTER TABLE hn.relay ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.relay FORCE ROW LEVEL SECURITY;
CREATE POLICY intake_all ON hn.relay TO hn_intake USING (true) WITH CHECK (true);
-- The organisation whose notification stood in the package, and the coordinator. Not the party: it had the package.
CREATE POLICY tenant ON hn.relay TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (org = (SELECT hn.me()) OR (SELECT hn.is_coordinator())));

-- From a letter, by the coordinator: it never counts as signed.
ALTER TABLE hn.ack ADD COLUMN transcribed boolean NOT NULL DEFAULT false;

-- The deployment's own tenant, which hands out everybody's keys, reads which parties the coordinator has named by an invite.
ALTER POLICY tenant ON hn.statement USING (
    ctx = (SELECT hn.ctx()) AND (
        actor = (SELECT hn.me())
        OR kind IN ('keys', 'renew', 'revoke', 'policy', 'admit', 'duty')
        OR (kind = 'invite' AND (SELECT hn.me()) = 'server')
        OR EXISTS (SELECT FROM hn.mailbox m WHERE m.ctx = statement.ctx AND m.actor = (SELECT hn.me()) AND m.pos = statement.pos)));

RESET ROLE;

GRANT CREATE ON SCHEMA hn TO hn_matcher;
SET ROLE hn_matcher;

-- What a letter says is counted apart from what was signed.
CREATE OR REPLACE FUNCTION hn.statistics(context text)
RETURNS TABLE (what text, word text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
    SELECT 'head', '', position FROM hn.head
    UNION ALL SELECT 'statement', kind, count(*) FROM hn.statement WHERE ctx = context GROUP BY kind
    UNION ALL SELECT 'notification', state, count(*) FROM hn.notification WHERE ctx = context GROUP BY state
    UNION ALL SELECT 'ack', CASE WHEN transcribed THEN 'transcribed' ELSE state END, count(*)
                FROM hn.ack WHERE ctx = context GROUP BY 2
    UNION ALL SELECT 'check', '', count(*) FROM hn.check_log WHERE ctx = context AND at > now() - interval '30 days'
$$;

RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
