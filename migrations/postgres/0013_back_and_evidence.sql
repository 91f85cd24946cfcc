-- Nobody is reminded of what they have not seen: a later step that comes back to `planned` while its
-- person is away, or is planned by whoever does not know of it yet, waits until they are back. It begins
-- anew then, or it were too old to be put off once more.
CREATE FUNCTION wait_until_they_are_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages SET plan_day = NULL, first_attempt_at = NULL, why = 'recipient_away',
                        due_at = e.away_until
        FROM enrolments e
        WHERE messages.id = NEW.id AND e.id = NEW.enrolment_id AND e.ended_at IS NULL
          AND e.away_until > max(NEW.due_at, NEW.changed_at);
    RETURN NULL;
END $$;
CREATE TRIGGER what_comes_back_while_they_are_away_waits
AFTER UPDATE OF state, plan_day ON messages FOR EACH ROW
WHEN (NEW.state = 'planned' AND NEW.position > 1
      AND (OLD.state <> 'planned' OR NEW.plan_day IS NOT NULL))
EXECUTE FUNCTION wait_until_they_are_back();
CREATE TRIGGER what_is_planned_while_they_are_away_waits AFTER INSERT ON messages FOR EACH ROW
WHEN (NEW.position > 1)
EXECUTE FUNCTION wait_until_they_are_back();

-- Whatever settles a doubt asks for its evidence, and evidence is kept for ever.
CREATE INDEX evidence_by_message ON evidence (message_id, at);

-- As everything else that is compared or ordered: else the index on whom strays went to serves nobody, as
-- the addresses of people sort by bytes.
ALTER TABLE strays ALTER COLUMN address TYPE TEXT COLLATE "C";
ALTER TABLE unknown_answers
    ALTER COLUMN phase TYPE TEXT COLLATE "C", ALTER COLUMN enhanced TYPE TEXT COLLATE "C",
    ALTER COLUMN shape TYPE TEXT COLLATE "C", ALTER COLUMN text TYPE TEXT COLLATE "C";
