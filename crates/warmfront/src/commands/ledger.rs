//! `ledger`: one line for each message.

use serde_json::json;
use warmfront_core::calendar;
use warmfront_core::reason::{self, Books, Facts, Hold};
use warmfront_store::LedgerLine;

use crate::app::App;
use crate::cli::Global;
use crate::exit::Done;
use crate::print;

pub(crate) async fn ledger(global: &Global, campaign: Option<&str>) -> Done {
    let app = App::open_anyway(global).await?;
    let slug = match campaign {
        Some(name) => Some(app.campaign(name).await?.slug),
        None => None,
    };
    let books = if app.outdated().await?.is_some() { Books::Outdated } else { Books::Current };
    let mut after = 0;
    loop {
        let page = app.store.ledger(slug.as_deref(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for line in &page {
            let why = why(&app, books, line).await?;
            if app.json {
                print::say_json(&as_json(line, why.as_deref()));
            } else {
                tell(&app, line, why.as_deref());
            }
        }
    }
}

/// Addresses are long and no column holds them: a line a message, its reason below.
fn tell(app: &App, line: &LedgerLine, why: Option<&str>) {
    let due = print::local(&app.fleet.timezone, line.due_at);
    let (step, state, mailbox) = (line.step, &line.state, &line.mailbox);
    let rcpt = line.rcpt.as_deref().unwrap_or("(erased)");
    print::say(format!("{due}  {state:<9} step {step}  {mailbox} -> {rcpt}"));
    if let Some(why) = why {
        print::say(format!("    {why}"));
    }
}

/// The reason in the books, else the one that binds now.
async fn why(
    app: &App,
    books: Books,
    line: &LedgerLine,
) -> Result<Option<String>, crate::exit::Failure> {
    if line.state != "planned" || line.why.is_some() {
        return Ok(line.why.clone());
    }
    let day = app.today();
    let today = calendar::day_span(&app.fleet.timezone, day);
    let facts = app.store.facts(line.id, &day.to_string(), today).await?;
    let hold = facts.and_then(|facts| reason::binding(&Facts { books, ..facts }, app.now()));
    // What is due and held by nobody is taken up within seconds, if a daemon runs at all.
    Ok(hold.filter(|hold| *hold != Hold::Unleased).map(|hold| hold.to_string()))
}

fn as_json(line: &LedgerLine, why: Option<&str>) -> serde_json::Value {
    json!({
        "campaign": line.campaign,
        "rcpt": line.rcpt,
        "step": line.step,
        "mailbox": line.mailbox,
        "state": line.state,
        "message_id": line.message_id,
        "attempts": line.attempts,
        "due_at": print::rfc3339(line.due_at),
        "settled_at": line.settled_at.map(print::rfc3339),
        "why": why,
    })
}

/// Lines read and printed at once.
const PAGE: u32 = 1_000;
