//! `status`: how everything stands.

use serde_json::{Value, json};
use warmfront_core::span::{Millis, SECOND};
use warmfront_store::{DomainCheck, FRESH_MS, MailboxRow, Store, StoreError, Worker};

use crate::app::{self, App};
use crate::cli::Global;
use crate::exit::Done;
use crate::print;

pub(crate) async fn status(global: &Global) -> Done {
    let app = App::open_anyway(global).await?;
    let now = app.now();
    let today = app.today().to_string();
    let (by_state, planned_today) = app.store.message_counts(&today).await?;
    let campaigns = app.store.campaigns().await?;
    let mailboxes = app.store.mailboxes().await?;
    let days = app.store.mailbox_days(&today).await?;
    let daemon = app.store.daemon()?;
    let workers = app.store.workers(now).await?;
    let outdated = app.outdated().await?;
    let domains = Domains::of(&app.store).await?;
    let unreached = app.store.waiting_because(SERVER_TROUBLE).await?;
    let accepted: u32 = days.iter().map(|(.., accepted)| accepted).sum();
    let is_active = |id| mailboxes.iter().any(|m| m.id == id && m.state == "active");
    let allowance: u32 =
        days.iter().filter(|day| is_active(day.0)).map(|(_, allowance, ..)| allowance).sum();
    if app.json {
        let by_state: serde_json::Map<_, _> =
            by_state.into_iter().map(|(state, n)| (state, json!(n))).collect();
        print::say_json(&json!({
            "day": today,
            "outdated": outdated,
            "daemon": daemon,
            "workers": workers.iter().map(of_worker).collect::<Vec<_>>(),
            "accepted_today": accepted,
            "allowance_today": allowance,
            "planned_today": planned_today,
            "messages": by_state,
            "mailboxes": mailboxes.iter().map(|m| {
                let trouble = unreached.iter().find(|(address, ..)| *address == m.address);
                as_json(m, trouble.map(|(_, why, _)| why), now)
            }).collect::<Vec<_>>(),
            "doctor": app.fleet.domains.is_some(),
            "domains": domains.json(),
            "campaigns": campaigns.iter().map(|c| json!({
                "campaign": c.slug, "state": c.state, "why": c.paused_because,
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    app::say_outdated(outdated.as_deref());
    say_who_runs(daemon, &workers, now);
    // A day's allowances are its first plan's.
    let allowed = match days.is_empty() {
        true => "no plan yet, so nothing is allowed".to_owned(),
        false => format!("{allowance} allowed in all"),
    };
    print::say(format!("{today}: {accepted} accepted, {planned_today} still planned, {allowed}"));
    say_messages(&by_state);
    for campaign in &campaigns {
        let why = campaign.paused_because.as_ref().map_or(String::new(), |why| format!(": {why}"));
        print::paragraph("", &format!("campaign {} is {}{why}", campaign.slug, campaign.state));
    }
    say_who_rests(&mailboxes);
    for (address, why, count) in &unreached {
        let waiting = print::counted(*count, "message");
        print::paragraph(
            "",
            &format!("mailbox {address}: {why}; {waiting} could not leave for it"),
        );
    }
    say_who_is_unread(&mailboxes, now);
    domains.say(&app);
    Ok(())
}

fn of_worker(worker: &Worker) -> Value {
    json!({
        "owner": worker.owner, "mailboxes": worker.holds.len(), "holds": worker.holds,
        "since": worker.since.map(print::rfc3339),
        "seen_at": worker.seen_at.map(print::rfc3339),
    })
}

fn as_json(mailbox: &MailboxRow, trouble: Option<&String>, now: Millis) -> Value {
    let held_by = mailbox.lease_owner.as_ref().filter(|_| mailbox.lease_expires_at > Some(now));
    json!({
        "address": mailbox.address,
        "state": mailbox.state,
        "why": mailbox.paused_because,
        "paused_until": mailbox.paused_until.map(print::rfc3339),
        "unproven": mailbox.unproven,
        "held_by": held_by,
        "inbox_read_at": mailbox.inbox_read_at.map(print::rfc3339),
        "inbox_trouble": mailbox.unread_because,
        "trouble": trouble,
    })
}

fn say_messages(by_state: &[(String, u64)]) {
    if !by_state.is_empty() {
        let parts: Vec<String> = by_state.iter().map(|(s, n)| format!("{n} {s}")).collect();
        print::say(format!("all messages: {}", parts.join(", ")));
    }
    if let Some((_, in_doubt)) = by_state.iter().find(|(state, _)| state == "in_doubt") {
        let doubts = print::counted(*in_doubt, "message");
        print::paragraph(
            "",
            &format!("{doubts} in doubt: `warmfront reconcile` tells what settles each"),
        );
    }
}

fn say_who_rests(mailboxes: &[MailboxRow]) {
    let active = mailboxes.iter().filter(|m| m.state == "active").count();
    print::say(format!("{active} of {} active", print::counted(mailboxes.len() as u64, "mailbox")));
    for mailbox in mailboxes.iter().filter(|m| m.state == "paused") {
        let because = mailbox.paused_because.as_deref().unwrap_or_default();
        let (address, needs_login) = (&mailbox.address, mailbox.needs_login());
        let cure = match needs_login {
            true => format!("; `warmfront mailbox login {address}`"),
            false => String::new(),
        };
        print::paragraph("", &format!("mailbox {address} is paused: {because}{cure}"));
    }
    for mailbox in mailboxes.iter().filter(|m| m.unproven) {
        let address = &mailbox.address;
        print::paragraph(
            "",
            &format!(
                "nobody new is written to: {address} may have written to them; `warmfront mailbox \
                 resume {address}` says that you answer for it"
            ),
        );
    }
}

/// Without a fresh reading no follow-up leaves.
fn say_who_is_unread(mailboxes: &[MailboxRow], now: Millis) {
    for mailbox in mailboxes {
        let Some(why) = &mailbox.unread_because else { continue };
        let is_fresh = mailbox.inbox_read_at.is_some_and(|at| now - at < FRESH_MS);
        let so = if is_fresh { "" } else { ", so its follow-ups wait" };
        print::paragraph("", &format!("mailbox {} cannot be read{so}: {why}", mailbox.address));
    }
}

/// What the books know of sending domains.
struct Domains {
    /// The checks that fail.
    checks: Vec<DomainCheck>,
    /// The domains that write to nobody new, and why.
    failing: Vec<(String, String)>,
}

impl Domains {
    async fn of(store: &Store) -> Result<Self, StoreError> {
        let checks = store.domain_checks().await?;
        let checks = checks.into_iter().filter(|row| row.verdict == "fail").collect();
        Ok(Self { checks, failing: store.failing_domains().await? })
    }

    fn is_held(&self, row: &DomainCheck) -> bool {
        self.failing.iter().any(|(domain, _)| *domain == row.domain)
    }

    fn json(&self) -> Vec<Value> {
        let one = |row: &DomainCheck| {
            json!({
                "domain": row.domain, "check": row.check_name, "verdict": row.verdict,
                "what": row.detail, "since": print::rfc3339(row.since),
                "seen_at": print::rfc3339(row.seen_at), "holds": self.is_held(row),
            })
        };
        self.checks.iter().map(one).collect()
    }

    /// Those that write to nobody new, and those that soon will.
    fn say(&self, app: &App) {
        let Some(domains) = &app.fleet.domains else {
            print::say("sending domains are not looked at: [doctor] has `enabled = false`");
            return;
        };
        for (domain, because) in &self.failing {
            let what = format!(
                "domain {domain} writes to nobody new: {because}; `warmfront doctor {domain}` shows \
                 what to publish"
            );
            print::paragraph("", &what);
        }
        for row in self.checks.iter().filter(|row| !self.is_held(row)) {
            let at = print::local(&app.fleet.timezone, row.since + domains.grace);
            let what = format!(
                "domain {} fails: {}; unless that is mended it writes to nobody new from {at} on",
                row.domain, row.detail
            );
            print::paragraph("", &what);
        }
    }
}

/// How the books begin to say that a message could not leave.
const SERVER_TROUBLE: &str = "its server cannot be used";

/// Daemons that share one database hold no lock. They say every few seconds that they are there.
fn say_who_runs(daemon: Option<String>, workers: &[Worker], now: Millis) {
    if let Some(owner) = daemon {
        print::say(format!("running: {owner}"));
    } else if workers.is_empty() {
        print::say("no daemon is running; `warmfront run` starts one");
    }
    for worker in workers {
        print::say(format!("running: {}", worker.owner));
        let seen = match worker.seen_at {
            Some(at) => format!("seen {} s ago", (now - at).max(0) / SECOND),
            None => "not seen for a minute".to_owned(),
        };
        if worker.holds.is_empty() {
            print::say(format!("  {seen}, with no mailbox at present"));
        } else {
            let mailboxes = print::counted(worker.holds.len() as u64, "mailbox");
            print::say_list(&format!("  {seen}, with {mailboxes}:"), &worker.holds);
        }
    }
}
