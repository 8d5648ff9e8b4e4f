-- Which months each context has sealed anything in, and which of them were destroyed. A month's row is written before its key
-- seals anything there. `destroyed_pos` is the server's statement that says so: it is written first, in one transaction with
-- the decision; the rows are emptied after it, piece by piece, and the key goes when every context's are. Whatever is killed in
-- between, the next look goes on from what stands here.
SET ROLE hn_owner;

CREATE TABLE hn.month (
    ctx         text        NOT NULL,
    month       text        NOT NULL,
    destroyed_pos bigint,
    destroyed_at timestamptz,
    emptied_at  timestamptz,
    CONSTRAINT month_pk PRIMARY KEY (ctx, month),
    CONSTRAINT month_statement_exists FOREIGN KEY (destroyed_pos) REFERENCES hn.statement,
    CONSTRAINT month_destroyed_whole CHECK ((destroyed_pos IS NULL) = (destroyed_at IS NULL)),
    CONSTRAINT month_said_before_emptied CHECK (emptied_at IS NULL OR destroyed_at IS NOT NULL)
);

-- When the contents of an attachment were destroyed. Its row stays, with the digest that a statement names.
ALTER TABLE hn.blob ADD COLUMN destroyed_at timestamptz;

ALTER TABLE hn.month ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.month FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON hn.month TO hn_intake;
GRANT UPDATE (destroyed_pos, destroyed_at, emptied_at) ON hn.month TO hn_intake;
CREATE POLICY intake_all ON hn.month TO hn_intake USING (true) WITH CHECK (true);

-- What outlasts its month is sealed anew: the schedule, and the names of the people who hold devices.
GRANT UPDATE (month, content) ON hn.due TO hn_intake;

-- What holds a month is looked for by the intake.
GRANT SELECT ON hn.progress TO hn_intake;

-- Destroying is the matcher's, by functions that empty only what a statement said is destroyed: no role that serves anybody
-- may change a part.
GRANT SELECT ON hn.month, hn.thread, hn.blob, hn.blob_chunk, hn.invite, hn.nudge TO hn_matcher;
GRANT UPDATE (content) ON hn.part, hn.seal TO hn_matcher;
GRANT UPDATE (due) ON hn.thread TO hn_matcher;
GRANT UPDATE (area, content) ON hn.check_log TO hn_matcher;
GRANT UPDATE (person) ON hn.invite TO hn_matcher;
GRANT UPDATE (destroyed_at) ON hn.blob TO hn_matcher;
GRANT DELETE ON hn.blob_chunk, hn.cover, hn.nudge TO hn_matcher;

-- Only for what follows.
GRANT SELECT ON hn.device, hn.due, hn.context TO hn_matcher;
GRANT UPDATE (policy) ON hn.context TO hn_matcher;
GRANT INSERT ON hn.month TO hn_matcher;
RESET ROLE;

SET ROLE hn_matcher;
-- What was sealed before there were such rows, by the one role that sees all contexts.
INSERT INTO hn.month (ctx, month)
SELECT s.ctx, p.month FROM hn.part p JOIN hn.statement s USING (pos)
UNION SELECT s.ctx, p.month FROM hn.seal p JOIN hn.statement s USING (pos)
UNION SELECT ctx, month FROM hn.check_log
UNION SELECT ctx, month FROM hn.blob
UNION SELECT ctx, month FROM hn.due
UNION SELECT ctx, month FROM hn.thread
UNION SELECT ctx, month FROM hn.nudge
UNION SELECT ctx, person_month FROM hn.device
UNION SELECT ctx, person_month FROM hn.invite;
-- How long a policy keeps that did not say it.
UPDATE hn.context SET policy = policy || '{"retention_months": 24}' WHERE NOT policy ? 'retention_months';
RESET ROLE;

SET ROLE hn_owner;
REVOKE SELECT ON hn.device, hn.due, hn.context FROM hn_matcher;
REVOKE UPDATE (policy) ON hn.context FROM hn_matcher;
REVOKE INSERT ON hn.month FROM hn_matcher;
RESET ROLE;

GRANT CREATE ON SCHEMA hn TO hn_matcher;
SET ROLE hn_matcher;

-- Empties what is sealed under a destroyed month beside the next statements behind a position: of each record the four bytes
-- stay that name its month. Gives the last position that was looked at; null at the end.
CREATE FUNCTION hn.empty_statements(of_ctx text, of_month text, after bigint, at_once integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
DECLARE
    upto bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM hn.month WHERE ctx = of_ctx AND month = of_month AND destroyed_pos IS NOT NULL) THEN
        RAISE EXCEPTION 'no statement says that this month is destroyed' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT max(s.pos) INTO upto
      FROM (SELECT pos FROM hn.statement WHERE pos > after ORDER BY pos LIMIT at_once) AS s;
    IF upto IS NULL THEN
        RETURN NULL;
    END IF;
    DELETE FROM hn.cover c USING hn.revision r
     WHERE r.ctx = of_ctx AND r.pos > after AND r.pos <= upto AND c.nid = r.nid AND c.rev = r.rev
       AND EXISTS (SELECT FROM hn.part p WHERE p.pos = r.pos AND p.month = of_month);
    UPDATE hn.part p SET content = substring(p.content FOR 4) FROM hn.statement s
     WHERE s.pos = p.pos AND s.ctx = of_ctx AND p.pos > after AND p.pos <= upto
       AND p.month = of_month AND octet_length(p.content) > 4;
    UPDATE hn.seal p SET content = substring(p.content FOR 4) FROM hn.statement s
     WHERE s.pos = p.pos AND s.ctx = of_ctx AND p.pos > after AND p.pos <= upto
       AND p.month = of_month AND octet_length(p.content) > 4;
    RETURN upto;
END
$$;

-- Empties all else that is sealed under a destroyed month.
CREATE FUNCTION hn.empty_rest(of_ctx text, of_month text, at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM hn.month WHERE ctx = of_ctx AND month = of_month AND destroyed_pos IS NOT NULL) THEN
        RAISE EXCEPTION 'no statement says that this month is destroyed' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    DELETE FROM hn.blob_chunk c USING hn.blob b WHERE b.id = c.blob AND b.ctx = of_ctx AND b.month = of_month;
    UPDATE hn.blob SET destroyed_at = at WHERE ctx = of_ctx AND month = of_month AND destroyed_at IS NULL;
    UPDATE hn.check_log SET area = substring(area FOR 4), content = substring(content FOR 4)
     WHERE ctx = of_ctx AND month = of_month AND (octet_length(area) > 4 OR octet_length(content) > 4);
    UPDATE hn.thread SET due = substring(due FOR 4) WHERE ctx = of_ctx AND month = of_month AND octet_length(due) > 4;
    UPDATE hn.invite SET person = substring(person FOR 4)
     WHERE ctx = of_ctx AND person_month = of_month AND octet_length(person) > 4;
    DELETE FROM hn.nudge WHERE ctx = of_ctx AND month = of_month;
END
$$;
REVOKE ALL ON FUNCTION hn.empty_statements(text, text, bigint, integer), hn.empty_rest(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.empty_statements(text, text, bigint, integer), hn.empty_rest(text, text, timestamptz) TO hn_worker;

RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
