//! The planner on books of a given size: the day's plan, from the books to the books, and what it does
//! after a reply, a bounce and a pause.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::plan::Pace;
use warmfront_core::provider::Presets;
use warmfront_core::span::{HOUR, MINUTE, Millis, SECOND};
use warmfront_core::warmup::Curve;
use warmfront_engine::clock::Clock;
use warmfront_engine::fleet::{Fleet, Mailbox};
use warmfront_engine::{Office, Planner};
use warmfront_store::{Claim, Durability, Fate, Settlement, Store};

use crate::failure::Failure;
use crate::machine;
use crate::product::{address, ask};
use crate::stopwatch::{Stopwatch, unix_seconds};

/// Plans the next day at its first moment.
pub(super) async fn plan(folder: &str, mailboxes: usize) -> Result<Value, Failure> {
    let file = Path::new(folder).join("warmfront.db");
    let url = format!("sqlite://{}", file.display());
    let store = Store::open(&url, Durability::Full).await.map_err(broken)?;
    let settings = store.settings().await.map_err(broken)?;
    let settings = settings.ok_or_else(|| Failure::Broken("books without settings".to_owned()))?;
    let fleet = Arc::new(fleet(mailboxes, &settings.zone)?);
    let present = Millis::try_from(unix_seconds()).unwrap_or_default() * SECOND;
    let today = calendar::day_of(&fleet.timezone, present);
    let now = calendar::day_span(&fleet.timezone, today).end();
    let office = Office::new(store, fleet, Clock::simulated(now), "the bench".to_owned());
    let mut planner = Planner::new(office.clone());
    let begun = Stopwatch::start();
    planner.tick(now).await.map_err(broken)?;
    let seconds = begun.seconds();
    let peak_mib = machine::memory_mib(std::process::id(), "VmHWM").unwrap_or_default();
    let planned = ask(&file, "SELECT count(*) FROM messages WHERE state = 'planned'")?;
    let mut after = BTreeMap::new();
    let mut touched = 0;
    for (nr, event) in [Event::Reply, Event::Bounce, Event::Pause].into_iter().enumerate() {
        // In the middle of the day, when every mailbox has something due.
        let moment = now + 12 * HOUR + MINUTE * (2 * Millis::try_from(nr).unwrap_or_default());
        office.clock.set(moment);
        let millis = after_event(&office, &mut planner, event, moment).await?;
        let mailboxes =
            format!("SELECT count(DISTINCT mailbox_id) FROM messages WHERE changed_at >= {moment}");
        touched = touched.max(ask(&file, &mailboxes)?.parse::<u32>().unwrap_or(u32::MAX));
        after.insert(event.word(), millis);
    }
    Ok(json!({
        "seconds": seconds, "planned": planned.parse::<u64>().unwrap_or_default(),
        "peak_mib": peak_mib, "after_ms": after, "touched": touched,
    }))
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Reply,
    Bounce,
    Pause,
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Bounce => "bounce",
            Self::Pause => "pause",
        }
    }
}

/// Records an event of one mailbox, and takes the time until the plan is settled again. What makes the
/// event possible, a message accepted before, is not counted; the plan has taken it in.
async fn after_event(
    office: &Office,
    planner: &mut Planner,
    event: Event,
    now: Millis,
) -> Result<f64, Failure> {
    let mailbox = match event {
        Event::Reply => 1,
        Event::Bounce => 2,
        Event::Pause => 3,
    };
    let sent = accepted(office, mailbox, now - MINUTE).await?;
    planner.tick(now - SECOND).await.map_err(broken)?;
    let recipient =
        Address::parse(&sent.recipient).map_err(|error| Failure::of("a person", error))?;
    let inbound = |kind| Inbound {
        from: Some(recipient.clone()),
        names: vec![sent.rfc_message_id.clone()],
        recipients: vec![recipient.clone()],
        ..Inbound::told(format!("arrival {}", event.word()), now, kind)
    };
    let store = &office.store;
    let begun = Stopwatch::start();
    match event {
        Event::Reply => {
            store.record_inbound(mailbox, &[inbound(Kind::Reply)], now).await.map_err(broken)?;
        }
        Event::Bounce => {
            store
                .record_inbound(mailbox, &[inbound(Kind::HardBounce)], now)
                .await
                .map_err(broken)?;
        }
        Event::Pause => {
            store.pause_mailbox(mailbox, "to see what it takes", now).await.map_err(broken)?;
        }
    }
    planner.tick(now).await.map_err(broken)?;
    Ok(begun.millis())
}

/// A message that was accepted.
struct Accepted {
    rfc_message_id: String,
    recipient: String,
}

/// Sends the first message due of a mailbox, as far as the books can tell.
async fn accepted(office: &Office, mailbox: i64, now: Millis) -> Result<Accepted, Failure> {
    let (store, day) = (&office.store, office.day(now).to_string());
    let lease = store.lease(mailbox, &office.owner, now, MINUTE).await.map_err(broken)?;
    let lease = lease.ok_or_else(|| Failure::Broken("somebody holds the mailbox".to_owned()))?;
    let due = store.due(mailbox, &day, now, 1).await.map_err(broken)?;
    let due = due.into_iter().next();
    let due = due.ok_or_else(|| Failure::Broken(format!("nothing is due in mailbox {mailbox}")))?;
    let texts = store.texts(due.campaign_id).await.map_err(broken)?;
    let revision = texts.first().map(|text| text.id).unwrap_or_default();
    let rfc_message_id = format!("<bench-{mailbox}@sender.example>");
    let claim = Claim {
        message: due.id,
        epoch: lease.epoch,
        now,
        day,
        rfc_message_id: rfc_message_id.clone(),
        unsubscribe_token: format!("bench-{mailbox}"),
        revision,
        subject: "A question".to_owned(),
    };
    let fate = Fate::Accepted { final_message_id: None, next: None };
    let (message, epoch) = (due.id, lease.epoch);
    let settlement = Settlement {
        message,
        epoch,
        now,
        fate,
        blow: None,
        smtp_code: Some(250),
        enhanced_status: None,
        unknown: None,
    };
    let went = store.claim(claim).await.map_err(broken)?
        && store.mark_dot(message, epoch, now).await.map_err(broken)?
        && store.settle(settlement).await.map_err(broken)?;
    if !went {
        return Err(Failure::Broken(format!("message {message} could not be sent")));
    }
    store.release(lease).await.map_err(broken)?;
    Ok(Accepted { rfc_message_id, recipient: due.address })
}

fn fleet(mailboxes: usize, zone: &str) -> Result<Fleet, Failure> {
    let timezone = calendar::zone(zone).map_err(|error| Failure::of("a zone", error))?;
    let presets = Presets::load();
    let provider = presets.find("google-smtp-relay");
    let provider = provider.ok_or_else(|| Failure::Broken("a preset is gone".to_owned()))?;
    let mailbox = |nr| {
        let address = Address::parse(&address(nr)).map_err(|e| Failure::of("an address", e))?;
        let mailbox = Mailbox {
            address: address.clone(),
            name: None,
            provider: provider.clone(),
            cap: CAP,
            curve: Curve::Off,
            gap: 4 * MINUTE,
            window: None,
            timezone: timezone.clone(),
            tenant: None,
            tags: BTreeSet::from(["bench".to_owned()]),
            pace: Pace::Even,
            inbox_is_read: true,
            warm_days: 0,
            sharers: 1,
        };
        Ok((address, mailbox))
    };
    Ok(Fleet {
        mailboxes: (0..mailboxes).map(mailbox).collect::<Result<_, Failure>>()?,
        timezone,
        timezone_name: zone.to_owned(),
        company_per_day: 2,
        person_gap: 48 * HOUR,
        domain_per_day: 4_000,
        thresholds: warmfront_core::health::Thresholds::default(),
        tenants: BTreeMap::new(),
        domains: None,
    })
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::of("the planner", error)
}

/// What each mailbox of these books may send in a day: a fifth more than there is to plan.
pub(crate) const CAP: u32 = 60;
