-- More kinds of what comes in, and what a report or an absence note says besides. SQLite cannot widen
-- a CHECK: the table is made anew.
CREATE TABLE arrivals (
    id          INTEGER PRIMARY KEY,
    mailbox_id  INTEGER NOT NULL REFERENCES mailboxes (id),
    content_key TEXT    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('reply', 'auto_reply', 'hard_bounce', 'soft_bounce',
                                                 'delayed', 'sender_block', 'complaint', 'unsubscribe',
                                                 'suspicious', 'unrelated')),
    message_id  INTEGER REFERENCES messages (id),
    received_at INTEGER NOT NULL,
    status      TEXT,                                       -- of a delivery report (RFC 3463)
    return_on   TEXT,                                       -- the day from which somebody away is back
    UNIQUE (mailbox_id, content_key)                        -- reading twice counts once
);
INSERT INTO arrivals (id, mailbox_id, content_key, kind, message_id, received_at)
    SELECT id, mailbox_id, content_key, kind, message_id, received_at FROM inbound;
DROP TABLE inbound;
ALTER TABLE arrivals RENAME TO inbound;
