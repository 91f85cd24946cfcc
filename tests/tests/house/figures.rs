//! The figures that `docs/warmup.md` prints are those the code decides by. Where a constant is not
//! public it is found by trying.

use warmfront_core::allot::{Taker, allot};
use warmfront_core::health::{
    Blow, Earned, PauseReason, Record, Thresholds, eased, list_is_dead, pause_for, paused_until,
    recovered,
};
use warmfront_core::provider::{LimitOf, Presets};
use warmfront_core::span::{DAY, HOUR};
use warmfront_core::warmup::{Curve, DayRecord, Warmth};

const CAP: u32 = 50;

/// The document as one line, so that a sentence may be broken anywhere.
fn document() -> String {
    crate::read("docs/warmup.md").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks that the document has a sentence, its figures filled in from the code.
#[track_caller]
fn says(sentence: &str) {
    assert!(document().contains(sentence), "docs/warmup.md does not say: {sentence}");
}

/// The figures of all lines of the document that begin with these words.
fn row(words: &str) -> Vec<u32> {
    let text = crate::read("docs/warmup.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix(words));
    rows.flat_map(|row| row.split_whitespace().map(|n| n.parse().expect("a figure"))).collect()
}

/// A mailbox with so many warm days, all of which count.
fn earned(warm_days: u32) -> Earned {
    Earned { warmth: Warmth { warm_days, idle_days: 0 }, ease_percent: 100, plateau: 100 }
}

/// The first number from 1 for which something holds.
fn first(holds: impl Fn(u32) -> bool) -> u32 {
    (1..10_000).find(|&n| holds(n)).expect("it holds somewhere")
}

#[test]
fn the_curve_is_printed_whole() {
    let curve = Curve::default();
    let days = row("warm days ");
    let plateau = first(|day| curve.allowance(day, CAP) == CAP);
    assert_eq!(days, (0..=plateau).collect::<Vec<_>>());
    let ramp: Vec<u32> = days.iter().map(|&day| curve.allowance(day, CAP)).collect();
    assert_eq!(row("allowance "), ramp);
    says(&format!("stops at the cap of {CAP}, which it reaches after {plateau} warm days"));
    let growth = Curve::Growth { start: 5, percent: 20 };
    let grown: Vec<String> = (0..5).map(|day| growth.allowance(day, CAP).to_string()).collect();
    says(&format!("growth_percent = 20 }} # {}, …", grown.join(", ")));
}

#[test]
fn earning_and_losing_warmth() {
    let day = |accepted| DayRecord { allowance: 100, accepted, ..DayRecord::default() };
    assert_eq!(first(|accepted| day(accepted).is_warm()), 50);
    says("at least half of the day's allowance was accepted");
    let idle = |days| (0..days).fold(earned(20), |earned, _| earned.after(day(0))).warmth.warm_days;
    let cools_after = first(|days| idle(days) == 10);
    assert_eq!(idle(2 * cools_after), 5);
    says(&format!(
        "After {cools_after} days without a single acceptance the warm days are halved, and again after each {cools_after} more"
    ));
}

#[test]
fn the_allotment_examples_come_out() {
    let warmed = |mailboxes: usize| vec![Taker { weight: CAP, has: 0, most: CAP }; mailboxes];
    assert_eq!(allot(1_000, &warmed(20)), [50; 20]);
    assert_eq!(allot(600, &warmed(20)), [30; 20]);
    says("A target of 1,000 over twenty warmed mailboxes is 50 each; 600 is 30 each");
    let mut mixed = warmed(12);
    mixed.extend([Taker { weight: 5, has: 0, most: 5 }; 8]);
    let carried: u32 = allot(1_000, &mixed).iter().sum();
    let short = 1_000 - carried;
    let more = short.div_ceil(CAP);
    says(&format!("they may carry {carried} together (12 × 50 + 8 × 5)"));
    says(&format!(
        "{short} short, for want of allowance; {more} more warmed mailboxes, or 1 more day"
    ));
}

#[test]
fn easing() {
    let (half, quarter) = (eased(100, None, 0).unwrap(), eased(50, None, 0).unwrap());
    let floor = (0..20).fold(100, |ease, _| eased(ease, None, 0).unwrap());
    says(&format!("(100 % becomes {half} %, then {quarter} %), down to {floor} %"));
    says(&format!("gives {} points back", recovered(50) - 50));
}

#[test]
fn pausing() {
    let pauses = |blow, record: Record| pause_for(blow, &record, &Thresholds::default()).is_some();
    let none = Record::default();
    let refusals = |n| Record { allotted_today: 100, sender_rejections_today: n, ..none };
    let refusals = first(|n| pauses(Blow::SenderRejected, refusals(n)));
    says(&format!("refusals reach {refusals} % of the day's allotment"));
    let of_last = |n| Record { hard_bounces_of_last: n, hard_bounces: 1, settled: 1, ..none };
    let bounces = first(|n| pauses(Blow::HardBounce, of_last(n)));
    let at = Thresholds::default();
    says(&format!("{bounces} of the last {} messages", at.last_messages));
    says(&format!("the rate over {} days is above 2 %", at.bounce_window / DAY));
    let most = |bounces| {
        let record = |settled| Record { hard_bounces: bounces, settled, ..none };
        first(|settled| !pauses(Blow::HardBounce, record(settled))) - 1
    };
    says(&format!("2 bounces pause at up to {} messages, 5 at up to {}", most(2), most(5)));
    assert!(!pauses(Blow::HardBounce, Record { hard_bounces: 1, settled: 1, ..none }));
    for at_once in [Blow::Spam, Blow::Complaint, Blow::CredentialsRefused] {
        assert!(pauses(at_once, none), "{at_once:?}");
    }
    assert_eq!(at.spread_mailboxes, 2);
    says("Two mailboxes of one domain (or tenant)");
    says(&format!("paused within {} hours", at.spread_window / HOUR));
    let dead = |bounces, settled| list_is_dead(bounces, settled, &Thresholds::default());
    let settled = first(|n| dead(n, n));
    says(&format!("at least {settled} messages settled, and so many hard bounces"));
    says(&format!("({} of {settled} are enough)", first(|n| dead(n, settled))));
    assert!(dead(30, 300) && !dead(15, 300), "5 % itself is no proof of more");
}

#[test]
fn coming_back() {
    let lasts = |earlier| paused_until(PauseReason::Spam, earlier, &Thresholds::default(), 0);
    assert_eq!(lasts(2), None);
    let (first_pause, second) = (lasts(0).unwrap() / HOUR, lasts(1).unwrap() / DAY);
    let repeat = Thresholds::default().repeat_window / DAY;
    says(&format!(
        "A first pause lasts {first_pause} hours; a second within {repeat} days lasts {second} days; a third waits"
    ));
    let quota = paused_until(PauseReason::Quota, 2, &Thresholds::default(), 0).unwrap() / HOUR;
    says(&format!("over in {quota} hours however often it was full"));
    let keeps = |days| {
        let back = earned(100).on_return(PauseReason::Spam, i64::from(days) * DAY);
        back.warmth.warm_days
    };
    let half_until = first(|days| keeps(days) != 50) - 1;
    let quarter_until = first(|days| keeps(days) == 0) - 1;
    assert_eq!(keeps(quarter_until), 25);
    says(&format!("| up to {half_until} days | a half |"));
    says(&format!("| up to {quarter_until} days | a quarter |"));
    let curve = Curve::default();
    let of = |plateau| Earned { plateau, ..earned(100) }.on_return(PauseReason::Spam, DAY);
    let back = of(curve.plateau(CAP)).warmth.warm_days;
    assert_eq!(of(0).ease_percent, 50);
    says(&format!(
        "a mailbox of 100 warm days keeps {back}, as one of {} does, and so comes back at {} of {CAP} a day",
        curve.plateau(CAP),
        curve.allowance(back, CAP)
    ));
    for kept in [PauseReason::Credentials, PauseReason::Operator] {
        assert_eq!(earned(100).on_return(kept, 90 * DAY), earned(100));
    }
}

#[test]
fn limits_of_providers() {
    let presets = Presets::load();
    let text = crate::read("docs/warmup.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("| Provider |"))
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    assert!(rows.len() > 3);
    for row in rows {
        let preset = presets.find(row[1]).unwrap_or_else(|| panic!("no preset `{}`", row[1]));
        let printed = (row[2].parse().ok(), row[3].parse().ok());
        assert_eq!(printed, (Some(preset.daily_limit()), Some(preset.cap_limit())), "{}", row[1]);
    }
}

#[test]
fn the_table_of_providers_is_that_of_the_presets() {
    let text = crate::read("docs/providers.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("| Provider |"))
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect())
        .collect();
    let figure = |figure: Option<u32>| figure.map_or("–".to_owned(), |n| n.to_string());
    let presets = Presets::load();
    assert_eq!(rows.len(), presets.iter().count());
    for (row, preset) in rows.iter().zip(presets.iter()) {
        let host = preset.smtp_host.as_deref().unwrap_or("yours");
        let mut limit = preset.limit_per_day.map_or("500*".to_owned(), |n| n.to_string());
        if preset.limit_of == LimitOf::Account {
            limit += "†";
        }
        let want = [
            preset.name.clone(),
            format!("{host}:{}", preset.smtp_port),
            limit,
            preset.cap_limit().to_string(),
            figure(preset.limit_per_minute),
            figure(preset.connections),
            figure(preset.messages_per_connection),
        ];
        assert_eq!([&row[..2], &row[3..8]].concat(), want, "{}", preset.name);
        assert_eq!(row[10], preset.source, "{}", preset.name);
        assert!(row[9].ends_with(&preset.why), "{}: {}", preset.name, row[9]);
    }
}
