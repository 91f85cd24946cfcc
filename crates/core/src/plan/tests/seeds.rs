//! Snapshots with everything in them, by seed: no plan passes a limit, and every plan adds up.

use std::collections::BTreeMap;

use rand::{Rng, RngExt as _};

use super::*;
use crate::id::MessageId;

/// A snapshot with everything in it, by seed.
fn any_snapshot(rng: &mut impl Rng) -> Snapshot {
    let mut snapshot = monday(rng.random_range(1..400), rng.random_range(0..500));
    snapshot.now += rng.random_range(0..24) * HOUR;
    snapshot.calendars.push(office_hours("Asia/Tokyo"));
    snapshot.calendars.push(office_hours("Europe/Berlin"));
    snapshot.mailboxes.truncate(rng.random_range(1..20));
    snapshot.domains.push(Budget {
        name: "b".to_owned(),
        ceiling: rng.random_range(0..200),
        used: 0,
    });
    snapshot.tenants.push(Budget {
        name: "t".to_owned(),
        ceiling: rng.random_range(0..200),
        used: 3,
    });
    let count = snapshot.mailboxes.len();
    let now = snapshot.now;
    for mailbox in &mut snapshot.mailboxes {
        mailbox.warmth.warm_days = rng.random_range(0..40);
        mailbox.attempted = rng.random_range(0..20);
        mailbox.domain = rng.random_range(0..2);
        mailbox.tenant = rng.random_bool(0.5).then_some(0);
        mailbox.calendar = rng.random_bool(0.3).then_some(0);
        mailbox.last_attempt_at = rng.random_bool(0.5).then_some(now - MINUTE);
        if rng.random_bool(0.2) {
            mailbox.standing =
                Standing::Paused { reason: PauseReason::Spam, since: now, until: None };
        }
        if rng.random_bool(0.3) {
            mailbox.booked = vec![now + HOUR, now + 2 * HOUR];
        }
    }
    snapshot.campaigns[0].mailboxes = (0..count).collect();
    let half = Campaign {
        slug: "winter".to_owned(),
        mailboxes: (0..count).step_by(2).collect(),
        ..snapshot.campaigns[0].clone()
    };
    snapshot.campaigns.push(half);
    snapshot.companies = vec![0, 1, 2, 0];
    for work in &mut snapshot.work {
        work.campaign = Place::at(rng.random_range(0..2));
        work.company = rng.random_bool(0.5).then(|| Place::at(rng.random_range(0..4)));
        work.calendar = Place::at(rng.random_range(0..3));
        work.person_free_at = if rng.random_bool(0.1) { now + 5 * HOUR } else { 0 };
        work.prospect = ProspectId(rng.random_range(0..400));
        if rng.random_bool(0.3) {
            work.mailbox = Some(Place::at(rng.random_range(0..count)));
            work.message = Some(MessageId(work.enrolment.0));
        }
    }
    snapshot
}

#[test]
fn no_seed_passes_a_limit() {
    for seed in 0..400 {
        let mut rng = crate::rng::stream(seed, &[]);
        let snapshot = any_snapshot(&mut rng);
        let plan = plan_day(&snapshot);
        check_limits(&snapshot, &plan, seed);
        check_moments(&snapshot, &plan, seed);
    }
}

fn check_limits(snapshot: &Snapshot, plan: &Plan, seed: u64) {
    let mut given: BTreeMap<(&str, usize), u32> = BTreeMap::new();
    let mut people = BTreeSet::new();
    for message in &plan.messages {
        let work = &snapshot.work[message.work];
        let mailbox = &snapshot.mailboxes[message.mailbox];
        assert_eq!(mailbox.standing, Standing::Active, "seed {seed}");
        assert!(work.mailbox.is_none_or(|m| m == message.mailbox), "seed {seed}");
        let campaign = &snapshot.campaigns[work.campaign];
        assert!(work.mailbox.is_some() || campaign.mailboxes.contains(&message.mailbox.index()));
        assert!(people.insert(work.prospect), "seed {seed}: twice to one person");
        *given.entry(("mailbox", message.mailbox.index())).or_default() += 1;
        *given.entry(("domain", mailbox.domain)).or_default() += 1;
        *given.entry(("campaign", work.campaign.index())).or_default() += 1;
        let shared = mailbox.tenant.map(|tenant| ("tenant", tenant));
        for key in
            shared.into_iter().chain(work.company.map(|company| ("company", company.index())))
        {
            *given.entry(key).or_default() += 1;
        }
    }
    let room = |b: &Budget| b.ceiling.saturating_sub(b.used);
    for ((scope, index), count) in given {
        let most = match scope {
            "mailbox" => {
                let row = &snapshot.mailboxes[index];
                fleet::allowance(row).saturating_sub(fleet::used(row))
            }
            "domain" => room(&snapshot.domains[index]),
            "tenant" => room(&snapshot.tenants[index]),
            "company" => COMPANY_PER_DAY.saturating_sub(snapshot.companies[index]),
            _ => snapshot.campaigns[index].daily_target,
        };
        assert!(count <= most, "seed {seed}: {scope} {index}: {count} of {most}");
    }
    for (campaign, day) in plan.campaigns.iter().enumerate() {
        let slug = &snapshot.campaigns[campaign].slug;
        let short: u32 =
            plan.shortfalls.iter().filter(|s| s.campaign == *slug).map(|s| s.count).sum();
        assert_eq!(day.planned + short, day.target, "seed {seed}: {slug} does not add up");
    }
}

fn check_moments(snapshot: &Snapshot, plan: &Plan, seed: u64) {
    let day = calendar::day_span(&snapshot.zone, snapshot.day);
    let open: Vec<_> = snapshot.calendars.iter().map(|c| c.spans(day)).collect();
    for (index, mailbox) in snapshot.mailboxes.iter().enumerate() {
        let mine = plan.messages.iter().filter(|m| m.mailbox.index() == index);
        let mut moments: Vec<_> = mine.map(|m| m.due_at).collect();
        moments.extend(mailbox.booked.iter().copied());
        moments.extend(mailbox.last_attempt_at);
        moments.sort_unstable();
        let kept = moments.windows(2).all(|w| w[1] - w[0] >= mailbox.gap);
        assert!(kept, "seed {seed}: {moments:?}");
    }
    for message in &plan.messages {
        let work = &snapshot.work[message.work];
        let is_open = |c: usize| open[c].iter().any(|span| span.contains(message.due_at));
        let own = snapshot.mailboxes[message.mailbox].calendar;
        assert!(is_open(work.calendar.index()) && own.is_none_or(is_open), "seed {seed}");
        let earliest = snapshot.now.max(work.ready_at).max(work.person_free_at);
        assert!(message.due_at >= earliest, "seed {seed}");
    }
}
