-- Daemons at work on books that several share. Each says every few seconds that it is there; one that
-- ends takes its row away, and of one that is lost the row grows old.
CREATE TABLE workers (
    owner   TEXT    PRIMARY KEY NOT NULL,
    since   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
);
