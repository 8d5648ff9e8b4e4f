-- The contents of attachments. They are enciphered by the client; the server keeps them in pieces of 64 KiB, each sealed
-- under the month's key besides, so that no row is large and destroying the month destroys them. They stand in the
-- database, not beside it: one source of truth, which fails over, is backed up and commits as a whole.
SET ROLE hn_owner;

CREATE TABLE hn.blob (
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    ctx         text        NOT NULL,
    actor       text        NOT NULL,               -- who sent it; it counts against that organisation's quota
    digest      bytea       NOT NULL,               -- SHA-256 of the whole, as the client enciphered it
    size        integer     NOT NULL,
    have        integer     NOT NULL DEFAULT 0,
    complete    boolean     NOT NULL DEFAULT false, -- all there, and the digest was compared
    month       text        NOT NULL,               -- which month's KEK
    touched_at  timestamptz NOT NULL,               -- when its last piece came
    named_at    timestamptz,                        -- when a statement first named it; until then it may be cleared away
    CONSTRAINT blob_pk PRIMARY KEY (id),
    CONSTRAINT blob_once UNIQUE (ctx, actor, digest),
    CONSTRAINT blob_actor_exists FOREIGN KEY (ctx, actor) REFERENCES hn.actor,
    CONSTRAINT blob_size_in_range CHECK (size BETWEEN 1 AND 5244167),
    CONSTRAINT blob_have_in_range CHECK (have BETWEEN 0 AND size),
    CONSTRAINT blob_complete_is_all CHECK (NOT complete OR have = size),
    CONSTRAINT blob_named_is_complete CHECK (named_at IS NULL OR complete)
);
CREATE INDEX blob_by_digest ON hn.blob (ctx, digest);
CREATE INDEX blob_never_named ON hn.blob (touched_at) WHERE named_at IS NULL;

CREATE TABLE hn.blob_chunk (
    blob        bigint      NOT NULL,
    n           integer     NOT NULL,               -- from 0; each but the last holds 64 KiB
    content     bytea       NOT NULL,
    CONSTRAINT blob_chunk_pk PRIMARY KEY (blob, n),
    CONSTRAINT blob_chunk_blob_exists FOREIGN KEY (blob) REFERENCES hn.blob ON DELETE CASCADE
);
-- They are enciphered: PostgreSQL need not try to compress them.
ALTER TABLE hn.blob_chunk ALTER COLUMN content SET STORAGE EXTERNAL;

-- Which statement names which blob: who may read the one may read the other.
CREATE TABLE hn.blob_use (
    pos         bigint      NOT NULL,
    blob        bigint      NOT NULL,
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    org         text        NOT NULL,
    CONSTRAINT blob_use_pk PRIMARY KEY (blob, pos),
    CONSTRAINT blob_use_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT blob_use_blob_exists FOREIGN KEY (blob) REFERENCES hn.blob
);
CREATE INDEX blob_use_by_statement ON hn.blob_use (pos);

GRANT SELECT, INSERT, UPDATE (have, complete, touched_at), DELETE ON hn.blob TO hn_app;
GRANT SELECT, INSERT ON hn.blob_chunk TO hn_app;
GRANT SELECT ON hn.blob_use TO hn_app;
GRANT SELECT, UPDATE (named_at) ON hn.blob TO hn_intake;
GRANT SELECT, INSERT ON hn.blob_use TO hn_intake;
GRANT SELECT, DELETE ON hn.blob TO hn_worker;

ALTER TABLE hn.blob       ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.blob       FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.blob_chunk ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.blob_chunk FORCE ROW LEVEL SECURITY;
ALTER TABLE hn.blob_use   ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.blob_use   FORCE ROW LEVEL SECURITY;

CREATE POLICY intake_all ON hn.blob     TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY intake_all ON hn.blob_use TO hn_intake USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON hn.blob     TO hn_worker USING (true);

-- A desk whose mailbox holds the statement, if it is handed the attachments: its own organisation, the coordinator, and
-- parties that see the exact place.
CREATE POLICY tenant ON hn.blob_use FOR SELECT TO hn_app USING (
    EXISTS (SELECT FROM hn.mailbox m
             WHERE m.ctx = (SELECT hn.ctx()) AND m.actor = (SELECT hn.me()) AND m.pos = blob_use.pos)
    AND (org = (SELECT hn.me()) OR (SELECT hn.is_coordinator())
         OR EXISTS (SELECT FROM hn.audience a
                     WHERE a.nid = blob_use.nid AND a.rev = blob_use.rev AND a.party = (SELECT hn.me()) AND a.tier = 'exact')));
-- Who sent it, and who may read a statement that names it. Only who sent it writes, and only until it is named.
CREATE POLICY tenant ON hn.blob FOR SELECT TO hn_app USING (
    ctx = (SELECT hn.ctx()) AND (
        actor = (SELECT hn.me()) OR EXISTS (SELECT FROM hn.blob_use u WHERE u.blob = blob.id)));
CREATE POLICY tenant_sends ON hn.blob FOR INSERT TO hn_app
    WITH CHECK (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()) AND named_at IS NULL);
CREATE POLICY tenant_goes_on ON hn.blob FOR UPDATE TO hn_app
    USING (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()) AND named_at IS NULL);
CREATE POLICY tenant_takes_back ON hn.blob FOR DELETE TO hn_app
    USING (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()) AND named_at IS NULL);
CREATE POLICY tenant ON hn.blob_chunk FOR SELECT TO hn_app USING (
    EXISTS (SELECT FROM hn.blob b WHERE b.id = blob_chunk.blob));
CREATE POLICY tenant_sends ON hn.blob_chunk FOR INSERT TO hn_app WITH CHECK (
    EXISTS (SELECT FROM hn.blob b
             WHERE b.id = blob_chunk.blob AND b.ctx = (SELECT hn.ctx()) AND b.actor = (SELECT hn.me()) AND b.named_at IS NULL));

RESET ROLE;
