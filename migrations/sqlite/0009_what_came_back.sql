-- What an arrival proves of a message that was still on its way when it came; NULL once that is over
-- and it was looked at again.
ALTER TABLE inbound ADD COLUMN early TEXT CHECK (early IN ('reply', 'report', 'bounce'));
CREATE INDEX inbound_early ON inbound (message_id) WHERE early IS NOT NULL;
CREATE INDEX inbound_by_message ON inbound (message_id) WHERE message_id IS NOT NULL;
