//! What stands in `[defaults]` and may be set again on a mailbox, and the safety rules over it.

use jiff::tz::TimeZone;
use warmfront_campaigns::document::{Item, Located, Section};
use warmfront_core::calendar::{self, Window};
use warmfront_core::plan::Pace;
use warmfront_core::problem::Problem;
use warmfront_core::provider::Preset;
use warmfront_core::span::{DAY, MINUTE, Millis, length_text, parse_length};
use warmfront_core::warmup::Curve;

/// What was written in one place. Nothing here is a default yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    cap: Option<Setting<u32>>,
    gap: Option<Setting<Millis>>,
    curve: Option<Setting<Curve>>,
    pace: Option<Setting<Pace>>,
    window: Option<Setting<Vec<Window>>>,
    pub(super) timezone: Option<TimeZone>,
    /// Whether `override = true` stands beside them.
    pub(super) over_limits: bool,
}

/// What holds for a mailbox.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) cap: u32,
    pub(super) gap: Millis,
    pub(super) curve: Curve,
    pub(super) pace: Pace,
    pub(super) window: Option<Vec<Window>>,
}

/// A value, where it was written, and whether `override = true` stands beside it.
#[derive(Clone, Debug)]
struct Setting<T> {
    value: T,
    file: String,
    line: usize,
    place: String,
    over_limits: bool,
}

impl Settings {
    /// Reads them from a table of `file`.
    pub(super) fn read(section: &mut Section<'_>, file: &str, problems: &mut Vec<Problem>) -> Self {
        let over_limits = section.boolean("override", problems).is_some_and(|said| said.value);
        let from = Setting {
            value: (),
            file: file.to_owned(),
            line: section.line(),
            place: section.place(),
            over_limits,
        };
        Self {
            cap: section.integer("cap", 1..=CAP_MAX, problems).map(|cap| from.with(cap)),
            gap: section.parsed("gap", parse_length, problems).map(|gap| from.with(gap)),
            curve: curve(section, problems).map(|curve| from.with(curve)),
            pace: section.parsed("pace", pace, problems).map(|pace| from.with(pace)),
            window: windows(section, problems).map(|window| from.with(window)),
            timezone: section.parsed("timezone", calendar::zone, problems).map(|zone| zone.value),
            over_limits,
        }
    }

    /// What holds for a mailbox of `preset` that says `self`, under `defaults`.
    pub(super) fn settle(
        self,
        defaults: &Self,
        preset: &Preset,
        problems: &mut Vec<Problem>,
    ) -> Settled {
        let own = self.over_limits;
        let cap = self.cap.or_else(|| defaults.cap.clone());
        let gap = self.gap.or_else(|| defaults.gap.clone());
        let curve = self.curve.or_else(|| defaults.curve.clone());
        let pace = self.pace.or_else(|| defaults.pace.clone());
        let window = self.window.or_else(|| defaults.window.clone());
        problems.extend(cap.as_ref().and_then(|cap| cap_problem(cap, own, preset)));
        problems.extend(gap.as_ref().and_then(|gap| gap_problem(gap, own)));
        // Where nobody wrote a cap there is nothing to refuse: the provider's tenth holds.
        let most = cap.as_ref().map_or(CAP.min(preset.cap_limit()), |cap| cap.value);
        problems.extend(curve.as_ref().and_then(|curve| curve_problem(curve, most, own)));
        problems.extend(pace.as_ref().and_then(|pace| pace_problem(pace, own)));
        problems.extend(window.as_ref().and_then(|window| window_problem(window, own)));
        Settled {
            cap: most,
            gap: gap.map_or(GAP_MIN, |gap| gap.value),
            curve: curve.map_or_else(Curve::default, |curve| curve.value),
            pace: pace.map_or(Pace::Even, |pace| pace.value),
            window: window.map(|window| window.value),
        }
    }
}

impl<T> Setting<T> {
    fn with<U>(&self, located: Located<U>) -> Setting<U> {
        Setting {
            value: located.value,
            file: self.file.clone(),
            line: located.line,
            place: self.place.clone(),
            over_limits: self.over_limits,
        }
    }

    /// The refusal `what`, unless an override beside the value or on the mailbox covers it.
    fn unless_overridden(&self, own: bool, what: String) -> Option<Problem> {
        (!self.over_limits && !own).then(|| self.refusal(what))
    }

    fn refusal(&self, what: String) -> Problem {
        Problem::refusal(&self.file, Some(self.line), what)
    }
}

/// The default of `cap`.
const CAP: u32 = 50;

fn cap_problem(cap: &Setting<u32>, own: bool, preset: &Preset) -> Option<Problem> {
    let (name, limit, safe) = (&preset.name, preset.daily_limit(), preset.cap_limit());
    let what = format!("`cap`{} is {}", cap.place, cap.value);
    if cap.value > limit {
        return Some(cap.refusal(format!(
            "{what}, above the whole limit of `{name}`, {limit} messages a day; write at most \
             {safe}; no override goes beyond a provider's limit"
        )));
    }
    if cap.value <= safe {
        return None;
    }
    let what = format!(
        "{what}, above 10 % of the limit of `{name}`, {limit} messages a day; write at most \
         {safe}, or add `override = true`"
    );
    cap.unless_overridden(own, what)
}

fn gap_problem(gap: &Setting<Millis>, own: bool) -> Option<Problem> {
    let what = format!(
        "`gap`{} is {}, below 4m; write at least \"4m\", or add `override = true`",
        gap.place,
        length_text(gap.value)
    );
    (gap.value < GAP_MIN).then(|| gap.unless_overridden(own, what)).flatten()
}

/// A curve that begins where it ends is none, unless so little is sent that nobody minds.
fn begins_at_the_cap(curve: &Curve, cap: u32) -> bool {
    cap > STEEP_START && curve.allowance(0, cap) >= cap
}

fn curve_problem(curve: &Setting<Curve>, cap: u32, own: bool) -> Option<Problem> {
    if !matches!(curve.value, Curve::Off) && begins_at_the_cap(&curve.value, cap) {
        let what = format!(
            "`warmup`{} begins at the cap of {cap} and is no ramp; begin lower, as in \
             {{ start = 5, step = 2 }}, say where a warmed mailbox stands with `warm_days`, or add \
             `override = true`",
            curve.place
        );
        return curve.unless_overridden(own, what);
    }
    let what = format!(
        "`warmup = \"off\"`{} sends the whole cap from the first day; write a curve such as \
         {{ start = 5, step = 2 }}, or add `override = true`",
        curve.place
    );
    match curve.value {
        Curve::Off => curve.unless_overridden(own, what),
        Curve::Linear { .. } | Curve::Growth { .. } | Curve::Table(_) => None,
    }
}

fn pace_problem(pace: &Setting<Pace>, own: bool) -> Option<Problem> {
    let what = format!(
        "`pace = \"asap\"`{} bunches the day's messages; write \"even\", or add `override = true`",
        pace.place
    );
    match pace.value {
        Pace::Even => None,
        Pace::AsSoonAsPossible => pace.unless_overridden(own, what),
    }
}

fn window_problem(window: &Setting<Vec<Window>>, own: bool) -> Option<Problem> {
    let what = format!(
        "`window`{} is open for 24h; nobody writes round the clock: shorten it, or add \
         `override = true`",
        window.place
    );
    let never_closes = window.value.iter().any(|window| window.length() >= DAY);
    never_closes.then(|| window.unless_overridden(own, what)).flatten()
}

fn pace(text: &str) -> Result<Pace, String> {
    match text {
        "even" => Ok(Pace::Even),
        "asap" => Ok(Pace::AsSoonAsPossible),
        _ => Err(format!("`{text}` is no pace; write \"even\" or \"asap\"")),
    }
}

fn curve(section: &mut Section<'_>, problems: &mut Vec<Problem>) -> Option<Located<Curve>> {
    let place = section.place();
    let Located { value, line } = section.value("warmup")?;
    let found = value.described();
    let curve = match value {
        Item::Text("off") => Some(Curve::Off),
        Item::Text(cell) => cell
            .split([' ', ',', ';'])
            .map(|n| n.parse().ok())
            .collect::<Option<_>>()
            .and_then(table),
        Item::List(days) => {
            days.iter().map(|day| whole(&day.value)).collect::<Option<_>>().and_then(table)
        }
        Item::Section(ramp) => {
            return self::ramp(ramp, problems).map(|value| Located { value, line });
        }
        Item::Integer(_) | Item::Boolean(_) | Item::Date(_) | Item::Other(_) => None,
    };
    if curve.is_none() {
        let what = format!(
            "`warmup`{place} must be a ramp {{ start = 5, step = 2 }}, a table of whole numbers \
             above 0 that never falls, such as [5, 7, 10], or \"off\", not {found}"
        );
        problems.push(section.problem(line, what));
    }
    curve.map(|value| Located { value, line })
}

fn whole(item: &Item<'_>) -> Option<u32> {
    match item {
        Item::Integer(number) => u32::try_from(*number).ok(),
        _ => None,
    }
}

fn table(days: Vec<u32>) -> Option<Curve> {
    let rises = days.is_sorted() && days.first().is_some_and(|first| *first > 0);
    rises.then_some(Curve::Table(days))
}

fn ramp(mut ramp: Section<'_>, problems: &mut Vec<Problem>) -> Option<Curve> {
    let start = ramp.integer("start", 1..=CAP_MAX, problems);
    let start = ramp.required("start", start, problems);
    let step = ramp.integer("step", 0..=CAP_MAX, problems);
    let percent = ramp.integer("growth_percent", 1..=100, problems);
    let (line, place) = (ramp.line(), ramp.place());
    let one = ramp.has("step") != ramp.has("growth_percent");
    if !one {
        let what = format!("say `step` or `growth_percent`{place}, one of them");
        problems.push(ramp.problem(line, what));
    }
    ramp.finish(problems);
    let start = start.filter(|_| one)?.value;
    match (step, percent) {
        (Some(step), None) => Some(Curve::Linear { start, step: step.value }),
        (None, Some(percent)) => Some(Curve::Growth { start, percent: percent.value }),
        _ => None,
    }
}

/// One window or a list of them; `None` where there is none or something is wrong with one.
fn windows(section: &mut Section<'_>, problems: &mut Vec<Problem>) -> Option<Located<Vec<Window>>> {
    let sections = section.sections("window", problems);
    let line = sections.first()?.line();
    let read: Vec<Option<Window>> =
        sections.into_iter().map(|section| window(section, problems)).collect();
    let value = read.into_iter().collect::<Option<_>>()?;
    Some(Located { value, line })
}

fn window(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Option<Window> {
    let opens = section.text("opens", problems);
    let opens = section.required("opens", opens, problems);
    let length = section.text("length", problems);
    let length = section.required("length", length, problems);
    let (line, place) = (section.line(), section.place());
    let window = opens.zip(length).and_then(|(opens, length)| {
        let refused =
            |why| problems.push(section.problem(line, format!("the window{place}: {why}")));
        Window::parse(&opens.value, &length.value).map_err(refused).ok()
    });
    section.finish(problems);
    window
}

/// More on the first day than most published curves reach in a week.
const STEEP_START: u32 = 20;

/// The default of `gap`, and the least that needs no override.
const GAP_MIN: Millis = 4 * MINUTE;

/// No provider takes more from one mailbox in a day; larger figures are slips of the pen.
const CAP_MAX: i64 = 100_000;
