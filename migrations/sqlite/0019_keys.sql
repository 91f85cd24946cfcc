-- Which key the tokens are sealed by, as its fingerprint: nothing that the key could be found by. One
-- key for all books, on whatever machine somebody logs in.
CREATE TABLE sealing_key (
    id          INTEGER PRIMARY KEY CONSTRAINT books_have_one_key CHECK (id = 1),
    fingerprint TEXT    NOT NULL CONSTRAINT a_fingerprint_is_eight_octets
                                 CHECK (length(fingerprint) = 16 AND fingerprint = lower(fingerprint)),
    since       INTEGER NOT NULL
);

-- By whom and to which application they were given: another's are good for nothing. NULL: not known
-- before the next refresh.
ALTER TABLE tokens ADD COLUMN issuer TEXT;
