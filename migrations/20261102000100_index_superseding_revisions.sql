-- The worker looks for revisions that may supersede another: those that count and are not a notification's first.
SET LOCAL ROLE hn_owner;

CREATE INDEX audience_superseding ON hn.audience (nid, party) WHERE rev > 1 AND counts;

RESET ROLE;
