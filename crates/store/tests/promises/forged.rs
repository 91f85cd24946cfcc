//! Whoever can write to a mailbox can write reports: five hundred of them change nothing.

use warmfront_core::address::Address;
use warmfront_core::answer::Enhanced;
use warmfront_core::inbound::{Action, Arrival, Failure, Feedback, Inbound, Returned, classify};

use crate::books::{HOUR, NOW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted};

/// What is known to whoever forges: whom we wrote to, how an id of ours looks, other ids of ours.
fn forged(n: usize) -> Arrival {
    let names = match n % 5 {
        0 => format!("<{n:032x}@one.test>"),
        1 => "<00@one.test>".to_owned(),
        2 => "<0@one.test.example>".to_owned(),
        // Ann's, about somebody she did not write to with it.
        3 => "<0@one.test>".to_owned(),
        // Bea's, in ann's mailbox.
        _ => "<1@one.test>".to_owned(),
    };
    let blamed = Address::parse(if n % 5 == 3 { PEOPLE[4] } else { "cay@elsewhere.test" }).unwrap();
    let diagnostic = ["550 5.1.1 no such user", "550 5.7.1 blocked as spam"][n % 2];
    let failure = Failure {
        recipients: vec![blamed.clone()],
        action: Some(Action::Failed),
        status: Enhanced::parse(&diagnostic[4..9]),
        diagnostic: diagnostic.to_owned(),
        ..Failure::default()
    };
    let report = Arrival {
        key: format!("{n}"),
        received_at: NOW + HOUR,
        // Whom ann wrote to.
        from: Address::parse(PEOPLE[0]).ok(),
        returned: Returned { names: vec![names], to: vec![blamed.clone()] },
        ..Arrival::default()
    };
    let is_complaint = n % 5 != 3 && n.is_multiple_of(7);
    match is_complaint {
        true => Arrival {
            feedback: Some(Feedback { kind: "abuse".to_owned(), recipients: vec![blamed] }),
            ..report
        },
        false => Arrival { failures: vec![failure], ..report },
    }
}

#[tokio::test]
async fn five_hundred_forged_reports_suppress_nobody_and_rest_no_mailbox() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        for message in [0, 1, 3, 4] {
            scene.send(message, NOW + HOUR / 2 * i64::from(message > 1), accepted(), None).await;
        }
        let reports: Vec<Inbound> = (0..500).map(|n| classify(&forged(n))).collect();
        scene.arrive(0, &reports).await;
        let kinds = "SELECT kind, count(*) FROM inbound GROUP BY kind";
        assert_eq!(scene.books.rows(kinds).await, ["suspicious 500"]);
        assert_eq!(scene.books.number("SELECT count(*) FROM suppressions").await, 0);
        let mailboxes = "SELECT DISTINCT state, ease_percent FROM mailboxes";
        assert_eq!(scene.books.rows(mailboxes).await, ["active 100"]);
        let states = "SELECT DISTINCT state FROM enrolments";
        assert_eq!(scene.books.rows(states).await, ["active"]);
        let counted = "SELECT CAST(sum(blocks) + sum(hard_bounces) AS BIGINT) FROM mailbox_days";
        assert_eq!(scene.books.number(counted).await, 0);
        scene.books.add_up().await;
    })
    .await;
}
