//! What the demonstration came to: the ramp, the totals, what was refused and why, and whether the
//! books say what the world saw.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use warmfront_engine::import::Outcome;
use warmfront_store::{CampaignStatus, Store};
use warmfront_world::{Event, World};

use super::chart::sparkline;
use crate::cli::Demo;
use crate::config::Config;
use crate::exit::Failure;
use crate::print;

/// Everything to be told.
pub(super) struct Story {
    days: u32,
    seed: u64,
    kept: Option<String>,
    /// For each mailbox what was accepted day by day.
    ramp: Vec<(String, Vec<u32>)>,
    status: CampaignStatus,
    rejected_rows: u64,
    rows: u64,
    reasons: BTreeMap<String, u64>,
    pauses: Vec<(String, u64)>,
    shortfalls: Vec<(String, u64)>,
    rejected_messages: Vec<(String, u64)>,
    held: u64,
    accepted_in_books: u64,
    twice: usize,
    violations: usize,
    events: BTreeMap<&'static str, u64>,
    books_add_up: bool,
}

pub(super) async fn gather(
    store: &Store,
    world: &World,
    config: &Config,
    options: &Demo,
    imported: &Outcome,
) -> Result<Story, Failure> {
    let mut by_mailbox: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for (address, day, accepted) in store.accepted_by_day().await? {
        by_mailbox.entry(address).or_default().insert(day, accepted);
    }
    let days: Vec<String> = by_mailbox.values().flat_map(BTreeMap::keys).cloned().collect();
    let days: std::collections::BTreeSet<String> = days.into_iter().collect();
    let ramp = config.mailboxes.iter().map(|mailbox| {
        let mine = by_mailbox.get(mailbox.address.as_str());
        let on = |day: &String| mine.and_then(|m| m.get(day)).copied().unwrap_or(0);
        (mailbox.address.to_string(), days.iter().map(on).collect())
    });
    let rows = store.campaigns().await?;
    let row = rows.into_iter().find(|row| row.id == imported.imported.campaign);
    let row = row.ok_or_else(|| Failure::Usage("the demo lost its campaign".to_owned()))?;
    let status = store.campaign_status(row).await?;
    let mut reasons = BTreeMap::new();
    for row in &imported.rejected {
        let kind = row.reason.split('`').next().unwrap_or_default().trim().to_owned();
        let kind = if kind.is_empty() { "no e-mail address".to_owned() } else { kind };
        *reasons.entry(kind).or_default() += 1;
    }
    let held = world.held();
    let mut ids: Vec<&str> = held.iter().map(|held| held.message_id.as_str()).collect();
    ids.sort_unstable();
    let twice = ids.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let tally = world.tally();
    let figure = |state: &str| status.messages.get(state).copied().unwrap_or(0);
    Ok(Story {
        days: options.days,
        seed: options.seed,
        kept: options.keep.as_ref().map(|dir| dir.display().to_string()),
        ramp: ramp.collect(),
        rejected_rows: imported.imported.summary.rejected,
        rows: imported.imported.summary.rows,
        reasons,
        pauses: store.pause_counts().await?,
        shortfalls: store.shortfall_counts().await?,
        rejected_messages: store.rejection_counts().await?,
        held: held.len() as u64,
        accepted_in_books: figure("accepted") + figure("bounced"),
        twice,
        violations: tally.violations.len(),
        events: BTreeMap::from([
            ("replied", tally.of(Event::Replied)),
            ("bounced later", tally.of(Event::Bounced)),
            ("complained", tally.of(Event::Complained)),
            ("opted out", tally.of(Event::OptedOut)),
            ("out of office", tally.of(Event::AutoReplied)),
        ]),
        books_add_up: store.audit().await?.imbalances.is_empty(),
        status,
    })
}

impl Story {
    pub(super) fn json(&self) -> Value {
        json!({
            "days": self.days,
            "seed": self.seed,
            "ramp": self.ramp.iter()
                .map(|(address, days)| json!({ "address": address, "accepted": days }))
                .collect::<Vec<_>>(),
            "rows": self.rows,
            "rejected_rows": self.rejected_rows,
            "people": self.status.enrolments,
            "messages": self.status.messages,
            "accepted_by_step": self.status.accepted_by_step,
            "pauses": self.pauses.iter().cloned().collect::<BTreeMap<_, _>>(),
            "world": {
                "held": self.held, "twice": self.twice, "violations": self.violations,
                "events": self.events,
            },
            "accepted_in_books": self.accepted_in_books,
            "books_add_up": self.books_add_up,
        })
    }

    pub(super) fn tell(&self) {
        self.tell_ramp();
        self.tell_totals();
        self.tell_refusals();
        self.tell_proof();
    }

    fn tell_ramp(&self) {
        let most = self.ramp.iter().flat_map(|(_, days)| days).max().copied().unwrap_or(1);
        print::say(format!(
            "The ramp: messages accepted, a line a mailbox, a column a day (█ = {most}, · = none)\n"
        ));
        for (address, days) in &self.ramp {
            let last = days.iter().rev().find(|n| **n > 0).copied().unwrap_or(0);
            // The newest days, where the terminal cannot show all.
            let room = usize::from(print::width()).saturating_sub(ADDRESS_WIDTH + 6);
            let shown = &days[days.len().saturating_sub(room)..];
            print::say(format!("{address:ADDRESS_WIDTH$} {} {last:>3}", sparkline(shown, most)));
        }
    }

    fn tell_totals(&self) {
        let accepted: u64 = self.status.accepted_by_step.values().sum();
        print::say(format!("\nIn {} simulated days {accepted} messages were accepted:", self.days));
        for (step, count) in &self.status.accepted_by_step {
            print::say(format!("  step {step}  {count:>6}"));
        }
        print::say("What became of the people:");
        for (state, count) in &self.status.enrolments {
            print::say(format!("  {state:<13}{count:>6}"));
        }
        print::say("What happened in the pretend world:");
        for (what, count) in &self.events {
            print::say(format!("  {what:<13}{count:>6}"));
        }
    }

    fn tell_refusals(&self) {
        print::say("\nWhat was refused, and why:");
        print::say(format!("  {} of {} rows of the list:", self.rejected_rows, self.rows));
        for (reason, count) in &self.reasons {
            print::say(format!("    {count:>5}  {reason}"));
        }
        if let Some(suppressed) = self.status.enrolments.get("suppressed") {
            let people = if *suppressed == 1 { "person" } else { "people" };
            print::say(format!("  {suppressed} {people}: on the suppression list"));
        }
        tell_counts("message", ", by the receiving or the sending server", &self.rejected_messages);
        tell_counts("pause", " of mailboxes", &self.pauses);
        tell_counts("message", " not planned on the day they were wanted", &self.shortfalls);
    }

    fn tell_proof(&self) {
        let doubtful = self.status.messages.get("in_doubt").copied().unwrap_or(0);
        print::say(format!(
            "\nThe world took {} messages; the books say {} accepted and {doubtful} in doubt.",
            self.held, self.accepted_in_books
        ));
        print::say(format!(
            "Sent twice: {}. Over a limit, or after a no: {}. The books {}.",
            self.twice,
            self.violations,
            if self.books_add_up { "add up" } else { "DO NOT add up" },
        ));
        print::say(format!("Seed {}; the same seed tells the same story.", self.seed));
        match &self.kept {
            Some(dir) => print::say(format!(
                "The books are kept: try `warmfront --config {dir}/warmfront.toml ledger`."
            )),
            None => print::say(
                "These books were temporary and not durable; real ones survive a power cut.",
            ),
        }
    }
}

fn tell_counts(what: &str, how: &str, counts: &[(String, u64)]) {
    if counts.is_empty() {
        return;
    }
    let all: u64 = counts.iter().map(|(_, n)| n).sum();
    print::say(format!("  {}{how}:", print::counted(all, what)));
    for (reason, count) in counts.iter().take(REASONS_SHOWN) {
        let room = usize::from(print::width()).saturating_sub(12);
        print::say(format!("    {count:>5}  {}", shortened(reason, room)));
    }
}

fn shortened(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        None => text.to_owned(),
        Some(_) => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The longest address of the fleet.
const ADDRESS_WIDTH: usize = 23;

/// The most frequent reasons; the ledger has them all.
const REASONS_SHOWN: usize = 8;
