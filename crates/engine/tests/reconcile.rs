//! Bringing older books up to date, in front of an inbox that does what it is told to.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::plan::Pace;
use warmfront_core::provider::Presets;
use warmfront_core::reading::{Bookmarks, Mark, Place, Reading, Role, SentCopy};
use warmfront_core::send_id::Errand;
use warmfront_core::span::{HOUR, Millis};
use warmfront_core::warmup::Curve;
use warmfront_engine::clock::Clock;
use warmfront_engine::fleet::{Fleet, Mailbox};
use warmfront_engine::{Office, Reconciled, Standing, Ways};
use warmfront_mail::inbox::{Inbox, Unreadable};
use warmfront_store::{Durability, ImportRow, NewCampaign, StepText, Store};

const NOW: Millis = 1_800_000_000_000;
const ANN: &str = "ann@one.test";

/// What an inbox does with a reading, which tells a Sent folder and nothing else unless changed.
type Reads = fn(Store, Bookmarks, Reading) -> tokio::task::JoinHandle<Reading>;

struct Scripted {
    store: Store,
    reads: Reads,
}

impl Inbox for Scripted {
    async fn read(&mut self, bookmarks: &Bookmarks, now: Millis) -> Result<Reading, Unreadable> {
        let role = Role::Sent;
        let sent =
            Mark { folder: "Sent".to_owned(), role, uidvalidity: 1, last_uid: 9, read_at: now };
        let reading = Reading { marks: vec![sent], is_whole: true, ..Reading::default() };
        Ok((self.reads)(self.store.clone(), bookmarks.clone(), reading).await.unwrap())
    }

    fn is_open(&self) -> bool {
        true
    }

    async fn news(&mut self, _: Duration) -> bool {
        false
    }

    async fn close(&mut self) {}
}

fn fleet() -> Fleet {
    let (address, timezone) = (Address::parse(ANN).unwrap(), calendar::zone("UTC").unwrap());
    let mailbox = Mailbox {
        address: address.clone(),
        name: None,
        provider: Presets::load().find("microsoft365").unwrap().clone(),
        cap: 50,
        curve: Curve::Off,
        gap: 0,
        window: None,
        timezone: timezone.clone(),
        tenant: None,
        tags: BTreeSet::new(),
        pace: Pace::Even,
        inbox_is_read: true,
        warm_days: 0,
        sharers: 1,
    };
    Fleet {
        mailboxes: BTreeMap::from([(address, mailbox)]),
        timezone,
        timezone_name: "UTC".to_owned(),
        company_per_day: 2,
        person_gap: HOUR,
        domain_per_day: 100,
        thresholds: warmfront_core::health::Thresholds::default(),
        tenants: BTreeMap::new(),
        domains: None,
    }
}

/// Books with one mailbox, whose provider files copies.
async fn office() -> Office {
    let store = Store::open("sqlite::memory:", Durability::None).await.unwrap();
    let fleet = fleet();
    store.write_settings(&fleet.settings(1)).await.unwrap();
    store.write_fleet(&fleet.specs(), "2027-01-15", NOW).await.unwrap();
    store.mark_outdated("a test says so", NOW).await.unwrap();
    Office::new(store, Arc::new(fleet), Clock::simulated(NOW), "here".to_owned())
}

async fn reconcile(office: &Office, reads: Reads) -> Reconciled {
    let store = office.store.clone();
    let ways = Ways::<(), Scripted> {
        out: Arc::new(|_| Ok(())),
        inbox: Arc::new(move |_| Some(Scripted { store: store.clone(), reads })),
    };
    warmfront_engine::reconcile(office, &ways).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_mailbox_that_is_read_to_its_end_is_proven() {
    let office = office().await;
    let told = reconcile(&office, |_, _, reading| tokio::spawn(async { reading })).await;
    assert_eq!((told.standing, told.taken_up), (Standing::Proven, 0));
}

#[tokio::test]
async fn a_reading_that_somebody_else_takes_over_proves_nothing() {
    let office = office().await;
    let told = reconcile(&office, |store, _, reading| {
        tokio::spawn(async move {
            store.take_reading_over(1, "another reconciliation", NOW, HOUR).await.unwrap();
            reading
        })
    })
    .await;
    let why = "another reconciliation, reads ann@one.test meanwhile; wait until that is done";
    assert_eq!(told.standing, Standing::Unread(why.to_owned()));
}

#[tokio::test]
async fn who_was_killed_while_reading_keeps_nobody_from_it() {
    let office = office().await;
    office.store.lease_readings(&[1], "a reconciliation that is gone", NOW, HOUR).await.unwrap();
    let told = reconcile(&office, |_, _, reading| tokio::spawn(async { reading })).await;
    assert_eq!(told.standing, Standing::Proven);
    let left = office.store.lease_readings(&[1], "a daemon", NOW, HOUR).await.unwrap();
    assert_eq!(left.len(), 1, "the reading is given back");
}

const ADA: &str = "ada@acme.test";

/// A campaign of one step to one person, as the books keep it.
async fn import(store: &Store, slug: &str, manifest: &str) {
    let step = StepText {
        id: 0,
        position: 1,
        variant: "a".to_owned(),
        subject: Some("Hello".to_owned()),
        text: "Hi".to_owned(),
        html: None,
        hash: "1".to_owned(),
    };
    let campaign = NewCampaign {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        daily_target: 10,
        manifest: manifest.to_owned(),
        waits: vec![None],
        texts: vec![step],
        file: "prospects.csv".to_owned(),
        update: false,
    };
    let ada = ImportRow::Prospect {
        line: 2,
        address: ADA.to_owned(),
        domain: "acme.test".to_owned(),
        company: None,
        attributes: "{}".to_owned(),
        zone: String::new(),
        blocked: None,
    };
    let (rows, received) = mpsc::channel(2);
    rows.send(Some(vec![ada])).await.unwrap();
    rows.send(None).await.unwrap();
    store.import(&campaign, received, NOW).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_campaign_that_does_not_load_keeps_nobody_from_the_others() {
    let office = office().await;
    import(&office.store, "broken", "{}").await;
    let told = reconcile(&office, |store, _, mut reading| {
        tokio::spawn(async move {
            let errand = Errand { campaign: "broken", address: ADA, step: 1 };
            let id = store.signet().await.unwrap().send_id(NOW, 1, &errand);
            reading.sent.push(SentCopy {
                place: Place { folder: "Sent".to_owned(), uidvalidity: 1, uid: 9 },
                key: "9".to_owned(),
                ids: vec![format!("<{id}@one.test>")],
                token: None,
                subject: None,
                sent_at: NOW,
                to: vec![Address::parse(ADA).unwrap()],
            });
            reading
        })
    })
    .await;
    assert_eq!((told.standing, told.taken_up), (Standing::Proven, 0));
    let strays = office.store.strays().await.unwrap();
    assert_eq!(strays.iter().map(|stray| stray.address.as_str()).collect::<Vec<_>>(), [ADA]);
}

#[tokio::test]
async fn what_a_sent_folder_does_not_show_is_passed_in_the_end_and_the_operator_answers_for_it() {
    let office = office().await;
    let told = reconcile(&office, |_, bookmarks, mut reading| {
        let place = Place { folder: "Sent".to_owned(), uidvalidity: 1, uid: 7 };
        if bookmarks.given_up.contains(&place) {
            reading.passed.push(place);
        } else {
            reading.trouble = Some("Sent: message 7: the server refused it".to_owned());
            (reading.unshown, reading.marks[0].read_at) = (vec![place], 0);
        }
        tokio::spawn(async { reading })
    })
    .await;
    let place = Place { folder: "Sent".to_owned(), uidvalidity: 1, uid: 7 };
    assert_eq!((told.standing, told.unshown), (Standing::Unproven, vec![place]));
    let again = reconcile(&office, |_, _, reading| tokio::spawn(async { reading })).await;
    assert_eq!(again.standing, Standing::Unproven, "until the operator says so");
}

#[tokio::test]
async fn what_an_inbox_does_not_show_is_left_to_the_daemon() {
    let office = office().await;
    let told = reconcile(&office, |_, bookmarks, mut reading| {
        assert!(bookmarks.given_up.is_empty());
        let place = Place { folder: "INBOX".to_owned(), uidvalidity: 1, uid: 3 };
        (reading.unshown, reading.is_whole) = (vec![place], false);
        reading.trouble = Some("INBOX: message 3: the server refused it".to_owned());
        tokio::spawn(async { reading })
    })
    .await;
    assert_eq!((told.standing, told.unshown.len()), (Standing::Proven, 1));
}

#[tokio::test]
async fn a_sent_folder_that_is_refused_as_a_whole_keeps_the_books_outdated() {
    let office = office().await;
    let told = reconcile(&office, |_, _, mut reading| {
        reading.marks[0].read_at = 0;
        reading.trouble = Some("Sent: the server refused it".to_owned());
        tokio::spawn(async { reading })
    })
    .await;
    assert_eq!(told.standing, Standing::Unread("Sent: the server refused it".to_owned()));
}
