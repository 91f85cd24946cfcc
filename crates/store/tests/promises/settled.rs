//! A message that is settled says why, by what the books keep of it: each way to an end has its
//! reason, and the moment at which it came about.

use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::reason;
use warmfront_store::{Fate, Scope, Verdict};

use crate::books::{HOUR, NOW, TODAY, for_each_database};
use crate::reasons::trails;
use crate::scene::{PEOPLE, Scene, accepted, in_doubt, rejected};
use crate::sent_copies::{copy, sent};

/// When an attempt is settled, and when something comes in that settles a doubt.
const SOON: i64 = NOW + 1_000;
const LATER: i64 = NOW + HOUR;

impl Scene {
    /// Something came in about the first message, which settles what it proves.
    async fn heard(&self, kind: Kind) {
        let arrival = Inbound {
            names: vec!["<0@one.test>".to_owned()],
            recipients: vec![Address::parse(PEOPLE[0]).unwrap()],
            ..Inbound::told("k".to_owned(), LATER, kind)
        };
        self.arrive(0, &[arrival]).await;
        self.settle_by_evidence(LATER).await;
    }

    async fn operator_says(&self, verdict: Verdict) {
        let doubt = [(self.messages[0], None)];
        let settled = self.books.store.settle_by_operator(&doubt, verdict, LATER).await;
        assert_eq!(settled.unwrap(), None);
    }

    /// Leads the first message to its end.
    async fn lead(&self, way: &str) {
        let end = |fate: Fate| self.send(0, NOW, fate, None);
        match way {
            "planned" => {}
            "claimed" => assert!(self.claim(0, NOW).await),
            "suppressed" => {
                let store = &self.books.store;
                store.suppress(Scope::Address, PEOPLE[0], "asked", SOON).await.unwrap();
            }
            "accepted" => end(accepted()).await,
            "accepted, then a report" => {
                end(accepted()).await;
                self.heard(Kind::HardBounce).await;
            }
            "given up" => {
                end(Fate::GivenUp { why: "gave_up after 1d1m: no answer".to_owned() }).await;
            }
            "lost" => end(in_doubt()).await,
            "lost, then its copy" => {
                end(in_doubt()).await;
                let copies = vec![copy(1, &["<0@one.test>"], PEOPLE[0])];
                self.read(sent(copies), LATER).await;
                self.settle_by_evidence(LATER).await;
            }
            "lost, then a machine answers" => {
                end(in_doubt()).await;
                self.heard(Kind::AutoReply).await;
            }
            "lost, then a soft bounce" => {
                end(in_doubt()).await;
                self.heard(Kind::SoftBounce).await;
            }
            "lost, then a hard bounce" => {
                end(in_doubt()).await;
                self.heard(Kind::HardBounce).await;
            }
            "lost, then the operator" => {
                end(in_doubt()).await;
                self.operator_says(Verdict::Accepted).await;
            }
            "lost, said to be unsent" | "lost, said to be unsent, then accepted" => {
                end(in_doubt()).await;
                self.operator_says(Verdict::Planned).await;
                if way.ends_with("accepted") {
                    let today = format!("UPDATE messages SET plan_day = '{TODAY}' WHERE id = 1");
                    self.books.write(&today).await;
                    self.send(0, LATER + HOUR, accepted(), None).await;
                }
            }
            verdict => {
                let verdicts =
                    ["recipient", "hard_bounce", "dead_domain", "message", "sender", "deferred"];
                let verdict = verdicts.into_iter().find(|one| *one == verdict).unwrap();
                end(rejected(verdict)).await;
            }
        }
    }
}

#[tokio::test]
async fn each_way_to_an_end_has_its_reason() {
    let rows = [
        ("planned", None),
        ("claimed", None),
        ("suppressed", Some(("enrolment_over", SOON))),
        ("accepted", Some(("accepted", SOON))),
        ("accepted, then a report", Some(("bounced", LATER))),
        ("given up", Some(("gave_up", SOON))),
        ("deferred", Some(("gave_up", SOON))),
        ("recipient", Some(("recipient_refused", SOON))),
        ("hard_bounce", Some(("address_dead", SOON))),
        ("dead_domain", Some(("address_dead", SOON))),
        ("message", Some(("message_refused", SOON))),
        ("sender", Some(("sender_refused", SOON))),
        ("lost", Some(("in_doubt", SOON))),
        ("lost, then its copy", Some(("copy_in_sent", LATER))),
        ("lost, then a machine answers", Some(("answered", LATER))),
        ("lost, then a soft bounce", Some(("reported", LATER))),
        ("lost, then a hard bounce", Some(("bounced", LATER))),
        ("lost, then the operator", Some(("operator", LATER))),
        ("lost, said to be unsent", None),
        // What the operator said of one attempt is no reason for the next.
        ("lost, said to be unsent, then accepted", Some(("accepted", LATER + HOUR + 1_000))),
    ];
    for (way, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.lead(way).await;
            let told = trails(&scene, PEOPLE[0]).await;
            let past = &told.enrolments[0].messages[0].past;
            let settled = reason::settled(past);
            let said = settled.as_ref().map(|settled| (settled.as_str(), settled.since()));
            assert_eq!(said, want, "{way}: {past:?}");
            scene.books.add_up().await;
        })
        .await;
    }
}
