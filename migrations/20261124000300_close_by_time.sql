-- What time closes. A revision whose window has ended names the statement with which that was known: the server's alert, or
-- the revision itself, where its window had ended before it came. A site that was closed by time names the alert that said
-- so. Neither says when a window ended: that stands sealed in the schedule.
SET ROLE hn_owner;

ALTER TABLE hn.revision ADD COLUMN window_ended_pos bigint;
ALTER TABLE hn.revision ADD CONSTRAINT revision_window_statement_exists FOREIGN KEY (window_ended_pos) REFERENCES hn.statement;
ALTER TABLE hn.notification ADD COLUMN closed_pos bigint;
ALTER TABLE hn.notification ADD CONSTRAINT notification_closing_statement_exists FOREIGN KEY (closed_pos) REFERENCES hn.statement;
ALTER TABLE hn.notification ADD CONSTRAINT notification_closed_by_time CHECK (closed_pos IS NULL OR state = 'closed');

-- What an alert was the first to say is looked for when the statements are taken again.
CREATE INDEX revision_by_window_statement ON hn.revision (window_ended_pos) WHERE window_ended_pos IS NOT NULL;
CREATE INDEX notification_by_closing_statement ON hn.notification (closed_pos) WHERE closed_pos IS NOT NULL;

RESET ROLE;

-- How long a site can be revised after its window, by a policy that did not say it.
SET ROLE hn_owner;
GRANT SELECT ON hn.context TO hn_matcher;
GRANT UPDATE (policy) ON hn.context TO hn_matcher;
RESET ROLE;
SET ROLE hn_matcher;
UPDATE hn.context SET policy = policy || '{"close_days": 30}' WHERE NOT policy ? 'close_days';
RESET ROLE;
SET ROLE hn_owner;
REVOKE SELECT ON hn.context FROM hn_matcher;
REVOKE UPDATE (policy) ON hn.context FROM hn_matcher;
RESET ROLE;
