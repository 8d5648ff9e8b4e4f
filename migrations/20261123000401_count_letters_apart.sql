-- What the coordinator transcribed from a letter is counted apart from what a party signed, in each context's own counts.
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
    UNION ALL SELECT 'ack', CASE WHEN transcribed THEN 'transcribed' ELSE state END, count(*)
                FROM hn.ack WHERE ctx = context AND ctx = hn.ctx() GROUP BY 2
    UNION ALL SELECT 'check', '', count(*) FROM hn.check_log
        WHERE ctx = context AND ctx = hn.ctx() AND at > now() - interval '30 days'
$$;
RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
