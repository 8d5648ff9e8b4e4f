-- Where an actor stands may be set ahead: from a moment on it is suspended, or has left. The state holds from that very
-- moment, whether or not the clockwork has come by: whoever reads it asks `standing`, and never the column alone.
SET ROLE hn_owner;

ALTER TABLE hn.actor
    ADD COLUMN since      timestamptz,              -- when it came to stand where it stands
    ADD COLUMN next_state text,                     -- where it will stand
    ADD COLUMN next_from  timestamptz,              -- from when
    ADD COLUMN next_about uuid,                     -- the row of the schedule that says so
    ADD CONSTRAINT actor_next_whole CHECK ((next_state IS NULL) = (next_from IS NULL) AND (next_state IS NULL) = (next_about IS NULL));

-- The moment by which that is judged: now, or that of a stored statement which is taken again.
CREATE FUNCTION hn.moment() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT coalesce(nullif(current_setting('hn.at', true), '')::timestamptz, hn.now()) $$;
GRANT EXECUTE ON FUNCTION hn.moment() TO hn_app, hn_intake, hn_worker;

CREATE FUNCTION hn.standing(state text, next_state text, next_from timestamptz) RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT CASE WHEN next_from IS NOT NULL AND next_from <= hn.moment() THEN next_state ELSE state END $$;
GRANT EXECUTE ON FUNCTION hn.standing(text, text, timestamptz) TO hn_app, hn_intake, hn_worker;

-- The admission is a statement that everybody may read, and says it all.
GRANT SELECT (since, next_state, next_from) ON hn.actor TO hn_app;

RESET ROLE;
