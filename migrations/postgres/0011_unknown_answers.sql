-- Answers of mail servers that no rule knew, one row for each kind: for `report`, and for new rules.
CREATE TABLE unknown_answers (
    mailbox_id BIGINT NOT NULL REFERENCES mailboxes (id),
    phase      TEXT NOT NULL,
    code       BIGINT NOT NULL,
    enhanced   TEXT NOT NULL,                               -- empty: it had none
    shape      TEXT NOT NULL,                               -- what all of one kind have in common
    text       TEXT NOT NULL,                               -- the first of them, without addresses
    times      BIGINT NOT NULL DEFAULT 1 CHECK (times >= 1),
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (mailbox_id, phase, code, enhanced, shape)
);
