//! `why`: names the binding reason for every send and non-send, with its numbers and when it
//! clears.

mod json;
mod reason;
mod tell;

use anyhow::anyhow;
use jiff::civil::Date;
use warmfront_core::calendar;
use warmfront_core::problem;
use warmfront_core::reason::Turn;
use warmfront_core::span::{DAY, Span, intersection};
use warmfront_engine::Campaign;
use warmfront_store::EnrolmentTrail;

use crate::app::{self, App};
use crate::cli::Global;
use crate::exit::{Done, Failure};
use crate::print;

pub(crate) async fn why(global: &Global, subject: &str) -> Done {
    let app = App::open_anyway(global).await?;
    let day = app.today();
    let today = calendar::day_span(&app.fleet.timezone, day);
    let mut trails = app.store.trails(subject, &day.to_string(), today).await?;
    if trails.is_empty() {
        return Err(unknown(&app, subject).await?);
    }
    for trail in trails.of_people() {
        open_hours(&app, trail).await?;
    }
    let running = who_runs(&app).await?;
    let outdated = app.outdated().await?;
    if outdated.is_some() {
        trails.of_outdated_books();
    }
    if app.json {
        let mut told = json::trails(&app, subject, &trails, running.as_deref());
        told["outdated"] = outdated.into();
        print::say_json(&told);
    } else {
        app::say_outdated(outdated.as_deref());
        tell::trails(&app, &trails, running.as_deref());
    }
    Ok(())
}

async fn unknown(app: &App, subject: &str) -> Result<Failure, Failure> {
    let campaigns = app.store.campaigns().await?.into_iter().map(|row| row.slug);
    let mailboxes = app.store.mailboxes().await?.into_iter().map(|row| row.address);
    let known: Vec<String> = campaigns.chain(mailboxes).collect();
    let hint = match problem::nearest(subject, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`warmfront ledger`, `mailbox list` and `campaign list` name them; a row that was \
                 rejected is in `rejected.csv` beside its list"
            .to_owned(),
    };
    Ok(Failure::failed(anyhow!(
        "the books know no person, message, mailbox or campaign `{subject}`; {hint}"
    )))
}

/// Fills in when the person may be written to: the campaign's hours as seen from there, and those
/// of the thread's mailbox where the configuration gives it some.
async fn open_hours(app: &App, trail: &mut EnrolmentTrail) -> Result<(), Failure> {
    let Some(turn) = &mut trail.turn else { return Ok(()) };
    let zone = &app.fleet.timezone;
    let campaign = Campaign::load(&app.store, trail.campaign.clone(), zone).await?;
    let hours = campaign.calendar(&trail.zone);
    let days = LOOKS_AHEAD * DAY;
    let from = turn.today.start();
    let Some(within) = Span::new(from, turn.today.end() + days) else { return Ok(()) };
    turn.open = hours.spans(within);
    let mailbox = trail.mailbox.as_deref().and_then(|address| app.fleet.mailboxes.get(address));
    if let Some((mailbox, windows)) = mailbox.and_then(|m| Some((m, m.window.as_ref()?))) {
        let none = std::collections::BTreeSet::new();
        let own = calendar::open_spans(windows, &mailbox.timezone, &none, within);
        turn.open = intersection(&turn.open, &own);
    }
    let day: Date = calendar::day_of(hours.zone(), app.now());
    turn.is_holiday = hours.holidays.contains(&day);
    Ok(())
}

/// Whose turn it is, with its reasons.
fn reasons_of_turn(app: &App, mailbox: Option<&str>, turn: &Turn) -> Vec<reason::Reason> {
    let all = warmfront_core::reason::unplanned(turn, app.now());
    let told = |one| reason::Reason::of_unplanned(one).where_read(app, mailbox);
    all.iter().map(told).collect()
}

/// The daemon that works on these books, or those that do.
async fn who_runs(app: &App) -> Result<Option<String>, Failure> {
    if let Some(owner) = app.store.daemon()? {
        return Ok(Some(owner));
    }
    let workers = app.store.workers(app.now()).await?;
    let owners: Vec<String> = workers.into_iter().map(|worker| worker.owner).collect();
    Ok((!owners.is_empty()).then(|| owners.join(", ")))
}

/// Days looked ahead for open hours.
const LOOKS_AHEAD: i64 = 14;
