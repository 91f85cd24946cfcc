-- What a mailbox logs in with where that is tokens (OAuth 2.0). They are sealed before they come here,
-- by a key that is in no database.
CREATE TABLE tokens (
    mailbox_id       INTEGER PRIMARY KEY REFERENCES mailboxes (id),
    state            TEXT    NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'needs_login')),
    generation       INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0),  -- grows with every new token
    refresh          TEXT,                                  -- NULL: an application's own log-in has none
    access           TEXT,
    issued_at        INTEGER,
    expires_at       INTEGER,
    refreshing_by    TEXT,                                  -- who is at it now: nobody else is
    refreshing_until INTEGER,
    failures         INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- in a row
    retry_at         INTEGER,                               -- nobody asks before that
    trouble          TEXT,                                  -- why the last refresh failed
    CONSTRAINT an_access_token_has_its_time CHECK (
        (access IS NULL) = (issued_at IS NULL) AND (access IS NULL) = (expires_at IS NULL)),
    CONSTRAINT a_refresh_is_somebodys CHECK ((refreshing_by IS NULL) = (refreshing_until IS NULL)),
    CONSTRAINT a_lost_log_in_keeps_no_token CHECK (
        state = 'ready' OR (refresh IS NULL AND access IS NULL AND trouble IS NOT NULL)),
    CONSTRAINT tokens_have_a_generation CHECK (
        generation > 0 OR (refresh IS NULL AND access IS NULL))
);

CREATE TRIGGER tokens_change_with_their_generation BEFORE UPDATE ON tokens
WHEN NEW.generation < OLD.generation
  OR (NEW.generation = OLD.generation
      AND (NEW.refresh <> OLD.refresh OR NEW.access <> OLD.access
           OR (NEW.refresh IS NOT NULL AND OLD.refresh IS NULL)
           OR (NEW.access IS NOT NULL AND OLD.access IS NULL)))
BEGIN SELECT RAISE(ABORT, 'a new token makes a new generation'); END;
