-- Nobody is reminded of what they have not seen: a later step that comes back to `planned` while its
-- person is away, or is planned by whoever does not know of it yet, waits until they are back. It begins
-- anew then, or it were too old to be put off once more.
CREATE TRIGGER what_comes_back_while_they_are_away_waits AFTER UPDATE OF state, plan_day ON messages
WHEN NEW.state = 'planned' AND NEW.position > 1 AND (OLD.state <> 'planned' OR NEW.plan_day IS NOT NULL)
 AND EXISTS (SELECT 1 FROM enrolments e WHERE e.id = NEW.enrolment_id AND e.ended_at IS NULL
             AND e.away_until > max(NEW.due_at, NEW.changed_at))
BEGIN
    UPDATE messages SET plan_day = NULL, first_attempt_at = NULL, why = 'recipient_away',
        due_at = (SELECT e.away_until FROM enrolments e WHERE e.id = NEW.enrolment_id)
    WHERE id = NEW.id;
END;
CREATE TRIGGER what_is_planned_while_they_are_away_waits AFTER INSERT ON messages
WHEN NEW.position > 1
 AND EXISTS (SELECT 1 FROM enrolments e WHERE e.id = NEW.enrolment_id AND e.ended_at IS NULL
             AND e.away_until > max(NEW.due_at, NEW.changed_at))
BEGIN
    UPDATE messages SET plan_day = NULL, why = 'recipient_away',
        due_at = (SELECT e.away_until FROM enrolments e WHERE e.id = NEW.enrolment_id)
    WHERE id = NEW.id;
END;

-- Whatever settles a doubt asks for its evidence, and evidence is kept for ever.
CREATE INDEX evidence_by_message ON evidence (message_id, at);
