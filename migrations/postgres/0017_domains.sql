-- What the DNS says of each sending domain: the last definite verdict of each check, since when it
-- stands and when it was last seen. An outage moves nothing but `asked_at`.
CREATE TABLE domain_checks (
    domain     TEXT    NOT NULL CHECK (domain = lower(domain)),
    check_name TEXT    NOT NULL,
    verdict    TEXT    NOT NULL CHECK (verdict IN ('pass', 'warn', 'fail', 'unknown')),
    since      BIGINT  NOT NULL,
    seen_at    BIGINT  NOT NULL,
    asked_at   BIGINT  NOT NULL,                            -- with or without an answer
    detail     TEXT    NOT NULL,
    PRIMARY KEY (domain, check_name),
    CONSTRAINT a_verdict_is_seen_after_it_began CHECK (since <= seen_at AND seen_at <= asked_at)
);

-- How long a failure stands before it holds anything back. NULL: domains are not looked at.
ALTER TABLE settings ADD COLUMN domain_grace_ms BIGINT CHECK (domain_grace_ms > 0);

-- Domains that write to nobody new, and why. Seen to fail, and seen so again once the grace was over;
-- by moments that were written down, so that nobody needs to ask what time it is.
CREATE VIEW failing_domains AS
SELECT k.domain, k.detail AS because
FROM domain_checks k CROSS JOIN settings s
WHERE k.verdict = 'fail' AND s.id = 1 AND k.seen_at - k.since >= s.domain_grace_ms;

CREATE FUNCTION a_failing_domain_is_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM mailboxes b JOIN failing_domains f ON f.domain = b.domain
               WHERE b.id = NEW.mailbox_id) THEN
        RAISE EXCEPTION USING MESSAGE = 'the sending domain fails its checks',
                              ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_failing_domain_begins_nothing BEFORE UPDATE OF state ON messages FOR EACH ROW
WHEN (NEW.state = 'sending' AND NEW.position = 1) EXECUTE FUNCTION a_failing_domain_is_refused();

-- A domain that is well again gives the day new room.
DROP INDEX events_to_plan_for;
CREATE INDEX events_to_plan_for ON events (id)
    WHERE kind IN ('imported', 'campaign_started', 'mailbox_resumed', 'mailbox_probed',
                   'enrolment_resumed', 'domain_well');
