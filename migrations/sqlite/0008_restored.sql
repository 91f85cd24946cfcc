-- Books that are an older copy of what has sent since, and what brings them up to date.

-- Why these books are known to be such a copy. Until they are brought up to date nobody sends.
ALTER TABLE identity ADD COLUMN outdated_because TEXT;

-- 1: what it sent since the copy nothing shows. It is paused, and nobody new is written to, until the
-- operator resumes it.
ALTER TABLE mailboxes ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0 CHECK (unproven IN (0, 1));

-- Without a lease nothing is claimed.
CREATE TRIGGER outdated_books_lease_no_mailbox BEFORE UPDATE OF lease_owner ON mailboxes
WHEN NEW.lease_owner IS NOT NULL
 AND EXISTS (SELECT 1 FROM identity WHERE outdated_because IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'these books are an older copy'); END;

-- Mail of ours that lies in a Sent folder, to somebody, in a campaign or of a step that these books
-- do not have. Whoever got it waits for the operator, also where a list brings them later.
CREATE TABLE strays (
    id          INTEGER PRIMARY KEY,
    mailbox_id  INTEGER NOT NULL REFERENCES mailboxes (id),
    content_key TEXT    NOT NULL,
    rfc_id      TEXT    NOT NULL,                           -- the Message-ID that it bears
    token       TEXT,                                       -- of its opt-out link
    address     TEXT    NOT NULL CHECK (address = lower(address)),
    subject     TEXT,
    sent_at     INTEGER NOT NULL,
    message_id  INTEGER REFERENCES messages (id),           -- once the books have whose it is
    UNIQUE (mailbox_id, content_key, address)
);
CREATE INDEX strays_by_address ON strays (address) WHERE message_id IS NULL;

-- A message that the books have as planned and that lies in a Sent folder was sent: its copy is the
-- evidence, and it counts as the attempt that the books did not see.
DROP TRIGGER attempts_are_claims;
CREATE TRIGGER attempts_are_claims BEFORE UPDATE OF state, attempts ON messages
WHEN NOT (NEW.attempts = OLD.attempts
        + (OLD.state = 'planned' AND NEW.state IN ('sending', 'accepted'))
    OR (OLD.state = 'sending' AND NEW.state = 'planned' AND NEW.attempts = OLD.attempts - 1))
BEGIN SELECT RAISE(ABORT, 'an attempt is counted by its claim'); END;

DROP TRIGGER messages_move_forward;
CREATE TRIGGER messages_move_forward BEFORE UPDATE OF state ON messages
WHEN OLD.state <> NEW.state AND NOT (
    (OLD.state = 'planned'  AND NEW.state IN ('sending', 'accepted', 'rejected', 'cancelled')) OR
    (OLD.state = 'sending'  AND NEW.state IN ('accepted', 'rejected', 'planned', 'in_doubt')) OR
    (OLD.state = 'accepted' AND NEW.state = 'bounced') OR
    (OLD.state = 'in_doubt' AND NEW.state IN ('accepted', 'bounced', 'planned')))
BEGIN SELECT RAISE(ABORT, 'message state may not move that way'); END;

CREATE TRIGGER what_was_not_claimed_is_taken_up_by_its_copy BEFORE UPDATE OF state ON messages
WHEN OLD.state = 'planned' AND NEW.state = 'accepted' AND NOT EXISTS (
    SELECT 1 FROM evidence v WHERE v.message_id = NEW.id AND v.kind = 'sent_copy'
       AND v.at >= OLD.changed_at)
BEGIN SELECT RAISE(ABORT, 'a message that was never claimed is taken up by its copy only'); END;

-- Nothing refuses what has happened: a ceiling that was lower in the copy rises to what was sent.
CREATE TRIGGER what_is_taken_up_counts AFTER UPDATE OF state ON messages
WHEN OLD.state = 'planned' AND NEW.state = 'accepted'
BEGIN
    INSERT INTO mailbox_days (mailbox_id, day, cap, allowance, ceiling, warm_days, attempted,
                              accepted, settled)
        SELECT id, NEW.sending_on, 1, 1, 1, warm_days, 1, 1, 1 FROM mailboxes
        WHERE id = NEW.mailbox_id
        ON CONFLICT (mailbox_id, day) DO UPDATE SET
            cap = max(mailbox_days.cap, mailbox_days.attempted + 1),
            allowance = max(mailbox_days.allowance, mailbox_days.attempted + 1),
            ceiling = max(mailbox_days.ceiling, mailbox_days.attempted + 1),
            attempted = mailbox_days.attempted + 1, accepted = mailbox_days.accepted + 1,
            settled = mailbox_days.settled + 1;
    INSERT INTO budget_days (scope, name, day, ceiling, attempted)
        SELECT 'domain', domain, NEW.sending_on, 1, 1 FROM mailboxes WHERE id = NEW.mailbox_id
        UNION ALL
        SELECT 'tenant', tenant, NEW.sending_on, 1, 1 FROM mailboxes
        WHERE id = NEW.mailbox_id AND tenant IS NOT NULL
        UNION ALL
        SELECT 'company', p.company, NEW.sending_on, 1, 1
        FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
        WHERE e.id = NEW.enrolment_id AND p.company IS NOT NULL
        ON CONFLICT (scope, name, day) DO UPDATE SET
            ceiling = max(budget_days.ceiling, budget_days.attempted + 1),
            attempted = budget_days.attempted + 1;
    INSERT INTO campaign_answers (campaign_id, mailbox_id, settled)
        VALUES (NEW.campaign_id, NEW.mailbox_id, 1)
        ON CONFLICT (campaign_id, mailbox_id) DO UPDATE SET settled = settled + 1;
    UPDATE prospects SET last_attempt_at = NEW.sending_since, last_message_id = NEW.id
        WHERE id = (SELECT prospect_id FROM enrolments WHERE id = NEW.enrolment_id)
          AND (last_attempt_at IS NULL OR last_attempt_at <= NEW.sending_since);
    UPDATE mailboxes SET last_attempt_at = NEW.sending_since
        WHERE id = NEW.mailbox_id
          AND (last_attempt_at IS NULL OR last_attempt_at < NEW.sending_since);
    UPDATE enrolments SET mailbox_id = NEW.mailbox_id
        WHERE id = NEW.enrolment_id AND mailbox_id IS NULL;
END;
