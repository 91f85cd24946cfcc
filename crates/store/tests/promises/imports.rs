//! Imports: all of a list or none of it, and every row accounted for.

use tokio::sync::mpsc;
use warmfront_store::{
    ImportRow, ImportSummary, Imported, NewCampaign, Scope, StepText, StoreError, TakenOver,
};

use crate::books::{Books, NOW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, campaign, row, text};

fn summary(rows: u64, accepted: u64, rejected: u64, duplicates: u64) -> ImportSummary {
    ImportSummary { rows, accepted, rejected, duplicates, updated: 0, suppressed: 0, blocked: 0 }
}

#[tokio::test]
async fn the_same_list_again_brings_nobody_new() {
    for_each_database(async |books| {
        assert_eq!(books.import("spring", 2, &PEOPLE).await.summary, summary(6, 6, 0, 0));
        books.add_up().await;
        assert_eq!(books.import("spring", 2, &PEOPLE).await.summary, summary(6, 0, 0, 6));
        books.add_up().await;
        let people = books.number("SELECT count(*) FROM prospects").await;
        assert_eq!(people, 6);
        assert_eq!(books.import("summer", 2, &PEOPLE).await.summary, summary(6, 6, 0, 0));
        books.add_up().await;
        assert_eq!(books.number("SELECT count(*) FROM prospects").await, people);
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_row_is_accounted_for() {
    for_each_database(async |books| {
        let mut rows = vec![row(0, "ada@acme.test"), row(1, "bob@acme.test")];
        rows.push(ImportRow::Rejected { line: 4, reason: "no address".to_owned() });
        rows.push(ImportRow::Duplicate { line: 5 });
        // A list that was not looked through for its own duplicates is not believed.
        rows.push(row(4, "ada@acme.test"));
        let imported = books.import_rows(&campaign("spring", 1), rows).await.unwrap();
        assert_eq!(imported.summary, summary(5, 2, 1, 2));
        let told = books
            .rows("SELECT line, outcome, reason, enrolment_id FROM import_rows ORDER BY line")
            .await;
        assert_eq!(
            told,
            [
                "2 accepted - 1",
                "3 accepted - 2",
                "4 rejected no address -",
                "5 duplicate the address stands above in the same list -",
                "6 duplicate the address was imported before 1",
            ]
        );
        books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_that_was_not_normalised_is_refused_with_the_whole_list() {
    for_each_database(async |books| {
        let (sender, receiver) = mpsc::channel(2);
        sender.send(Some(vec![row(0, "ada@acme.test"), row(1, "Bob@acme.test")])).await.unwrap();
        sender.send(None).await.unwrap();
        let refused = books.store.import(&campaign("spring", 1), receiver, NOW).await.unwrap_err();
        assert!(books.says(&refused.to_string(), "refused by the books: CHECK"), "{refused}");
        nothing_is_left(&books).await;
    })
    .await;
}

#[tokio::test]
async fn a_list_without_its_last_word_imports_nothing() {
    for_each_database(async |books| {
        let (sender, receiver) = mpsc::channel(2);
        sender.send(Some(vec![row(0, "ada@acme.test")])).await.unwrap();
        drop(sender);
        let imported = books.store.import(&campaign("spring", 1), receiver, NOW).await.unwrap();
        assert_eq!(imported, None);
        nothing_is_left(&books).await;
        // And the books are free for the next.
        books.import("spring", 1, &["ada@acme.test"]).await;
        books.add_up().await;
    })
    .await;
}

async fn nothing_is_left(books: &Books) {
    for table in ["campaigns", "steps", "prospects", "enrolments", "imports", "events"] {
        assert_eq!(books.number(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn more_rows_than_a_batch_arrive_in_order() {
    for_each_database(async |books| {
        let people: Vec<String> = (0..1_234).map(|n| format!("p{n:04}@c{n:04}.test")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let imported = books.import("spring", 1, &people).await;
        assert_eq!(imported.summary, summary(1_234, 1_234, 0, 0));
        let query = "SELECT p.address FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                     ORDER BY e.id";
        assert_eq!(books.rows(query).await, people);
        books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn the_suppressed_are_enrolled_and_over() {
    for_each_database(async |books| {
        let store = &books.store;
        store.suppress(Scope::Address, "Ada@Acme.test", "asked", NOW).await.unwrap();
        store.suppress(Scope::Domain, "acme.test", "lawyers", NOW).await.unwrap();
        store.suppress(Scope::Domain, "brix.test", "lawyers", NOW).await.unwrap();
        let imported = books.import("spring", 1, &PEOPLE).await;
        assert_eq!(imported.summary, ImportSummary { suppressed: 4, ..summary(6, 6, 0, 0) });
        let states =
            books.rows("SELECT state, count(*) FROM enrolments GROUP BY 1 ORDER BY 1").await;
        assert_eq!(states, ["active 2", "suppressed 4"]);
        books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn suppressing_ends_every_campaigns_enrolment_and_unsuppressing_revives_none() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.import("summer", 1, &PEOPLE).await;
        let store = &scene.books.store;
        assert!(store.suppress(Scope::Domain, "acme.test", "asked", NOW).await.unwrap());
        assert!(!store.suppress(Scope::Domain, "acme.test", "asked", NOW).await.unwrap());
        let states = "SELECT state, count(*) FROM enrolments GROUP BY 1 ORDER BY 1";
        assert_eq!(scene.books.rows(states).await, ["active 6", "suppressed 6"]);
        assert_eq!(scene.state(0).await, "cancelled");
        assert!(store.unsuppress(Scope::Domain, "ACME.test", NOW).await.unwrap());
        assert!(!store.unsuppress(Scope::Domain, "acme.test", NOW).await.unwrap());
        assert_eq!(scene.books.rows(states).await, ["active 6", "suppressed 6"]);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn other_texts_without_update_leave_the_books_as_they_are() {
    for_each_database(async |books| {
        books.import("spring", 2, &PEOPLE).await;
        let mut again = campaign("spring", 2);
        again.texts[1] = text(2, "second");
        again.daily_target = 7;
        let imported = books.import_rows(&again, vec![]).await.unwrap();
        assert!(imported.kept_old_steps);
        let texts = books.store.texts(imported.campaign).await.unwrap();
        assert_eq!(texts.iter().map(|t| t.hash.as_str()).collect::<Vec<_>>(), ["first", "first"]);
        assert_eq!(books.number("SELECT daily_target FROM campaigns").await, 100);
        assert_eq!(books.number("SELECT count(*) FROM step_revisions").await, 2);
    })
    .await;
}

#[tokio::test]
async fn other_waits_without_update_are_told() {
    for_each_database(async |books| {
        books.import("spring", 2, &PEOPLE).await;
        let mut again = campaign("spring", 2);
        assert!(!books.import_rows(&again, vec![]).await.unwrap().kept_old_steps);
        again.waits[1] = Some("9d".to_owned());
        assert!(books.import_rows(&again, vec![]).await.unwrap().kept_old_steps);
        let longer = campaign("spring", 3);
        assert!(books.import_rows(&longer, vec![]).await.unwrap().kept_old_steps);
    })
    .await;
}

#[tokio::test]
async fn an_update_adds_a_revision_and_what_was_sent_keeps_its_own() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let mut again = campaign("spring", 3);
        again.texts[0] = text(1, "second");
        again.waits[1] = Some("5d".to_owned());
        again.update = true;
        let imported = scene.books.import_rows(&again, vec![]).await.unwrap();
        assert!(!imported.kept_old_steps);
        let revisions = scene
            .books
            .rows("SELECT position, revision, hash FROM step_revisions ORDER BY 1, 2")
            .await;
        assert_eq!(revisions, ["1 1 first", "1 2 second", "2 1 first", "3 1 first"]);
        assert_eq!(scene.books.number("SELECT revision_id FROM messages WHERE id = 1").await, 1);
        assert_eq!(scene.books.store.text(1).await.unwrap().unwrap().hash, "first");
        assert_eq!(scene.books.store.waits(scene.campaign).await.unwrap(), ["5d", "3d"]);
        // Nothing has changed since: no further revision.
        scene.books.import_rows(&again, vec![]).await.unwrap();
        assert_eq!(scene.books.number("SELECT count(*) FROM step_revisions").await, 4);
        scene.books.add_up().await;
    })
    .await;
}

impl Books {
    /// Imports `spring` again with an update and nobody on the list.
    async fn update(&self, steps: u32, texts: Vec<StepText>) -> Result<Imported, StoreError> {
        let again = NewCampaign { texts, update: true, ..campaign("spring", steps) };
        let (sender, receiver) = mpsc::channel(1);
        sender.send(None).await.unwrap();
        Ok(self.store.import(&again, receiver, NOW).await?.expect("the list has a last word"))
    }

    /// Steps and variants as they are used.
    async fn texts_in_use(&self, campaign: i64) -> String {
        let texts = self.store.texts(campaign).await.unwrap();
        let told = texts.iter().map(|t| format!("{}{} {}", t.position, t.variant, t.hash));
        told.collect::<Vec<_>>().join(", ")
    }
}

fn variant(name: &str, hash: &str) -> StepText {
    StepText { variant: name.to_owned(), ..text(1, hash) }
}

#[tokio::test]
async fn an_update_withdraws_the_variants_that_are_gone_from_the_folder() {
    for_each_database(async |books| {
        let mut two = campaign("spring", 1);
        two.texts.push(variant("b", "first"));
        let id = books.import_rows(&two, vec![]).await.unwrap().campaign;
        let kept = books.import_rows(&campaign("spring", 1), vec![]).await.unwrap();
        assert_eq!((kept.kept_old_steps, kept.taken_over), (true, None), "without an update");
        assert_eq!(books.texts_in_use(id).await, "1a first, 1b first");

        let took = |changed, withdrawn| Some(TakenOver { changed, withdrawn });
        let one = || vec![text(1, "first")];
        assert_eq!(books.update(1, one()).await.unwrap().taken_over, took(0, 1));
        assert_eq!(books.texts_in_use(id).await, "1a first");
        assert_eq!(books.update(1, one()).await.unwrap().taken_over, took(0, 0));
        let again = books.import_rows(&campaign("spring", 1), vec![]).await.unwrap();
        assert!(!again.kept_old_steps, "books and folder agree");

        // Back as it was, and then changed.
        let both = |hash| vec![text(1, "first"), variant("b", hash)];
        assert_eq!(books.update(1, both("first")).await.unwrap().taken_over, took(1, 0));
        assert_eq!(books.number("SELECT count(*) FROM step_revisions").await, 2);
        assert_eq!(books.update(1, both("second")).await.unwrap().taken_over, took(1, 0));
        assert_eq!(books.texts_in_use(id).await, "1a first, 1b second");
        let renamed = vec![variant("b", "second"), variant("c", "first")];
        assert_eq!(books.update(1, renamed).await.unwrap().taken_over, took(1, 1));
        assert_eq!(books.texts_in_use(id).await, "1b second, 1c first");
    })
    .await;
}

#[tokio::test]
async fn a_step_goes_only_when_nobody_waits_for_it() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let refused = scene.books.update(1, vec![text(1, "second")]).await.unwrap_err();
        let told = refused.to_string();
        assert!(
            told.contains("ends with step 1, and people still wait for step 2 in the books (1,"),
            "{told}"
        );
        let campaign = scene.campaign;
        assert_eq!(
            scene.books.texts_in_use(campaign).await,
            "1a first, 2a first",
            "all or nothing"
        );

        let out = "UPDATE enrolments SET state = 'stopped', ended_at = 5 WHERE next_step = 2";
        scene.books.write(out).await;
        let taken = scene.books.update(1, vec![text(1, "first")]).await.unwrap().taken_over;
        assert_eq!(taken, Some(TakenOver { changed: 0, withdrawn: 1 }));
        let waits = async || scene.books.store.waits(campaign).await.unwrap();
        assert_eq!(
            (waits().await, scene.books.texts_in_use(campaign).await),
            (vec![], "1a first".to_owned())
        );
        let back = vec![text(1, "first"), text(2, "first")];
        scene.books.update(2, back).await.unwrap();
        assert_eq!(waits().await, ["3d"]);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn an_update_takes_over_values_and_unblocks_but_not_of_those_who_are_out() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let blocked = scene.enrolment(PEOPLE[0]).await;
        let store = &scene.books.store;
        store.block_enrolment(blocked, scene.messages[0], "no first name").await.unwrap();
        scene.books.add_up().await;
        let out = scene.enrolment(PEOPLE[1]).await;
        scene
            .books
            .write(&format!(
                "UPDATE enrolments SET state = 'stopped', ended_at = 5 WHERE id = {out}"
            ))
            .await;
        let rows: Vec<_> = PEOPLE[..3].iter().enumerate().map(|(n, p)| mended(n, p)).collect();
        let kept = scene.books.import_rows(&campaign("spring", 2), rows.clone()).await.unwrap();
        assert_eq!(kept.summary, summary(3, 0, 0, 3));
        let query = "SELECT state, attributes FROM enrolments ORDER BY id LIMIT 3";
        assert_eq!(scene.books.rows(query).await, ["blocked {}", "stopped {}", "active {}"]);

        let mut again = campaign("spring", 2);
        again.update = true;
        let updated = scene.books.import_rows(&again, rows).await.unwrap();
        assert_eq!(updated.summary, ImportSummary { updated: 2, ..summary(3, 0, 0, 3) });
        let new = "active {\"first_name\":\"Ada\"}";
        assert_eq!(scene.books.rows(query).await, [new, "stopped {}", new]);
        let left = store.work_begun(crate::books::TODAY, NOW + 1).await.unwrap();
        assert_eq!(left.iter().map(|c| c.message_id).collect::<Vec<_>>(), [Some(1)]);
        scene.books.add_up().await;
    })
    .await;
}

fn mended(line: usize, address: &str) -> ImportRow {
    match row(line, address) {
        ImportRow::Prospect { line, address, domain, company, zone, blocked, .. } => {
            ImportRow::Prospect {
                attributes: "{\"first_name\":\"Ada\"}".to_owned(),
                line,
                address,
                domain,
                company,
                zone,
                blocked,
            }
        }
        other => other,
    }
}

#[tokio::test]
async fn a_finished_campaign_with_new_people_runs_again() {
    for_each_database(async |books| {
        let imported = books.import("spring", 1, &["ada@acme.test"]).await;
        books.store.start_campaign(imported.campaign, NOW).await.unwrap();
        books.write("UPDATE enrolments SET state = 'finished', ended_at = 5").await;
        assert_eq!(books.store.finish_campaigns(NOW).await.unwrap(), 1);
        assert_eq!(books.store.finish_campaigns(NOW).await.unwrap(), 0);
        books.import("spring", 1, &["ada@acme.test"]).await;
        assert_eq!(books.row("SELECT state FROM campaigns").await, "finished");
        books.import("spring", 1, &PEOPLE).await;
        assert_eq!(books.row("SELECT state FROM campaigns").await, "running");
        books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn an_audit_names_whoever_is_missing() {
    let rows = [
        (
            "INSERT INTO enrolments (campaign_id, prospect_id) SELECT 1, 9 FROM steps LIMIT 1",
            "enrolment 7",
        ),
        ("DELETE FROM import_rows WHERE line = 3", "enrolment 2"),
        ("UPDATE imports SET rows = 7, rejected = 1", "import 1"),
        ("UPDATE import_rows SET outcome = 'duplicate' WHERE line = 4", "enrolment 3"),
    ];
    for (change, who) in rows {
        for_each_database(async |books| {
            books.import("spring", 1, &PEOPLE).await;
            books
                .write(
                    "INSERT INTO prospects (id, address, domain) VALUES (9, 'x@y.test', 'y.test')",
                )
                .await;
            books.write(change).await;
            let audit = books.store.audit().await.unwrap();
            assert!(audit.imbalances.iter().any(|i| i.who == who), "{change}: {audit:?}");
        })
        .await;
    }
}
