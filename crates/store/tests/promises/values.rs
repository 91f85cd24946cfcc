//! What a column may hold, and what stands in the books once: by plain SQL, in a table that is whole.

use std::collections::BTreeSet;

use crate::books::{Books, Database, NOW, for_each_database};
use crate::scene::{Scene, accepted};

/// A column with a CHECK of its own, and a value that it refuses.
const CHECKS: [(&str, &str, &str); 52] = [
    ("budget_days", "attempted", "-1"),
    ("budget_days", "ceiling", "-1"),
    ("budget_days", "scope", "'city'"),
    ("campaigns", "daily_target", "0"),
    ("campaigns", "state", "'gone'"),
    ("domain_checks", "domain", "'ONE.test'"),
    ("domain_checks", "verdict", "'perhaps'"),
    ("enrolments", "next_step", "0"),
    ("enrolments", "state", "'gone', ended_at = 5"),
    ("folders", "last_uid", "-1, uidvalidity = 8"),
    ("folders", "passed", "-1"),
    ("folders", "role", "'drafts'"),
    ("folders", "uidvalidity", "0"),
    ("identity", "id", "2"),
    ("import_rows", "outcome", "'lost'"),
    ("inbound", "early", "'perhaps'"),
    ("inbound", "kind", "'perhaps'"),
    ("mailbox_days", "allotted", "-1"),
    ("mailbox_days", "blocks", "-1"),
    ("mailbox_days", "manual", "-1"),
    ("mailbox_days", "warm_days", "-1"),
    ("mailboxes", "address", "'ANN@one.test'"),
    ("mailboxes", "cap", "0"),
    ("mailboxes", "configured", "2"),
    ("mailboxes", "ease_percent", "101"),
    ("mailboxes", "gap_ms", "-1"),
    ("mailboxes", "idle_days", "-1"),
    ("mailboxes", "pauses", "-1"),
    ("mailboxes", "plateau", "-1"),
    ("mailboxes", "probe", "2"),
    ("mailboxes", "state", "'gone'"),
    ("mailboxes", "unproven", "2"),
    ("mailboxes", "warm_days", "-1"),
    ("messages", "verdict", "'perhaps'"),
    ("moves", "id", "2"),
    ("moves", "state", "'under way'"),
    ("plans", "revision", "0"),
    ("prospects", "address", "'ADA@acme.test'"),
    ("sent_copies", "keeps_id", "2"),
    ("settings", "company_per_day", "0"),
    ("settings", "domain_grace_ms", "0"),
    ("settings", "fresh_ms", "0"),
    ("settings", "id", "2"),
    ("settings", "person_gap_ms", "-1"),
    ("shortfalls", "count", "0"),
    ("steps", "position", "0 WHERE wait IS NOT NULL"),
    ("steps", "withdrawn", "2"),
    ("strays", "address", "'GIL@acme.test'"),
    ("suppressions", "scope", "'city'"),
    ("tokens", "failures", "-1"),
    ("tokens", "state", "'gone', trouble = 'x'"),
    ("unknown_answers", "times", "0"),
];

/// Of rows that never change, by a new one.
const CHECKS_OF_NEW_ROWS: [(&str, &str, &str); 5] = [
    ("evidence", "kind", "INSERT INTO evidence (message_id, at, kind) VALUES (1, 1, 'a guess')"),
    (
        "step_revisions",
        "revision",
        "INSERT INTO step_revisions (campaign_id, position, variant, revision, subject, text, hash)
         SELECT campaign_id, position, 'z', 0, 'Hello', 'Hello.', 'z' FROM steps",
    ),
    ("tokens", "generation", "INSERT INTO tokens (mailbox_id, generation) VALUES (2, -1)"),
    ("suppressions", "value", "INSERT INTO suppressions VALUES ('address', 'A@b.test', 'x', 1)"),
    ("suppressions", "value", "INSERT INTO suppressions VALUES ('domain', '', 'x', 1)"),
];

/// What nobody can try here, as PostgreSQL names it.
const OUT_OF_REACH: [(&str, &str); 4] = [
    ("mailbox_days_check", "of two columns, tried in `rows`"),
    ("mailbox_days_check1", "of two columns, tried in `rows`"),
    ("messages_attempts_check", "a trigger counts attempts, tried in `rows`"),
    ("messages_state_check", "a trigger knows every edge, tried in `edges`"),
];

#[tokio::test]
async fn a_column_holds_what_it_may_and_nothing_else() {
    for_each_database(async |books| {
        let books = filled(books).await;
        let changed = CHECKS.map(|(table, column, value)| {
            (table, column, format!("UPDATE {table} SET {column} = {value}"))
        });
        let new = CHECKS_OF_NEW_ROWS.map(|(table, column, text)| (table, column, text.to_owned()));
        for (table, column, text) in changed.into_iter().chain(new) {
            let name = if books.is_postgres() {
                format!("\"{table}_{column}_check\"")
            } else {
                format!("CHECK constraint failed: {column} ")
            };
            books.refuse(&text, &name).await;
        }
    })
    .await;
}

/// A CHECK that comes later comes into the table above.
#[tokio::test]
async fn every_check_without_a_sentence_is_tried() {
    let books = Books::open(Database::Postgres).await;
    let query = "SELECT CAST(conname AS TEXT) FROM pg_constraint
                 WHERE contype = 'c' AND conname ~ '_check[0-9]*$'
                   AND connamespace = CAST(current_schema() AS REGNAMESPACE)";
    let found: BTreeSet<String> = books.rows(query).await.into_iter().collect();
    let tried = CHECKS.iter().chain(&CHECKS_OF_NEW_ROWS);
    let tried = tried.map(|(table, column, _)| format!("{table}_{column}_check"));
    let tried = tried.chain(OUT_OF_REACH.map(|(name, _)| name.to_owned())).collect();
    assert_eq!(found, tried, "found on the left, tried on the right");
}

/// What would be there twice, and the names of what refuses it: SQLite's columns, PostgreSQL's constraint.
const TWICE: [(&str, &str, &str); 16] = [
    (
        "UPDATE messages SET unsubscribe_token = 'token-0' WHERE id <> 1",
        "messages.unsubscribe_token",
        "messages_unsubscribe_token_key",
    ),
    (
        "INSERT INTO inbound (mailbox_id, content_key, kind, received_at, folder_id, uidvalidity, uid)
         SELECT mailbox_id, 'other', kind, received_at, folder_id, uidvalidity, uid FROM inbound",
        "inbound.folder_id, inbound.uidvalidity, inbound.uid",
        "a_place_is_recorded_once",
    ),
    (
        "INSERT INTO inbound (mailbox_id, content_key, kind, received_at)
         SELECT mailbox_id, content_key, kind, received_at FROM inbound",
        "inbound.mailbox_id, inbound.content_key",
        "inbound_mailbox_id_content_key_key",
    ),
    (
        "INSERT INTO folders (mailbox_id, name, role, uidvalidity, last_uid, read_at)
         SELECT mailbox_id, name, 'junk', 8, 0, 0 FROM folders",
        "folders.mailbox_id, folders.name",
        "folders_mailbox_id_name_key",
    ),
    (
        "INSERT INTO sent_copies
             (mailbox_id, folder_id, uidvalidity, uid, content_key, keeps_id, sent_at)
         SELECT mailbox_id, folder_id, uidvalidity, uid + 1, content_key, 0, 2 FROM sent_copies",
        "sent_copies.mailbox_id, sent_copies.content_key",
        "sent_copies_mailbox_id_content_key_key",
    ),
    (
        "INSERT INTO strays (mailbox_id, content_key, rfc_id, address, sent_at)
         SELECT mailbox_id, content_key, '<other@one.test>', address, 2 FROM strays",
        "strays.mailbox_id, strays.content_key, strays.address",
        "strays_mailbox_id_content_key_address_key",
    ),
    (
        "INSERT INTO unknown_answers SELECT * FROM unknown_answers",
        "unknown_answers.mailbox_id, unknown_answers.phase, unknown_answers.code, \
         unknown_answers.enhanced, unknown_answers.shape",
        "unknown_answers_pkey",
    ),
    (
        "INSERT INTO shortfalls SELECT campaign_id, day, revision, why, 9, 'none' FROM shortfalls",
        "shortfalls.campaign_id, shortfalls.day, shortfalls.revision, shortfalls.why",
        "shortfalls_pkey",
    ),
    (
        "INSERT INTO domain_checks SELECT * FROM domain_checks",
        "domain_checks.domain, domain_checks.check_name",
        "domain_checks_pkey",
    ),
    ("INSERT INTO moves VALUES (1, 'gone', 'other', 'elsewhere')", "moves.id", "moves_pkey"),
    ("INSERT INTO tokens (mailbox_id) VALUES (1)", "tokens.mailbox_id", "tokens_pkey"),
    (
        "INSERT INTO sealing_key VALUES (1, 'fedcba9876543210', 2)",
        "sealing_key.id",
        "sealing_key_pkey",
    ),
    ("INSERT INTO workers VALUES ('one', 2, 2)", "workers.owner", "workers_pkey"),
    (
        "INSERT INTO suppressions SELECT scope, value, 'again', 2 FROM suppressions",
        "suppressions.scope, suppressions.value",
        "suppressions_pkey",
    ),
    (
        "UPDATE prospects SET address = 'ada@acme.test' WHERE id > 1",
        "prospects.address",
        "prospects_address_key",
    ),
    ("UPDATE mailboxes SET address = 'ann@one.test'", "mailboxes.address", "mailboxes_address_key"),
];

#[tokio::test]
async fn what_stands_in_the_books_stands_there_once() {
    for_each_database(async |books| {
        let books = filled(books).await;
        for (text, columns, name) in TWICE {
            let words = if books.is_postgres() {
                format!("\"{name}\"")
            } else {
                format!("UNIQUE constraint failed: {columns}")
            };
            books.refuse(text, &words).await;
        }
    })
    .await;
}

/// Books with a row in every table.
async fn filled(books: Books) -> Books {
    let scene = Scene::begin(books).await;
    scene.send(0, NOW, accepted(), None).await;
    for text in ROWS {
        assert!(scene.books.write(text).await > 0, "{text}");
    }
    scene.books
}

const ROWS: [&str; 13] = [
    "INSERT INTO domain_checks VALUES ('one.test', 'mx', 'pass', 1, 1, 1, 'x')",
    "INSERT INTO evidence (message_id, at, kind) VALUES (1, 1, 'reply')",
    "INSERT INTO folders (mailbox_id, name, role, uidvalidity, last_uid, read_at)
     VALUES (1, 'Sent', 'sent', 7, 9, 1)",
    "INSERT INTO inbound (mailbox_id, content_key, kind, received_at, folder_id, uidvalidity, uid)
     SELECT mailbox_id, 'k', 'reply', 1, id, uidvalidity, 3 FROM folders",
    "INSERT INTO moves VALUES (1, 'gone', 'ours', 'elsewhere')",
    "INSERT INTO sent_copies
         (mailbox_id, folder_id, uidvalidity, uid, content_key, keeps_id, sent_at)
     SELECT mailbox_id, id, uidvalidity, 3, 'k', 1, 1 FROM folders",
    "INSERT INTO sealing_key VALUES (1, '0123456789abcdef', 1)",
    "INSERT INTO shortfalls SELECT campaign_id, day, revision, 'cap', 1, 'wait' FROM plans",
    "INSERT INTO strays (mailbox_id, content_key, rfc_id, address, sent_at)
     VALUES (1, 'k', '<k@one.test>', 'gil@acme.test', 1)",
    "INSERT INTO suppressions VALUES ('address', 'gil@acme.test', 'x', 1)",
    "INSERT INTO tokens (mailbox_id) VALUES (1)",
    "INSERT INTO unknown_answers VALUES (1, 'data', 550, '', 'shape', 'text', 1, 1, 1)",
    "INSERT INTO workers VALUES ('one', 1, 1)",
];
