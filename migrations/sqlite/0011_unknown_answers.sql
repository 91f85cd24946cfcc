-- Answers of mail servers that no rule knew, one row for each kind: for `report`, and for new rules.
CREATE TABLE unknown_answers (
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes (id),
    phase      TEXT NOT NULL,
    code       INTEGER NOT NULL,
    enhanced   TEXT NOT NULL,                               -- empty: it had none
    shape      TEXT NOT NULL,                               -- what all of one kind have in common
    text       TEXT NOT NULL,                               -- the first of them, without addresses
    times      INTEGER NOT NULL DEFAULT 1 CHECK (times >= 1),
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (mailbox_id, phase, code, enhanced, shape)
) WITHOUT ROWID;
