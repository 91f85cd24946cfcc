//! Small worlds drawn by seed, and a brute force that knows the plain rule and no reasons: it tries
//! minute after minute. No seed finds a reason that does not hold, one that is missing, or one that
//! ends at another minute than it says.

use std::collections::BTreeSet;

use rand::RngExt as _;
use rand::rngs::ChaCha12Rng;

use crate::plan::Limit;
use crate::reason::*;
use crate::rng;
use crate::span::{DAY, HOUR, MINUTE, Millis, Span};

/// Worlds drawn.
pub(super) const SEEDS: u64 = 400;

/// The day of every world, and a moment on it.
pub(super) const NOW: Millis = 9 * HOUR;
pub(super) const DAY_END: Millis = DAY;

/// How far the brute force looks.
const HORIZON: Millis = 4 * DAY;

fn minutes(from: Millis, to: Millis) -> impl Iterator<Item = Millis> {
    (0..).map(move |n| from + n * MINUTE).take_while(move |&at| at < to)
}

/// One in `of`, and fewer: of twenty conditions most worlds should break few.
fn rarely(rng: &mut ChaCha12Rng, of: u32) -> bool {
    rng.random_range(0..2 * of) == 0
}

fn moment(rng: &mut ChaCha12Rng, from: Millis, to: Millis) -> Millis {
    rng.random_range(from / MINUTE..to / MINUTE) * MINUTE
}

fn maybe<T>(rng: &mut ChaCha12Rng, draw: impl Fn(&mut ChaCha12Rng) -> T) -> Option<T> {
    (!rarely(rng, 3)).then(|| draw(rng))
}

fn used(rng: &mut ChaCha12Rng) -> Used {
    let ceiling = rng.random_range(0..20);
    Used { attempted: if rarely(rng, 10) { ceiling } else { ceiling / 2 }, ceiling }
}

fn word(rng: &mut ChaCha12Rng, usual: &str, others: &[&str]) -> String {
    let other = others[rng.random_range(0..others.len())];
    if rarely(rng, 8) { other } else { usual }.to_owned()
}

fn books(rng: &mut ChaCha12Rng) -> Books {
    if rarely(rng, 20) { Books::Outdated } else { Books::Current }
}

fn person(rng: &mut ChaCha12Rng) -> Person {
    Person {
        state: word(rng, "active", &["held", "replied", "bounced", "blocked", "finished"]),
        because: None,
        erased: rarely(rng, 20),
        suppressed: rarely(rng, 12),
        unproven: None,
        attempt_at: maybe(rng, |rng| moment(rng, -4 * DAY, NOW)),
        gap: 48 * HOUR,
        company_day: maybe(rng, used),
    }
}

fn campaign(rng: &mut ChaCha12Rng) -> Campaign {
    Campaign { state: word(rng, "running", &["draft", "paused", "finished"]), because: None }
}

fn mailbox(rng: &mut ChaCha12Rng) -> Mailbox {
    let state = word(rng, "active", &["paused", "disabled"]);
    let is_paused = state == "paused";
    // Such a pause has no end of its own.
    let needs_login = is_paused && rarely(rng, 1);
    let until = maybe(rng, |rng| moment(rng, NOW, 3 * DAY) + MINUTE);
    Mailbox {
        paused_until: until.filter(|_| is_paused && !needs_login),
        needs_login,
        state,
        paused_because: None,
        domain_fails: rarely(rng, 8).then(|| "no DKIM".to_owned()),
        inbox_read_at: maybe(rng, |rng| moment(rng, NOW - 18 * MINUTE, NOW)),
        fresh: 15 * MINUTE,
        attempt_at: maybe(rng, |rng| moment(rng, NOW - 12 * MINUTE, NOW)),
        gap: 4 * MINUTE,
        in_flight_since: rarely(rng, 8).then_some(NOW - MINUTE),
        leased_until: maybe(rng, |rng| moment(rng, NOW - HOUR, NOW + 12 * HOUR)),
        day: used(rng),
        domain_day: used(rng),
        tenant_day: maybe(rng, used),
    }
}

pub(super) fn facts(rng: &mut ChaCha12Rng) -> Facts {
    let mut facts = Facts {
        books: books(rng),
        message: Message {
            state: word(rng, "planned", &["sending", "accepted", "in_doubt", "cancelled"]),
            planned_today: !rarely(rng, 8),
            attempts: if rarely(rng, 12) { 5 } else { rng.random_range(0..5) },
            due_at: moment(rng, NOW - 3 * HOUR, NOW + 3 * HOUR),
            closes_at: moment(rng, NOW - HOUR, NOW + 8 * HOUR),
            step: rng.random_range(1..4),
            strays: rarely(rng, 16),
        },
        person: person(rng),
        campaign: campaign(rng),
        mailbox: mailbox(rng),
        day_ends_at: DAY_END,
    };
    // Of whom a mailbox may have written to no plan keeps anything.
    let may_be = !facts.message.planned_today && rarely(rng, 1);
    facts.person.unproven = may_be.then(|| "ann@one.test".to_owned());
    facts
}

/// The claim's rule, as plain as the database has it.
fn may_leave(f: &Facts, at: Millis) -> bool {
    let (m, p, b) = (&f.message, &f.person, &f.mailbox);
    let full = |used: Used| used.attempted >= used.ceiling;
    f.books == Books::Current
        && m.state == "planned"
        && m.planned_today
        && m.due_at <= at
        && m.closes_at > at
        && m.attempts < 5
        && p.state == "active"
        && !p.erased
        && !p.suppressed
        && f.campaign.state == "running"
        && b.state == "active"
        && b.leased_until.is_some_and(|until| until > at)
        && !m.strays
        && (m.step > 1 || b.domain_fails.is_none())
        && (m.step == 1 || b.inbox_read_at.is_some_and(|read| read >= at - b.fresh))
        && p.attempt_at.is_none_or(|last| last + p.gap <= at)
        && b.attempt_at.is_none_or(|last| last + b.gap <= at)
        && !full(b.day)
        && !full(b.domain_day)
        && !b.tenant_day.is_some_and(full)
        && !p.company_day.is_some_and(full)
        && b.in_flight_since.is_none()
}

/// Whether one condition alone keeps a message back, as time goes by and nobody does anything. The
/// next day has new counters and a new plan.
pub(super) fn blocks(word: &str, f: &Facts, at: Millis) -> bool {
    let (m, p, b) = (&f.message, &f.person, &f.mailbox);
    let today = at < DAY_END;
    let counts = |used: Used| used.attempted >= used.ceiling && today && m.planned_today;
    match word {
        "not_planned" => m.state != "planned",
        "books_outdated" => f.books == Books::Outdated,
        "suppressed" => p.suppressed,
        "mailbox_unproven" => p.unproven.is_some(),
        "enrolment_over" => p.erased || p.state != "active",
        "gave_up" => m.attempts == 5,
        "campaign_not_running" => f.campaign.state != "running",
        "mailbox_paused" => {
            b.state == "paused" && !b.needs_login && b.paused_until.is_none_or(|until| at < until)
        }
        "mailbox_needs_login" => b.needs_login,
        "mailbox_disabled" => b.state == "disabled",
        "domain_fails" => m.step == 1 && b.domain_fails.is_some(),
        "another_thread" => m.strays && today,
        "next_plan" => !m.planned_today && today,
        "not_due" => m.due_at > at,
        "hours_over" => m.planned_today && today && m.closes_at <= at,
        "inbox_not_read" => m.step > 1 && b.inbox_read_at.is_none_or(|read| read + b.fresh < at),
        "mailbox_day_full" => counts(b.day),
        "domain_day_full" => counts(b.domain_day),
        "tenant_day_full" => b.tenant_day.is_some_and(counts),
        "company_day_full" => p.company_day.is_some_and(counts),
        "person_gap" => p.attempt_at.is_some_and(|last| last + p.gap > at),
        "mailbox_gap" => b.attempt_at.is_some_and(|last| last + b.gap > at),
        "in_flight" => b.in_flight_since.is_some(),
        "not_held_by_a_daemon" => b.leased_until.is_none_or(|until| until <= at),
        _ => panic!("no reason of the world: {word}"),
    }
}

const WORDS: [&str; 23] = [
    "books_outdated",
    "suppressed",
    "mailbox_unproven",
    "enrolment_over",
    "gave_up",
    "campaign_not_running",
    "mailbox_paused",
    "mailbox_needs_login",
    "mailbox_disabled",
    "domain_fails",
    "another_thread",
    "next_plan",
    "not_due",
    "hours_over",
    "inbox_not_read",
    "mailbox_day_full",
    "domain_day_full",
    "tenant_day_full",
    "company_day_full",
    "person_gap",
    "mailbox_gap",
    "in_flight",
    "not_held_by_a_daemon",
];

/// The first minute from `NOW` on at which `blocks` is over.
pub(super) fn first_free(blocks: impl Fn(Millis) -> bool) -> Option<Millis> {
    minutes(NOW, HORIZON).find(|&at| !blocks(at))
}

/// When a reason says that it is over, if time alone ends it.
fn said(clears: Clears) -> Option<Millis> {
    match clears {
        Clears::At(at) => Some(at),
        Clears::NextDay => Some(DAY_END),
        Clears::Days(days) => Some(DAY_END + (Millis::from(days) - 1) * DAY),
        Clears::Running | Clears::Operator | Clears::Never => None,
    }
}

#[test]
fn no_seed_finds_a_message_held_without_a_reason_or_a_reason_that_does_not_hold() {
    let (mut free, mut seen) = (0, BTreeSet::new());
    for seed in 0..SEEDS {
        let facts = facts(&mut rng::stream(seed, &[1]));
        for at in minutes(NOW, DAY_END) {
            let words: BTreeSet<&str> = holds(&facts, at).iter().map(Hold::as_str).collect();
            assert_eq!(words.is_empty(), may_leave(&facts, at), "seed {seed}: {words:?} {facts:?}");
            free += u32::from(words.is_empty());
            if facts.message.state == "planned" {
                let want = |word: &&&str| match **word {
                    // The end of a pause is somebody's work, and nobody works here.
                    "mailbox_paused" => {
                        facts.mailbox.state == "paused" && !facts.mailbox.needs_login
                    }
                    word => blocks(word, &facts, at),
                };
                let all: BTreeSet<&str> = WORDS.iter().filter(want).copied().collect();
                assert_eq!(words, all, "seed {seed} at {at}: {facts:?}");
            }
            seen.extend(words);
        }
    }
    assert!(free > 1_000, "too few worlds in which something leaves: {free}");
    assert_eq!(seen.len(), WORDS.len() + 1, "reasons never seen: {seen:?}");
}

#[test]
fn no_seed_finds_a_reason_that_ends_at_another_minute_than_it_says() {
    let mut ended = 0;
    for seed in 0..4 * SEEDS {
        let facts = facts(&mut rng::stream(seed, &[2]));
        for hold in holds(&facts, NOW) {
            let want = first_free(|at| blocks(hold.as_str(), &facts, at));
            assert_eq!(said(hold.clears()), want, "seed {seed}: {hold:?} {facts:?}");
            ended += u32::from(want.is_some());
        }
    }
    assert!(ended > 1_000, "too few reasons that end: {ended}");
}

fn turn(rng: &mut ChaCha12Rng) -> Turn {
    let today = Span::new(0, DAY_END).unwrap();
    let step = rng.random_range(1..4);
    let opens = moment(rng, 0, 12 * HOUR);
    let day = |n: Millis| Span::new(n * DAY + opens, n * DAY + opens + 6 * HOUR);
    let open = (0..4).filter(|_| !rarely(rng, 4)).filter_map(day).collect();
    let short = vec![(Limit::Allowance, 7)];
    Turn {
        step,
        next_at: if step == 1 { 0 } else { moment(rng, -DAY, 3 * DAY) },
        away: None,
        books: books(rng),
        person: Person {
            // Of whom a mailbox has begun with nothing is unproven.
            unproven: (step == 1 && rarely(rng, 12)).then(|| "ann@one.test".to_owned()),
            ..person(rng)
        },
        campaign: campaign(rng),
        mailbox: (step > 1).then(|| mailbox(rng)),
        open,
        is_holiday: rarely(rng, 3),
        today,
        target: used(rng),
        before: if step == 1 { rng.random_range(0..40) } else { 0 },
        short: maybe(rng, |rng| if rarely(rng, 2) { short.clone() } else { vec![] }),
    }
}

/// The day on which somebody's turn comes where so many come first: one by one, as many a day as
/// the target says, and of today's what is left.
fn day_of_turn(turn: &Turn) -> u32 {
    let (mut day, mut left) = (0, turn.target.ceiling.saturating_sub(turn.target.attempted));
    for _ in 0..=turn.before {
        if left == 0 {
            (day, left) = (day + 1, turn.target.ceiling.max(1));
        }
        left -= 1;
    }
    day
}

/// Whether one condition alone keeps a step from its plan.
fn delays(word: &str, t: &Turn, at: Millis) -> bool {
    let today = at < DAY_END;
    let full = |used: Used| used.attempted >= used.ceiling && today;
    let box_is = |is: &dyn Fn(&Mailbox) -> bool| t.mailbox.as_ref().is_some_and(is);
    match word {
        "books_outdated" => t.books == Books::Outdated,
        "suppressed" => t.person.suppressed,
        "mailbox_unproven" => t.person.unproven.is_some(),
        "enrolment_over" => t.person.erased || t.person.state != "active",
        "campaign_not_running" => t.campaign.state != "running",
        "mailbox_paused" => box_is(&|b| {
            b.state == "paused" && !b.needs_login && b.paused_until.is_none_or(|until| at < until)
        }),
        "mailbox_needs_login" => box_is(&|b| b.needs_login),
        "mailbox_disabled" => box_is(&|b| b.state == "disabled"),
        "inbox_not_read" => box_is(&|b| b.inbox_read_at.is_none_or(|read| read + b.fresh < at)),
        "mailbox_day_full" => box_is(&|b| full(b.day)),
        "domain_day_full" => box_is(&|b| full(b.domain_day)),
        "tenant_day_full" => box_is(&|b| b.tenant_day.is_some_and(full)),
        "company_day_full" => t.person.company_day.is_some_and(full),
        "person_gap" => t.person.attempt_at.is_some_and(|last| last + t.person.gap > at),
        "waits" => t.next_at > at,
        "closed" | "holiday" => !t.open.iter().any(|s| s.start() <= at && at < s.end()),
        "daily_target" => full(t.target),
        "others_first" => t.before > 0 && Millis::from(day_of_turn(t)) * DAY > at,
        _ => panic!("no reason of the turn: {word}"),
    }
}

const DELAYS: [&str; 17] = [
    "books_outdated",
    "suppressed",
    "mailbox_unproven",
    "enrolment_over",
    "campaign_not_running",
    "mailbox_paused",
    "mailbox_needs_login",
    "mailbox_disabled",
    "inbox_not_read",
    "mailbox_day_full",
    "domain_day_full",
    "tenant_day_full",
    "company_day_full",
    "person_gap",
    "waits",
    "daily_target",
    "others_first",
];

#[test]
fn no_seed_finds_a_step_unplanned_without_its_reason() {
    let mut seen = BTreeSet::new();
    for seed in 0..8 * SEEDS {
        let turn = turn(&mut rng::stream(seed, &[3]));
        let reasons = unplanned(&turn, NOW);
        let words: BTreeSet<&str> = reasons.iter().map(Unplanned::as_str).collect();
        let closed = if turn.is_holiday { "holiday" } else { "closed" };
        let all: BTreeSet<&str> =
            DELAYS.into_iter().chain([closed]).filter(|word| delays(word, &turn, NOW)).collect();
        if all.is_empty() {
            let want = match &turn.short {
                None => "no_plan",
                Some(short) if short.is_empty() => "next_plan",
                Some(_) => "allowance",
            };
            assert_eq!(words, BTreeSet::from([want]), "seed {seed}: {turn:?}");
        } else {
            assert_eq!(words, all, "seed {seed}: {turn:?}");
            // Those behind others may wait longer than the brute force looks.
            let end = |reason: &Unplanned| {
                first_free(|at| delays(reason.as_str(), &turn, at)).unwrap_or(Millis::MAX)
            };
            for reason in &reasons {
                let by_time = said(reason.clears()).filter(|&at| at < HORIZON);
                assert_eq!(by_time.unwrap_or(Millis::MAX), end(reason), "seed {seed}: {reason:?}");
            }
            let last = reasons.iter().map(end).max();
            assert_eq!(Some(end(&reasons[0])), last, "seed {seed}: {reasons:?}");
        }
        seen.extend(words);
    }
    assert_eq!(seen.len(), DELAYS.len() + 2 + 3, "reasons never seen: {seen:?}");
}
