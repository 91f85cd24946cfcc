-- Books that are moved to another database. While a row is here nobody opens these books to work on
-- them, and no mailbox is leased: half of them are elsewhere, or all of them.
CREATE TABLE moves (
    id    BIGINT  PRIMARY KEY CHECK (id = 1),
    state TEXT    NOT NULL CHECK (state IN ('arriving', 'gone')),
    name  TEXT    NOT NULL,                                 -- of the books
    place TEXT    NOT NULL                                  -- where from, or where to; never a password
);

-- Without a lease nothing is claimed. A daemon that opened the books before the move stops here.
CREATE FUNCTION books_on_the_move_lease_no_mailbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM moves) THEN
        RAISE EXCEPTION USING MESSAGE = 'these books are moved elsewhere',
                              ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER books_on_the_move_lease_no_mailbox BEFORE UPDATE OF lease_owner ON mailboxes
FOR EACH ROW WHEN (NEW.lease_owner IS NOT NULL)
EXECUTE FUNCTION books_on_the_move_lease_no_mailbox();
