-- What a party sees of a statement that is no revision itself: how far a movement is, a call for help. The intake decides
-- it when it delivers; of a revision the audience says it.
SET ROLE hn_owner;

ALTER TABLE hn.mailbox ADD COLUMN tier text;

RESET ROLE;
