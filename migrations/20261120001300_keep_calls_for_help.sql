-- Calls for help, and the desks that they were delivered to. What happens and where stands sealed in the parts; here stands
-- who called, when, and whether anybody has answered.
SET ROLE hn_owner;

CREATE TABLE hn.distress (
    nid         uuid        NOT NULL,
    ctx         text        NOT NULL,
    org         text        NOT NULL,
    pos         bigint      NOT NULL,
    hash        bytea       NOT NULL,
    about       uuid,                               -- the notification that it is about, if one
    state       text        NOT NULL,               -- open, answered, resolved
    at          timestamptz NOT NULL,
    CONSTRAINT distress_pk PRIMARY KEY (nid),
    CONSTRAINT distress_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement
);
CREATE INDEX distress_unresolved ON hn.distress (ctx, pos) WHERE state <> 'resolved';
CREATE INDEX distress_by_notification ON hn.distress (about) WHERE state <> 'resolved';

-- The organisation itself, the coordinators and the parties called.
CREATE TABLE hn.called (
    nid         uuid        NOT NULL,
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    org         text        NOT NULL,
    tier        text,                               -- of a party: how much it sees
    seq         bigint      NOT NULL,               -- in its mailbox
    answered_at timestamptz,                        -- when its first officer answered
    CONSTRAINT called_pk PRIMARY KEY (nid, actor),
    CONSTRAINT called_distress_exists FOREIGN KEY (nid) REFERENCES hn.distress
);
CREATE INDEX called_by_desk ON hn.called (ctx, actor, seq);

-- The last call in each mailbox, so that a socket that is behind knows without looking that one waits further on.
ALTER TABLE hn.actor ADD COLUMN call_seq bigint NOT NULL DEFAULT 0;

GRANT SELECT, INSERT, UPDATE ON hn.distress, hn.called TO hn_intake;
GRANT SELECT ON hn.distress, hn.called TO hn_worker, hn_app;

ALTER TABLE hn.distress ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.distress FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.called   ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.called   FORCE ROW LEVEL SECURITY;

CREATE POLICY intake_all ON hn.distress TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.called   TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.distress TO hn_worker USING (true);
CREATE POLICY worker_all ON hn.called   TO hn_worker USING (true);

CREATE POLICY tenant ON hn.distress TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (
        org = (SELECT hn.me()) OR (SELECT hn.is_coordinator())
        OR EXISTS (SELECT FROM hn.called c WHERE c.nid = distress.nid AND c.actor = (SELECT hn.me()))));
CREATE POLICY tenant ON hn.called TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (org = (SELECT hn.me()) OR actor = (SELECT hn.me()) OR (SELECT hn.is_coordinator())));

RESET ROLE;
