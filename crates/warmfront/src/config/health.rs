//! `[health]`: the figures at which mailboxes and campaigns stop, and for how long.

use warmfront_campaigns::document::Section;
use warmfront_core::health::{LAST_MAX, RATE_MAX, Thresholds};
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::span::{Millis, length_text, parse_length};

/// Reads them. Stricter ones are the operator's affair, looser ones want an override.
pub(super) fn thresholds(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Thresholds {
    let over_limits = section.boolean("override", problems).is_some_and(|said| said.value);
    let mut read = Reading { section, problems, over_limits };
    let safe = Thresholds::default();
    let at = Thresholds {
        sender_rejections: read.at_most("sender_rejections", safe.sender_rejections, 100),
        hard_bounces: read.at_most("hard_bounces", safe.hard_bounces, LAST_MAX),
        last_messages: read.at_least("last_messages", safe.last_messages, LAST_MAX),
        bounce_rate: read.at_most("bounce_rate", safe.bounce_rate, RATE_MAX),
        bounce_window: read.no_shorter("bounce_window", safe.bounce_window),
        list_bounce_rate: read.at_most("list_bounce_rate", safe.list_bounce_rate, RATE_MAX),
        list_messages: read.at_most("list_messages", safe.list_messages, LAST_MAX),
        first_pause: read.no_shorter("first_pause", safe.first_pause),
        second_pause: read.no_shorter("second_pause", safe.second_pause),
        repeat_window: read.no_shorter("repeat_window", safe.repeat_window),
        spread_mailboxes: read.at_most("spread_mailboxes", safe.spread_mailboxes, LAST_MAX),
        spread_window: read.no_shorter("spread_window", safe.spread_window),
        slow_for: read.no_shorter("slow_for", safe.slow_for),
    };
    read.section.finish(read.problems);
    at
}

struct Reading<'a, 'p> {
    section: Section<'a>,
    problems: &'p mut Vec<Problem>,
    over_limits: bool,
}

impl Reading<'_, '_> {
    /// A figure that is the looser the higher it is.
    fn at_most(&mut self, key: &str, safe: u32, highest: u32) -> u32 {
        let Some((is, line)) = self.figure(key, highest) else { return safe };
        if is > safe {
            self.refuse(line, &format!("`{key}` in [health] is {is}, above {safe}"));
        }
        is
    }

    /// A figure that is the looser the lower it is.
    fn at_least(&mut self, key: &str, safe: u32, highest: u32) -> u32 {
        let Some((is, line)) = self.figure(key, highest) else { return safe };
        if is < safe {
            self.refuse(line, &format!("`{key}` in [health] is {is}, below {safe}"));
        }
        is
    }

    fn figure(&mut self, key: &str, highest: u32) -> Option<(u32, usize)> {
        let figure = self.section.integer(key, 1..=i64::from(highest), self.problems)?;
        Some((figure.value, figure.line))
    }

    /// A length of time that is the looser the shorter it is.
    fn no_shorter(&mut self, key: &str, safe: Millis) -> Millis {
        let Some(length) = self.section.parsed(key, parse_length, self.problems) else {
            return safe;
        };
        if length.value < safe {
            let (is, least) = (length_text(length.value), length_text(safe));
            self.refuse(length.line, &format!("`{key}` in [health] is {is}, below {least}"));
        }
        length.value
    }

    fn refuse(&mut self, line: usize, what: &str) {
        if self.over_limits {
            return;
        }
        let what = format!("{what}; tighten it, or add `override = true` beside it");
        let problem = self.section.problem(line, what);
        self.problems.push(Problem { severity: Severity::Refusal, ..problem });
    }
}
