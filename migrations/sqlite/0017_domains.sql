-- What the DNS says of each sending domain: the last definite verdict of each check, since when it
-- stands and when it was last seen. An outage moves nothing but `asked_at`.
CREATE TABLE domain_checks (
    domain     TEXT    NOT NULL CHECK (domain = lower(domain)),
    check_name TEXT    NOT NULL,
    verdict    TEXT    NOT NULL CHECK (verdict IN ('pass', 'warn', 'fail', 'unknown')),
    since      INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    asked_at   INTEGER NOT NULL,                            -- with or without an answer
    detail     TEXT    NOT NULL,
    PRIMARY KEY (domain, check_name),
    CONSTRAINT a_verdict_is_seen_after_it_began CHECK (since <= seen_at AND seen_at <= asked_at)
) WITHOUT ROWID;

-- How long a failure stands before it holds anything back. NULL: domains are not looked at.
ALTER TABLE settings ADD COLUMN domain_grace_ms INTEGER CHECK (domain_grace_ms > 0);

-- Domains that write to nobody new, and why. Seen to fail, and seen so again once the grace was over;
-- by moments that were written down, so that nobody needs to ask what time it is.
CREATE VIEW failing_domains AS
SELECT k.domain, k.detail AS because
FROM domain_checks k CROSS JOIN settings s
WHERE k.verdict = 'fail' AND s.id = 1 AND k.seen_at - k.since >= s.domain_grace_ms;

CREATE TRIGGER a_failing_domain_begins_nothing BEFORE UPDATE OF state ON messages
WHEN NEW.state = 'sending' AND NEW.position = 1
BEGIN
    SELECT RAISE(ABORT, 'the sending domain fails its checks')
    FROM mailboxes b JOIN failing_domains f ON f.domain = b.domain WHERE b.id = NEW.mailbox_id;
END;

-- A domain that is well again gives the day new room.
DROP INDEX events_to_plan_for;
CREATE INDEX events_to_plan_for ON events (id)
    WHERE kind IN ('imported', 'campaign_started', 'mailbox_resumed', 'mailbox_probed',
                   'enrolment_resumed', 'domain_well');
