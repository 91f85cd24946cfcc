-- What an arrival proves of a message that was still on its way when it came; NULL once that is over
-- and it was looked at again.
ALTER TABLE inbound ADD COLUMN early TEXT CHECK (early IN ('reply', 'report', 'bounce'));
CREATE INDEX inbound_early ON inbound (message_id) WHERE early IS NOT NULL;
CREATE INDEX inbound_by_message ON inbound (message_id) WHERE message_id IS NOT NULL;

-- Refusals of the sender that a report told after the message was accepted, on the day it was sent.
-- Beside `sender_rejections`, since such an attempt is counted as accepted.
ALTER TABLE mailbox_days ADD COLUMN blocks BIGINT NOT NULL DEFAULT 0 CHECK (blocks >= 0);

-- Until when somebody is away, and when their machine said so: nobody is reminded before. Apart from
-- `next_at`, which the step before sets when it is accepted.
ALTER TABLE enrolments ADD COLUMN away_until BIGINT;
ALTER TABLE enrolments ADD COLUMN away_said_at BIGINT;
