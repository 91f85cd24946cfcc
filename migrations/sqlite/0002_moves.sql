-- Books that are moved to another database. While a row is here nobody opens these books to work on
-- them, and no mailbox is leased: half of them are elsewhere, or all of them.
CREATE TABLE moves (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    state TEXT    NOT NULL CHECK (state IN ('arriving', 'gone')),
    name  TEXT    NOT NULL,                                 -- of the books
    place TEXT    NOT NULL                                  -- where from, or where to; never a password
);

-- Without a lease nothing is claimed. A daemon that opened the books before the move stops here.
CREATE TRIGGER books_on_the_move_lease_no_mailbox BEFORE UPDATE OF lease_owner ON mailboxes
WHEN NEW.lease_owner IS NOT NULL AND EXISTS (SELECT 1 FROM moves)
BEGIN SELECT RAISE(ABORT, 'these books are moved elsewhere'); END;
