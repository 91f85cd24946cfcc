-- Who looks at a mailbox beside whoever sends from it (`mailbox verify`): one at a time, so that all of
-- ours together hold no more sessions than a provider allows.
ALTER TABLE mailboxes ADD COLUMN visitor TEXT;
ALTER TABLE mailboxes ADD COLUMN visitor_until BIGINT;
