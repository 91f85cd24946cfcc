//! A day's plan against the least that a plan can be: a grid of five-minute cells.
//!
//! The grid gives each piece of work a free cell within both windows and below the cap, within fourteen
//! days; it explains nothing, knows no companies, pauses or budgets, and shares nothing out.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use warmfront_core::calendar::Window;
use warmfront_core::id::{CampaignId, EnrolmentId, MailboxId, ProspectId};
use warmfront_core::plan::{
    Budget, Calendar, Campaign, Mailbox, Pace, Place, Snapshot, Standing, Work, plan_day,
};
use warmfront_core::warmup::{Curve, Warmth};

use crate::bench::Bench;
use crate::failure::Failure;
use crate::rounds::{Results, Side, by_turns};
use crate::rows::Measured;
use crate::stopwatch::Stopwatch;
use crate::table::Line;

/// The same work for both.
pub(crate) fn day(bench: &Bench) -> Measured {
    let results = rounds(bench).unwrap_or_else(Results::failed);
    let (ours, peer) = (results.samples(OURS, 0), results.samples(GRID, 0));
    let lines = vec![Line::beside("day/grid", ours, GRID, peer)];
    Measured { lines, notes: results.notes }
}

fn rounds(bench: &Bench) -> Result<Results, Failure> {
    let people = bench.size(1_000_000, 20_000);
    let snapshot = snapshot(people, people / 50)?;
    let ours = || {
        let begun = Stopwatch::start();
        let plan = plan_day(&snapshot);
        let millis = begun.millis();
        told(plan.messages.len(), millis)
    };
    let peer = || {
        let begun = Stopwatch::start();
        let placed = grid(&snapshot);
        let millis = begun.millis();
        told(placed.len(), millis)
    };
    let sides = vec![Side::new(OURS, ours), Side::new(GRID, peer)];
    Ok(by_turns(bench, "day", sides))
}

fn told(placed: usize, millis: f64) -> Result<Vec<f64>, Failure> {
    if placed == 0 {
        return Err(Failure::Broken("nothing was planned".to_owned()));
    }
    Ok(vec![millis, placed as f64])
}

/// Twelve zones two hours apart, caps of 5 to 60, eight hours each; three in five are bound to the
/// mailbox that wrote to them before.
fn snapshot(people: usize, mailboxes: usize) -> Result<Snapshot, Failure> {
    let broken = |error: String| Failure::of("a snapshot", error);
    let window = Window::parse("0 0 9 * * *", "8h").map_err(broken)?;
    let calendar = |zone: usize| {
        let hours = i8::try_from(zone * 2).unwrap_or_default() - 11;
        let zone = TimeZone::fixed(jiff::tz::offset(hours));
        let zones = vec![zone.clone()];
        Calendar { windows: vec![window.clone()], zones, fallback: zone, holidays: BTreeSet::new() }
    };
    let day = Date::new(2026, 3, 2).map_err(|error| Failure::of("a day", error))?;
    Ok(Snapshot {
        day,
        zone: TimeZone::UTC,
        now: 0,
        seed: 1,
        company_per_day: 2,
        person_gap: 48 * 3_600_000,
        mailboxes: (0..mailboxes).map(mailbox).collect(),
        domains: (0..mailboxes).map(|nr| budget(&format!("sender{nr}.example"))).collect(),
        tenants: Vec::new(),
        companies: vec![0; people],
        campaigns: vec![Campaign {
            id: CampaignId(1),
            slug: "bench".to_owned(),
            daily_target: u32::try_from(people).unwrap_or(u32::MAX),
            used: 0,
            mailboxes: (0..mailboxes).collect(),
        }],
        calendars: (0..ZONES).map(calendar).collect(),
        work: (0..people).map(|nr| work(nr, mailboxes)).collect(),
    })
}

fn budget(name: &str) -> Budget {
    Budget { name: name.to_owned(), ceiling: 4_000, used: 0 }
}

fn mailbox(nr: usize) -> Mailbox {
    Mailbox {
        id: MailboxId(row_id(nr)),
        address: crate::product::address(nr),
        domain: nr,
        tenant: None,
        standing: Standing::Active,
        warmth: Warmth { warm_days: 30, idle_days: 0 },
        curve: Curve::Off,
        cap: 5 + u32::try_from(mixed(nr) % 56).unwrap_or_default(),
        ease_percent: 100,
        probe: false,
        attempted: 0,
        manual: 0,
        booked: Vec::new(),
        last_attempt_at: None,
        gap: 4 * 60_000,
        pace: Pace::Even,
        inbox_is_read: true,
        domain_fails: false,
        calendar: Some(nr % ZONES),
    }
}

fn work(nr: usize, mailboxes: usize) -> Work {
    let mailbox = (nr % 5 < 3).then(|| mixed(nr) % mailboxes);
    // Whoever is bound to a mailbox was written to by it: some hour is open for both.
    let near = |mailbox: usize| (mailbox % ZONES + ZONES - 3 + mixed(nr / 3) % 7) % ZONES;
    Work {
        enrolment: EnrolmentId(row_id(nr)),
        prospect: ProspectId(row_id(nr)),
        campaign: Place::at(0),
        step: if mailbox.is_some() { 2 } else { 1 },
        message: None,
        mailbox: mailbox.map(Place::at),
        ready_at: 0,
        person_free_at: 0,
        company: Some(Place::at(nr)),
        calendar: Place::at(mailbox.map_or_else(|| mixed(nr / 3) % ZONES, near)),
    }
}

/// Who goes when and from where: the least a plan can be.
#[derive(Clone, Copy, Debug)]
struct Placed {
    minute: u32,
    mailbox: u32,
    work: u32,
}

/// Places everything in the first free cell, beginning where chance says.
fn grid(snapshot: &Snapshot) -> Vec<Placed> {
    // Of each pair of zones, the cells of the mailbox's eight hours in which both are open.
    let common: Vec<u128> =
        (0..ZONES * ZONES).map(|pair| overlap(pair / ZONES, pair % ZONES)).collect();
    let mut days = vec![MailboxDay::default(); snapshot.mailboxes.len() * DAYS];
    let mut next = 0;
    let mut placed = Vec::with_capacity(snapshot.work.len());
    for (nr, work) in snapshot.work.iter().enumerate() {
        let tries = if work.mailbox.is_some() { 1 } else { TRIES };
        let found = (0..tries).find_map(|_| {
            let place = work.mailbox.map(Place::index).unwrap_or_else(|| {
                next = (next + 1) % snapshot.mailboxes.len();
                next
            });
            let mailbox = &snapshot.mailboxes[place];
            let zone = mailbox.calendar.unwrap_or_default();
            let open = common[zone * ZONES + work.calendar.index()];
            let own = &mut days[place * DAYS..(place + 1) * DAYS];
            let minute = cell(own, mailbox.cap, open, mixed(nr))?;
            Some((place, minute + u32::try_from(zone).unwrap_or_default() * 120))
        });
        if let Some((mailbox, minute)) = found {
            let (mailbox, work) = (mailbox as u32, nr as u32);
            placed.push(Placed { minute, mailbox, work });
        }
    }
    placed.sort_unstable_by_key(|placed| (placed.minute, placed.mailbox, placed.work));
    placed
}

/// One mailbox's day: a bit for each cell that is taken.
#[derive(Clone, Copy, Debug, Default)]
struct MailboxDay {
    taken: u128,
    used: u32,
}

/// Takes the first free cell of the first day with room, and gives its minute.
fn cell(days: &mut [MailboxDay], cap: u32, open: u128, chance: usize) -> Option<u32> {
    let from = chance % CELLS;
    for (nr, day) in days.iter_mut().enumerate() {
        let free = open & !day.taken;
        if day.used >= cap || free == 0 {
            continue;
        }
        let later = free >> from << from;
        let at = if later != 0 { later } else { free }.trailing_zeros();
        (day.taken, day.used) = (day.taken | 1 << at, day.used + 1);
        return Some(nr as u32 * 1_440 + at * 5 + (chance / CELLS % 2) as u32);
    }
    None
}

fn overlap(mailbox: usize, person: usize) -> u128 {
    // Two hours a zone are twenty-four cells; the world is round.
    let cells = i64::try_from(CELLS).unwrap_or_default();
    let apart = (person as i64 - mailbox as i64).rem_euclid(ZONES as i64) * 24;
    let open = |cell: i64| {
        let of_the_person = (cell - apart).rem_euclid(ZONES as i64 * 24);
        of_the_person < cells
    };
    (0..cells).filter(|cell| open(*cell)).fold(0, |mask, cell| mask | 1 << cell)
}

/// Something like chance, the same every time.
fn mixed(nr: usize) -> usize {
    let mut bits = (nr as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits ^ (bits >> 31)) as usize >> 1
}

fn row_id(nr: usize) -> i64 {
    i64::try_from(nr + 1).unwrap_or(i64::MAX)
}

const ZONES: usize = 12;
const DAYS: usize = 14;

/// Eight hours of five minutes.
const CELLS: usize = 96;

/// How many mailboxes are asked for somebody who is bound to none.
const TRIES: usize = 64;

const OURS: &str = "plan_day";
const GRID: &str = "bare grid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_keeps_caps_gaps_and_both_windows() {
        let snapshot = snapshot(20_000, 400).unwrap();
        let placed = grid(&snapshot);
        assert!(placed.len() > 19_000, "{}", placed.len());
        let mut days = std::collections::BTreeMap::new();
        let mut cells = BTreeSet::new();
        for one in &placed {
            let mailbox = &snapshot.mailboxes[one.mailbox as usize];
            let zone = mailbox.calendar.unwrap();
            let own = one.minute - zone as u32 * 120;
            *days.entry((one.mailbox, own / 1_440)).or_insert(0) += 1;
            assert!(cells.insert((one.mailbox, own / 5)), "a cell holds one");
            assert!(own % 1_440 < 480, "within the mailbox's hours");
            let person = snapshot.work[one.work as usize].calendar.index() as u32;
            assert!((one.minute + 1_440 * 2 - person * 120) % 1_440 < 480, "and the person's");
        }
        let over = days.iter().filter(|((m, _), n)| **n > snapshot.mailboxes[*m as usize].cap);
        assert_eq!(over.count(), 0);
    }
}
