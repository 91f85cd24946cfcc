-- A later step that comes back to `planned` while its person is away waits until they are back, like one
-- that was planned when their machine said so; and is not by then too old to be put off once more.
CREATE TRIGGER what_comes_back_while_they_are_away_waits AFTER UPDATE OF state ON messages
WHEN OLD.state <> 'planned' AND NEW.state = 'planned' AND NEW.position > 1
 AND EXISTS (SELECT 1 FROM enrolments e WHERE e.id = NEW.enrolment_id AND e.ended_at IS NULL
             AND e.away_until > max(NEW.due_at, NEW.changed_at))
BEGIN
    UPDATE messages SET plan_day = NULL, first_attempt_at = NULL, why = 'recipient_away',
        due_at = (SELECT e.away_until FROM enrolments e WHERE e.id = NEW.enrolment_id)
    WHERE id = NEW.id;
END;

-- Whatever settles a doubt asks for its evidence, and evidence is kept for ever.
CREATE INDEX evidence_by_message ON evidence (message_id, at);
