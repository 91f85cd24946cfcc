//! The examiner through simulated days: how often it asks, and what that does to mail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::domain::GRACE;
use warmfront_core::domain::blocklist::List;
use warmfront_core::plan::Pace;
use warmfront_core::provider::Presets;
use warmfront_core::span::{DAY, HOUR, Millis};
use warmfront_core::warmup::Curve;
use warmfront_engine::clock::Clock;
use warmfront_engine::fleet::{Domains, Fleet, Mailbox};
use warmfront_engine::{Examiner, Office};
use warmfront_mail::dns::Settings;
use warmfront_store::{Durability, Store};
use warmfront_tests::dns::NameServer;

use crate::way;

pub(crate) const NOW: Millis = 1_800_000_000_000;

const WELL: &str = "
    acme.com MX 10 mail.acme.com
    acme.com TXT v=spf1 include:_spf.google.com ~all
    mail.acme.com A 192.0.2.1
    _spf.google.com TXT v=spf1 ip4:192.0.2.0/24 -all";

/// A mailbox at that provider.
pub(crate) fn mailbox((address, preset): (&str, &str)) -> (Address, Mailbox) {
    let address = Address::parse(address).expect("an address");
    let mailbox = Mailbox {
        address: address.clone(),
        name: None,
        provider: Presets::load().find(preset).expect("a preset").clone(),
        cap: 50,
        curve: Curve::Off,
        gap: 0,
        window: None,
        timezone: calendar::zone("UTC").expect("a zone"),
        tenant: None,
        tags: BTreeSet::new(),
        pace: Pace::Even,
        inbox_is_read: true,
        warm_days: 0,
        sharers: 1,
    };
    (address, mailbox)
}

/// Books with a mailbox at acme.com and one at a reserved name.
async fn office(domains: Option<Domains>) -> Office {
    office_of(&[("ann@acme.com", "google"), ("bea@acme.test", "google")], domains).await
}

/// Books with those mailboxes.
pub(crate) async fn office_of(mailboxes: &[(&str, &str)], domains: Option<Domains>) -> Office {
    let store = Store::open("sqlite::memory:", Durability::None).await.expect("books");
    let fleet = Fleet {
        mailboxes: mailboxes.iter().copied().map(mailbox).collect(),
        timezone: calendar::zone("UTC").expect("a zone"),
        timezone_name: "UTC".to_owned(),
        company_per_day: 2,
        person_gap: HOUR,
        domain_per_day: 100,
        thresholds: warmfront_core::health::Thresholds::default(),
        tenants: BTreeMap::new(),
        domains,
    };
    store.write_settings(&fleet.settings(1)).await.expect("settings");
    store.write_fleet(&fleet.specs(), "2027-01-15", NOW).await.expect("a fleet");
    Office::new(store, Arc::new(fleet), Clock::simulated(NOW), "here".to_owned())
}

pub(crate) fn looks() -> Option<Domains> {
    Some(Domains { grace: GRACE, told: BTreeMap::new() })
}

/// One look of an examiner that has nothing in its cache; says how long until the next.
pub(crate) async fn look(office: &Office, server: &NameServer, now: Millis) -> Millis {
    look_by(office, server, Settings::default(), now).await
}

async fn look_by(office: &Office, server: &NameServer, settings: Settings, now: Millis) -> Millis {
    let mut examiner = Examiner::new(office.clone(), way(server, settings));
    examiner.tick(now).await.expect("it is written down") - now
}

pub(crate) async fn failing(office: &Office) -> Vec<String> {
    let failing = office.store.failing_domains().await.expect("it is known");
    failing.into_iter().map(|(domain, _)| domain).collect()
}

#[tokio::test]
async fn a_domain_that_is_well_is_asked_once_a_day_and_a_reserved_one_never() {
    let (office, server) = (office(looks()).await, NameServer::start(WELL));
    // The next look says when: until then nothing is due.
    assert_eq!(look(&office, &server, NOW).await, HOUR);
    let asked = server.asked().len();
    assert_eq!(look(&office, &server, NOW + HOUR).await, DAY - HOUR);
    assert_eq!(server.asked().len(), asked);
    let _ = look(&office, &server, NOW + DAY).await;
    assert!(server.asked().len() > asked);
    assert!(server.asked().iter().all(|name| !name.contains("acme.test")), "{:?}", server.asked());
    assert_eq!(failing(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_failing_domain_is_asked_every_hour_and_gates_after_its_grace_until_it_is_well() {
    let (office, server) = (office(looks()).await, NameServer::start("acme.com MX 0 ."));
    let mut now = NOW;
    while failing(&office).await.is_empty() {
        assert_eq!(look(&office, &server, now).await, HOUR);
        now += HOUR;
        assert!(now < NOW + 5 * DAY, "it never gates");
    }
    // Seen to fail at the very end of the grace.
    assert_eq!(now, NOW + GRACE + HOUR);
    server.publish("acme.com ANY !SERVFAIL");
    assert_eq!(look(&office, &server, now).await, HOUR);
    assert_eq!(failing(&office).await, ["acme.com"]);
    server.publish(WELL);
    let _ = look(&office, &server, now + HOUR).await;
    assert_eq!(failing(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_proves_nothing_gates_nothing_however_long_it_lasts() {
    async fn never(zone: &str) {
        let (office, server) = (office(looks()).await, NameServer::start(zone));
        for day in 0..6 {
            assert_eq!(look(&office, &server, NOW + day * DAY).await, HOUR, "{zone}");
        }
        assert_eq!(failing(&office).await, Vec::<String>::new(), "{zone}");
    }
    never("acme.com ANY !SERVFAIL").await;
    // Resolvers that do not see the world: they deny it, or answer everything with their own address.
    never("com ANY !NXDOMAIN").await;
    never("com NS !SERVFAIL\nacme.com ANY !NXDOMAIN").await;
    never("com NS !SILENT\nacme.com A 192.0.2.1").await;
    never("com A 192.0.2.1\ncom NS !NXDOMAIN\nacme.com MX 0 .").await;
}

#[tokio::test]
async fn a_key_that_is_not_where_one_is_usual_gates_nothing() {
    let unsigned = WELL.replace("v=spf1 include:_spf.google.com ~all", "hello");
    let (office, server) = (office(looks()).await, NameServer::start(&unsigned));
    for day in 0..5 {
        let _ = look(&office, &server, NOW + day * DAY).await;
    }
    assert_eq!(failing(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_listing_outlasts_every_outage_and_ends_where_the_list_is_asked_no_more() {
    let listed = format!(
        "{WELL}\ndbltest.com.dbl.spamhaus.org A 127.0.1.2\nacme.com.dbl.spamhaus.org A 127.0.1.2"
    );
    let (office, server) = (office(looks()).await, NameServer::start(&listed));
    let asked = || Settings { blocklists: vec![List::Dbl], ..Settings::default() };
    let _ = look_by(&office, &server, asked(), NOW).await;
    let _ = look_by(&office, &server, asked(), NOW + GRACE).await;
    assert_eq!(failing(&office).await, ["acme.com"]);
    let outages = ["acme.com ANY !SERVFAIL", "com ANY !NXDOMAIN", "acme.com ANY !NXDOMAIN", WELL];
    for (hour, outage) in (1..).zip(outages) {
        server.publish(outage);
        let _ = look_by(&office, &server, asked(), NOW + GRACE + hour * HOUR).await;
        assert_eq!(failing(&office).await, ["acme.com"], "{outage}");
    }
    let _ = look(&office, &server, NOW + GRACE + DAY).await;
    assert_eq!(failing(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_failing_domain_that_goes_altogether_gets_no_new_grace() {
    let (office, server) = (office(looks()).await, NameServer::start("acme.com MX 0 ."));
    let _ = look(&office, &server, NOW).await;
    let _ = look(&office, &server, NOW + GRACE).await;
    assert_eq!(failing(&office).await, ["acme.com"]);
    server.publish("acme.com ANY !NXDOMAIN");
    for day in 1..6 {
        let _ = look(&office, &server, NOW + GRACE + day * DAY).await;
        assert_eq!(failing(&office).await, ["acme.com"], "day {day}");
    }
    server.publish(WELL);
    let _ = look(&office, &server, NOW + GRACE + 6 * DAY).await;
    assert_eq!(failing(&office).await, Vec::<String>::new());
}

/// An examiner goes on for weeks; that its resolver saw the world yesterday counts for nothing today.
#[tokio::test]
async fn whether_the_resolver_sees_the_world_is_asked_anew_at_each_look() {
    let (office, server) = (office(looks()).await, NameServer::start(WELL));
    let mut examiner = Examiner::new(office.clone(), way(&server, Settings::default()));
    let mut before = 0;
    for look in 1..4 {
        let _ = examiner.tick(NOW + look * DAY).await.expect("it is written down");
        let controls = server.asked().into_iter().filter(|asked| asked == "com NS").count();
        assert!(controls > before, "look {look}: {controls}");
        before = controls;
    }
}

#[tokio::test]
async fn nobody_is_asked_where_domains_are_not_looked_at() {
    let (office, server) = (office(None).await, NameServer::start(WELL));
    assert_eq!(look(&office, &server, NOW).await, DAY);
    assert_eq!(server.asked(), Vec::<String>::new());
}
