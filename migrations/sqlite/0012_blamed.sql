-- Since when somebody waits for the operator because a report blamed them that names no message of ours.
ALTER TABLE enrolments ADD COLUMN blamed_at INTEGER;
CREATE INDEX enrolments_blamed ON enrolments (blamed_at) WHERE blamed_at IS NOT NULL;
