//! The sender gives lanes, and keeps no lease that has none: where one mailbox cannot be leased, or has
//! no way out, the others lose nothing by it. Many are leased in parts.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use warmfront_core::span::{MINUTE, SECOND};
use warmfront_engine::{Lane, Office, Planner, Sender, Ways};
use warmfront_mail::submit::Submit;
use warmfront_tests::simulation::{
    Mailbox, Person, Play, Scenario, WatchedInbox, WatchedOut, Zone, address,
};

use crate::{block_on, little};

/// The little world at nine, with a plan and nobody at work, and a way to its books past the store.
struct Morning {
    play: Play,
    office: Office,
    past: SqliteConnection,
    _folder: TempDir,
}

impl Morning {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut play = little::begin_on_disk(little::scenario(), folder.path()).await;
        play.lease_ttl = MINUTE;
        let (office, _) = play.office();
        Planner::new(office.clone()).tick(play.now).await.expect("a plan");
        let url = format!("sqlite://{}/books.db", folder.path().display());
        let past = SqliteConnection::connect(&url).await.expect("the books");
        Self { play, office, past, _folder: folder }
    }

    async fn write(&mut self, text: &'static str) {
        sqlx::query(text).execute(&mut self.past).await.expect("it is written");
    }
}

/// A mailbox for each sending domain, a person for each company.
fn fleet(mailboxes: usize, people: u32) -> Scenario {
    let mut scenario = little::scenario();
    let (mailbox, campaign) = (scenario.mailboxes[0].clone(), &mut scenario.campaigns[0]);
    campaign.daily_target = people;
    campaign.people = (0..people)
        .map(|n| Person { address: address(&format!("p@to{n}.example")), zone: Zone::Unknown })
        .collect();
    scenario.mailboxes = (0..mailboxes)
        .map(|n| Mailbox { address: address(&format!("ann@from{n}.example")), ..mailbox.clone() })
        .collect();
    scenario
}

/// Two daemons at nine on one PostgreSQL, where eight mailboxes have work, each known to the other.
async fn two_senders(play: &mut Play) -> [Sender<WatchedOut, WatchedInbox>; 2] {
    play.lease_ttl = MINUTE;
    let offices = [play.office().0, play.office().0];
    let nine = play.now;
    Planner::new(offices[0].clone()).tick(nine).await.expect("a plan");
    for Office { store, owner, .. } in &offices {
        store.report_worker(owner, nine, nine).await.expect("the books are well");
    }
    offices.map(|office| Sender::new(office, play.ways(None)))
}

fn mailboxes<O: Submit>(lanes: &[Lane<O>]) -> Vec<i64> {
    lanes.iter().map(Lane::mailbox_id).collect()
}

#[test]
fn a_lease_that_fails_takes_no_mailbox_out_of_the_fleet() {
    block_on(async {
        let mut morning = Morning::begin().await;
        let nine = morning.play.now;
        morning
            .write(
                "CREATE TRIGGER no_second BEFORE UPDATE OF lease_owner ON mailboxes
                 WHEN NEW.id = 2 AND NEW.lease_owner IS NOT NULL
                 BEGIN SELECT RAISE(ABORT, 'not this one'); END",
            )
            .await;
        let mut sender = Sender::new(morning.office.clone(), morning.play.ways(None));
        let refused = sender.tick(nine).await.map(|_| ()).expect_err("it is refused");
        assert!(refused.to_string().contains("not this one"), "{refused}");
        let _ = sender.tick(nine + 40 * SECOND).await;
        morning.write("DROP TRIGGER no_second").await;
        // Whatever was leased then is over, for nobody has worked by it.
        let (lanes, _) = sender.tick(nine + 2 * MINUTE).await.expect("the books are well");
        assert_eq!(mailboxes(&lanes), [1, 2]);
    });
}

#[test]
fn a_mailbox_without_a_way_out_costs_no_other_its_lane_though_it_cannot_be_paused() {
    block_on(async {
        let mut morning = Morning::begin().await;
        let nine = morning.play.now;
        morning
            .write(
                "CREATE TRIGGER no_pause BEFORE UPDATE OF state ON mailboxes
                 BEGIN SELECT RAISE(ABORT, 'not now'); END",
            )
            .await;
        let ways = morning.play.ways(None);
        let inbox = Arc::clone(&ways.inbox);
        let out = Arc::new(move |mailbox: &warmfront_engine::fleet::Mailbox| {
            if mailbox.address == address("bob@beta.example") {
                return Err("its password is not set".to_owned());
            }
            (ways.out)(mailbox)
        });
        let mut sender = Sender::new(morning.office.clone(), Ways { out, inbox });
        let (lanes, _) = sender.tick(nine).await.expect("one has a lane");
        assert_eq!(mailboxes(&lanes), [1]);
        morning.write("DROP TRIGGER no_pause").await;
        let (lanes, _) = sender.tick(nine + 6 * SECOND).await.expect("it is tried again");
        assert_eq!(mailboxes(&lanes), [0; 0]);
        let rows = morning.office.store.mailboxes().await.expect("books");
        let states: Vec<_> = rows.iter().map(|row| (&*row.state, &row.lease_owner)).collect();
        assert_eq!(states, [("active", &Some("engine 1".to_owned())), ("paused", &None)]);
    });
}

#[test]
fn a_large_fleet_is_leased_in_parts_whose_lanes_begin_at_once() {
    block_on(async {
        let mut play = little::at_nine(Play::begin(fleet(520, 600)).await);
        let (office, _) = play.office();
        Planner::new(office.clone()).tick(play.now).await.expect("a plan");
        let mut sender = Sender::new(office, play.ways(None));
        let (lanes, wake) = sender.tick(play.now).await.expect("lanes");
        assert_eq!((lanes.len(), wake), (500, play.now));
        let (lanes, wake) = sender.tick(play.now).await.expect("lanes");
        assert_eq!(lanes.len(), 20);
        assert!(wake > play.now);
    });
}

#[test]
fn two_daemons_take_a_half_each() {
    block_on(async {
        let mut play = little::at_nine(Play::begin_on_postgres(fleet(8, 16)).await);
        let nine = play.now;
        let [mut one, mut other] = two_senders(&mut play).await;
        let (first, wake) = one.tick(nine).await.expect("lanes");
        assert_eq!(
            (first.len(), wake),
            (4, nine + SECOND),
            "the rest is the other's, for a second"
        );
        let (second, _) = other.tick(nine).await.expect("lanes");
        assert_eq!(second.len(), 4);
        let all: BTreeSet<i64> =
            [mailboxes(&first), mailboxes(&second)].concat().into_iter().collect();
        assert_eq!(all.len(), 8);
    });
}

#[test]
fn what_a_daemon_leaves_to_another_is_its_own_a_second_later() {
    block_on(async {
        let mut play = little::at_nine(Play::begin_on_postgres(fleet(8, 16)).await);
        let nine = play.now;
        let [mut one, _other] = two_senders(&mut play).await;
        for (after, want) in [(0, 4), (SECOND - 1, 0), (SECOND, 4)] {
            let (lanes, _) = one.tick(nine + after).await.expect("lanes");
            assert_eq!(lanes.len(), want, "after {after} ms");
        }
    });
}
