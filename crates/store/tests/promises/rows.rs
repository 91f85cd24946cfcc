//! What a row may say: keys, checks, and what is kept for ever.

use warmfront_store::ImportRow;

use crate::books::{Books, Database, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted, campaign, row};

/// A scene with one message sent, and one planned; `{m}` is the first's row.
async fn check(promise: &str, statement: &str, words: &str) {
    for_each_database(async |books| {
        if books.is_postgres() && statement.contains("OR REPLACE") {
            return; // SQLite's alone: it deletes without a word to any trigger.
        }
        let scene = sent(books).await;
        let statement = statement.replace("{m}", &scene.messages[0].to_string());
        let before = scene.books.rows("SELECT * FROM messages ORDER BY id").await;
        scene.books.refuse(&statement, words).await;
        let after = scene.books.rows("SELECT * FROM messages ORDER BY id").await;
        assert_eq!(before, after, "{promise}");
    })
    .await;
}

async fn sent(books: Books) -> Scene {
    let scene = Scene::begin(books).await;
    scene.send(0, NOW, accepted(), None).await;
    scene
}

const NEW_MESSAGE: &str = "INTO messages
    (enrolment_id, campaign_id, position, mailbox_id, due_at, closes_at, changed_at, state, attempts,
     settled_at)
    SELECT enrolment_id, campaign_id, {position}, mailbox_id, 0, 1, 0, '{state}', {attempts}, {settled}
    FROM messages WHERE id = {m}";

fn new_message(verb: &str, position: u32, state: &str, attempts: u32) -> String {
    let settled = if state == "planned" || state == "sending" { "NULL" } else { "1" };
    format!("{verb} {NEW_MESSAGE}")
        .replace("{position}", &position.to_string())
        .replace("{state}", state)
        .replace("{attempts}", &attempts.to_string())
        .replace("{settled}", settled)
}

#[tokio::test]
async fn values_come_back_as_they_stood() {
    for_each_database(async |books| {
        let attributes = r#"{"a":"tab\t, quote\", \\N, \\.","b":"Zo\u00eb; ü ñ 漢 🦀, '\n"}"#;
        let reason = "a tab\t, a line\n, \\N, \\. and a 'quote'";
        let mut person = row(0, "ada@acme.test");
        if let ImportRow::Prospect { attributes: field, blocked, .. } = &mut person {
            *field = attributes.to_owned();
            *blocked = Some(reason.to_owned());
        }
        let rows = vec![person, ImportRow::Rejected { line: 3, reason: reason.to_owned() }];
        let imported = books.import_rows(&campaign("spring", 1), rows).await.unwrap();
        assert_eq!(imported.blocked, [reason]);
        let query = "SELECT attributes || because FROM enrolments";
        assert_eq!(books.row(query).await, format!("{attributes}{reason}"));
        let query = "SELECT reason FROM import_rows WHERE outcome = 'rejected'";
        assert_eq!(books.row(query).await, reason);
    })
    .await;
}

#[tokio::test]
async fn a_step_is_sent_once() {
    let again = new_message("INSERT", 1, "planned", 0);
    check("a second row of a step", &again, "a step is sent once").await;
    let replace = new_message("INSERT OR REPLACE", 1, "planned", 0);
    check("a row replaced", &replace, "a step is sent once").await;
    let moved = "UPDATE messages SET position = 2 WHERE id = {m}";
    check("a sent row made another step", moved, "keeps its person and its step").await;
    let given = "UPDATE messages SET enrolment_id = enrolment_id + 1 WHERE id = {m}";
    check("a sent row given to another", given, "keeps its person and its step").await;
}

#[tokio::test]
async fn a_message_begins_planned_and_untried() {
    for (state, attempts) in [("accepted", 0), ("in_doubt", 0), ("planned", 1), ("sending", 1)] {
        let born = new_message("INSERT", 2, state, attempts);
        check("a row born later", &born, "a message begins planned and untried").await;
    }
}

#[tokio::test]
async fn messages_events_revisions_evidence_and_counted_days_are_kept() {
    let forever = [
        ("DELETE FROM messages WHERE id = {m}", "messages are never deleted"),
        ("DELETE FROM events", "events are append-only"),
        ("UPDATE events SET kind = 'nothing'", "events are append-only"),
        (
            "INSERT OR REPLACE INTO events (id, at, kind) SELECT min(id), 0, 'nothing' FROM events",
            "events are append-only",
        ),
        ("DELETE FROM step_revisions", "a step revision never changes"),
        ("UPDATE step_revisions SET text = 'other'", "a step revision never changes"),
        (
            "INSERT OR REPLACE INTO step_revisions
                 (campaign_id, position, variant, revision, subject, text, hash)
             SELECT campaign_id, position, variant, revision, 'other', 'other', 'other'
             FROM step_revisions WHERE position = 1",
            "a step revision never changes",
        ),
        ("DELETE FROM mailbox_days", "a day that was counted is kept"),
        ("DELETE FROM budget_days", "a day that was counted is kept"),
    ];
    for (statement, words) in forever {
        check("what is kept for ever", statement, words).await;
    }
    for_each_database(async |books| {
        let scene = sent(books).await;
        let id = scene.messages[0];
        let text = format!("INSERT INTO evidence (message_id, at, kind) VALUES ({id}, 1, 'reply')");
        scene.books.write(&text).await;
        scene.books.refuse("DELETE FROM evidence", "evidence is kept").await;
        scene.books.refuse("UPDATE evidence SET kind = 'absence'", "evidence is kept").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_is_not_emptied_at_a_stroke_either() {
    let scene = sent(Books::open(Database::Postgres).await).await;
    let kept = ["messages", "events", "step_revisions", "evidence", "mailbox_days", "budget_days"];
    for table in kept {
        let words = match table {
            "messages" => "messages are never deleted",
            "events" => "events are append-only",
            "step_revisions" => "a step revision never changes",
            "evidence" => "evidence is kept",
            _ => "a day that was counted is kept",
        };
        // On PostgreSQL alone: TRUNCATE asks no trigger on rows.
        scene.books.refuse(&format!("TRUNCATE {table} CASCADE"), words).await;
    }
}

#[tokio::test]
async fn ids_never_change() {
    for text in [
        "UPDATE messages SET rfc_message_id = '<other@one.test>' WHERE id = {m}",
        "UPDATE messages SET rfc_message_id = NULL, attempts = 0 WHERE id = {m}",
        "UPDATE messages SET unsubscribe_token = 'other' WHERE id = {m}",
    ] {
        // The count guards them too: which of the two speaks first is the database's to say.
        let words = if text.contains("attempts") { "" } else { "Message-ID and token for ever" };
        check("an id changed", text, words).await;
    }
    check(
        "an id used twice",
        "UPDATE messages SET rfc_message_id = (SELECT rfc_message_id FROM messages WHERE id = {m})
         WHERE id <> {m}",
        "UNIQUE constraint failed: messages.rfc_message_id",
    )
    .await;
}

#[tokio::test]
async fn attempts_are_counted_by_claims_only() {
    for attempts in ["attempts - 1", "attempts + 1", "0", "6"] {
        let text = format!("UPDATE messages SET attempts = {attempts} WHERE id = {{m}}");
        check("attempts changed", &text, "an attempt is counted by its claim").await;
    }
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let free = scene.raw_claim(0, NOW).replace("attempts + 1", "attempts");
        scene.books.refuse(&free, "an attempt is counted by its claim").await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_tried_keeps_its_mailbox() {
    let moved = "UPDATE messages SET mailbox_id = mailbox_id + 1 WHERE id = {m}";
    check("a tried message moved", moved, "a message that was tried keeps its mailbox").await;
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        // In one breath with the claim, so that the gates look at the mailbox it had.
        let other = scene.mailboxes[1];
        let sneaked = scene
            .raw_claim(0, NOW)
            .replace("SET state", &format!("SET mailbox_id = {other}, state"));
        scene.books.refuse(&sneaked, "keeps its mailbox").await;
    })
    .await;
}

#[tokio::test]
async fn checks_read_as_sentences() {
    let rows = [
        ("UPDATE mailboxes SET state = 'paused'", "a_pause_says_why_and_since_when"),
        (
            "UPDATE mailboxes SET state = 'paused', paused_reason = 'spam', paused_because = 'x'",
            "a_pause_says_why_and_since_when",
        ),
        (
            "UPDATE mailboxes SET paused_reason = 'spam', paused_because = 'x', paused_at = 1",
            "a_pause_says_why_and_since_when",
        ),
        ("UPDATE mailboxes SET paused_until = 5", "a_pause_says_why_and_since_when"),
        ("UPDATE mailboxes SET lease_owner = NULL", "a_lease_is_whole"),
        ("UPDATE mailboxes SET lease_expires_at = NULL", "a_lease_is_whole"),
        ("UPDATE mailboxes SET ease_percent = 9", "ease_percent"),
        ("UPDATE mailboxes SET address = 'ANN@one.test' WHERE id = 1", "lower(address)"),
        ("UPDATE campaigns SET state = 'paused'", "a_paused_campaign_says_why"),
        ("UPDATE campaigns SET paused_because = 'x'", "a_paused_campaign_says_why"),
        ("UPDATE imports SET accepted = accepted + 1", "an_import_adds_up"),
        ("UPDATE imports SET accepted = 8, duplicates = -2", "an_import_adds_up"),
        ("UPDATE import_rows SET enrolment_id = NULL", "an_accepted_row_has_its_enrolment"),
        (
            "UPDATE import_rows SET enrolment_id = (SELECT min(enrolment_id) FROM import_rows)",
            "UNIQUE constraint failed: import_rows.enrolment_id",
        ),
        ("UPDATE plans SET planned = planned - 1", "a_plan_adds_up"),
        ("UPDATE plans SET planned = -1, shortfall = target + 1", "a_plan_adds_up"),
        ("UPDATE enrolments SET ended_at = 5", "ended_says_when"),
        ("UPDATE prospects SET address = NULL", "erased_means_empty"),
        ("UPDATE prospects SET erased_at = 5", "erased_means_empty"),
        ("UPDATE messages SET settled_at = NULL WHERE id = {m}", "settled_says_when"),
        ("UPDATE messages SET revision_id = NULL WHERE id = {m}", "an_attempt_has_its_ids"),
        (
            "INSERT INTO step_revisions (campaign_id, position, variant, revision, text, hash)
             SELECT campaign_id, 1, 'z', 1, 'Hello.', 'z' FROM steps",
            "the_first_step_has_a_subject",
        ),
        ("UPDATE mailbox_days SET ceiling = allowance + 1", "CHECK constraint failed"),
        ("UPDATE mailbox_days SET allowance = cap + 1", "CHECK constraint failed"),
        ("UPDATE mailbox_days SET attempted = cap + 1", "reached its allowance"),
        ("UPDATE mailbox_days SET accepted = attempted + 1", "answers_never_outnumber_attempts"),
        ("UPDATE mailbox_days SET settled = attempted + 1", "answers_never_outnumber_attempts"),
        ("UPDATE mailbox_days SET hard_bounces = settled + 1", "answers_never_outnumber_attempts"),
        ("UPDATE steps SET wait = NULL", "only_the_first_does_not_wait"),
        ("INSERT INTO settings SELECT 2, 'UTC', 7, 2, 0, 1, '{}', NULL", "CHECK constraint failed"),
        (
            "INSERT INTO domain_checks VALUES ('one.test', 'mx', 'fail', 2, 1, 2, 'x')",
            "a_verdict_is_seen_after_it_began",
        ),
        (
            "INSERT INTO domain_checks VALUES ('one.test', 'mx', 'fail', 1, 3, 2, 'x')",
            "a_verdict_is_seen_after_it_began",
        ),
        ("INSERT INTO suppressions VALUES ('address', 'A@b.test', 'x', 1)", "lower(value)"),
    ];
    for (statement, words) in rows {
        check(words, statement, words).await;
    }
}

/// Each part of a claim that is not given; what guards against a claim asks for none of them.
#[tokio::test]
async fn a_claim_is_fenced_and_has_its_ids() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (claim, id) = (scene.raw_claim(0, NOW), scene.messages[0]);
        let epoch = scene.leases[0].epoch;
        for (part, without, words) in [
            (format!("lease_epoch = {epoch}"), "lease_epoch = NULL", "sending_is_fenced"),
            (format!("sending_since = {NOW}"), "sending_since = NULL", "sending_is_fenced"),
            (format!("sending_on = '{TODAY}'"), "sending_on = NULL", "sending_is_fenced"),
            (format!("'<raw-{id}>'"), "NULL", "an_attempt_has_its_ids"),
            (format!("'raw-{id}'"), "NULL", "an_attempt_has_its_ids"),
            ("revision_id = 1".to_owned(), "revision_id = NULL", "an_attempt_has_its_ids"),
        ] {
            assert!(claim.contains(&part), "{claim}");
            scene.books.refuse(&claim.replace(&part, without), words).await;
        }
        assert_eq!(scene.books.may(&[&claim]).await, Ok(()));
    })
    .await;
}

#[tokio::test]
async fn one_enrolment_a_campaign_and_one_plan_a_revision() {
    check(
        "a second enrolment",
        "INSERT INTO enrolments (campaign_id, prospect_id)
         SELECT campaign_id, prospect_id FROM enrolments LIMIT 1",
        "UNIQUE constraint failed: enrolments.campaign_id, enrolments.prospect_id",
    )
    .await;
    let again = format!(
        "INSERT INTO plans SELECT campaign_id, '{TODAY}', 1, 7, 0, 0, 0 FROM plans LIMIT 1"
    );
    check("a second planner", &again, "UNIQUE constraint failed: plans").await;
}

#[tokio::test]
async fn a_sent_message_names_a_revision_that_exists() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let mut claim = scene.claim_of(0, NOW);
        claim.revision = 999;
        let refused = scene.books.store.claim(claim).await.unwrap_err();
        let words = "refused by the books: FOREIGN KEY";
        assert!(scene.books.says(&refused.to_string(), words), "{refused}");
        assert_eq!(scene.state(0).await, "planned");
    })
    .await;
}
