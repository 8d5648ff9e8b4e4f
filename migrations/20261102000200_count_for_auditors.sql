-- Counts for coordinators, auditors and operators, who read no row of anybody. Owned by the matcher, because row-level
-- security would hide what is to be counted; it gives numbers and words of ours, and nothing else.
GRANT SELECT ON hn.head, hn.ack, hn.check_log TO hn_matcher;

CREATE FUNCTION hn.statistics(context text)
RETURNS TABLE (what text, word text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
    SELECT 'head', '', position FROM hn.head
    UNION ALL SELECT 'statement', kind, count(*) FROM hn.statement WHERE ctx = context GROUP BY kind
    UNION ALL SELECT 'notification', state, count(*) FROM hn.notification WHERE ctx = context GROUP BY state
    UNION ALL SELECT 'ack', state, count(*) FROM hn.ack WHERE ctx = context GROUP BY state
    UNION ALL SELECT 'check', '', count(*) FROM hn.check_log WHERE ctx = context AND at > now() - interval '30 days'
$$;
-- A new owner must be able to create in the schema, unless a superuser says so: only for this statement.
GRANT CREATE ON SCHEMA hn TO hn_matcher;
ALTER FUNCTION hn.statistics(text) OWNER TO hn_matcher;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
REVOKE ALL ON FUNCTION hn.statistics(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.statistics(text) TO hn_app;
