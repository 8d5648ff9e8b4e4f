-- A deployment serves several contexts, and a device of one sees nothing of another: not who takes part there, not its
-- policy, not its keys, not how much is said there. What was public to all requests is public within its context now.
SET ROLE hn_owner;

ALTER TABLE hn.context    ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.context    FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.actor      ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.actor      FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.device_key ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.device_key FORCE ROW LEVEL SECURITY;

CREATE POLICY intake_all ON hn.context    TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.actor      TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.device_key TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.context    TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.actor      TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.device_key TO hn_worker USING (true);

CREATE POLICY tenant ON hn.context TO hn_app USING (ctx = (SELECT hn.ctx()));
-- A certificate is looked up before there is a tenant: then its own actor is seen, as its device is.
CREATE POLICY tenant ON hn.actor TO hn_app USING (
    ctx = (SELECT hn.ctx())
    OR EXISTS (SELECT FROM hn.device d WHERE d.ctx = actor.ctx AND d.actor = actor.actor));
CREATE POLICY tenant ON hn.device_key TO hn_app USING (ctx = (SELECT hn.ctx()));

RESET ROLE;

-- Counts of the transaction's own context alone, whichever is named; its last position rather than the deployment's, which
-- would tell how much is said elsewhere.
GRANT CREATE ON SCHEMA hn TO hn_matcher;
SET ROLE hn_matcher;
CREATE OR REPLACE FUNCTION hn.statistics(context text)
RETURNS TABLE (what text, word text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
    SELECT 'head', '', coalesce(max(pos), 0) FROM hn.statement WHERE ctx = context AND ctx = hn.ctx()
    UNION ALL SELECT 'statement', kind, count(*) FROM hn.statement WHERE ctx = context AND ctx = hn.ctx() GROUP BY kind
    UNION ALL SELECT 'notification', state, count(*) FROM hn.notification WHERE ctx = context AND ctx = hn.ctx() GROUP BY state
    UNION ALL SELECT 'ack', state, count(*) FROM hn.ack WHERE ctx = context AND ctx = hn.ctx() GROUP BY state
    UNION ALL SELECT 'check', '', count(*) FROM hn.check_log
        WHERE ctx = context AND ctx = hn.ctx() AND at > now() - interval '30 days'
$$;
RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
