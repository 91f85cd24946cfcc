//! The states of a message and of an enrolment: every pair of them, allowed or refused.

use crate::books::{Books, NOW, for_each_database};
use crate::scene::{Scene, accepted, in_doubt, rejected};

const STATES: [&str; 7] =
    ["planned", "sending", "accepted", "rejected", "bounced", "in_doubt", "cancelled"];

/// One row a state: where it may go, in the order of [`STATES`].
const MAY: [(&str, [bool; 7]); 7] = [
    ("planned", [true, true, false, true, false, false, true]),
    ("sending", [true, false, true, true, false, true, false]),
    ("accepted", [false, false, true, false, true, false, false]),
    ("rejected", [false, false, false, true, false, false, false]),
    ("bounced", [false, false, false, false, true, false, false]),
    ("in_doubt", [true, false, true, false, true, true, false]),
    ("cancelled", [false, false, false, false, false, false, true]),
];

#[tokio::test]
async fn a_message_moves_along_its_edges_and_no_others() {
    for (from, may) in MAY {
        for_each_database(async |books| {
            let scene = in_state(books, from).await;
            for (to, may) in STATES.into_iter().zip(may) {
                let outcome = scene.books.may(&[&edge(&scene, to)]).await;
                assert_eq!(outcome.is_ok(), may, "{from} -> {to}: {outcome:?}");
            }
        })
        .await;
    }
}

/// A scene whose first message is in a state, with all the evidence one could ask for.
async fn in_state(books: Books, state: &str) -> Scene {
    let scene = Scene::begin(books).await;
    let id = scene.messages[0];
    let set = |state| format!("{} AND id = {id}", edge(&scene, state));
    match state {
        "planned" => {}
        "cancelled" => {
            scene.books.write(&set("cancelled")).await;
        }
        "sending" => assert!(scene.claim(0, NOW).await),
        "accepted" => scene.send(0, NOW, accepted(), None).await,
        "rejected" => scene.send(0, NOW, rejected("message"), None).await,
        "bounced" => {
            scene.send(0, NOW, accepted(), None).await;
            scene.books.write(&set("bounced")).await;
        }
        "in_doubt" => scene.send(0, NOW, in_doubt(), None).await,
        other => panic!("no way to {other}"),
    }
    for kind in ["operator", "sent_copy"] {
        scene
            .books
            .write(&format!(
                "INSERT INTO evidence (message_id, at, kind) VALUES ({id}, {NOW} + 9000, '{kind}')"
            ))
            .await;
    }
    assert_eq!(scene.state(0).await, state);
    scene
}

/// Moves the first message, with all that its new state must say.
fn edge(scene: &Scene, to: &str) -> String {
    if to == "sending" {
        return scene.raw_claim(0, NOW + 1);
    }
    let settled = if to == "planned" { "NULL".to_owned() } else { format!("{NOW} + 9000") };
    format!(
        "UPDATE messages SET state = '{to}', changed_at = {NOW} + 9000, settled_at = {settled}
         WHERE id = {}",
        scene.messages[0]
    )
}

#[tokio::test]
async fn a_doubt_is_settled_by_the_evidence_that_fits_and_no_other() {
    let rows = [
        ("planned", "absence", 0, true),
        ("planned", "operator", 0, true),
        ("planned", "sent_copy", 0, false),
        ("planned", "reply", 0, false),
        ("planned", "bounce", 0, false),
        ("planned", "absence", -1, false), // Found before there was a doubt.
        ("accepted", "absence", 0, false),
        ("accepted", "sent_copy", 0, true),
        ("accepted", "reply", 0, true),
        ("accepted", "operator", 0, true),
        ("bounced", "bounce", 0, true),
        ("bounced", "absence", 0, false),
    ];
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, in_doubt(), None).await;
        let (id, in_doubt_at) = (scene.messages[0], NOW + 1_000);
        for to in ["planned", "accepted", "bounced"] {
            scene.books.refuse(&edge(&scene, to), "a doubt is settled by evidence only").await;
        }
        for (to, kind, later, may) in rows {
            let evidence = format!(
                "INSERT INTO evidence (message_id, at, kind)
                 VALUES ({id}, {in_doubt_at} + {later}, '{kind}')"
            );
            let outcome = scene.books.may(&[&evidence, &edge(&scene, to)]).await;
            assert_eq!(outcome.is_ok(), may, "{to} by {kind}, {later}: {outcome:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn evidence_of_another_message_settles_nothing() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, in_doubt(), None).await;
        let other = scene.messages[1];
        scene
            .books
            .write(&format!(
                "INSERT INTO evidence (message_id, at, kind) VALUES ({other}, {NOW} + 9, 'operator')"
            ))
            .await;
        scene.books.refuse(&edge(&scene, "planned"), "settled by evidence only").await;
    })
    .await;
}

#[tokio::test]
async fn an_enrolment_ends_once() {
    let live = ["active", "held", "blocked"];
    let over = [
        "replied",
        "bounced",
        "unsubscribed",
        "complained",
        "suppressed",
        "rejected",
        "finished",
        "stopped",
        "erased",
    ];
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let id = scene.enrolment(crate::scene::PEOPLE[0]).await;
        let to = |state: &str| {
            let ended = if live.contains(&state) { "NULL" } else { "5" };
            format!("UPDATE enrolments SET state = '{state}', ended_at = {ended} WHERE id = {id}")
        };
        for from in live.into_iter().chain(over) {
            for next in live.into_iter().chain(over) {
                // A late bounce or reply says more than "finished", and anybody may be erased.
                let may = live.contains(&from)
                    || from == next
                    || next == "erased"
                    || (from == "finished" && !live.contains(&next));
                let outcome = scene.books.may(&[&to(from), &to(next)]).await;
                assert_eq!(outcome.is_ok(), may, "{from} -> {next}: {outcome:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_edge_is_an_event() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, crate::scene::deferred(NOW), None).await;
        let id = scene.messages[0];
        let told = scene
            .books
            .rows(&format!("SELECT kind FROM events WHERE message_id = {id} ORDER BY id"))
            .await;
        assert_eq!(told, ["message_sending", "message_planned"]);
    })
    .await;
}
