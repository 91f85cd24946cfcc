-- The books. What must never happen, this file refuses: every limit is a CHECK, a unique index or
-- a trigger, and each is tried to be broken by a test.
--
-- Moments (…_at, …_ms) are unix milliseconds, civil days (…_on, day) are ISO dates of the counting
-- zone. Triggers compare with the moments they are given and never read a clock: time is simulated
-- in tests.

-- What the triggers need to know of the configuration. One row.
CREATE TABLE settings (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    zone            TEXT    NOT NULL,                       -- whose civil date counts
    seed            INTEGER NOT NULL,                       -- of the plans
    company_per_day INTEGER NOT NULL CHECK (company_per_day > 0),
    person_gap_ms   INTEGER NOT NULL CHECK (person_gap_ms >= 0),
    fresh_ms        INTEGER NOT NULL CHECK (fresh_ms > 0)   -- how old an inbox's reading may be
);

-- Which books these are and how far they have come. A file beside the configuration remembers the
-- highest epoch that was committed: books with a lower one are a restored backup.
CREATE TABLE identity (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    name  TEXT    NOT NULL,
    epoch INTEGER NOT NULL
);
INSERT INTO identity (id, name, epoch) VALUES (1, lower(hex(randomblob(8))), 0);
CREATE TRIGGER an_epoch_never_falls BEFORE UPDATE ON identity
WHEN NEW.epoch < OLD.epoch OR NEW.name <> OLD.name
BEGIN SELECT RAISE(ABORT, 'an epoch never falls'); END;

CREATE TABLE mailboxes (
    id               INTEGER PRIMARY KEY,
    address          TEXT    NOT NULL UNIQUE CHECK (address = lower(address)),
    domain           TEXT    NOT NULL,
    tenant           TEXT,
    provider         TEXT    NOT NULL,
    state            TEXT    NOT NULL DEFAULT 'active'
                             CHECK (state IN ('active', 'paused', 'disabled')),
    configured       INTEGER NOT NULL DEFAULT 1 CHECK (configured IN (0, 1)),  -- 0: no pause ends in work
    paused_at        INTEGER,
    paused_until     INTEGER,                               -- NULL while paused: until an operator resumes
    paused_reason    TEXT,                                  -- the word
    paused_because   TEXT,                                  -- the sentence
    pauses           INTEGER NOT NULL DEFAULT 0 CHECK (pauses >= 0),  -- in a row, each soon after the last
    last_paused_at   INTEGER,
    cap              INTEGER NOT NULL CHECK (cap > 0),
    gap_ms           INTEGER NOT NULL CHECK (gap_ms >= 0),  -- the longer of the gap and the provider's rate
    warm_days        INTEGER NOT NULL DEFAULT 0 CHECK (warm_days >= 0),
    idle_days        INTEGER NOT NULL DEFAULT 0 CHECK (idle_days >= 0),
    rolled_on        TEXT    NOT NULL,                      -- the first day not yet counted into warm_days
    ease_percent     INTEGER NOT NULL DEFAULT 100 CHECK (ease_percent BETWEEN 10 AND 100),
    eased_at         INTEGER,
    probe            INTEGER NOT NULL DEFAULT 0 CHECK (probe IN (0, 1)),
    last_attempt_at  INTEGER,
    inbox_read_at    INTEGER,
    lease_owner      TEXT,
    lease_epoch      INTEGER NOT NULL DEFAULT 0,
    lease_expires_at INTEGER,
    CONSTRAINT a_pause_says_why_and_since_when CHECK (
        (state = 'paused') = (paused_reason IS NOT NULL)
        AND (paused_reason IS NULL) = (paused_at IS NULL)
        AND (paused_reason IS NULL) = (paused_because IS NULL)
        AND (paused_until IS NULL OR state = 'paused')),
    CONSTRAINT a_lease_is_whole CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL))
);
CREATE INDEX mailboxes_by_domain ON mailboxes (domain);

CREATE TABLE campaigns (
    id            INTEGER PRIMARY KEY,
    slug          TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    state         TEXT    NOT NULL DEFAULT 'draft'
                          CHECK (state IN ('draft', 'running', 'paused', 'finished')),
    paused_because TEXT,
    daily_target  INTEGER NOT NULL CHECK (daily_target > 0),
    manifest      TEXT    NOT NULL,                         -- windows, holidays, mailboxes, waits: JSON
    created_at    INTEGER NOT NULL,
    CONSTRAINT a_paused_campaign_says_why CHECK ((state = 'paused') = (paused_because IS NOT NULL))
);

-- What a campaign's list came to since it was last started. A row for each mailbox, so that mailboxes
-- of one campaign, and the daemons that hold them, never wait for one another.
CREATE TABLE campaign_answers (
    campaign_id  INTEGER NOT NULL REFERENCES campaigns (id),
    mailbox_id   INTEGER NOT NULL REFERENCES mailboxes (id),
    settled      INTEGER NOT NULL DEFAULT 0,
    hard_bounces INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, mailbox_id)
) WITHOUT ROWID;

CREATE TABLE steps (
    campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
    position    INTEGER NOT NULL CHECK (position >= 1),
    wait        TEXT,                                       -- 3d, 2bd, 6h; NULL for the first
    withdrawn   INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn IN (0, 1)),  -- 1: gone from the folder
    PRIMARY KEY (campaign_id, position),
    CONSTRAINT only_the_first_does_not_wait CHECK ((position = 1) = (wait IS NULL))
) WITHOUT ROWID;

-- The texts, each as it was. A message names its revision, so what was sent can be read for ever.
CREATE TABLE step_revisions (
    id          INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    variant     TEXT    NOT NULL,
    revision    INTEGER NOT NULL CHECK (revision >= 1),
    subject     TEXT,                                       -- NULL: reply in the same thread
    text        TEXT    NOT NULL,
    html        TEXT,
    hash        TEXT    NOT NULL,
    UNIQUE (campaign_id, position, variant, revision),
    FOREIGN KEY (campaign_id, position) REFERENCES steps (campaign_id, position),
    CONSTRAINT the_first_step_has_a_subject CHECK (position > 1 OR subject IS NOT NULL)
);

-- Variants that are gone from the folder: nobody gets them any more, and whoever was tried with one
-- keeps it.
CREATE TABLE withdrawn_variants (
    campaign_id INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    variant     TEXT    NOT NULL,
    PRIMARY KEY (campaign_id, position, variant),
    FOREIGN KEY (campaign_id, position) REFERENCES steps (campaign_id, position)
) WITHOUT ROWID;

CREATE TABLE prospects (
    id              INTEGER PRIMARY KEY,
    address         TEXT UNIQUE CHECK (address = lower(address)),   -- NULL once erased
    domain          TEXT,
    company         TEXT,                                   -- NULL: a free-mail address, nobody's company
    last_attempt_at INTEGER,
    last_message_id INTEGER,                                -- a retry of it is no second message
    erased_at       INTEGER,
    CONSTRAINT erased_means_empty CHECK ((address IS NULL) = (erased_at IS NOT NULL))
);
-- A suppressed domain finds its people.
CREATE INDEX prospects_by_domain ON prospects (domain);
CREATE INDEX prospects_by_company ON prospects (company) WHERE company IS NOT NULL;

CREATE TABLE enrolments (
    id           INTEGER PRIMARY KEY,
    campaign_id  INTEGER NOT NULL REFERENCES campaigns (id),
    prospect_id  INTEGER NOT NULL REFERENCES prospects (id),
    mailbox_id   INTEGER REFERENCES mailboxes (id),         -- set by the first send, then fixed
    state        TEXT    NOT NULL DEFAULT 'active'
                         CHECK (state IN ('active', 'held', 'replied', 'bounced', 'unsubscribed',
                                          'complained', 'suppressed', 'blocked', 'rejected',
                                          'finished', 'stopped', 'erased')),
    because      TEXT,                                      -- why, where the state alone does not say
    attributes   TEXT    NOT NULL DEFAULT '{}',             -- the row's columns: JSON
    zone         TEXT    NOT NULL DEFAULT '',               -- an IANA name, `country:XX`, or empty: the campaign's
    next_step    INTEGER NOT NULL DEFAULT 1 CHECK (next_step >= 1),
    next_at      INTEGER NOT NULL DEFAULT 0,                -- the first moment it may go
    ended_at     INTEGER,
    UNIQUE (campaign_id, prospect_id),
    UNIQUE (id, campaign_id),                               -- target of the composite key below
    CONSTRAINT ended_says_when CHECK ((state IN ('active', 'held', 'blocked')) = (ended_at IS NULL))
);
CREATE INDEX enrolments_next ON enrolments (campaign_id, state, next_at, id);
CREATE INDEX enrolments_by_prospect ON enrolments (prospect_id);

-- Where every row of every file went.
CREATE TABLE imports (
    id          INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
    at          INTEGER NOT NULL,
    file        TEXT    NOT NULL,
    rows        INTEGER NOT NULL,
    accepted    INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    duplicates  INTEGER NOT NULL,
    CONSTRAINT an_import_adds_up CHECK (rows = accepted + rejected + duplicates
        AND min(accepted, rejected, duplicates) >= 0)
);

CREATE TABLE import_rows (
    import_id    INTEGER NOT NULL REFERENCES imports (id),
    line         INTEGER NOT NULL,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'duplicate')),
    reason       TEXT,
    enrolment_id INTEGER REFERENCES enrolments (id),
    PRIMARY KEY (import_id, line),
    CONSTRAINT an_accepted_row_has_its_enrolment CHECK ((outcome = 'accepted') <= (enrolment_id IS NOT NULL))
) WITHOUT ROWID;
CREATE UNIQUE INDEX an_enrolment_comes_from_one_row ON import_rows (enrolment_id)
    WHERE outcome = 'accepted';

-- What each mailbox did on one day. `ceiling` is its allowance less manual mail; it may fall below
-- `attempted` during the day, but then nothing more is tried.
CREATE TABLE mailbox_days (
    mailbox_id        INTEGER NOT NULL REFERENCES mailboxes (id),
    day               TEXT    NOT NULL,
    cap               INTEGER NOT NULL,
    allowance         INTEGER NOT NULL CHECK (allowance BETWEEN 0 AND cap),
    ceiling           INTEGER NOT NULL CHECK (ceiling BETWEEN 0 AND allowance),
    allotted          INTEGER NOT NULL DEFAULT 0 CHECK (allotted >= 0),
    warm_days         INTEGER NOT NULL DEFAULT 0 CHECK (warm_days >= 0),  -- as that day began
    attempted         INTEGER NOT NULL DEFAULT 0,
    accepted          INTEGER NOT NULL DEFAULT 0,
    deferred          INTEGER NOT NULL DEFAULT 0,           -- not for the recipient's sake
    sender_rejections INTEGER NOT NULL DEFAULT 0,
    settled           INTEGER NOT NULL DEFAULT 0,
    hard_bounces      INTEGER NOT NULL DEFAULT 0,
    manual            INTEGER NOT NULL DEFAULT 0 CHECK (manual >= 0),
    PRIMARY KEY (mailbox_id, day),
    CONSTRAINT attempts_stay_below_the_cap CHECK (attempted BETWEEN 0 AND cap),
    CONSTRAINT answers_never_outnumber_attempts CHECK (
        min(accepted, deferred, sender_rejections, settled, hard_bounces) >= 0
        AND accepted + deferred + sender_rejections <= attempted
        AND hard_bounces <= settled AND settled <= attempted)
) WITHOUT ROWID;
CREATE INDEX mailbox_days_of_a_day ON mailbox_days (day);

-- The same for what mailboxes share, and for the companies written to.
CREATE TABLE budget_days (
    scope     TEXT    NOT NULL CHECK (scope IN ('domain', 'tenant', 'company')),
    name      TEXT    NOT NULL,
    day       TEXT    NOT NULL,
    ceiling   INTEGER NOT NULL CHECK (ceiling >= 0),
    attempted INTEGER NOT NULL DEFAULT 0 CHECK (attempted >= 0),
    PRIMARY KEY (scope, name, day)
) WITHOUT ROWID;
CREATE INDEX budget_days_of_a_day ON budget_days (day, scope);

-- One row a campaign, day and revision: a second planner loses on the key.
CREATE TABLE plans (
    campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
    day         TEXT    NOT NULL,
    revision    INTEGER NOT NULL CHECK (revision >= 1),
    seed        INTEGER NOT NULL,
    target      INTEGER NOT NULL,
    planned     INTEGER NOT NULL,
    shortfall   INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, day, revision),
    CONSTRAINT a_plan_adds_up CHECK (planned + shortfall = target AND min(planned, shortfall) >= 0)
) WITHOUT ROWID;

CREATE TABLE shortfalls (
    campaign_id INTEGER NOT NULL,
    day         TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    why         TEXT    NOT NULL,
    count       INTEGER NOT NULL CHECK (count > 0),
    cure        TEXT    NOT NULL,
    PRIMARY KEY (campaign_id, day, revision, why),
    FOREIGN KEY (campaign_id, day, revision) REFERENCES plans (campaign_id, day, revision)
) WITHOUT ROWID;

CREATE TABLE messages (
    id                INTEGER PRIMARY KEY,
    enrolment_id      INTEGER NOT NULL,
    campaign_id       INTEGER NOT NULL,
    position          INTEGER NOT NULL,
    mailbox_id        INTEGER NOT NULL REFERENCES mailboxes (id),
    revision_id       INTEGER REFERENCES step_revisions (id),
    plan_day          TEXT,                                 -- NULL: waits for the next plan
    due_at            INTEGER NOT NULL,
    closes_at         INTEGER NOT NULL,                     -- when the hours that due_at lies in are over
    state             TEXT    NOT NULL DEFAULT 'planned'
                              CHECK (state IN ('planned', 'sending', 'accepted', 'rejected',
                                               'bounced', 'in_doubt', 'cancelled')),
    changed_at        INTEGER NOT NULL,                     -- when it came into this state
    attempts          INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 5),
    first_attempt_at  INTEGER,
    rfc_message_id    TEXT    UNIQUE,                       -- made at the first claim, never changed
    unsubscribe_token TEXT    UNIQUE,
    final_message_id  TEXT,                                 -- the id the server says it has now
    subject           TEXT,                                 -- as sent, for replies in thread
    lease_epoch       INTEGER,
    sending_since     INTEGER,
    sending_on        TEXT,                                 -- the day its attempt counts on
    prior_since       INTEGER,                              -- the attempt before: stands again where
    prior_on          TEXT,                                 -- the present one is given back
    dot_at            INTEGER,                              -- the dot was about to leave
    settled_at        INTEGER,
    verdict           TEXT    CHECK (verdict IN ('accepted', 'deferred', 'recipient_deferred',
                                                 'recipient', 'hard_bounce', 'message', 'sender')),
    smtp_code         INTEGER,
    enhanced_status   TEXT,
    why               TEXT,                                 -- the binding reason of its state
    UNIQUE (enrolment_id, position),                        -- a step is sent once. ever.
    FOREIGN KEY (enrolment_id, campaign_id) REFERENCES enrolments (id, campaign_id),
    FOREIGN KEY (campaign_id, position)     REFERENCES steps (campaign_id, position),
    CONSTRAINT an_attempt_has_its_ids CHECK (attempts = 0
        OR (rfc_message_id IS NOT NULL AND unsubscribe_token IS NOT NULL AND revision_id IS NOT NULL)),
    CONSTRAINT sending_is_fenced CHECK (state <> 'sending'
        OR (lease_epoch IS NOT NULL AND sending_since IS NOT NULL AND sending_on IS NOT NULL
            AND attempts > 0)),
    CONSTRAINT settled_says_when CHECK (
        (state IN ('accepted', 'rejected', 'bounced', 'in_doubt', 'cancelled')) = (settled_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_in_flight_per_mailbox ON messages (mailbox_id) WHERE state = 'sending';
-- Of every state: a claim then moves no entry, and what a day has sent is few.
CREATE INDEX messages_due ON messages (mailbox_id, plan_day, due_at);
CREATE INDEX messages_planned ON messages (plan_day, campaign_id) WHERE state = 'planned';
CREATE INDEX messages_sent_on ON messages (sending_on, campaign_id) WHERE sending_on IS NOT NULL;
CREATE INDEX messages_by_final_id ON messages (final_message_id) WHERE final_message_id IS NOT NULL;
CREATE INDEX messages_by_mailbox ON messages (mailbox_id, settled_at) WHERE settled_at IS NOT NULL;

-- What settles a doubt. Nothing else does.
CREATE TABLE evidence (
    id         INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES messages (id),
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('sent_copy', 'reply', 'bounce', 'absence', 'operator'))
);

CREATE TABLE inbound (
    id          INTEGER PRIMARY KEY,
    mailbox_id  INTEGER NOT NULL REFERENCES mailboxes (id),
    content_key TEXT    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('reply', 'auto_reply', 'hard_bounce', 'soft_bounce',
                                                 'complaint', 'unsubscribe', 'unrelated')),
    message_id  INTEGER REFERENCES messages (id),
    received_at INTEGER NOT NULL,
    UNIQUE (mailbox_id, content_key)                        -- reading twice counts once
);

CREATE TABLE suppressions (
    scope      TEXT    NOT NULL CHECK (scope IN ('address', 'domain')),
    value      TEXT    NOT NULL CHECK (value = lower(value) AND value <> ''),
    reason     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, value)
) WITHOUT ROWID;

-- What happened, in order. Ids, codes and numbers: no addresses, no text of mail.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    mailbox_id   INTEGER,
    campaign_id  INTEGER,
    enrolment_id INTEGER,
    message_id   INTEGER,
    data         TEXT    NOT NULL DEFAULT '{}'
);
-- What may give a day new work or new room. Planners look often; the other events are many.
CREATE INDEX events_to_plan_for ON events (id)
    WHERE kind IN ('imported', 'campaign_started', 'mailbox_resumed', 'mailbox_probed',
                   'enrolment_resumed');

-- Whose pauses speak against their domain.
CREATE INDEX events_of_pauses ON events (at) WHERE kind = 'mailbox_paused';

-- Everything a claim depends on, one row a message. The claim, the trigger behind it and the
-- explanation of a refusal all read this.
CREATE VIEW message_facts AS
SELECT m.id, m.state, m.plan_day, m.due_at, m.closes_at, m.position, m.mailbox_id, m.attempts,
       e.state AS enrolment_state, e.mailbox_id AS thread_mailbox_id,
       c.state AS campaign_state,
       b.state AS mailbox_state, b.paused_until, b.paused_because, b.lease_epoch,
       b.lease_expires_at, b.gap_ms, b.inbox_read_at, b.last_attempt_at AS mailbox_attempt_at,
       p.address IS NULL AS erased,
       EXISTS (SELECT 1 FROM suppressions s WHERE s.scope = 'address' AND s.value = p.address)
       OR EXISTS (SELECT 1 FROM suppressions s WHERE s.scope = 'domain'
                  AND s.value IN (p.domain, p.company)) AS suppressed,
       CASE WHEN p.last_message_id = m.id THEN NULL ELSE p.last_attempt_at END AS person_attempt_at,
       s.person_gap_ms, s.fresh_ms,
       coalesce(d.attempted, 0) AS mailbox_attempted, coalesce(d.ceiling, 0) AS mailbox_ceiling,
       coalesce(bd.attempted, 0) AS domain_attempted, coalesce(bd.ceiling, 0) AS domain_ceiling,
       coalesce(bt.attempted, 0) AS tenant_attempted,
       CASE WHEN b.tenant IS NULL THEN NULL ELSE coalesce(bt.ceiling, 0) END AS tenant_ceiling,
       coalesce(bc.attempted, 0) AS company_attempted,
       CASE WHEN p.company IS NULL THEN NULL ELSE s.company_per_day END AS company_ceiling
FROM messages m
JOIN enrolments e ON e.id = m.enrolment_id
JOIN campaigns c ON c.id = m.campaign_id
JOIN mailboxes b ON b.id = m.mailbox_id
JOIN prospects p ON p.id = e.prospect_id
JOIN settings s ON s.id = 1
LEFT JOIN mailbox_days d ON d.mailbox_id = m.mailbox_id AND d.day = m.plan_day
LEFT JOIN budget_days bd ON bd.scope = 'domain' AND bd.name = b.domain AND bd.day = m.plan_day
LEFT JOIN budget_days bt ON bt.scope = 'tenant' AND bt.name = b.tenant AND bt.day = m.plan_day
LEFT JOIN budget_days bc ON bc.scope = 'company' AND bc.name = p.company AND bc.day = m.plan_day;

CREATE TRIGGER events_are_append_only BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- INSERT OR REPLACE deletes without a word to the triggers above.
CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events v WHERE v.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TRIGGER step_revisions_are_frozen BEFORE UPDATE ON step_revisions
BEGIN SELECT RAISE(ABORT, 'a step revision never changes; add another'); END;
CREATE TRIGGER step_revisions_are_kept BEFORE DELETE ON step_revisions
BEGIN SELECT RAISE(ABORT, 'a step revision never changes; add another'); END;
CREATE TRIGGER step_revisions_are_never_replaced BEFORE INSERT ON step_revisions
WHEN EXISTS (SELECT 1 FROM step_revisions r WHERE r.id = NEW.id OR (
    r.campaign_id = NEW.campaign_id AND r.position = NEW.position
    AND r.variant = NEW.variant AND r.revision = NEW.revision))
BEGIN SELECT RAISE(ABORT, 'a step revision never changes; add another'); END;

CREATE TRIGGER evidence_is_frozen BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is kept as it was found'); END;
CREATE TRIGGER evidence_is_kept BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is kept as it was found'); END;

-- A counter that is gone counts from nothing again.
CREATE TRIGGER mailbox_days_are_kept BEFORE DELETE ON mailbox_days
BEGIN SELECT RAISE(ABORT, 'a day that was counted is kept'); END;
CREATE TRIGGER budget_days_are_kept BEFORE DELETE ON budget_days
BEGIN SELECT RAISE(ABORT, 'a day that was counted is kept'); END;

-- A message is born planned, and stays the step, the person and, once tried, the mailbox it is of.
CREATE TRIGGER messages_begin_planned BEFORE INSERT ON messages
BEGIN
    SELECT RAISE(ABORT, 'a message begins planned and untried')
        WHERE NEW.state <> 'planned' OR NEW.attempts <> 0;
    SELECT RAISE(ABORT, 'a step is sent once') FROM messages m
        WHERE m.id = NEW.id OR (m.enrolment_id = NEW.enrolment_id AND m.position = NEW.position);
END;
CREATE TRIGGER messages_keep_their_step
BEFORE UPDATE OF id, enrolment_id, campaign_id, position ON messages
WHEN NEW.id <> OLD.id OR NEW.enrolment_id <> OLD.enrolment_id
  OR NEW.campaign_id <> OLD.campaign_id OR NEW.position <> OLD.position
BEGIN SELECT RAISE(ABORT, 'a message keeps its person and its step'); END;
CREATE TRIGGER messages_keep_their_mailbox BEFORE UPDATE OF mailbox_id ON messages
WHEN NEW.mailbox_id <> OLD.mailbox_id
 AND NOT (OLD.state = 'planned' AND NEW.state = 'planned' AND OLD.attempts = 0)
BEGIN SELECT RAISE(ABORT, 'a message that was tried keeps its mailbox'); END;

-- Attempts are what budgets count: one more with a claim, one less where it is given back.
CREATE TRIGGER attempts_are_claims BEFORE UPDATE OF state, attempts ON messages
WHEN NOT (NEW.attempts = OLD.attempts + (OLD.state = 'planned' AND NEW.state = 'sending')
    OR (OLD.state = 'sending' AND NEW.state = 'planned' AND NEW.attempts = OLD.attempts - 1))
BEGIN SELECT RAISE(ABORT, 'an attempt is counted by its claim'); END;

-- Nothing leaves that may not.
CREATE TRIGGER messages_may_be_sent BEFORE UPDATE OF state ON messages WHEN NEW.state = 'sending'
BEGIN
    SELECT RAISE(ABORT, 'the books have no settings')
        WHERE NOT EXISTS (SELECT 1 FROM settings WHERE id = 1);
    -- One look at the facts: each costs ten look-ups.
    SELECT CASE
        WHEN NEW.plan_day IS NULL OR NEW.plan_day <> NEW.sending_on
            THEN RAISE(ABORT, 'a message leaves on the day it was planned for')
        WHEN NEW.due_at > NEW.sending_since
            THEN RAISE(ABORT, 'the message is not due')
        WHEN NEW.closes_at <= NEW.sending_since
            THEN RAISE(ABORT, 'the hours of the message are over')
        WHEN f.enrolment_state <> 'active' OR f.erased
            THEN RAISE(ABORT, 'the enrolment is over or held')
        WHEN f.suppressed
            THEN RAISE(ABORT, 'the address is suppressed')
        WHEN f.campaign_state <> 'running'
            THEN RAISE(ABORT, 'the campaign is not running')
        WHEN f.mailbox_state <> 'active'
            THEN RAISE(ABORT, 'the mailbox is paused or disabled')
        WHEN f.lease_epoch <> NEW.lease_epoch OR f.lease_expires_at IS NULL
             OR f.lease_expires_at <= NEW.sending_since
            THEN RAISE(ABORT, 'the lease is old')
        WHEN f.thread_mailbox_id <> NEW.mailbox_id
            THEN RAISE(ABORT, 'a follow-up leaves from the mailbox of its thread')
        WHEN NEW.position > 1
             AND (f.inbox_read_at IS NULL OR f.inbox_read_at < NEW.sending_since - f.fresh_ms)
            THEN RAISE(ABORT, 'the inbox was not read lately enough for a follow-up')
        WHEN f.person_attempt_at + f.person_gap_ms > NEW.sending_since
            THEN RAISE(ABORT, 'the person was written to too lately')
        WHEN f.mailbox_attempt_at + f.gap_ms > NEW.sending_since
            THEN RAISE(ABORT, 'the mailbox sent too lately')
        END
    FROM message_facts f WHERE f.id = NEW.id;
END;

CREATE TRIGGER messages_move_forward BEFORE UPDATE OF state ON messages
WHEN OLD.state <> NEW.state AND NOT (
    (OLD.state = 'planned'  AND NEW.state IN ('sending', 'rejected', 'cancelled')) OR
    (OLD.state = 'sending'  AND NEW.state IN ('accepted', 'rejected', 'planned', 'in_doubt')) OR
    (OLD.state = 'accepted' AND NEW.state = 'bounced') OR
    (OLD.state = 'in_doubt' AND NEW.state IN ('accepted', 'bounced', 'planned')))
BEGIN SELECT RAISE(ABORT, 'message state may not move that way'); END;

CREATE TRIGGER a_doubt_is_settled_by_evidence BEFORE UPDATE OF state ON messages
WHEN OLD.state = 'in_doubt' AND NEW.state <> 'in_doubt' AND NOT EXISTS (
    SELECT 1 FROM evidence v WHERE v.message_id = NEW.id AND v.at >= OLD.settled_at
       AND CASE NEW.state WHEN 'planned' THEN v.kind IN ('absence', 'operator')
                          ELSE v.kind <> 'absence' END)
BEGIN SELECT RAISE(ABORT, 'a doubt is settled by evidence only'); END;

CREATE TRIGGER ids_never_change BEFORE UPDATE OF rfc_message_id, unsubscribe_token ON messages
WHEN OLD.rfc_message_id IS NOT NULL
 AND (NEW.rfc_message_id IS NOT OLD.rfc_message_id OR NEW.unsubscribe_token IS NOT OLD.unsubscribe_token)
BEGIN SELECT RAISE(ABORT, 'a message keeps its Message-ID and token for ever'); END;

CREATE TRIGGER messages_are_kept BEFORE DELETE ON messages
BEGIN SELECT RAISE(ABORT, 'messages are never deleted'); END;

-- A claim counts on every budget; each refuses to pass its ceiling.
CREATE TRIGGER claims_count AFTER UPDATE OF state ON messages
WHEN OLD.state = 'planned' AND NEW.state = 'sending'
BEGIN
    UPDATE mailbox_days SET attempted = attempted + 1
        WHERE mailbox_id = NEW.mailbox_id AND day = NEW.sending_on;
    SELECT RAISE(ABORT, 'the mailbox has no day') WHERE changes() = 0;
    UPDATE budget_days SET attempted = attempted + 1
        WHERE day = NEW.sending_on AND scope = 'domain'
          AND name = (SELECT domain FROM mailboxes WHERE id = NEW.mailbox_id);
    SELECT RAISE(ABORT, 'the sending domain or tenant has no day') WHERE changes() = 0;
    UPDATE budget_days SET attempted = attempted + 1
        WHERE day = NEW.sending_on AND scope = 'tenant'
          AND name = (SELECT tenant FROM mailboxes WHERE id = NEW.mailbox_id);
    SELECT RAISE(ABORT, 'the sending domain or tenant has no day') FROM mailboxes b
        WHERE b.id = NEW.mailbox_id AND b.tenant IS NOT NULL AND changes() = 0;
    INSERT INTO budget_days (scope, name, day, ceiling, attempted)
        SELECT 'company', p.company, NEW.sending_on, s.company_per_day, 1
        FROM enrolments e JOIN prospects p ON p.id = e.prospect_id, settings s
        WHERE e.id = NEW.enrolment_id AND p.company IS NOT NULL
        ON CONFLICT (scope, name, day)
        DO UPDATE SET ceiling = excluded.ceiling, attempted = attempted + 1;
    UPDATE prospects SET last_attempt_at = NEW.sending_since, last_message_id = NEW.id
        WHERE id = (SELECT prospect_id FROM enrolments WHERE id = NEW.enrolment_id);
    UPDATE mailboxes SET last_attempt_at = NEW.sending_since WHERE id = NEW.mailbox_id;
    UPDATE enrolments SET mailbox_id = NEW.mailbox_id WHERE id = NEW.enrolment_id AND mailbox_id IS NULL;
END;

CREATE TRIGGER mailbox_days_stay_below_the_ceiling BEFORE UPDATE OF attempted ON mailbox_days
WHEN NEW.attempted > OLD.attempted AND NEW.attempted > NEW.ceiling
BEGIN SELECT RAISE(ABORT, 'the mailbox has reached its allowance'); END;

CREATE TRIGGER budget_days_stay_below_the_ceiling BEFORE UPDATE OF attempted ON budget_days
WHEN NEW.attempted > OLD.attempted AND NEW.attempted > NEW.ceiling
BEGIN SELECT RAISE(ABORT, 'the sending domain, tenant or company has reached its limit'); END;

-- What was surely not sent is given back, on every budget it counted on; the attempt before it is
-- the last one again. A mailbox that changed its domain or tenant in flight finds no count there.
CREATE TRIGGER what_was_not_sent_is_given_back AFTER UPDATE OF state ON messages
WHEN OLD.state = 'sending' AND NEW.state = 'planned' AND NEW.attempts < OLD.attempts
BEGIN
    UPDATE messages SET sending_since = prior_since, sending_on = prior_on, dot_at = NULL,
                        first_attempt_at = CASE WHEN attempts = 0 THEN NULL ELSE first_attempt_at END
        WHERE id = NEW.id;
    UPDATE mailbox_days SET attempted = attempted - 1
        WHERE mailbox_id = OLD.mailbox_id AND day = OLD.sending_on;
    UPDATE budget_days SET attempted = attempted - 1
        WHERE day = OLD.sending_on AND attempted > 0 AND (
            (scope = 'domain' AND name = (SELECT domain FROM mailboxes WHERE id = OLD.mailbox_id))
            OR (scope = 'tenant' AND name = (SELECT tenant FROM mailboxes WHERE id = OLD.mailbox_id))
            OR (scope = 'company' AND name = (
                SELECT p.company FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                WHERE e.id = OLD.enrolment_id)));
    UPDATE prospects SET (last_attempt_at, last_message_id) = (
            SELECT max(m.sending_since), m.id FROM messages m
            JOIN enrolments e ON e.id = m.enrolment_id
            WHERE e.prospect_id = prospects.id AND m.attempts > 0)
        WHERE last_message_id = NEW.id
          AND id = (SELECT prospect_id FROM enrolments WHERE id = NEW.enrolment_id);
    UPDATE enrolments SET mailbox_id = NULL
        WHERE id = NEW.enrolment_id AND NEW.position = 1 AND NEW.attempts = 0;
END;

-- Answers are counted on the day of their attempt.
CREATE TRIGGER answers_count AFTER UPDATE OF state ON messages
WHEN OLD.state IN ('sending', 'in_doubt') AND NEW.verdict IS NOT NULL
 AND (NEW.state IN ('accepted', 'rejected') OR (NEW.state = 'planned' AND NEW.attempts = OLD.attempts))
BEGIN
    UPDATE mailbox_days SET
        accepted          = accepted          + (NEW.verdict = 'accepted'),
        deferred          = deferred          + (NEW.verdict = 'deferred'),
        sender_rejections = sender_rejections + (NEW.verdict = 'sender'),
        hard_bounces      = hard_bounces      + (NEW.verdict = 'hard_bounce'),
        settled           = settled           + (NEW.state <> 'planned')
    WHERE mailbox_id = NEW.mailbox_id AND day = OLD.sending_on;
    INSERT INTO campaign_answers (campaign_id, mailbox_id, settled, hard_bounces)
        VALUES (NEW.campaign_id, NEW.mailbox_id, NEW.state <> 'planned', NEW.verdict = 'hard_bounce')
        ON CONFLICT (campaign_id, mailbox_id) DO UPDATE SET
            settled = settled + excluded.settled, hard_bounces = hard_bounces + excluded.hard_bounces;
END;

-- Apart, and behind a WHEN: there is seldom a probe, and whatever a trigger might insert by SELECT
-- SQLite keeps a table of its own for, each time.
CREATE TRIGGER probes_end AFTER UPDATE OF state ON messages
WHEN OLD.state IN ('sending', 'in_doubt') AND NEW.state = 'accepted' AND NEW.verdict = 'accepted'
 AND (SELECT probe FROM mailboxes WHERE id = NEW.mailbox_id) = 1
BEGIN
    INSERT INTO events (at, kind, mailbox_id)
        VALUES (NEW.changed_at, 'mailbox_probed', NEW.mailbox_id);
    UPDATE mailboxes SET probe = 0 WHERE id = NEW.mailbox_id;
END;

CREATE TRIGGER bounces_count AFTER UPDATE OF state ON messages
WHEN OLD.state IN ('accepted', 'in_doubt') AND NEW.state = 'bounced' AND NEW.verdict = 'hard_bounce'
BEGIN
    UPDATE mailbox_days SET hard_bounces = hard_bounces + 1,
                            settled = settled + (OLD.state = 'in_doubt')
        WHERE mailbox_id = NEW.mailbox_id AND day = NEW.sending_on;
    INSERT INTO campaign_answers (campaign_id, mailbox_id, settled, hard_bounces)
        VALUES (NEW.campaign_id, NEW.mailbox_id, OLD.state = 'in_doubt', 1)
        ON CONFLICT (campaign_id, mailbox_id) DO UPDATE SET
            settled = settled + excluded.settled, hard_bounces = hard_bounces + excluded.hard_bounces;
END;

-- Every edge is an event.
CREATE TRIGGER edges_are_told AFTER UPDATE OF state ON messages WHEN OLD.state <> NEW.state
BEGIN
    INSERT INTO events (at, kind, mailbox_id, campaign_id, enrolment_id, message_id, data)
    VALUES (NEW.changed_at, 'message_' || NEW.state, NEW.mailbox_id, NEW.campaign_id,
            NEW.enrolment_id, NEW.id,
            json_object('from', OLD.state, 'attempts', NEW.attempts, 'code', NEW.smtp_code,
                        'status', NEW.enhanced_status, 'verdict', NEW.verdict));
END;

CREATE TRIGGER enrolments_end_once BEFORE UPDATE OF state ON enrolments
WHEN OLD.state <> NEW.state AND OLD.ended_at IS NOT NULL AND NOT (
    NEW.state = 'erased'
    -- A late bounce, complaint, reply or opt-out says more than "finished" did.
    OR (OLD.state = 'finished' AND NEW.ended_at IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'an enrolment ends once'); END;

-- Whoever is out gets nothing that was planned.
CREATE TRIGGER an_ended_enrolment_cancels_its_plans AFTER UPDATE OF state ON enrolments
WHEN NEW.ended_at IS NOT NULL AND OLD.state <> NEW.state
BEGIN
    UPDATE messages SET state = 'cancelled', settled_at = NEW.ended_at, changed_at = NEW.ended_at,
                        why = 'enrolment_' || NEW.state
        WHERE enrolment_id = NEW.id AND state = 'planned';
    INSERT INTO events (at, kind, campaign_id, enrolment_id, data)
    VALUES (NEW.ended_at, 'enrolment_' || NEW.state, NEW.campaign_id, NEW.id,
            json_object('from', OLD.state));
END;

-- Nor what is planned too late: by a plan made before the end was known, or by the end of an
-- attempt that was under way.
CREATE TRIGGER what_is_planned_too_late_is_cancelled AFTER INSERT ON messages
WHEN EXISTS (SELECT 1 FROM enrolments e WHERE e.id = NEW.enrolment_id AND e.ended_at IS NOT NULL)
BEGIN
    UPDATE messages SET state = 'cancelled', settled_at = NEW.changed_at,
        why = (SELECT 'enrolment_' || e.state FROM enrolments e WHERE e.id = NEW.enrolment_id)
    WHERE id = NEW.id;
END;
CREATE TRIGGER what_comes_back_too_late_is_cancelled AFTER UPDATE OF state ON messages
WHEN OLD.state <> 'planned' AND NEW.state = 'planned'
 AND EXISTS (SELECT 1 FROM enrolments e WHERE e.id = NEW.enrolment_id AND e.ended_at IS NOT NULL)
BEGIN
    UPDATE messages SET state = 'cancelled', settled_at = NEW.changed_at,
        why = (SELECT 'enrolment_' || e.state FROM enrolments e WHERE e.id = NEW.enrolment_id)
    WHERE id = NEW.id;
END;
