-- How many events an actor's mailbox has got tells others how busy it is: who notifies to whom, and when. The
-- application reads of an actor what the key directory shows, column by column, and its own position by a function.
SET ROLE hn_owner;
REVOKE SELECT ON hn.actor FROM hn_app;
GRANT SELECT (ctx, actor, kind, name, state, root, keys_serial, keys_pos, admit_pos, desk_key, desk_kid, duty)
    ON hn.actor TO hn_app;
RESET ROLE;

-- The function belongs to the matcher, who may create in the schema only for that.
GRANT CREATE ON SCHEMA hn TO hn_matcher;
SET ROLE hn_matcher;

-- The last event put into the mailbox of this transaction's tenant.
CREATE FUNCTION hn.my_mailbox_seq() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
AS $$ SELECT mailbox_seq FROM hn.actor WHERE ctx = hn.ctx() AND actor = hn.me() $$;
REVOKE ALL ON FUNCTION hn.my_mailbox_seq() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.my_mailbox_seq() TO hn_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
