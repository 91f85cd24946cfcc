//! `report`: the funnel by campaign, step, variant and mailbox. Only what people wrote is a reply.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use warmfront_core::interval::wilson;
use warmfront_store::{Answered, Blamed, Funnel, FunnelRow, People, UnknownAnswer};

use crate::app::App;
use crate::cli::Global;
use crate::exit::Done;
use crate::print;

pub(crate) async fn report(global: &Global, campaign: Option<&str>, since: Option<Date>) -> Done {
    let app = App::open_anyway(global).await?;
    let slug = match campaign {
        Some(name) => Some(app.campaign(name).await?.slug),
        None => None,
    };
    let since = since.map(|day| day.to_string());
    let funnel = app.store.funnel(slug.as_deref(), since.as_deref()).await?;
    let unknown = app.store.unknown_answers().await?;
    let blamed = app.store.blamed(slug.as_deref()).await?;
    if app.json {
        let mut told = as_json(&funnel, since.as_deref());
        told["unknown_answers"] = unknown.iter().map(unknown_json).collect();
        told["held"] = blamed.iter().map(blamed_json).collect();
        print::say_json(&told);
    } else {
        tell(&funnel, since.as_deref());
        tell_unknown(&unknown);
        tell_blamed(&blamed, &app.fleet.timezone);
    }
    Ok(())
}

/// What a row is counted by.
type By = fn(&FunnelRow) -> String;

const BY: [(&str, By); 3] = [
    ("step", |row| row.step.to_string()),
    ("variant", |row| format!("{} {}", row.step, row.variant.as_deref().unwrap_or("(untried)"))),
    ("mailbox", |row| row.mailbox.clone()),
];

/// Rows of one campaign, added up by name.
fn added<'a>(
    rows: impl Iterator<Item = &'a FunnelRow>,
    name: impl Fn(&FunnelRow) -> String,
) -> BTreeMap<String, FunnelRow> {
    let mut sums: BTreeMap<String, FunnelRow> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(name(row)).or_default();
        sum.planned += row.planned;
        sum.accepted += row.accepted;
        sum.bounced += row.bounced;
        sum.rejected += row.rejected;
        sum.in_doubt += row.in_doubt;
        sum.replied += row.replied;
        sum.auto_replied += row.auto_replied;
        sum.unsubscribed += row.unsubscribed;
        sum.complained += row.complained;
    }
    sums
}

fn of<'a>(funnel: &'a Funnel, campaign: &'a str) -> impl Iterator<Item = &'a FunnelRow> {
    funnel.rows.iter().filter(move |row| row.campaign == campaign)
}

/// All messages of a campaign, added up.
fn total(funnel: &Funnel, campaign: &str) -> FunnelRow {
    added(of(funnel, campaign), |_| String::new()).into_values().next().unwrap_or_default()
}

fn campaigns(funnel: &Funnel) -> Vec<(String, People)> {
    let mut names: Vec<&String> = funnel.rows.iter().map(|row| &row.campaign).collect();
    names.dedup();
    let people = |name: &String| funnel.people.iter().find(|people| people.campaign == *name);
    names
        .into_iter()
        .map(|name| (name.clone(), people(name).cloned().unwrap_or_default()))
        .collect()
}

fn tell(funnel: &Funnel, since: Option<&str>) {
    let since = since.map_or(String::new(), |day| format!(" since {day}"));
    if funnel.rows.is_empty() {
        print::say(format!("no message was planned or sent{since}"));
        return;
    }
    for (campaign, people) in campaigns(funnel) {
        let written = match people.written_to {
            1 => "1 person".to_owned(),
            n => format!("{n} people"),
        };
        let replied = rate(people.replied, people.written_to);
        let all = total(funnel, &campaign);
        let machines = match all.auto_replied {
            0 => String::new(),
            n => format!("; {} answered by a machine", print::counted(n.into(), "message")),
        };
        let people = format!("{written} written to, {} replied{replied}", people.replied);
        print::paragraph("", &format!("{campaign}{since}: {people}{machines}"));
        for (what, by) in BY {
            let rows = added(of(funnel, &campaign), by).into_iter();
            let mut rows: Vec<_> = rows.map(|(name, sum)| cells(&name, &sum)).collect();
            if what == "step" {
                rows.push(cells("all", &all));
            }
            let header =
                [what, "plan", "acc", "bnc", "rej", "dbt", "reply", "%", "95 %", "out", "spam"];
            print::say(print::table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rows));
        }
    }
    print::paragraph("", LEGEND);
    tell_answers(&funnel.answers);
}

const LEGEND: &str = "plan: still to leave; acc: accepted by a server; bnc: of them bounced; rej: \
    rejected; dbt: in doubt; reply: answered by a person, in % of acc, and where the true rate lies \
    in 95 of 100 cases (Wilson); out: unsubscribed; spam: complained. What machines answer is no \
    reply.";

fn cells(name: &str, sum: &FunnelRow) -> Vec<String> {
    let percent = |part: f64| format!("{:.1}", part * 100.0);
    let accepted = u64::from(sum.accepted);
    let interval = wilson(u64::from(sum.replied), accepted);
    let rate = (accepted > 0).then(|| f64::from(sum.replied) / f64::from(sum.accepted));
    vec![
        name.to_owned(),
        sum.planned.to_string(),
        sum.accepted.to_string(),
        sum.bounced.to_string(),
        sum.rejected.to_string(),
        sum.in_doubt.to_string(),
        sum.replied.to_string(),
        rate.map_or("–".to_owned(), percent),
        interval.map_or("–".to_owned(), |i| format!("{}–{}", percent(i.low), percent(i.high))),
        sum.unsubscribed.to_string(),
        sum.complained.to_string(),
    ]
}

/// A rate with its interval, behind a count.
fn rate(hits: u32, of: u32) -> String {
    wilson(u64::from(hits), u64::from(of)).map_or(String::new(), |interval| {
        let rate = f64::from(hits) / f64::from(of);
        let [rate, low, high] = [rate, interval.low, interval.high].map(|part| part * 100.0);
        format!(": {rate:.1} % ({low:.1}–{high:.1} %)")
    })
}

fn tell_answers(answers: &[Answered]) {
    if answers.is_empty() {
        return;
    }
    print::say("answers that took nothing, as they stand beside messages now:");
    let row = |answer: &Answered| {
        vec![
            answer.count.to_string(),
            answer.smtp_code.to_string(),
            answer.enhanced_status.clone().unwrap_or_default(),
            answer.verdict.as_deref().unwrap_or("–").replace('_', " "),
            answer.state.clone(),
        ]
    };
    let header = ["count", "code", "status", "concerns", "messages are"];
    print::say(print::table(&header, &[0], answers.iter().map(row).collect()));
}

fn tell_unknown(answers: &[UnknownAnswer]) {
    if answers.is_empty() {
        return;
    }
    print::say("answers that no rule knew, and so nobody was suppressed for:");
    let row = |answer: &UnknownAnswer| {
        let text: String = answer.text.chars().take(TEXT_WIDTH).collect();
        let said = format!("{} {text}", answer.code);
        vec![answer.times.to_string(), answer.mailbox.clone(), answer.phase.clone(), said]
    };
    let header = ["count", "mailbox", "phase", "the first of them"];
    print::say(print::table(&header, &[0], answers.iter().map(row).collect()));
    print::paragraph(
        "",
        "`warmfront classify smtp --phase P \"…\"` explains what was done about one.",
    );
}

/// So much of an answer is shown; JSON has more.
const TEXT_WIDTH: usize = 80;

fn unknown_json(answer: &UnknownAnswer) -> Value {
    json!({
        "mailbox": answer.mailbox, "phase": answer.phase, "code": answer.code,
        "enhanced_status": (!answer.enhanced.is_empty()).then_some(&answer.enhanced),
        "text": answer.text, "count": answer.times,
        "first_at": print::rfc3339(answer.first_at), "last_at": print::rfc3339(answer.last_at),
    })
}

fn tell_blamed(blamed: &[Blamed], zone: &TimeZone) {
    if blamed.is_empty() {
        return;
    }
    print::say("held for a report of failure that names no message of ours:");
    let row = |one: &Blamed| {
        vec![one.address.clone(), one.campaign.clone(), print::local(zone, one.since)]
    };
    print::say(print::table(
        &["address", "campaign", "since"],
        &[],
        blamed.iter().map(row).collect(),
    ));
    print::paragraph("", "`warmfront person release ADDRESS` has one go on, `stop` takes one out.");
}

fn blamed_json(blamed: &Blamed) -> Value {
    let since = print::rfc3339(blamed.since);
    json!({ "address": blamed.address, "campaign": blamed.campaign, "since": since })
}

fn as_json(funnel: &Funnel, since: Option<&str>) -> Value {
    let campaigns: Vec<Value> = campaigns(funnel)
        .iter()
        .map(|(campaign, people)| {
            let mut told = json!({
                "campaign": campaign,
                "people": figures(people.written_to, people.replied, json!({
                    "written_to": people.written_to,
                    "replied": people.replied,
                    "unsubscribed": people.unsubscribed,
                    "complained": people.complained,
                })),
                "messages": row_json("campaign", campaign, &total(funnel, campaign)),
            });
            for (what, by) in BY {
                let sums = added(of(funnel, campaign), by).into_iter();
                let rows: Vec<Value> =
                    sums.map(|(name, sum)| row_json(what, &name, &sum)).collect();
                told[format!("by_{what}")] = json!(rows);
            }
            told
        })
        .collect();
    json!({
        "since": since,
        "campaigns": campaigns,
        "answers": funnel.answers.iter().map(|answer| json!({
            "code": answer.smtp_code, "enhanced_status": answer.enhanced_status,
            "verdict": answer.verdict, "state": answer.state, "count": answer.count,
        })).collect::<Vec<_>>(),
    })
}

fn row_json(what: &str, name: &str, sum: &FunnelRow) -> Value {
    let told = json!({
        what: name,
        "planned": sum.planned,
        "accepted": sum.accepted,
        "bounced": sum.bounced,
        "rejected": sum.rejected,
        "in_doubt": sum.in_doubt,
        "replied": sum.replied,
        "auto_replied": sum.auto_replied,
        "unsubscribed": sum.unsubscribed,
        "complained": sum.complained,
    });
    figures(sum.accepted, sum.replied, told)
}

/// Adds the rate of replies and its interval, in parts of one.
fn figures(of: u32, replied: u32, mut told: Value) -> Value {
    let interval = wilson(u64::from(replied), u64::from(of));
    told["reply_rate"] = json!((of > 0).then(|| f64::from(replied) / f64::from(of)));
    told["reply_rate_low"] = json!(interval.map(|interval| interval.low));
    told["reply_rate_high"] = json!(interval.map(|interval| interval.high));
    told
}
