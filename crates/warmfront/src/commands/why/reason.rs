//! A reason as it is told: its sentence, what clears it and when, what the operator can do.

use std::borrow::Cow;

use serde_json::{Value, json};
use warmfront_core::answer::Answer;
use warmfront_core::calendar;
use warmfront_core::reason::{Clears, Hold, Settled, Unplanned};
use warmfront_core::span::Millis;

use crate::app::App;
use crate::mending::{Mending, mending};
use crate::print;

/// A reason, whoever gave it.
pub(super) struct Reason {
    word: &'static str,
    says: String,
    clears: Clears,
    /// Of what is settled: since when.
    since: Option<Millis>,
    cure: Option<Cow<'static, str>>,
}

impl Reason {
    pub(super) fn of_hold(hold: &Hold) -> Self {
        let says = hold.to_string();
        let (clears, cure) = (hold.clears(), hold.cure().map(Cow::from));
        Self { word: hold.as_str(), says, clears, since: None, cure }
    }

    pub(super) fn of_settled(reason: &Settled) -> Self {
        let (says, since) = (reason.to_string(), Some(reason.since()));
        let (clears, cure) = (reason.clears(), reason.cure().map(Cow::from));
        Self { word: reason.as_str(), says, clears, since, cure }
    }

    pub(super) fn of_unplanned(reason: &Unplanned) -> Self {
        let says = reason.to_string();
        let (clears, cure) = (reason.clears(), reason.cure().map(Cow::from));
        Self { word: reason.as_str(), says, clears, since: None, cure }
    }

    /// Of a mailbox that its server refuses: what to click or to run.
    pub(super) fn where_refused(mut self, app: &App, mailbox: Option<&str>) -> Self {
        let all = &app.config.mailboxes;
        let found = all.iter().find(|one| Some(one.address.as_str()) == mailbox);
        if self.word == "mailbox_paused"
            && self.clears == Clears::Operator
            && let (Some(found), Some(answer)) = (found, Answer::quoted_in(&self.says))
            && let Some(Mending { wrong, to_do }) = mending(&answer, found)
        {
            let address = found.address.as_str();
            self.cure = Some(Cow::from(format!(
                "{wrong} {to_do} Then `warmfront mailbox verify {address}`, and `warmfront mailbox \
                 resume {address}`."
            )));
        }
        self
    }

    /// Of a mailbox that has no `imap` no daemon ever reads the inbox.
    pub(super) fn where_read(mut self, app: &App, mailbox: Option<&str>) -> Self {
        let all = &app.config.mailboxes;
        let found = all.iter().find(|one| Some(one.address.as_str()) == mailbox);
        if self.word == "inbox_not_read" && found.is_none_or(|one| one.imap.is_none()) {
            self.clears = Clears::Operator;
            let cure = "give the mailbox `imap`: without it none of its follow-ups leaves";
            self.cure = Some(Cow::from(cure));
        }
        self
    }

    /// The moment at which it is over, where that is known; of a number of days, the earliest.
    fn clears_at(&self, app: &App) -> Option<Millis> {
        match self.clears {
            Clears::At(at) => Some(at),
            Clears::NextDay => Some(day_after(app, 1)),
            Clears::Days(days) => Some(day_after(app, days)),
            Clears::Running | Clears::Operator | Clears::Never => None,
        }
    }

    /// Nothing of what is settled for good: nobody waits for that.
    fn when(&self, app: &App) -> Option<String> {
        if self.since.is_some() && self.clears == Clears::Never {
            return None;
        }
        let at = self.clears_at(app).map(|at| print::local(&app.fleet.timezone, at));
        Some(match (self.clears, at) {
            (Clears::At(_), Some(at)) => format!("clears {at}"),
            (Clears::NextDay, Some(at)) => format!("clears with the next counting day, {at}"),
            (Clears::Days(days), Some(at)) => {
                let days = print::counted(u64::from(days), "day");
                format!("clears in {days} at the least, {at}")
            }
            (Clears::Running, _) => "clears once a daemon that runs has come to it".to_owned(),
            (Clears::Operator, _) => "clears when somebody acts".to_owned(),
            (Clears::Never | Clears::At(_) | Clears::NextDay | Clears::Days(_), _) => {
                "does not clear".to_owned()
            }
        })
    }

    pub(super) fn json(&self, app: &App) -> Value {
        json!({
            "reason": self.word,
            "says": self.says,
            "since": self.since.map(print::rfc3339),
            "clears": self.clears.as_str(),
            "clears_at": self.clears_at(app).map(print::rfc3339),
            "cure": self.cure,
        })
    }
}

/// Where the counting day begins that comes after so many.
fn day_after(app: &App, days: u32) -> Millis {
    let day = app.today().checked_add(jiff::Span::new().days(i64::from(days).min(DAYS_MAX)));
    calendar::day_span(&app.fleet.timezone, day.unwrap_or(app.today())).start()
}

/// Further ahead nobody looks.
const DAYS_MAX: i64 = 36_500;

/// Tells reasons below what they are about, the binding one with all there is to say of it.
pub(super) fn tell(app: &App, indent: usize, reasons: &[Reason]) {
    let blank = " ".repeat(indent);
    let Some((binding, others)) = reasons.split_first() else { return };
    print::paragraph(&format!("{blank}why: "), &binding.says);
    if let Some(when) = binding.when(app) {
        print::paragraph(&format!("{blank}     "), &when);
    }
    if let Some(cure) = &binding.cure {
        print::paragraph(&format!("{blank}     to do: "), cure);
    }
    for other in others {
        let when = other.when(app).map_or(String::new(), |when| format!("; {when}"));
        print::paragraph(&format!("{blank}also: "), &format!("{}{when}", other.says));
    }
}
