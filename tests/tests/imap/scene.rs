//! What the engine is set to work at in front of a real Dovecot.

use std::collections::BTreeSet;

use warmfront_core::plan::Pace;
use warmfront_core::span::HOUR;
use warmfront_core::warmup::Curve;
use warmfront_tests::simulation::{
    Campaign, Hours, Mailbox, Opening, Person, Scenario, Step, Zone, address,
};
use warmfront_world::{Temper, Weather};

use super::reader::now;

/// The step that begins a thread.
pub(crate) const FIRST: Step = Step { wait: None, own_subject: true };

/// A play of today: so many mailboxes and people, these steps, at any hour and without a gap.
pub(crate) fn scenario(mailboxes: usize, people: usize, steps: &[Step]) -> Scenario {
    let always = Opening { weekdays: [true; 7], hour: 0, minute: 0, length: 24 };
    let mailbox = |nr: usize| Mailbox {
        address: address(&format!("ann@sender{nr}.example")),
        cap: 400,
        curve: Curve::Off,
        warm_days: 0,
        gap: 0,
        per_minute: None,
        rewrites_ids: false,
        hours: None,
        zone: "UTC",
        tenant: None,
        chosen: false,
        pace: Pace::AsSoonAsPossible,
    };
    let person = |nr: usize| Person {
        address: address(&format!("p{nr}@company{nr}.example")),
        zone: Zone::Unknown,
    };
    let today = jiff::Timestamp::from_millisecond(now()).expect("a moment");
    Scenario {
        seed: 1,
        first_day: today.to_zoned(jiff::tz::TimeZone::UTC).date(),
        days: 1,
        zone: "UTC",
        mailboxes: (0..mailboxes).map(mailbox).collect(),
        domain_per_day: 1_000,
        tenants: Default::default(),
        company_per_day: 10,
        person_gap: HOUR,
        campaigns: vec![Campaign {
            slug: "storm".to_owned(),
            daily_target: 1_000,
            mailboxes: "*@*".to_owned(),
            hours: Hours { openings: vec![always], holidays: BTreeSet::new() },
            zone: None,
            steps: steps.to_vec(),
            people: (0..people).map(person).collect(),
            bad_rows: Vec::new(),
            twice: 0,
        }],
        suppressed: Vec::new(),
        one_connection: false,
        weather: Weather::calm(),
        temper: Temper::none(),
        poll: HOUR,
        events: Vec::new(),
        in_haste: 0,
        breaks_after: Vec::new(),
    }
}
