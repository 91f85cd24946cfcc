//! The answer for people: what, why, the numbers, when it clears, what they can do.

use warmfront_core::calendar;
use warmfront_core::reason::{self, Bound, Hold};
use warmfront_store::{CampaignTrail, EnrolmentTrail, MailboxTrail, MessageTrail, Trails};

use super::reason::{Reason, tell};
use super::reasons_of_turn;
use crate::app::App;
use crate::print;

pub(super) fn trails(app: &App, trails: &Trails, running: Option<&str>) {
    for entry in &trails.suppressions {
        let since = print::local(&app.fleet.timezone, entry.created_at);
        print::paragraph(
            "suppressed: ",
            &format!("{} {}, since {since}: {}", entry.scope, entry.value, entry.reason),
        );
        print::paragraph("  ", "nobody writes there, whatever the campaign");
    }
    trails.enrolments.iter().for_each(|trail| enrolment(app, trail));
    if let Some((trail, step)) = &trails.message {
        let of = trail.messages.iter().filter(|message| message.step == *step);
        of.for_each(|one| message(app, trail, one));
    }
    if let Some(trail) = &trails.mailbox {
        mailbox(app, trail);
    }
    if let Some(trail) = &trails.campaign {
        campaign(app, trail);
    }
    match running {
        Some(owner) => print::paragraph("running: ", owner),
        None => print::say("no daemon is running; `warmfront run` starts one"),
    }
}

fn who(address: Option<&str>) -> &str {
    address.unwrap_or("(erased)")
}

fn enrolment(app: &App, trail: &EnrolmentTrail) {
    let (slug, state) = (&trail.campaign.slug, &trail.state);
    print::paragraph("", &format!("{} in {slug}: {state}", who(trail.address.as_deref())));
    if let Some((file, line, at)) = &trail.imported {
        let at = print::local(&app.fleet.timezone, *at);
        print::paragraph("  ", &format!("imported {at} from {file}, line {line}"));
    }
    trail.messages.iter().for_each(|one| tell_message(app, one));
    if let Some(turn) = &trail.turn {
        let wait =
            trail.wait.as_ref().map_or(String::new(), |wait| format!(", {wait} after the last"));
        print::paragraph("  ", &format!("step {}: not planned{wait}", turn.step));
        tell(app, 4, &reasons_of_turn(app, trail.mailbox.as_deref(), turn));
    } else if let Some(at) = trail.ended_at {
        let hold = Hold::Enrolment { state: state.clone(), because: trail.because.clone() };
        print::paragraph("  ", &format!("over since {}", print::local(&app.fleet.timezone, at)));
        tell(app, 4, &[Reason::of_hold(&hold)]);
    }
}

fn message(app: &App, trail: &EnrolmentTrail, message: &MessageTrail) {
    let (slug, rcpt) = (&trail.campaign.slug, who(trail.address.as_deref()));
    print::paragraph("", &format!("message to {rcpt} in {slug}"));
    tell_message(app, message);
}

/// What a message is, what a server said of it, and where it is still to leave, why it has not.
fn tell_message(app: &App, message: &MessageTrail) {
    let local = |at| print::local(&app.fleet.timezone, at);
    let variant = message.variant.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let past = &message.past;
    let (step, state, mailbox) = (message.step, past.state.replace('_', " "), &message.mailbox);
    let begin = format!("step {step}{variant}: {state}");
    let moment = match past.settled_at {
        Some(at) => format!("{begin} {} from {mailbox}", local(at)),
        None => format!("{begin} from {mailbox}, due {}", local(message.due_at)),
    };
    print::paragraph("  ", &moment);
    if past.attempts > 0 {
        let last =
            message.sending_since.map_or(String::new(), |at| format!(", last {}", local(at)));
        let tries = print::counted(u64::from(past.attempts), "attempt");
        print::paragraph("    ", &format!("{tries}{last}"));
    }
    // Of what is settled the reason below says all this.
    if past.settled_at.is_none() {
        if let Some(code) = past.code {
            let status = past.enhanced.as_deref().map_or(String::new(), |s| format!(" {s}"));
            let verdict = past.verdict.as_deref();
            let verdict = verdict.map_or(String::new(), |v| format!(": {}", v.replace('_', " ")));
            print::paragraph("    ", &format!("the server answered {code}{status}{verdict}"));
        }
        if let Some(why) = &past.why {
            print::paragraph("    in the books: ", why);
        }
    }
    for (kind, at) in &message.inbound {
        print::paragraph("    ", &format!("{} came in {}", kind.replace('_', " "), local(*at)));
    }
    if let Some(id) = &message.message_id {
        print::paragraph("    ", id);
    }
    tell(app, 4, &reasons_of_message(app, message));
}

/// Why a message stands as it does, or what keeps one that is still to leave.
pub(super) fn reasons_of_message(app: &App, message: &MessageTrail) -> Vec<Reason> {
    if let Some(settled) = reason::settled(&message.past) {
        return vec![Reason::of_settled(&settled)];
    }
    let holds = reason::holds(&message.facts, app.now());
    let from = Some(message.mailbox.as_str());
    let told = |hold| Reason::of_hold(hold).where_read(app, from).where_refused(app, from);
    holds.iter().map(told).collect()
}

fn mailbox(app: &App, trail: &MailboxTrail) {
    let row = &trail.row;
    print::paragraph("", &format!("mailbox {} ({}): {}", row.address, row.provider, row.state));
    match &trail.day {
        Some(day) => {
            let bound = bound(trail);
            print::paragraph(
                "  ",
                &format!("today {} of a cap of {}: {bound}", day.allowance, day.cap),
            );
            // Other mail, easing and probes lower what its counter may reach.
            let lowered = if day.ceiling < day.allowance {
                format!(", no more than {} at present", day.ceiling)
            } else {
                String::new()
            };
            print::paragraph(
                "  ",
                &format!(
                    "{} tried, {} accepted, {} still planned{lowered}",
                    day.attempted, day.accepted, trail.planned_today
                ),
            );
        }
        None => print::paragraph(
            "  ",
            &format!("today has no plan yet; warm day {}, cap {}", row.warm_days, row.cap),
        ),
    }
    tell(app, 2, &reasons_of_mailbox(app, trail));
    match &trail.next {
        Some((message, address)) => {
            print::paragraph("  next: ", who(address.as_deref()));
            tell_message(app, message);
        }
        None => print::paragraph("  ", "nothing is planned for it"),
    }
}

/// What keeps a mailbox from sending anything, and what from writing to anybody new.
pub(super) fn reasons_of_mailbox(app: &App, trail: &MailboxTrail) -> Vec<Reason> {
    let today = calendar::day_span(&app.fleet.timezone, app.today());
    let holds = reason::mailbox_holds(trail.books, &trail.facts, today.end(), app.now());
    let begins_nothing = trail.facts.domain_fails.clone().map(Hold::DomainFails);
    let holds = holds.iter().chain(&begins_nothing);
    let whose = Some(trail.row.address.as_str());
    holds.map(|hold| Reason::of_hold(hold).where_refused(app, whose)).collect()
}

/// What sets a mailbox's allowance of today.
pub(super) fn bound(trail: &MailboxTrail) -> Bound {
    let row = &trail.row;
    let (allowance, cap, warm_days) =
        trail.day.map_or((0, row.cap, row.warm_days), |d| (d.allowance, d.cap, d.warm_days));
    Bound::of(allowance, cap, warm_days, row.ease_percent, row.probe)
}

fn campaign(app: &App, trail: &CampaignTrail) {
    let row = &trail.row;
    print::paragraph("", &format!("campaign {}: {}", row.slug, row.state));
    let total: u64 = trail.enrolments.iter().map(|(_, n)| n).sum();
    let people = if total == 1 { "person" } else { "people" };
    let states: Vec<String> = trail.enrolments.iter().map(|(s, n)| format!("{n} {s}")).collect();
    print::paragraph("  ", &format!("{total} {people}: {}", states.join(", ")));
    let next = trail.next_due_at.map(|at| print::local(&app.fleet.timezone, at));
    let next = next.map_or(String::new(), |at| format!(", the next due {at}"));
    print::paragraph(
        "  ",
        &format!(
            "today {} of a daily target of {}, {} of them still planned{next}",
            trail.target.attempted, trail.target.ceiling, trail.planned_today
        ),
    );
    match &trail.next {
        Some(next) => {
            print::paragraph("  next in turn: ", who(next.address.as_deref()));
            if let Some(turn) = &next.turn {
                print::paragraph("  ", &format!("step {}: not planned", turn.step));
                tell(app, 4, &reasons_of_turn(app, next.mailbox.as_deref(), turn));
            }
        }
        None => {
            print::paragraph("  ", "nobody is left whose next step is not planned");
            tell(app, 4, &campaign_reasons(trail));
        }
    }
}

/// Why a campaign with nobody next in turn sends nothing, if it does not.
pub(super) fn campaign_reasons(trail: &CampaignTrail) -> Vec<Reason> {
    let (state, because) = (trail.row.state.clone(), trail.row.paused_because.clone());
    let stands = (state != "running").then_some(Hold::Campaign { state, because });
    stands.iter().map(Reason::of_hold).collect()
}
