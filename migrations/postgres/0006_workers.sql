-- Daemons at work on books that several share. Each says every few seconds that it is there; one that
-- ends takes its row away, and of one that is lost the row grows old.
CREATE TABLE workers (
    owner   TEXT    PRIMARY KEY,
    since   BIGINT  NOT NULL,
    seen_at BIGINT  NOT NULL
);
