-- How far each folder of a mailbox was read. A mark moves in the transaction that records what it
-- passes, so a crash between the two can neither lose an arrival nor count it twice.
CREATE TABLE folders (
    id          INTEGER PRIMARY KEY,
    mailbox_id  INTEGER NOT NULL REFERENCES mailboxes (id),
    name        TEXT    NOT NULL,                           -- as the server writes it
    role        TEXT    NOT NULL CHECK (role IN ('inbox', 'junk', 'sent')),
    uidvalidity INTEGER NOT NULL CHECK (uidvalidity > 0),
    last_uid    INTEGER NOT NULL CHECK (last_uid >= 0),
    read_at     INTEGER NOT NULL,
    passed      INTEGER NOT NULL DEFAULT 0 CHECK (passed >= 0),  -- what the server could not show
    UNIQUE (mailbox_id, name)
);

CREATE TRIGGER marks_move_forward BEFORE UPDATE ON folders
WHEN NEW.uidvalidity = OLD.uidvalidity AND NEW.last_uid < OLD.last_uid
BEGIN SELECT RAISE(ABORT, 'a folder is not read backwards'); END;

-- Where an arrival lay when it was recorded. The numbers of a folder may be given anew; its content
-- key stays, and with it UNIQUE (mailbox_id, content_key).
ALTER TABLE inbound ADD COLUMN folder_id INTEGER REFERENCES folders (id);
ALTER TABLE inbound ADD COLUMN uidvalidity INTEGER;
ALTER TABLE inbound ADD COLUMN uid INTEGER;
CREATE UNIQUE INDEX a_place_is_recorded_once ON inbound (folder_id, uidvalidity, uid)
    WHERE folder_id IS NOT NULL;

-- What lies in the Sent folder: copies of our messages, which settle doubts, and mail that a person
-- wrote by hand, which counts on the day.
CREATE TABLE sent_copies (
    id          INTEGER PRIMARY KEY,
    mailbox_id  INTEGER NOT NULL REFERENCES mailboxes (id),
    folder_id   INTEGER NOT NULL REFERENCES folders (id),
    uidvalidity INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    content_key TEXT    NOT NULL,
    message_id  INTEGER REFERENCES messages (id),           -- NULL: not ours
    keeps_id    INTEGER NOT NULL CHECK (keeps_id IN (0, 1)),  -- it bears the Message-ID we gave it
    sent_at     INTEGER NOT NULL,
    UNIQUE (mailbox_id, content_key)                        -- counted once
);
CREATE INDEX sent_copies_by_place ON sent_copies (folder_id, uidvalidity, uid);
CREATE INDEX sent_copies_by_message ON sent_copies (message_id) WHERE message_id IS NOT NULL;

-- Who reads a mailbox's folders. Apart from the lease to send: a mailbox that sends nothing is read.
ALTER TABLE mailboxes ADD COLUMN reader TEXT;
ALTER TABLE mailboxes ADD COLUMN reader_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailboxes ADD COLUMN reader_until INTEGER;
ALTER TABLE mailboxes ADD COLUMN unread_because TEXT;       -- why it cannot be read now

CREATE INDEX messages_in_doubt ON messages (mailbox_id) WHERE state = 'in_doubt';
