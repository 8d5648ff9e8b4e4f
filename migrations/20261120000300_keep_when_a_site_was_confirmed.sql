-- When the organisation last confirmed that the site stands as its latest revision says.
SET ROLE hn_owner;

ALTER TABLE hn.notification ADD COLUMN confirmed_at timestamptz;

RESET ROLE;
