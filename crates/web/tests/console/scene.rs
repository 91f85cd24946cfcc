//! Books with a day begun, books with nothing in them, and books that cannot be read.

use tempfile::TempDir;
use tokio::sync::mpsc;
use warmfront_core::calendar;
use warmfront_core::health::PauseReason;
use warmfront_core::span::{DAY, HOUR, MINUTE};
use warmfront_store::{
    Claim, DayPlan, Durability, Fate, ImportRow, MailboxSpec, NewCampaign, NewMessage, PlanEntry,
    SavedMailboxDay, Settings, Settlement, StepText, Store,
};
use warmfront_web::Console;

/// A Friday, nine o'clock in Greenwich, four in New York.
const NOW: i64 = 1_800_003_600_000;
const TODAY: &str = "2027-01-15";

/// A console over these books, in New York, that stands at [`NOW`].
pub(crate) fn console(store: Store) -> Console {
    let zone = calendar::zone("America/New_York").unwrap();
    Console::new(store, zone, Some("https://mail.example.com"), || NOW)
}

/// Nothing but settings.
pub(crate) async fn empty() -> Store {
    opened("sqlite::memory:").await
}

/// Books whose file was overwritten by something else, and their folder.
pub(crate) async fn broken() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&format!("sqlite://{}/books.db", folder.path().display())).await;
    for name in ["books.db", "books.db-wal"] {
        std::fs::write(folder.path().join(name), [7; 4096]).unwrap();
    }
    (folder, store)
}

async fn opened(url: &str) -> Store {
    let store = Store::open(url, Durability::None).await.unwrap();
    let settings = Settings {
        zone: "America/New_York".to_owned(),
        seed: 7,
        company_per_day: 2,
        person_gap_ms: 48 * HOUR,
        fresh_ms: 15 * MINUTE,
        thresholds: warmfront_core::health::Thresholds::default(),
        domain_grace_ms: Some(3 * 24 * 3_600_000),
    };
    store.write_settings(&settings).await.unwrap();
    store
}

/// Two mailboxes and two people: bea has written to one, ann's log-in is refused.
pub(crate) async fn books() -> Store {
    let store = empty().await;
    let fleet = ["ann@one.test", "bea@one.test"].map(spec);
    store.write_fleet(&fleet, TODAY, NOW).await.unwrap();
    let campaign = import(&store).await;
    store.start_campaign(campaign, NOW).await.unwrap();
    let ids: Vec<i64> = store.mailboxes().await.unwrap().iter().map(|row| row.id).collect();
    let [ann, bea] = ids[..] else { panic!("a fleet of two: {ids:?}") };
    assert!(store.save_plan(plan(campaign, [ann, bea])).await.unwrap());
    send(&store, bea).await;
    let refusal = "535 5.7.8 <ann> is refused";
    store.stop_mailbox(ann, PauseReason::Credentials, refusal, NOW).await.unwrap();
    store
}

fn spec(address: &str) -> MailboxSpec {
    MailboxSpec {
        address: address.to_owned(),
        domain: "one.test".to_owned(),
        tenant: None,
        provider: "smtp".to_owned(),
        cap: 50,
        gap_ms: 4 * MINUTE,
        warm_days: 20,
        plateau: 23,
    }
}

/// A campaign of one step; its name would run as a script in a page that let it.
async fn import(store: &Store) -> i64 {
    let text = StepText {
        id: 0,
        position: 1,
        variant: "a".to_owned(),
        subject: Some("Hello".to_owned()),
        text: "Hello.".to_owned(),
        html: None,
        hash: "first".to_owned(),
    };
    let campaign = NewCampaign {
        slug: "spring".to_owned(),
        name: "<script>alert(1)</script>".to_owned(),
        daily_target: 100,
        manifest: "{}".to_owned(),
        waits: vec![None],
        texts: vec![text],
        file: "prospects.csv".to_owned(),
        update: false,
    };
    let row = |(line, domain): (u64, &str)| ImportRow::Prospect {
        line,
        address: format!("ada@{domain}"),
        domain: domain.to_owned(),
        company: Some(domain.to_owned()),
        attributes: "{}".to_owned(),
        zone: String::new(),
        blocked: None,
    };
    let (sender, rows) = mpsc::channel(2);
    let people = [(2, "acme.test"), (3, "brix.test")].map(row);
    sender.send(Some(people.into())).await.unwrap();
    sender.send(None).await.unwrap();
    store.import(&campaign, rows, NOW).await.unwrap().expect("the list has a last word").campaign
}

/// The first person is ann's, the second bea's; many more fell short.
fn plan(campaign_id: i64, mailboxes: [i64; 2]) -> DayPlan {
    let message = |(enrolment_id, mailbox_id)| NewMessage {
        message_id: None,
        enrolment_id,
        campaign_id,
        step: 1,
        mailbox_id,
        due_at: NOW,
        closes_at: NOW + HOUR,
    };
    let mailbox_day = |mailbox_id| SavedMailboxDay {
        mailbox_id,
        cap: 50,
        allowance: 40,
        ceiling: 40,
        allotted: 1,
        warm_days: 3,
        first_at: None,
        last_at: None,
    };
    let cure = "8 more warmed mailboxes, or 1 more day".to_owned();
    DayPlan {
        day: TODAY.to_owned(),
        now: NOW,
        seed: 7,
        mailboxes: mailboxes.map(mailbox_day).into(),
        reckoned_by: vec![],
        domains: vec![("one.test".to_owned(), 80)],
        tenants: vec![],
        campaigns: vec![PlanEntry {
            campaign_id,
            target: 362,
            planned: 2,
            shortfalls: vec![("domain_day".to_owned(), 360, cure)],
        }],
        messages: vec![message((1, mailboxes[0])), message((2, mailboxes[1]))],
    }
}

async fn send(store: &Store, mailbox: i64) {
    let rows = store.mailboxes().await.unwrap();
    let row = rows.iter().find(|row| row.id == mailbox).expect("it is known");
    let ledger = store.ledger(None, 0, 10).await.unwrap();
    let line = ledger.iter().find(|line| line.mailbox == row.address);
    let message = line.expect("it has a message").id;
    let lease = store.lease(mailbox, "here", NOW, DAY).await.unwrap().expect("nobody holds it");
    let claim = Claim {
        message,
        epoch: lease.epoch,
        now: NOW,
        day: TODAY.to_owned(),
        rfc_message_id: "<1@one.test>".to_owned(),
        unsubscribe_token: "token".to_owned(),
        revision: 1,
        subject: "Hello".to_owned(),
    };
    assert!(store.claim(claim).await.unwrap());
    let settlement = Settlement {
        message,
        epoch: lease.epoch,
        now: NOW,
        fate: Fate::Accepted { final_message_id: None, next: None },
        blow: None,
        smtp_code: None,
        enhanced_status: None,
        unknown: None,
    };
    assert!(store.settle(settlement).await.unwrap());
}
