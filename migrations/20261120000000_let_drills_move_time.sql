-- One clock for everything that depends on time. A drill may set it ahead, to see what tomorrow brings; a live deployment
-- refuses to start while it is.
SET ROLE hn_owner;

ALTER TABLE hn.head ADD COLUMN ahead interval NOT NULL DEFAULT interval '0';

CREATE FUNCTION hn.now() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT clock_timestamp() + ahead FROM hn.head WHERE only_one $$;
GRANT EXECUTE ON FUNCTION hn.now() TO hn_app, hn_intake, hn_worker;

-- Only the owner of the schema moves time.
REVOKE UPDATE ON hn.head FROM hn_intake;
GRANT UPDATE (position) ON hn.head TO hn_intake;

RESET ROLE;
