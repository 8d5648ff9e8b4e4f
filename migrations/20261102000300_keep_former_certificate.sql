-- A device that renewed and whose answer was lost still has its old certificate only. It may show it once more, to ask
-- for the same renewal again, and for nothing else.
SET ROLE hn_owner;
ALTER TABLE hn.device ADD COLUMN former_spki bytea;
CREATE INDEX device_by_former_spki ON hn.device (former_spki) WHERE former_spki IS NOT NULL;
DROP POLICY tenant ON hn.device;
CREATE POLICY tenant ON hn.device TO hn_app USING (
    (ctx = (SELECT hn.ctx()) AND actor = (SELECT hn.me()))
    OR decode(nullif(current_setting('hn.spki', true), ''), 'hex') IN (spki, former_spki));
RESET ROLE;
