-- Nudges: where a person is told outside Herald that somebody needs them, what waits to be told, and what became of it.
-- None of it is evidence, and all of it may be erased. An address stands in one place only, sealed; a message names its
-- person and is given the address when it is sent, so that erasing takes effect at once.
SET ROLE hn_owner;

-- A person's own choice: addresses, severities, leave and cover, all sealed.
CREATE TABLE hn.nudge (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    month       text        NOT NULL,
    content     bytea       NOT NULL,
    CONSTRAINT nudge_pk PRIMARY KEY (ctx, actor, device),
    CONSTRAINT nudge_device_exists FOREIGN KEY (ctx, actor, device) REFERENCES hn.device
);

-- What a person is needed for and has not been told: one row a severity, and one for each call for help.
CREATE TABLE hn.nudge_wait (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    severity    text        NOT NULL,
    call        uuid        NOT NULL,               -- the call for help; all zeros where it is none
    nids        uuid[]      NOT NULL,               -- at most 101
    upto        bigint      NOT NULL,               -- the last event in the mailbox that it is about
    ready_at    timestamptz NOT NULL,
    CONSTRAINT nudge_wait_pk PRIMARY KEY (ctx, actor, device, severity, call),
    CONSTRAINT nudge_wait_severity_known CHECK (severity IN ('routine', 'urgent', 'distress'))
);
CREATE INDEX nudge_wait_by_time ON hn.nudge_wait (ready_at);

-- Messages. `device` is the person to whom it goes, perhaps as somebody's cover.
CREATE TABLE hn.nudge_out (
    bundle      uuid        NOT NULL,               -- what the Message-ID and the webhook's id are made of
    way         text        NOT NULL,
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    sort        text        NOT NULL,
    call        uuid        NOT NULL,
    nid         uuid,                               -- the one notification; null where it is about several
    count       integer     NOT NULL,
    upto        bigint      NOT NULL,
    at          timestamptz NOT NULL,
    next_at     timestamptz NOT NULL,
    tries       integer     NOT NULL DEFAULT 0,
    lease       timestamptz,                        -- by the machine's clock: somebody is sending it until then
    state       text        NOT NULL DEFAULT 'waiting',
    CONSTRAINT nudge_out_pk PRIMARY KEY (bundle, way),
    CONSTRAINT nudge_out_way_known CHECK (way IN ('mail', 'webhook')),
    CONSTRAINT nudge_out_sort_known CHECK (sort IN ('routine', 'urgent', 'distress', 'test')),
    CONSTRAINT nudge_out_state_known CHECK (state IN ('waiting', 'taken', 'given_up', 'dropped'))
);
CREATE INDEX nudge_out_waiting ON hn.nudge_out (way, next_at) WHERE state = 'waiting';
CREATE INDEX nudge_out_by_person ON hn.nudge_out (ctx, actor, device, at);

-- To whom nothing gets through, by which way, and since when. For the coordinator; no address.
CREATE TABLE hn.nudge_trouble (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    way         text        NOT NULL,
    since       timestamptz NOT NULL,
    CONSTRAINT nudge_trouble_pk PRIMARY KEY (ctx, actor, device, way),
    CONSTRAINT nudge_trouble_way_known CHECK (way IN ('mail', 'webhook'))
);

-- How far the log was read for nudges; its lock lets one node plan at a time.
CREATE TABLE hn.nudge_head (
    only_one    boolean     NOT NULL DEFAULT true,
    position    bigint,                             -- null until nudges are first on
    CONSTRAINT nudge_head_pk PRIMARY KEY (only_one),
    CONSTRAINT nudge_head_only_one CHECK (only_one)
);
INSERT INTO hn.nudge_head DEFAULT VALUES;

GRANT SELECT, INSERT, UPDATE, DELETE ON hn.nudge TO hn_app;
GRANT SELECT, INSERT ON hn.nudge_out TO hn_app;
GRANT SELECT, DELETE ON hn.nudge_trouble TO hn_app;
GRANT SELECT ON hn.nudge TO hn_worker;
GRANT UPDATE (month, content) ON hn.nudge TO hn_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON hn.nudge_wait, hn.nudge_out, hn.nudge_trouble TO hn_worker;
GRANT SELECT ON hn.nudge_head TO hn_worker;
GRANT UPDATE (position) ON hn.nudge_head TO hn_worker;

ALTER TABLE hn.nudge         ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.nudge         FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.nudge_wait    ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.nudge_wait    FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.nudge_out     ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.nudge_out     FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.nudge_trouble ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.nudge_trouble FORCE ROW LEVEL SECURITY;
CREATE POLICY worker_all ON hn.nudge         TO hn_worker USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.nudge_wait    TO hn_worker USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.nudge_out     TO hn_worker USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.nudge_trouble TO hn_worker USING (true) WITH CHECK (true);
-- Colleagues of one actor: a cover must be one of them. Which device writes is decided above.
CREATE POLICY tenant ON hn.nudge TO hn_app
    USING (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()))
    WITH CHECK (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()));
CREATE POLICY tenant ON hn.nudge_out TO hn_app
    USING (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()))
    WITH CHECK (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()));
-- The coordinator is told who is not reached.
CREATE POLICY tenant ON hn.nudge_trouble TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (actor = (SELECT hn.me()) OR (SELECT hn.is_coordinator())));

RESET ROLE;
