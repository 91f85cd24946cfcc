//! `plan`: a day's plan, saved or as it would be made now, or the weeks to come. Never writes.

use jiff::civil::Date;
use serde_json::{Value, json};
use warmfront_core::calendar;
use warmfront_core::plan::{self, Forecast, Limit, MailboxDay, Plan, Sequence, Shortfall};
use warmfront_core::span::intersection;
use warmfront_engine::{Extent, Roster};
use warmfront_store::SavedPlan;

use crate::app::App;
use crate::cli::Global;
use crate::exit::{Done, Failure};
use crate::print;

pub(crate) async fn plan(global: &Global, date: Option<Date>, days: Option<u32>) -> Done {
    let app = App::open(global).await?;
    let today = app.today();
    let day = date.unwrap_or(today);
    if day < today && !app.store.is_planned(&day.to_string()).await? {
        return Err(Failure::Usage(format!("{day} is past, and no plan of it was saved")));
    }
    match days {
        Some(days) => weeks(&app, days).await,
        None => match app.store.saved_plan(&day.to_string()).await? {
            Some(saved) => tell_saved(&app, day, &saved).await,
            None => tell_plan(&app, day).await,
        },
    }
}

async fn take(app: &App, day: Date, extent: Extent) -> Result<(plan::Snapshot, Roster), Failure> {
    let mut roster = Roster::default();
    roster.refresh(&app.store, &app.fleet.timezone).await?;
    let settings = app.store.settings().await?;
    let settings = settings.unwrap_or_else(|| app.fleet.settings(1));
    let (store, fleet) = (&app.store, &app.fleet);
    let mut snapshot =
        warmfront_engine::snapshot(store, fleet, &roster, &settings, (day, app.now()), extent)
            .await?;
    snapshot.now = app.now().max(calendar::day_span(&fleet.timezone, day).start());
    Ok((snapshot, roster))
}

async fn tell_plan(app: &App, day: Date) -> Done {
    let (snapshot, _) = take(app, day, Extent::Day).await?;
    let plan = plan::plan_day(&snapshot);
    if app.json {
        print::say_json(&plan_json(&plan, &waiting(&snapshot)));
        return Ok(());
    }
    print::say(format!("{day}, as it would be planned now; {}", clocks(app)));
    tell_mailboxes(app, &plan.mailboxes);
    let target: u32 = plan.campaigns.iter().map(|c| c.target).sum();
    print::say(format!("{} planned of {target} wanted", plan.messages.len()));
    let waiting = waiting(&snapshot);
    for (count, limit) in &waiting {
        let are = if *count == 1 { "is" } else { "are" };
        print::say(format!("{count} {are} not due on this day, because of {limit}"));
    }
    let closed: u32 = plan.campaigns.iter().map(|c| c.closed).sum();
    if let Some(closed) = closed.checked_sub(waiting.iter().map(|(count, _)| count).sum())
        && closed > 0
    {
        let are = if closed == 1 { "is" } else { "are" };
        print::say(format!("{closed} {are} not due: no window opens for the rest of this day"));
    }
    if target == 0 && closed == 0 && !plan.campaigns.is_empty() {
        print::say("nothing is due: no window opens on this day, or nobody is left to write to");
    }
    if plan.campaigns.is_empty() {
        print::say("no campaign is running; `warmfront campaign start NAME` starts one");
    }
    tell_shortfalls(plan.shortfalls.iter().map(shortfall_line));
    Ok(())
}

/// The work that an open window does not help: the person had a message lately, or the mailbox that
/// began the thread is asleep meanwhile.
fn waiting(snapshot: &plan::Snapshot) -> Vec<(u32, Limit)> {
    let day = calendar::day_span(&snapshot.zone, snapshot.day);
    let (mut gap, mut asleep) = (0, 0);
    for work in &snapshot.work {
        let open = snapshot.calendars[work.calendar].spans(day);
        let Some(last) = open.last().filter(|last| last.end() > snapshot.now) else { continue };
        let own = work.mailbox.and_then(|mailbox| snapshot.mailboxes[mailbox].calendar);
        let meets = own.is_none_or(|own| {
            let both = intersection(&open, &snapshot.calendars[own].spans(day));
            both.last().is_some_and(|last| last.end() > snapshot.now)
        });
        gap += u32::from(work.person_free_at >= last.end());
        asleep += u32::from(work.person_free_at < last.end() && !meets);
    }
    let waiting = [(gap, Limit::PersonGap), (asleep, Limit::WindowClosed)];
    waiting.into_iter().filter(|(count, _)| *count > 0).collect()
}

fn shortfall_line(short: &Shortfall) -> (String, u32, String, String) {
    (short.campaign.clone(), short.count, short.why.to_string(), short.cure.clone())
}

fn tell_shortfalls(shortfalls: impl Iterator<Item = (String, u32, String, String)>) {
    for (campaign, count, why, cure) in shortfalls {
        let short = format!("{campaign}: {count} short, because of {why}: {cure}");
        print::paragraph("", &short);
    }
}

fn tell_mailboxes(app: &App, mailboxes: &[MailboxDay]) {
    let zone = &app.fleet.timezone;
    let clock = |at: Option<i64>| at.map_or("–".to_owned(), |at| print::clock(zone, at));
    let rows = mailboxes.iter().map(|m| {
        vec![
            m.address.clone(),
            m.warm_days.to_string(),
            m.allowance.to_string(),
            m.allotted.to_string(),
            clock(m.first_at),
            clock(m.last_at),
        ]
    });
    let header = ["mailbox", "warm day", "allowance", "allotted", "first", "last"];
    print::say(print::table(&header, &[1, 2, 3], rows.collect()));
}

fn clocks(app: &App) -> String {
    format!("times in {}", app.fleet.timezone_name)
}

fn plan_json(plan: &Plan, waiting: &[(u32, Limit)]) -> Value {
    json!({
        "day": plan.day.to_string(),
        "saved": false,
        "mailboxes": plan.mailboxes.iter().map(mailbox_json).collect::<Vec<_>>(),
        "planned": plan.messages.len(),
        "waiting": waiting.iter().map(|(count, why)| json!({
            "count": count, "why": why.word(),
        })).collect::<Vec<_>>(),
        "shortfall": plan.shortfalls.iter().map(|s| json!({
            "campaign": s.campaign, "count": s.count, "why": s.why.word(), "cure": s.cure,
        })).collect::<Vec<_>>(),
        "campaigns": plan.campaigns.iter().map(|c| json!({
            "name": c.slug,
            "planned": c.planned,
            "shortfall": c.target - c.planned,
        })).collect::<Vec<_>>(),
    })
}

fn mailbox_json(mailbox: &MailboxDay) -> Value {
    json!({
        "address": mailbox.address,
        "warm_day": mailbox.warm_days,
        "allowance": mailbox.allowance,
        "allotted": mailbox.allotted,
        "first_at": mailbox.first_at.map(print::rfc3339),
        "last_at": mailbox.last_at.map(print::rfc3339),
    })
}

async fn tell_saved(app: &App, day: Date, saved: &SavedPlan) -> Done {
    let rows = app.store.mailboxes().await?;
    let campaigns = app.store.campaigns().await?;
    let slug = |id: i64| {
        campaigns.iter().find(|c| c.id == id).map_or_else(String::new, |c| c.slug.clone())
    };
    let mailboxes = saved.mailboxes.iter().map(|day| {
        let row = rows.iter().find(|row| row.id == day.mailbox_id);
        MailboxDay {
            id: warmfront_core::id::MailboxId(day.mailbox_id),
            address: row.map_or_else(String::new, |row| row.address.clone()),
            warm_days: day.warm_days,
            allowance: day.allowance,
            ceiling: day.ceiling,
            allotted: day.allotted,
            first_at: day.first_at,
            last_at: day.last_at,
        }
    });
    let mailboxes: Vec<MailboxDay> = mailboxes.collect();
    let planned: u32 = saved.campaigns.iter().map(|(_, planned)| planned).sum();
    if app.json {
        let short = |id: i64| -> u32 {
            saved.shortfalls.iter().filter(|(c, ..)| *c == id).map(|(_, _, n, _)| n).sum()
        };
        print::say_json(&json!({
            "day": day.to_string(),
            "saved": true,
            "revisions": saved.revisions,
            "mailboxes": mailboxes.iter().map(mailbox_json).collect::<Vec<_>>(),
            "planned": planned,
            "shortfall": saved.shortfalls.iter().map(|(id, why, count, cure)| json!({
                "campaign": slug(*id), "count": count, "why": why, "cure": cure,
            })).collect::<Vec<_>>(),
            "campaigns": saved.campaigns.iter().map(|(id, planned)| json!({
                "name": slug(*id), "planned": planned, "shortfall": short(*id),
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    print::say(format!(
        "{day}, as planned{}; {}",
        match saved.revisions {
            1 => String::new(),
            n => format!(" and revised {}", print::counted(u64::from(n - 1), "time")),
        },
        clocks(app),
    ));
    tell_mailboxes(app, &mailboxes);
    print::say(format!("{planned} planned"));
    tell_shortfalls(
        saved
            .shortfalls
            .iter()
            .map(|(id, why, n, cure)| (slug(*id), *n, sentence(why), cure.clone())),
    );
    Ok(())
}

/// What the word of a limit stands for.
fn sentence(word: &str) -> String {
    Limit::of_word(word).map_or_else(|| word.to_owned(), |limit| limit.to_string())
}

async fn weeks(app: &App, days: u32) -> Done {
    let (snapshot, roster) = take(app, app.today(), Extent::All).await?;
    let sequences: Vec<Sequence> = roster
        .by_slug()
        .iter()
        .map(|campaign| Sequence { waits: campaign.waits.clone() })
        .collect();
    let forecast = plan::forecast(snapshot, &sequences, days);
    if app.json {
        print::say_json(&forecast_json(&forecast));
        return Ok(());
    }
    if forecast.days.is_empty() {
        print::say(if roster.by_slug().is_empty() {
            "no campaign is running; `warmfront campaign start NAME` starts one"
        } else {
            "nobody is left to write to"
        });
        return Ok(());
    }
    let rows = forecast.days.iter().map(|day| {
        let allowance: u32 = day.mailboxes.iter().map(|m| m.allowance).sum();
        vec![
            day.day.strftime("%a %Y-%m-%d").to_string(),
            allowance.to_string(),
            day.new.to_string(),
            day.follow_ups.to_string(),
            day.shortfall.to_string(),
            day.binding.map_or_else(String::new, |limit| limit.to_string()),
        ]
    });
    let header = ["day", "allowance", "new", "follow-ups", "short", "because of"];
    print::say(print::table(&header, &[1, 2, 3, 4], rows.collect()));
    print::say("as if every message were accepted, every inbox read, and nobody answered");
    match forecast.finished_on {
        Some(day) => print::say(format!("the last message leaves on {day}")),
        None => print::say(format!("not finished within {}", print::counted(days.into(), "day"))),
    }
    match forecast.first_limit {
        Some((day, limit)) => print::say(format!("first limit that binds: {limit}, on {day}")),
        None => print::say("no limit binds"),
    }
    Ok(())
}

fn forecast_json(forecast: &Forecast) -> Value {
    json!({
        "days": forecast.days.iter().map(|day| json!({
            "day": day.day.to_string(),
            "new": day.new,
            "follow_ups": day.follow_ups,
            "planned": day.new + day.follow_ups,
            "shortfall": day.shortfall,
            "why": day.binding.map(Limit::word),
            "mailboxes": day.mailboxes.iter().map(mailbox_json).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "finished_on": forecast.finished_on.map(|day| day.to_string()),
        "first_limit": forecast.first_limit.map(|(day, limit)| json!({
            "day": day.to_string(), "why": limit.word(),
        })),
    })
}
