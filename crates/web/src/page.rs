//! The page of the day, as a person reads it.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::status::{Mailbox, Status};

/// Everything in it is escaped: names come from files, reasons from other people's servers.
#[derive(Template)]
#[template(path = "today.html")]
pub(crate) struct Page {
    status: Status,
    zone: TimeZone,
}

impl Page {
    /// Mailboxes that want attention come first.
    pub(crate) fn new(mut status: Status, zone: TimeZone) -> Self {
        status.mailboxes.sort_by_key(|mailbox| match mailbox.state.as_str() {
            "paused" => 0,
            "active" => 1,
            _ => 2,
        });
        Self { status, zone }
    }

    fn day(&self) -> String {
        self.status.day.strftime("%A, %-d %B %Y").to_string()
    }

    /// The wall clock of the counting zone.
    fn clock(&self) -> String {
        self.local(&self.status.at).strftime("%H:%M").to_string()
    }

    fn moment(&self, at: &Timestamp) -> String {
        self.local(at).strftime("%a %-d %b %Y, %H:%M").to_string()
    }

    fn local(&self, at: &Timestamp) -> jiff::civil::DateTime {
        self.zone.to_datetime(*at)
    }

    /// `18 active, 2 paused`.
    fn fleet(&self) -> String {
        let count = |state: &str| self.status.mailboxes.iter().filter(|m| m.state == state).count();
        let counts = ["active", "paused", "disabled"].map(|state| (count(state), state));
        let named = counts.into_iter().filter(|(n, _)| *n > 0);
        named.map(|(n, state)| format!("{n} {state}")).collect::<Vec<_>>().join(", ")
    }

    /// How a pause ends.
    fn until(&self, mailbox: &Mailbox) -> String {
        match &mailbox.paused_until {
            Some(until) => format!("until {}", self.moment(until)),
            None => "until an operator resumes it".to_owned(),
        }
    }

    fn short(&self) -> u32 {
        let plan = self.status.plan.iter();
        plan.flat_map(|plan| &plan.shortfall).map(|shortfall| shortfall.count).sum()
    }
}

/// A word of the books as people write it.
fn word(of_the_books: &str) -> String {
    of_the_books.replace('_', " ")
}
