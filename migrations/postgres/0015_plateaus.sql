-- The warm days with which a mailbox's curve is at its end: a part of no more than those is left after a
-- pause or after idle days, or whoever was warm for long would lose nothing. The curve stands in the
-- configuration, which writes this; until it does, the default curve's end at the default cap.
ALTER TABLE mailboxes ADD COLUMN plateau BIGINT NOT NULL DEFAULT 23 CHECK (plateau >= 0);
