-- When the organisation last confirmed that the site stands as its latest revision says.
SET ROLE hn_owner;

ALTER TABLE hn.notification ADD COLUMN confirmed_at timestamptz;

-- Whether the coordinator signed the revision on the organisation's behalf, and the organisation has not signed it since.
ALTER TABLE hn.revision ADD COLUMN on_behalf boolean NOT NULL DEFAULT false;

RESET ROLE;
