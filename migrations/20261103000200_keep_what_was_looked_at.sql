-- What of a revision the coordinator looked at, so that the status says exactly that and no more.
SET ROLE hn_owner;
ALTER TABLE hn.revision
    ADD COLUMN checked text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT revision_checked_known CHECK (checked <@ ARRAY['form', 'coordinates', 'sender']);
RESET ROLE;
