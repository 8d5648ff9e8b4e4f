-- The whole of what Herald stores. Statements are public to whoever holds them and stand in the clear; every part
-- (place, time, name, free text, category) is sealed under the keyring before it comes here. The database sees of a
-- place only its cover, snapped outward to a grid.
SET ROLE hn_owner;

-- One row: the next position, and what the deployment is. Its lock orders everything accepted.
CREATE TABLE hn.head (
    only_one    boolean     NOT NULL DEFAULT true,
    position    bigint      NOT NULL DEFAULT 0,
    CONSTRAINT head_pk PRIMARY KEY (only_one),
    CONSTRAINT head_is_one_row CHECK (only_one),
    CONSTRAINT head_position_not_negative CHECK (position >= 0)
);
INSERT INTO hn.head DEFAULT VALUES;

CREATE TABLE hn.context (
    ctx         text        NOT NULL,
    mode        text        NOT NULL,
    policy_pos  bigint,
    policy_version integer  NOT NULL DEFAULT 0,
    policy      jsonb       NOT NULL,
    CONSTRAINT context_pk PRIMARY KEY (ctx),
    CONSTRAINT context_mode_known CHECK (mode IN ('live', 'exercise'))
);

CREATE TABLE hn.actor (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    kind        text        NOT NULL,
    name        text        NOT NULL,
    state       text        NOT NULL,
    root        bytea,                              -- Ed25519 public key
    keys_serial integer     NOT NULL DEFAULT 0,
    keys_pos    bigint,                             -- its latest keys statement
    admit_pos   bigint,
    desk_key    bytea,                              -- HPKE public key
    desk_kid    bytea,
    duty        text,
    mailbox_seq bigint      NOT NULL DEFAULT 0,     -- the last event put into its mailbox
    CONSTRAINT actor_pk PRIMARY KEY (ctx, actor),
    CONSTRAINT actor_context_exists FOREIGN KEY (ctx) REFERENCES hn.context,
    CONSTRAINT actor_root_length CHECK (octet_length(root) = 32)
);

CREATE TABLE hn.device (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    role        text        NOT NULL,
    state       text        NOT NULL,
    kid         bytea       NOT NULL,               -- thumbprint of the signing key
    signing_key bytea       NOT NULL,
    seal_key    bytea       NOT NULL,
    spki        bytea       NOT NULL,               -- SHA-256 of the certificate's public key
    person      bytea       NOT NULL,               -- sealed under the keyring
    person_month text       NOT NULL,
    until       timestamptz NOT NULL,
    cursor_seq  bigint      NOT NULL DEFAULT 0,
    cursor_at   timestamptz,
    CONSTRAINT device_pk PRIMARY KEY (ctx, actor, device),
    CONSTRAINT device_actor_exists FOREIGN KEY (ctx, actor) REFERENCES hn.actor,
    CONSTRAINT device_spki_unique UNIQUE (spki),
    CONSTRAINT device_kid_unique UNIQUE (kid)
);

-- Every signing key that a device ever had: old signatures are judged by position.
CREATE TABLE hn.device_key (
    kid         bytea       NOT NULL,
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    signing_key bytea       NOT NULL,
    from_pos    bigint      NOT NULL,
    until_pos   bigint,                             -- the statement that ended it: renewal or revocation
    CONSTRAINT device_key_pk PRIMARY KEY (kid),
    CONSTRAINT device_key_device_exists FOREIGN KEY (ctx, actor, device) REFERENCES hn.device
);

CREATE TABLE hn.invite (
    code        bytea       NOT NULL,               -- SHA-256 of the secret
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    role        text        NOT NULL,
    person      bytea       NOT NULL,
    person_month text       NOT NULL,
    until       timestamptz NOT NULL,
    used_at     timestamptz,
    used_by     bytea,                              -- kid of the device that it enrolled
    CONSTRAINT invite_pk PRIMARY KEY (code),
    CONSTRAINT invite_actor_exists FOREIGN KEY (ctx, actor) REFERENCES hn.actor
);

CREATE TABLE hn.statement (
    pos         bigint      NOT NULL,
    hash        bytea       NOT NULL,
    ctx         text        NOT NULL,
    actor       text        NOT NULL,               -- who signed
    device      text        NOT NULL,
    kid         bytea       NOT NULL,
    jti         uuid        NOT NULL,
    kind        text        NOT NULL,
    jws         text        NOT NULL,               -- the exact bytes
    receipt     text        NOT NULL,
    submitted_by text       NOT NULL,               -- the actor whose device brought it
    at          timestamptz NOT NULL,
    CONSTRAINT statement_pk PRIMARY KEY (pos),
    CONSTRAINT statement_hash_unique UNIQUE (hash),
    CONSTRAINT statement_jti_unique UNIQUE (ctx, actor, device, jti),
    CONSTRAINT statement_hash_length CHECK (octet_length(hash) = 32)
);

-- Parts that the server can read, sealed under the keyring; and seals that it cannot, wrapped under the keyring.
CREATE TABLE hn.part (
    pos         bigint      NOT NULL,
    part        text        NOT NULL,
    sd          bytea       NOT NULL,               -- digest of the disclosure
    month       text        NOT NULL,               -- which month's KEK
    org         text        NOT NULL,               -- whose: part of the key's derivation
    content     bytea       NOT NULL,
    CONSTRAINT part_pk PRIMARY KEY (pos, part),
    CONSTRAINT part_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement
);
CREATE TABLE hn.seal (
    pos         bigint      NOT NULL,
    part        text        NOT NULL,
    kid         bytea       NOT NULL,               -- the reader's key
    sd          bytea       NOT NULL,
    month       text        NOT NULL,
    org         text        NOT NULL,
    content     bytea       NOT NULL,
    CONSTRAINT seal_pk PRIMARY KEY (pos, part, kid),
    CONSTRAINT seal_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement
);

CREATE TABLE hn.notification (
    nid         uuid        NOT NULL,
    ctx         text        NOT NULL,
    org         text        NOT NULL,
    subject     text        NOT NULL,
    state       text        NOT NULL,
    reference   text        NOT NULL,
    rev         integer     NOT NULL,               -- the latest
    first_pos   bigint      NOT NULL,
    CONSTRAINT notification_pk PRIMARY KEY (nid),
    CONSTRAINT notification_actor_exists FOREIGN KEY (ctx, org) REFERENCES hn.actor,
    CONSTRAINT notification_subject_known CHECK (subject IN ('site', 'movement')),
    CONSTRAINT notification_state_known CHECK (state IN ('current', 'withdrawn', 'closed'))
);
CREATE INDEX notification_by_org ON hn.notification (ctx, org, first_pos);
CREATE INDEX notification_by_reference ON hn.notification (ctx, reference);

CREATE TABLE hn.revision (
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    ctx         text        NOT NULL,
    org         text        NOT NULL,
    pos         bigint      NOT NULL,
    hash        bytea       NOT NULL,
    kind        text        NOT NULL,               -- site, movement, withdraw, close
    device      text        NOT NULL,               -- who signed it: another must sign second
    emergency   boolean     NOT NULL,
    screening   text        NOT NULL,
    cosign      text        NOT NULL,
    at          timestamptz NOT NULL,
    CONSTRAINT revision_pk PRIMARY KEY (nid, rev),
    CONSTRAINT revision_notification_exists FOREIGN KEY (nid) REFERENCES hn.notification,
    CONSTRAINT revision_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT revision_pos_unique UNIQUE (pos)
);
CREATE INDEX revision_unscreened ON hn.revision (ctx, pos) WHERE screening = 'submitted';

-- Who was chosen to see a revision. `counts` says whether the revision counts in that party's checks.
CREATE TABLE hn.audience (
    ctx         text        NOT NULL,
    party       text        NOT NULL,
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    org         text        NOT NULL,
    tier        text        NOT NULL,
    seq         bigint      NOT NULL,               -- the event in the party's mailbox
    counts      boolean     NOT NULL,
    fetched_at  timestamptz,                        -- when a device of its desk had taken it
    CONSTRAINT audience_pk PRIMARY KEY (nid, rev, party),
    CONSTRAINT audience_revision_exists FOREIGN KEY (nid, rev) REFERENCES hn.revision,
    CONSTRAINT audience_party_exists FOREIGN KEY (ctx, party) REFERENCES hn.actor
);
CREATE INDEX audience_by_party ON hn.audience (ctx, party, seq);
CREATE INDEX audience_unfetched ON hn.audience (ctx, party, seq) WHERE fetched_at IS NULL;

-- What the index sees of a place: boxes snapped outward (sites 0.1°, movements 0.5°) and whole days.
CREATE TABLE hn.cover (
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    ctx         text        NOT NULL,
    org         text        NOT NULL,
    cover       public.geometry(MultiPolygon, 4326) NOT NULL,
    validity    tstzrange   NOT NULL,
    CONSTRAINT cover_pk PRIMARY KEY (nid, rev),
    CONSTRAINT cover_revision_exists FOREIGN KEY (nid, rev) REFERENCES hn.revision
);
CREATE INDEX cover_in_space ON hn.cover USING gist (cover);

CREATE TABLE hn.ack (
    pos         bigint      NOT NULL,
    item        integer     NOT NULL,
    ctx         text        NOT NULL,
    party       text        NOT NULL,
    org         text        NOT NULL,
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    state       text        NOT NULL,
    elsewhere   boolean     NOT NULL,               -- entered more than 100 m away
    at          timestamptz NOT NULL,
    CONSTRAINT ack_pk PRIMARY KEY (pos, item),
    CONSTRAINT ack_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT ack_audience_exists FOREIGN KEY (nid, rev, party) REFERENCES hn.audience (nid, rev, party)
);
CREATE INDEX ack_by_notification ON hn.ack (nid, party, pos);

-- A desk's mailbox: durable, dense, in order. Written in the intake's transaction.
CREATE TABLE hn.mailbox (
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    seq         bigint      NOT NULL,
    pos         bigint      NOT NULL,
    CONSTRAINT mailbox_pk PRIMARY KEY (ctx, actor, seq),
    CONSTRAINT mailbox_actor_exists FOREIGN KEY (ctx, actor) REFERENCES hn.actor,
    CONSTRAINT mailbox_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT mailbox_once UNIQUE (ctx, actor, pos)
);

-- Checks and answers take no position. Question, answer and the revisions considered are sealed.
CREATE TABLE hn.check_log (
    hash        bytea       NOT NULL,
    ctx         text        NOT NULL,
    actor       text        NOT NULL,
    device      text        NOT NULL,
    jti         uuid        NOT NULL,
    at          timestamptz NOT NULL,
    month       text        NOT NULL,
    question    text        NOT NULL,               -- the statement, which says nothing of place or time
    area        bytea       NOT NULL,               -- its disclosure, sealed
    answer      text        NOT NULL,               -- the server's statement
    content     bytea       NOT NULL,               -- its disclosure, sealed
    CONSTRAINT check_log_pk PRIMARY KEY (hash),
    CONSTRAINT check_log_jti_unique UNIQUE (ctx, actor, device, jti)
);
CREATE INDEX check_log_by_time ON hn.check_log (at);

RESET ROLE;
