//! People whose texts cannot be written, from the import on.

use warmfront_store::{ImportRow, ImportSummary, NewCampaign};

use crate::books::for_each_database;
use crate::scene::{PEOPLE, campaign, row};

fn summary(rows: u64, accepted: u64, rejected: u64, duplicates: u64) -> ImportSummary {
    ImportSummary { rows, accepted, rejected, duplicates, ..ImportSummary::default() }
}

/// The row, if its texts cannot be written.
fn unwritable(line: usize, address: &str) -> ImportRow {
    match row(line, address) {
        ImportRow::Prospect { line, address, domain, company, attributes, zone, .. } => {
            let blocked = Some(format!("line {line}: no first name"));
            ImportRow::Prospect { line, address, domain, company, attributes, zone, blocked }
        }
        other => other,
    }
}

#[tokio::test]
async fn whoever_cannot_be_written_to_is_blocked_from_the_start_and_freed_by_an_update() {
    for_each_database(async |books| {
        let update = NewCampaign { update: true, ..campaign("spring", 2) };
        let query = "SELECT state, because FROM enrolments ORDER BY id";
        let rows = vec![row(0, PEOPLE[0]), unwritable(1, PEOPLE[1])];
        let first = books.import_rows(&campaign("spring", 2), rows.clone()).await.unwrap();
        assert_eq!(first.summary, ImportSummary { blocked: 1, ..summary(2, 2, 0, 0) });
        assert_eq!(first.blocked, ["line 3: no first name"]);
        assert_eq!(books.rows(query).await, ["active -", "blocked line 3: no first name"]);
        // The same again changes nothing, with or without taking over.
        let same = books.import_rows(&update, rows).await.unwrap();
        assert_eq!((same.summary, same.blocked.len()), (summary(2, 0, 0, 2), 0));
        // The one is mended, the other spoilt before anything began.
        let turned = vec![unwritable(0, PEOPLE[0]), row(1, PEOPLE[1])];
        let turned = books.import_rows(&update, turned).await.unwrap();
        assert_eq!(turned.summary, ImportSummary { blocked: 1, updated: 2, ..summary(2, 0, 0, 2) });
        assert_eq!(books.rows(query).await, ["blocked line 2: no first name", "active -"]);
        // Whose first message is sent is stopped by nothing that was wrong with it.
        books.write("UPDATE enrolments SET next_step = 2 WHERE id = 2").await;
        let late = vec![unwritable(1, PEOPLE[1])];
        assert_eq!(books.import_rows(&update, late).await.unwrap().summary.blocked, 0);
        books.add_up().await;
    })
    .await;
}
