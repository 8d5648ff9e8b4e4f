-- What time will bring. Written in the transaction of the statement that gives rise to it, and taken away in that of the
-- server's own statement about it, so that it happens once, whatever is killed in between. When exactly stands sealed in
-- `content`: a dump shows the day, as of a movement's cover.
SET ROLE hn_owner;

CREATE TABLE hn.due (
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    ctx         text        NOT NULL,
    day         date        NOT NULL,               -- UTC; never after the moment itself
    what        text        NOT NULL,
    about       uuid        NOT NULL,               -- the notification, or the distress call
    rev         integer     NOT NULL,
    party       text        NOT NULL,               -- '' where it concerns no single party
    month       text        NOT NULL,
    content     bytea       NOT NULL,
    CONSTRAINT due_pk PRIMARY KEY (id),
    CONSTRAINT due_once UNIQUE (about, what, party, rev)
);
CREATE INDEX due_by_day ON hn.due (day, id);

ALTER TABLE hn.due ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.due FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON hn.due TO hn_intake;
CREATE POLICY intake_all ON hn.due TO hn_intake USING (true) WITH CHECK (true);

RESET ROLE;
