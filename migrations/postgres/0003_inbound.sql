-- More kinds of what comes in, and what a report or an absence note says besides.
ALTER TABLE inbound DROP CONSTRAINT inbound_kind_check;
ALTER TABLE inbound ADD CONSTRAINT inbound_kind_check
    CHECK (kind IN ('reply', 'auto_reply', 'hard_bounce', 'soft_bounce', 'delayed', 'sender_block',
                    'complaint', 'unsubscribe', 'suspicious', 'unrelated'));
ALTER TABLE inbound ADD COLUMN status TEXT;                 -- of a delivery report (RFC 3463)
ALTER TABLE inbound ADD COLUMN return_on TEXT;              -- the day from which somebody away is back
