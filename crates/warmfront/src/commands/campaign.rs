//! `campaign import|start|pause|list|status`.

use std::path::Path;

use serde_json::json;
use warmfront_campaigns::folder::{self, Terms};
use warmfront_core::address::Address;
use warmfront_core::problem::{Problem, Severity};
use warmfront_engine::import::{self, Outcome, Request};
use warmfront_store::CampaignStatus;

use crate::app::{App, placed};
use crate::cli::{Campaign, Global};
use crate::exit::{Done, Failure, code_of};
use crate::print;

pub(crate) async fn campaign(global: &Global, command: Campaign) -> Done {
    let app = match &command {
        Campaign::Import { .. } | Campaign::Start { .. } => App::open(global).await?,
        Campaign::Pause { .. } | Campaign::List | Campaign::Status { .. } => {
            App::open_anyway(global).await?
        }
    };
    match command {
        Campaign::Import { dir, dry_run, update, encoding } => {
            import_folder(&app, &dir, dry_run, update, encoding.as_deref()).await
        }
        Campaign::Start { campaign } => start(&app, &campaign).await,
        Campaign::Pause { campaign, because } => {
            let row = app.campaign(&campaign).await?;
            if row.state != "running" {
                return Err(Failure::Usage(format!("{} is {}", row.slug, row.state)));
            }
            app.store.pause_campaign(row.id, &because, app.now()).await?;
            told(&app, &row.slug, "paused")
        }
        Campaign::List => list(&app).await,
        Campaign::Status { campaign } => {
            let row = app.campaign(&campaign).await?;
            status(&app, &app.store.campaign_status(row).await?)
        }
    }
}

async fn import_folder(
    app: &App,
    dir: &Path,
    dry_run: bool,
    update: bool,
    encoding: Option<&str>,
) -> Done {
    let sender = app.sender()?;
    let terms = Terms { sender: &sender, person_gap: app.config.limits.person_gap, encoding };
    let (campaign, problems) = folder::load(dir, &terms);
    let problems: Vec<Problem> = problems.iter().map(|problem| placed(dir, problem)).collect();
    let Some(campaign) = campaign else {
        return refuse_import(app, dry_run, problems);
    };
    problems.iter().filter(|p| p.severity == Severity::Warning).for_each(print::note);
    let manifest = &campaign.manifest;
    if let Some(what) = app.fleet.leaves_out(&manifest.mailboxes, manifest.opt_in) {
        print::problem(format!("{}: {what}", campaign.slug));
    }
    let request = Request { campaign: &campaign, encoding, update, rehearse: dry_run };
    match import::import(&app.store, request, app.now()).await {
        Ok(outcome) => {
            tell_import(app, &request, &outcome);
            let row = app.store.campaign(&campaign.slug).await?;
            if !app.json && !dry_run && row.is_some_and(|row| row.state != "running") {
                print::say(format!("next: warmfront campaign start {}", campaign.slug));
            }
            Ok(())
        }
        Err(import::ImportError::List(problems)) => {
            let problems = problems.iter().map(|problem| placed(dir, problem)).collect();
            refuse_import(app, dry_run, problems)
        }
        Err(error) => Err(error.into()),
    }
}

/// A folder that cannot be trusted as a whole imports nothing.
fn refuse_import(app: &App, dry_run: bool, problems: Vec<Problem>) -> Done {
    if !app.json {
        return Err(Failure::Problems(problems));
    }
    let code = code_of(&problems);
    let errors: Vec<String> = problems
        .iter()
        .filter(|p| p.severity != Severity::Warning)
        .map(ToString::to_string)
        .collect();
    let rejected: Vec<_> = problems
        .iter()
        .map(|p| json!({ "line": p.line, "reason": format!("{}: {}", p.file, p.what) }))
        .collect();
    print::say_json(&json!({
        "rows": 0, "accepted": 0, "rejected": rejected, "duplicates": 0, "updated": 0,
        "texts_changed": 0, "texts_withdrawn": 0, "suppressed": 0, "blocked": 0,
        "blocked_because": [], "outcome": "reject", "dry_run": dry_run, "rejected_file": null,
        "ok": false, "errors": errors, "exit": code,
    }));
    problems.iter().for_each(print::note);
    Err(Failure::Said(code))
}

fn tell_import(app: &App, request: &Request<'_>, outcome: &Outcome) {
    let Request { campaign, update, rehearse: dry_run, .. } = *request;
    let summary = &outcome.imported.summary;
    let slug = &campaign.slug;
    let texts = outcome.imported.taken_over.unwrap_or_default();
    let warnings = outcome.report.warnings.iter().map(|warning| placed(&campaign.dir, warning));
    warnings.for_each(print::note);
    if app.json {
        print::say_json(&import_json(request, outcome));
        return;
    }
    for row in outcome.rejected.iter().take(SHOWN_MAX) {
        let list = campaign.prospects();
        print::note(format!("{}:{}: rejected: {}", list.display(), row.line, row.reason));
    }
    let verb = if dry_run { "would be imported" } else { "imported" };
    print::say(format!(
        "{slug}: {} of {} {verb}, {} rejected, {} known already",
        summary.accepted,
        print::counted(summary.rows, "row"),
        summary.rejected,
        summary.duplicates,
    ));
    if outcome.imported.taken_over.is_some() {
        let verb = if dry_run { "would be taken over" } else { "taken over" };
        let people = if summary.updated == 1 { "person" } else { "people" };
        print::say(format!(
            "{verb}: {} changed, {} withdrawn, {} {people} with new values",
            print::counted(texts.changed, "text"),
            texts.withdrawn,
            summary.updated,
        ));
    }
    if summary.suppressed > 0 {
        print::say(format!(
            "{} of them on the suppression list: never written to",
            summary.suppressed
        ));
    }
    tell_blocked(summary.blocked, &outcome.imported.blocked);
    tell_changes(&outcome.changed, update, dry_run);
    if outcome.imported.kept_old_steps {
        print::say(
            "the steps differ from those in the books, which were kept; `--update` takes them over",
        );
    }
    let (list, folder) = (campaign.prospects(), campaign.dir.display());
    let left = campaign.dir.join("rejected.csv");
    match &outcome.rejected_file {
        Some(file) => print::say(format!(
            "keep a copy of your list, mend {}, move it over {} and import {folder} again",
            file.display(),
            list.display()
        )),
        None if !dry_run && left.exists() => print::say(format!(
            "{} is of an earlier import; nothing of this list was rejected",
            left.display()
        )),
        None => {}
    }
}

fn import_json(request: &Request<'_>, outcome: &Outcome) -> serde_json::Value {
    let summary = &outcome.imported.summary;
    let texts = outcome.imported.taken_over.unwrap_or_default();
    json!({
        "campaign": request.campaign.slug,
        "rows": summary.rows,
        "accepted": summary.accepted,
        "rejected": outcome.rejected,
        "duplicates": summary.duplicates,
        "updated": summary.updated,
        "texts_changed": texts.changed,
        "texts_withdrawn": texts.withdrawn,
        "suppressed": summary.suppressed,
        "blocked": summary.blocked,
        "blocked_because": outcome.imported.blocked,
        "changed": outcome.changed,
        "changes_taken_over": request.update,
        "outcome": if summary.rejected > 0 { "partial" } else { "accept" },
        "dry_run": request.rehearse,
        "rejected_file": outcome.rejected_file,
    })
}

/// What the folder says otherwise than the books, and which of them holds now.
fn tell_changes(changed: &[&str], update: bool, dry_run: bool) {
    if changed.is_empty() {
        return;
    }
    let (keys, many) = (changed.join("`, `"), changed.len() > 1);
    print::say(match (update, dry_run) {
        (true, false) => format!("taken over: `{keys}`"),
        (true, true) => format!("would be taken over: `{keys}`"),
        (false, _) => {
            let differ = if many { "differ" } else { "differs" };
            format!("`{keys}` {differ} from the books, which were kept; `--update` takes them over")
        }
    });
}

/// Those who are in the books and cannot be written to, with the reasons of the first.
fn tell_blocked(blocked: u64, because: &[String]) {
    if blocked == 0 {
        return;
    }
    print::say(format!(
        "{blocked} of them blocked; mend the list or the step and import with `--update`:"
    ));
    for because in because.iter().take(BLOCKED_SHOWN_MAX) {
        print::say(format!("  {because}"));
    }
    if blocked > BLOCKED_SHOWN_MAX as u64 {
        print::say("  … `warmfront check` tells more of them");
    }
}

async fn start(app: &App, slug: &str) -> Done {
    let row = app.campaign(slug).await?;
    if row.state == "running" {
        return Err(Failure::Usage(format!("{} is running already", row.slug)));
    }
    let (id, name) = (row.id, row.slug.clone());
    let loaded =
        warmfront_engine::Campaign::load(&app.store, row.clone(), &app.fleet.timezone).await?;
    if app.fleet.matching(&loaded.mailboxes, loaded.opt_in).next().is_none() {
        let again = "import the folder again with `--update`";
        return Err(match app.fleet.wants_opt_in(&loaded.mailboxes) {
            Some(why) => Failure::Refused(format!("{name}: {why}, and {again}")),
            None => Failure::Usage(format!(
                "no mailbox of warmfront.toml matches the `mailboxes` of {name}; mend either, and \
                 {again}"
            )),
        });
    }
    let mut warnings: Vec<String> =
        app.fleet.leaves_out(&loaded.mailboxes, loaded.opt_in).into_iter().collect();
    warnings.extend(unread(app, &loaded));
    warnings.iter().for_each(print::problem);
    app.store.start_campaign(id, app.now()).await?;
    if app.json {
        let slug = &row.slug;
        print::say_json(&json!({ "campaign": slug, "state": "running", "warnings": warnings }));
        return Ok(());
    }
    told(app, &row.slug, "running")
}

/// Which of its mailboxes send and are not read, before anybody waits for an answer.
fn unread(app: &App, campaign: &warmfront_engine::Campaign) -> Vec<String> {
    let carriers: Vec<&Address> =
        app.fleet.matching(&campaign.mailboxes, campaign.opt_in).map(|one| &one.address).collect();
    let told = |(because, unread): (&str, Vec<&Address>)| {
        let mut unread = unread.into_iter().filter(|address| carriers.contains(address));
        let first = unread.next()?;
        let others = match unread.count() as u64 {
            0 => String::new(),
            others => format!(" and {}", print::counted(others, "other mailbox")),
        };
        Some(format!(
            "nobody reads the inbox of {first}{others}: {because}; replies and bounces go unseen, \
             and their follow-ups wait"
        ))
    };
    app.config.unread().into_iter().filter_map(told).collect()
}

fn told(app: &App, slug: &str, state: &str) -> Done {
    if app.json {
        print::say_json(&json!({ "campaign": slug, "state": state }));
    } else {
        print::say(format!("{slug} is {state}"));
    }
    Ok(())
}

async fn list(app: &App) -> Done {
    let mut lines = Vec::new();
    for row in app.store.campaigns().await? {
        let status = app.store.campaign_status(row).await?;
        if app.json {
            print::say_json(&as_json(&status));
            continue;
        }
        let figure = |state: &str| status.enrolments.get(state).copied().unwrap_or(0).to_string();
        let people: u64 = status.enrolments.values().sum();
        let accepted: u64 = status.accepted_by_step.values().sum();
        lines.push(vec![
            status.row.slug.clone(),
            status.row.state.clone(),
            status.row.daily_target.to_string(),
            people.to_string(),
            figure("active"),
            accepted.to_string(),
            figure("replied"),
        ]);
    }
    if !app.json {
        let header = ["campaign", "state", "a day", "people", "active", "accepted", "replied"];
        print::say(print::table(&header, &[2, 3, 4, 5, 6], lines));
    }
    Ok(())
}

fn as_json(status: &CampaignStatus) -> serde_json::Value {
    json!({
        "campaign": status.row.slug,
        "name": status.row.name,
        "state": status.row.state,
        "why": status.row.paused_because,
        "daily_target": status.row.daily_target,
        "enrolments": status.enrolments,
        "messages": status.messages,
        "accepted_by_step": status.accepted_by_step,
    })
}

fn status(app: &App, status: &CampaignStatus) -> Done {
    if app.json {
        print::say_json(&as_json(status));
        return Ok(());
    }
    let row = &status.row;
    print::say(format!("{} ({}) is {}", row.slug, row.name, row.state));
    if let Some(because) = &row.paused_because {
        print::say(format!("paused: {because}"));
    }
    print::say(format!("up to {} messages a day, follow-ups included", row.daily_target));
    let people = ("person", "people", &status.enrolments);
    for (one, many, counts) in [people, ("message", "messages", &status.messages)] {
        let all: u64 = counts.values().sum();
        let parts: Vec<String> = counts.iter().map(|(s, n)| format!("{n} {s}")).collect();
        match all {
            0 => print::say(format!("no {many} yet")),
            1 => print::say(format!("1 {one}: {}", parts.join(", "))),
            _ => print::say(format!("{all} {many}: {}", parts.join(", "))),
        }
    }
    for (step, accepted) in &status.accepted_by_step {
        print::say(format!("step {step}: {accepted} accepted"));
    }
    Ok(())
}

/// Blocked people told one by one; a list without a column blocks everybody for one reason.
const BLOCKED_SHOWN_MAX: usize = 5;

/// Rejected rows told one by one; all of them are in rejected.csv.
const SHOWN_MAX: usize = 20;
