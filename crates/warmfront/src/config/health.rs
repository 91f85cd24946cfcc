//! `[health]`: the figures at which mailboxes and campaigns stop, and for how long.

use warmfront_campaigns::document::{Located, Section};
use warmfront_core::health::{LAST, RATE_MAX, Thresholds};
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::span::{Millis, length_text, parse_length};

/// Reads them. Stricter ones are the operator's affair, looser ones want an override.
pub(super) fn thresholds(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Thresholds {
    let safe = Thresholds::default();
    let over_limits = section.boolean("override", problems).is_some_and(|said| said.value);
    let (percent, rate) = (1..=100, 1..=i64::from(RATE_MAX));
    let mut figure =
        |key, range, problems: &mut Vec<Problem>| section.integer::<u32>(key, range, problems);
    let rejections = figure("sender_rejections", percent, problems);
    let bounces = figure("hard_bounces", 1..=i64::from(LAST), problems);
    let bounce_rate = figure("bounce_rate", rate.clone(), problems);
    let list_rate = figure("list_bounce_rate", rate, problems);
    let first = section.parsed("first_pause", parse_length, problems);
    let second = section.parsed("second_pause", parse_length, problems);
    let above = |key: &str, is: &Option<Located<u32>>, most: u32| {
        let is = is.as_ref().filter(|is| is.value > most)?;
        Some((is.line, format!("`{key}` in [health] is {}, above {most}", is.value)))
    };
    let below = |key: &str, is: &Option<Located<Millis>>, least: Millis| {
        let is = is.as_ref().filter(|is| is.value < least)?;
        let (is_text, least) = (length_text(is.value), length_text(least));
        Some((is.line, format!("`{key}` in [health] is {is_text}, below {least}")))
    };
    let looser = [
        above("sender_rejections", &rejections, safe.sender_rejections),
        above("hard_bounces", &bounces, safe.hard_bounces),
        above("bounce_rate", &bounce_rate, safe.bounce_rate),
        above("list_bounce_rate", &list_rate, safe.list_bounce_rate),
        below("first_pause", &first, safe.first_pause),
        below("second_pause", &second, safe.second_pause),
    ];
    for (line, what) in looser.into_iter().flatten().filter(|_| !over_limits) {
        let what = format!("{what}; tighten it, or add `override = true` beside it");
        let problem = section.problem(line, what);
        problems.push(Problem { severity: Severity::Refusal, ..problem });
    }
    section.finish(problems);
    Thresholds {
        sender_rejections: rejections.map_or(safe.sender_rejections, |is| is.value),
        hard_bounces: bounces.map_or(safe.hard_bounces, |is| is.value),
        bounce_rate: bounce_rate.map_or(safe.bounce_rate, |is| is.value),
        list_bounce_rate: list_rate.map_or(safe.list_bounce_rate, |is| is.value),
        first_pause: first.map_or(safe.first_pause, |is| is.value),
        second_pause: second.map_or(safe.second_pause, |is| is.value),
    }
}
