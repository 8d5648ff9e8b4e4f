-- Queries and warnings, and whether they were replied to. Nothing of what is asked, alleged or replied stands here: that
-- is in sealed parts. Until when a reply is asked for stands sealed in `due`. It changes nothing of the notification.
SET ROLE hn_owner;

CREATE TABLE hn.thread (
    id          uuid        NOT NULL,               -- made of `of` and `nid`; what the schedule names
    ctx         text        NOT NULL,
    of          bytea       NOT NULL,               -- the statement that asks or warns
    item        integer     NOT NULL,               -- which of its items; 0 of a warning
    pos         bigint      NOT NULL,
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    party       text        NOT NULL,
    org         text        NOT NULL,
    kind        text        NOT NULL,
    at          timestamptz NOT NULL,
    month       text        NOT NULL,
    due         bytea       NOT NULL,               -- sealed
    replies     integer     NOT NULL DEFAULT 0,
    reply       bytea,                              -- the latest reply's statement
    replied_pos bigint,
    replied_at  timestamptz,
    CONSTRAINT thread_pk PRIMARY KEY (id),
    CONSTRAINT thread_once UNIQUE (of, nid),
    CONSTRAINT thread_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT thread_reply_exists FOREIGN KEY (replied_pos) REFERENCES hn.statement,
    CONSTRAINT thread_audience_exists FOREIGN KEY (nid, rev, party) REFERENCES hn.audience (nid, rev, party),
    CONSTRAINT thread_kind_known CHECK (kind IN ('query', 'warning')),
    CONSTRAINT thread_reply_whole CHECK (
        (replies = 0) = (reply IS NULL) AND (replies = 0) = (replied_pos IS NULL) AND (replies = 0) = (replied_at IS NULL))
);
CREATE INDEX thread_by_notification ON hn.thread (nid, pos);
CREATE INDEX thread_open ON hn.thread (ctx, pos, item) WHERE replies = 0;

GRANT SELECT, INSERT ON hn.thread TO hn_intake;
GRANT UPDATE (replies, reply, replied_pos, replied_at) ON hn.thread TO hn_intake;
GRANT SELECT ON hn.thread TO hn_app;

ALTER TABLE hn.thread ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.thread FORCE ROW LEVEL SECURITY;
CREATE POLICY intake_all ON hn.thread TO hn_intake USING (true) WITH CHECK (true);
-- The organisation that is asked, the party that asks, and the coordinator, who reads along. No other party.
CREATE POLICY tenant ON hn.thread TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (org = (SELECT hn.me()) OR party = (SELECT hn.me()) OR (SELECT hn.is_coordinator())));

RESET ROLE;
