-- The figures at which mailboxes and campaigns stop, as JSON: whoever records an answer goes by those
-- of the daemon that began last. What is not in it has its default.
ALTER TABLE settings ADD COLUMN thresholds TEXT NOT NULL DEFAULT '{}';
