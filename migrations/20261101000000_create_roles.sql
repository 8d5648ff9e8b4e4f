-- The roles, and the schema that everything of ours stands in.
--
-- Roles belong to the whole server, not to one database: another database of the same server (a second deployment, a
-- parallel test) may have created them already or may be creating them at this moment, so each step tolerates that.
--
--   hn_owner    owns every table; nobody logs in as it. Later migrations begin with `SET LOCAL ROLE hn_owner`.
--   hn_app      requests; bound by row-level security, no DDL
--   hn_intake   the one intake; works across tenants, serves no read
--   hn_worker   background jobs; likewise
--   hn_matcher  owns the one SECURITY DEFINER candidate function; nobody logs in as it
--
-- On a server that someone else runs, the role in the database URL must be able to create these (hn_matcher needs a
-- superuser, or on PostgreSQL 16 and later a role that has BYPASSRLS itself), or a superuser creates them beforehand
-- with just these attributes.

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('hn_owner',   'NOLOGIN NOBYPASSRLS', false, false),
            ('hn_app',     'LOGIN NOBYPASSRLS',   true,  false),
            ('hn_intake',  'LOGIN NOBYPASSRLS',   true,  false),
            ('hn_worker',  'LOGIN NOBYPASSRLS',   true,  false),
            ('hn_matcher', 'NOLOGIN BYPASSRLS',   false, true)
        ) AS roles (name, attributes, login, bypass)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION %s', wanted.name, wanted.attributes);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database's migration was faster
            END;
        END IF;
        -- A role that was there before must not be able to do more than ours: row-level security would be a fiction.
        IF EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = wanted.name
              AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR (rolbypassrls AND NOT wanted.bypass))
        ) THEN
            RAISE EXCEPTION 'role % has more rights than it may have', wanted.name USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;

    -- Whoever migrates must be able to become the owners. A superuser is, without being a member.
    FOR wanted IN
        SELECT rolname FROM pg_roles
        WHERE rolname IN ('hn_owner', 'hn_app', 'hn_intake', 'hn_worker', 'hn_matcher')
          AND NOT pg_has_role(current_user, oid, 'MEMBER')
    LOOP
        EXECUTE format('GRANT %I TO CURRENT_USER', wanted.rolname);
    END LOOP;
END
$$;

-- The schema exists by now: the record of migrations stands in it.
ALTER SCHEMA hn OWNER TO hn_owner;
REVOKE ALL ON SCHEMA hn FROM PUBLIC;
GRANT USAGE ON SCHEMA hn TO hn_app, hn_intake, hn_worker, hn_matcher;

-- A migration that runs as hn_owner is recorded in the same transaction.
GRANT SELECT, INSERT, UPDATE ON TABLE hn._sqlx_migrations TO hn_owner;

-- Nobody but us in this database, and nobody creates anything in `public` (PostgreSQL 14 still let everyone).
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO hn_app, hn_intake, hn_worker', current_database());
    IF pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE nspname = 'public'), 'MEMBER') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
END
$$;

-- PostgreSQL lets everyone call a new function and use a new type. Not here, whoever of ours creates it.
ALTER DEFAULT PRIVILEGES FOR ROLE hn_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE hn_owner REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE hn_matcher REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
