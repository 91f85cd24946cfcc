//! The answer for scripts.

use serde_json::{Value, json};
use warmfront_core::reason::Hold;
use warmfront_store::{CampaignTrail, EnrolmentTrail, MailboxTrail, MessageTrail, Trails};

use super::reason::Reason;
use super::reasons_of_turn;
use super::tell::{bound, campaign_reasons, reasons_of_mailbox, reasons_of_message};
use crate::app::App;
use crate::print;

pub(super) fn trails(app: &App, subject: &str, trails: &Trails, running: Option<&str>) -> Value {
    let message = trails.message.as_ref().and_then(|(trail, step)| {
        let one = trail.messages.iter().find(|message| message.step == *step)?;
        let mut told = message(app, one);
        told["campaign"] = json!(trail.campaign.slug);
        told["rcpt"] = json!(trail.address);
        Some(told)
    });
    json!({
        "subject": subject,
        "running": running,
        "suppressed": trails.suppressions.iter().map(|entry| json!({
            "scope": entry.scope, "value": entry.value, "reason": entry.reason,
            "since": print::rfc3339(entry.created_at),
        })).collect::<Vec<_>>(),
        "enrolments": trails.enrolments.iter().map(|t| enrolment(app, t)).collect::<Vec<_>>(),
        "message": message,
        "mailbox": trails.mailbox.as_ref().map(|trail| mailbox(app, trail)),
        "campaign": trails.campaign.as_ref().map(|trail| campaign(app, trail)),
    })
}

fn all(app: &App, reasons: &[Reason]) -> Vec<Value> {
    reasons.iter().map(|reason| reason.json(app)).collect()
}

fn enrolment(app: &App, trail: &EnrolmentTrail) -> Value {
    let over = trail.ended_at.map(|_| {
        let (state, because) = (trail.state.clone(), trail.because.clone());
        Reason::of_hold(&Hold::Enrolment { state, because }).json(app)
    });
    json!({
        "campaign": trail.campaign.slug,
        "campaign_state": trail.campaign.state,
        "rcpt": trail.address,
        "state": trail.state,
        "because": trail.because,
        "ended_at": trail.ended_at.map(print::rfc3339),
        "imported": trail.imported.as_ref().map(|(file, line, at)| json!({
            "file": file, "line": line, "at": print::rfc3339(*at),
        })),
        "mailbox": trail.mailbox,
        "over": over,
        "messages": trail.messages.iter().map(|one| message(app, one)).collect::<Vec<_>>(),
        "next": next(app, trail),
    })
}

fn next(app: &App, trail: &EnrolmentTrail) -> Option<Value> {
    let turn = trail.turn.as_ref()?;
    Some(json!({
        "step": turn.step,
        "rcpt": trail.address,
        "not_before": (turn.next_at > 0).then(|| print::rfc3339(turn.next_at)),
        "reasons": all(app, &reasons_of_turn(app, trail.mailbox.as_deref(), turn)),
    }))
}

fn message(app: &App, message: &MessageTrail) -> Value {
    let past = &message.past;
    json!({
        "step": message.step,
        "variant": message.variant,
        "mailbox": message.mailbox,
        "state": past.state,
        "day": message.plan_day,
        "due_at": print::rfc3339(message.due_at),
        "attempts": past.attempts,
        "last_attempt_at": message.sending_since.map(print::rfc3339),
        "settled_at": past.settled_at.map(print::rfc3339),
        "verdict": past.verdict,
        "code": past.code,
        "enhanced_status": past.enhanced,
        "why": past.why,
        "message_id": message.message_id,
        "inbound": message.inbound.iter().map(|(kind, at)| json!({
            "kind": kind, "at": print::rfc3339(*at),
        })).collect::<Vec<_>>(),
        "reasons": all(app, &reasons_of_message(app, message)),
    })
}

fn mailbox(app: &App, trail: &MailboxTrail) -> Value {
    let row = &trail.row;
    let reasons = reasons_of_mailbox(app, trail);
    let bound = trail.day.map(|_| bound(trail));
    json!({
        "address": row.address,
        "state": row.state,
        "warm_day": row.warm_days,
        "ease_percent": row.ease_percent,
        "cap": row.cap,
        "allowance": trail.day.map(|day| day.allowance),
        "allowance_is": bound.map(|bound| json!({
            "reason": bound.as_str(), "says": bound.to_string(),
        })),
        "ceiling": trail.day.map(|day| day.ceiling),
        "allotted": trail.day.map(|day| day.allotted),
        "attempted": trail.day.map(|day| day.attempted),
        "accepted": trail.day.map(|day| day.accepted),
        "planned_today": trail.planned_today,
        "reasons": all(app, &reasons),
        "next": trail.next.as_ref().map(|(one, address)| {
            let mut told = message(app, one);
            told["rcpt"] = json!(address);
            told
        }),
    })
}

fn campaign(app: &App, trail: &CampaignTrail) -> Value {
    let enrolments: serde_json::Map<String, Value> =
        trail.enrolments.iter().map(|(state, n)| (state.clone(), json!(n))).collect();
    json!({
        "campaign": trail.row.slug,
        "state": trail.row.state,
        "because": trail.row.paused_because,
        "enrolments": enrolments,
        "used_today": trail.target.attempted,
        "daily_target": trail.target.ceiling,
        "planned_today": trail.planned_today,
        "next_due_at": trail.next_due_at.map(print::rfc3339),
        "reasons": all(app, &campaign_reasons(trail)),
        "next": trail.next.as_ref().and_then(|trail| next(app, trail)),
    })
}
