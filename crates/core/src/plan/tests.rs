//! Snapshot in, plan out.

use std::collections::BTreeSet;

use super::*;
use crate::calendar::Window;
use crate::health::PauseReason;
use crate::id::{CampaignId, EnrolmentId, MailboxId, ProspectId};
use crate::sequence::Wait;
use crate::span::{DAY, HOUR, MINUTE};
use crate::warmup::{Curve, Warmth};

mod seeds;

const COMPANY_PER_DAY: u32 = 2;

fn office_hours(zone: &str) -> Calendar {
    let zone = calendar::zone(zone).unwrap();
    Calendar {
        windows: vec![Window::parse("0 0 9 * * Mon-Fri", "8h").unwrap()],
        zones: vec![zone.clone()],
        fallback: zone,
        holidays: BTreeSet::new(),
    }
}

fn mailbox(n: usize, cap: u32) -> Mailbox {
    Mailbox {
        id: MailboxId(i64::try_from(n).unwrap() + 1),
        address: format!("m{n:02}@example.com"),
        domain: 0,
        tenant: None,
        standing: Standing::Active,
        warmth: Warmth { warm_days: 99, idle_days: 0 },
        curve: Curve::default(),
        cap,
        ease_percent: 100,
        probe: false,
        attempted: 0,
        manual: 0,
        booked: Vec::new(),
        last_attempt_at: None,
        gap: 4 * MINUTE,
        pace: Pace::Even,
        inbox_is_read: true,
        domain_fails: false,
        calendar: None,
    }
}

fn new_work(n: i64) -> Work {
    Work {
        enrolment: EnrolmentId(n),
        prospect: ProspectId(n),
        campaign: Place::at(0),
        step: 1,
        message: None,
        mailbox: None,
        ready_at: 0,
        person_free_at: 0,
        company: None,
        calendar: Place::at(0),
    }
}

/// Twenty mailboxes of fifty, one campaign, prospects in New York, Monday 2026-11-23, midnight.
fn monday(target: u32, prospects: i64) -> Snapshot {
    let zone = calendar::zone("America/New_York").unwrap();
    let day: Date = "2026-11-23".parse().unwrap();
    Snapshot {
        day,
        now: calendar::day_span(&zone, day).start(),
        zone,
        seed: 7,
        company_per_day: COMPANY_PER_DAY,
        person_gap: 48 * HOUR,
        mailboxes: (0..20).map(|n| mailbox(n, 50)).collect(),
        domains: vec![Budget { name: "example.com".to_owned(), ceiling: 4_000, used: 0 }],
        tenants: Vec::new(),
        companies: vec![0],
        campaigns: vec![Campaign {
            id: CampaignId(1),
            slug: "spring".to_owned(),
            daily_target: target,
            used: 0,
            mailboxes: (0..20).collect(),
        }],
        calendars: vec![office_hours("America/New_York")],
        work: (1..=prospects).map(new_work).collect(),
    }
}

fn allotted(plan: &Plan) -> Vec<u32> {
    plan.mailboxes.iter().map(|m| m.allotted).collect()
}

fn short(plan: &Plan) -> Vec<(u32, Limit, &str)> {
    plan.shortfalls.iter().map(|s| (s.count, s.why, s.cure.as_str())).collect()
}

#[test]
fn a_thousand_over_twenty_is_fifty_each() {
    let plan = plan_day(&monday(1_000, 5_000));
    assert_eq!(allotted(&plan), [50; 20]);
    assert_eq!(short(&plan), []);
}

#[test]
fn six_hundred_is_thirty_each_never_twelve_full_ones_and_eight_idle() {
    assert_eq!(allotted(&plan_day(&monday(600, 5_000))), [30; 20]);
}

#[test]
fn what_does_not_fit_is_said_with_its_cure() {
    let plan = plan_day(&monday(1_360, 5_000));
    assert_eq!(allotted(&plan), [50; 20]);
    let cure = "8 more warmed mailboxes, or 1 more day";
    assert_eq!(short(&plan), [(360, Limit::Allowance, cure)]);
}

#[test]
fn a_target_is_never_more_than_the_work() {
    let plan = plan_day(&monday(1_000, 40));
    assert_eq!((plan.campaigns[0].target, plan.messages.len()), (40, 40));
    assert_eq!(short(&plan), []);
}

#[test]
fn new_mailboxes_ramp() {
    let mut snapshot = monday(1_000, 5_000);
    snapshot.mailboxes[3].warmth.warm_days = 0;
    snapshot.mailboxes[4].warmth.warm_days = 10;
    let plan = plan_day(&snapshot);
    assert_eq!(&allotted(&plan)[2..6], [50, 5, 25, 50]);
}

#[test]
fn a_paused_mailbox_is_a_shortfall_not_a_burden_on_the_rest() {
    let mut snapshot = monday(1_000, 5_000);
    let until = snapshot.now + DAY;
    snapshot.mailboxes[0].standing =
        Standing::Paused { reason: PauseReason::Spam, since: snapshot.now, until: Some(until) };
    let plan = plan_day(&snapshot);
    assert_eq!(allotted(&plan)[..3], [0, 50, 50]);
    let cure = "wait: the first of them comes back 2026-11-24 00:00; nobody else takes their part";
    assert_eq!(short(&plan), [(50, Limit::Paused, cure)]);

    // Even where the rest have room: the target is shared as before, less the paused one's part.
    snapshot.campaigns[0].daily_target = 600;
    assert_eq!(allotted(&plan_day(&snapshot))[..3], [0, 30, 30]);
}

#[test]
fn mailboxes_that_wait_for_a_log_in_are_told_from_those_that_wait_for_anything_else() {
    let mut snapshot = monday(1_000, 5_000);
    for (mailbox, reason) in [PauseReason::Login, PauseReason::Operator].into_iter().enumerate() {
        let since = snapshot.now;
        snapshot.mailboxes[mailbox].standing = Standing::Paused { reason, since, until: None };
    }
    let of_pause = "look at `warmfront mailbox list`, mend the cause, then `mailbox resume`";
    let first = &snapshot.mailboxes[0].address;
    let of_login = format!("`warmfront mailbox login {first}`");
    let want = [(50, Limit::Paused, of_pause), (50, Limit::NeedsLogin, &*of_login)];
    assert_eq!(short(&plan_day(&snapshot)), want);

    snapshot.mailboxes[1].standing = snapshot.mailboxes[0].standing;
    let both = format!("{of_login}, and so for 1 more that `warmfront mailbox list` names");
    assert_eq!(short(&plan_day(&snapshot)), [(100, Limit::NeedsLogin, &*both)]);
}

#[test]
fn a_failing_domain_begins_nothing_and_nobody_takes_its_part() {
    let mut snapshot = monday(600, 5_000);
    snapshot.mailboxes[0].domain_fails = true;
    // One began before, and one was tried and is to be tried again.
    for (work, step) in [(0, 2), (1, 1)] {
        snapshot.work[work].step = step;
        snapshot.work[work].mailbox = Some(Place::at(0));
    }
    let plan = plan_day(&snapshot);
    assert_eq!(allotted(&plan)[..3], [1, 30, 30]);
    let cure = "publish the records that `warmfront doctor` shows; nobody else takes their part";
    assert_eq!(short(&plan), [(29, Limit::DomainFails, cure)]);
}

#[test]
fn easing_and_probing_lower_the_allowance() {
    let mut snapshot = monday(1_000, 5_000);
    snapshot.mailboxes[0].ease_percent = 50;
    snapshot.mailboxes[1].probe = true;
    snapshot.mailboxes[2].manual = 20;
    let plan = plan_day(&snapshot);
    assert_eq!(allotted(&plan)[..4], [25, 1, 30, 50]);
    assert_eq!(plan.mailboxes[2].ceiling, 30);
}

#[test]
fn a_probing_mailbox_that_was_at_work_today_gets_one_message_more() {
    let mut snapshot = monday(1_000, 5_000);
    (snapshot.mailboxes[0].probe, snapshot.mailboxes[0].attempted) = (true, 7);
    snapshot.mailboxes[0].manual = 2;
    let day = &plan_day(&snapshot).mailboxes[0];
    assert_eq!((day.allotted, day.allowance, day.ceiling), (8, 10, 8));
}

#[test]
fn follow_ups_that_cannot_leave_take_nobodys_place() {
    let mut snapshot = monday(10, 5_000);
    snapshot.mailboxes[5].inbox_is_read = false;
    for work in &mut snapshot.work[..30] {
        (work.step, work.mailbox) = (2, Some(Place::at(5)));
    }
    let plan = plan_day(&snapshot);
    assert_eq!(plan.messages.len(), 10);
    assert!(plan.messages.iter().all(|message| snapshot.work[message.work].step == 1));
    assert!(plan.shortfalls.is_empty());
    snapshot.work.truncate(30);
    let plan = plan_day(&snapshot);
    let short: Vec<_> = plan.shortfalls.iter().map(|s| (s.count, s.why)).collect();
    assert_eq!((plan.messages.len(), short), (0, vec![(10, Limit::InboxUnread)]));
}

#[test]
fn follow_ups_come_first_and_stay_with_their_mailbox() {
    let mut snapshot = monday(100, 5_000);
    for n in 0..30 {
        let ready_at = snapshot.now - i64::try_from(n).unwrap() * HOUR;
        snapshot.work[n] =
            Work { step: 2, mailbox: Some(Place::at(5)), ready_at, ..new_work(9_000) };
        snapshot.work[n].enrolment = EnrolmentId(10_000 + i64::try_from(n).unwrap());
        snapshot.work[n].prospect = ProspectId(10_000 + i64::try_from(n).unwrap());
    }
    let plan = plan_day(&snapshot);
    let follow_ups: Vec<_> =
        plan.messages.iter().filter(|m| snapshot.work[m.work].step == 2).collect();
    assert_eq!(follow_ups.len(), 30);
    assert!(follow_ups.iter().all(|m| m.mailbox == Place::at(5)));
    // The mailbox that answers its threads gets no new ones; the others share them evenly.
    assert_eq!(allotted(&plan)[4..7], [4, 30, 4]);
}

#[test]
fn a_company_gets_two_a_day() {
    let mut snapshot = monday(10, 10);
    snapshot.work.iter_mut().for_each(|w| w.company = Some(Place::at(0)));
    let plan = plan_day(&snapshot);
    assert_eq!(plan.messages.len(), 2);
    assert_eq!((plan.shortfalls[0].count, plan.shortfalls[0].why), (8, Limit::CompanyDay));
}

#[test]
fn a_person_in_two_campaigns_gets_one_message() {
    let mut snapshot = monday(10, 1);
    let second = Campaign { slug: "winter".to_owned(), ..snapshot.campaigns[0].clone() };
    snapshot.campaigns.push(second);
    let again =
        Work { enrolment: EnrolmentId(2), campaign: Place::at(1), ..snapshot.work[0].clone() };
    snapshot.work.push(again);
    let plan = plan_day(&snapshot);
    assert_eq!(plan.messages.len(), 1);
    assert_eq!(plan.shortfalls[0].why, Limit::PersonGap);
}

#[test]
fn a_day_off_is_no_shortfall() {
    let mut snapshot = monday(10, 10);
    snapshot.day = "2026-11-22".parse().unwrap();
    snapshot.now -= DAY;
    let plan = plan_day(&snapshot);
    assert_eq!((plan.messages.len(), plan.campaigns[0].closed), (0, 10));
    assert_eq!(short(&plan), []);
}

#[test]
fn starting_in_mid_window_plans_the_rest_of_the_day() {
    let mut snapshot = monday(1_000, 5_000);
    snapshot.now += 16 * HOUR;
    let plan = plan_day(&snapshot);
    // One hour holds fifteen messages four minutes apart.
    assert_eq!(allotted(&plan), [15; 20]);
    assert_eq!((plan.shortfalls[0].count, plan.shortfalls[0].why), (700, Limit::WindowFull));
}

#[test]
fn each_person_is_met_in_his_own_working_hours() {
    let mut snapshot = monday(400, 400);
    snapshot.calendars.push(office_hours("Asia/Tokyo"));
    snapshot.calendars.push(office_hours("Europe/Berlin"));
    for (n, work) in snapshot.work.iter_mut().enumerate() {
        work.calendar = Place::at(n % 3);
    }
    let plan = plan_day(&snapshot);
    assert_eq!(plan.messages.len(), 400);
    for message in &plan.messages {
        let calendar = &snapshot.calendars[snapshot.work[message.work].calendar];
        let local = calendar::civil(calendar.zone(), message.due_at);
        assert!((9..17).contains(&local.hour()), "{local}");
    }
}

#[test]
fn a_domains_day_is_shared_among_its_mailboxes() {
    let mut snapshot = monday(1_000, 5_000);
    snapshot.domains[0].ceiling = 410;
    snapshot.domains[0].used = 10;
    let plan = plan_day(&snapshot);
    assert_eq!(allotted(&plan), [20; 20]);
    assert_eq!((plan.shortfalls[0].count, plan.shortfalls[0].why), (600, Limit::DomainDay));
}

#[test]
fn campaigns_that_share_mailboxes_share_room_by_target() {
    let mut snapshot = monday(3_000, 5_000);
    let second = Campaign {
        slug: "winter".to_owned(),
        daily_target: 1_000,
        ..snapshot.campaigns[0].clone()
    };
    snapshot.campaigns.push(second);
    snapshot.work.extend((5_001..9_000).map(|n| Work { campaign: Place::at(1), ..new_work(n) }));
    let plan = plan_day(&snapshot);
    let planned: Vec<u32> = plan.campaigns.iter().map(|c| c.planned).collect();
    assert_eq!(planned, [750, 250]);
    assert_eq!(allotted(&plan), [50; 20]);
}

#[test]
fn as_soon_as_possible_is_due_at_the_opening() {
    let mut snapshot = monday(100, 100);
    snapshot.mailboxes.iter_mut().for_each(|m| m.pace = Pace::AsSoonAsPossible);
    let plan = plan_day(&snapshot);
    let opening = snapshot.now + 9 * HOUR;
    assert!(plan.messages.iter().all(|m| m.due_at == opening));
}

#[test]
fn the_same_inputs_give_the_same_plan() {
    assert_eq!(plan_day(&monday(777, 5_000)), plan_day(&monday(777, 5_000)));
    let other = Snapshot { seed: 8, ..monday(777, 5_000) };
    assert_ne!(plan_day(&monday(777, 5_000)).messages, plan_day(&other).messages);
}

#[test]
fn a_forecast_ramps_and_finishes() {
    let mut snapshot = monday(1_000, 600);
    snapshot.mailboxes.truncate(2);
    snapshot.campaigns[0].mailboxes = vec![0, 1];
    snapshot.mailboxes.iter_mut().for_each(|m| m.warmth.warm_days = 0);
    let sequence = Sequence { waits: vec![Wait::Days(3)] };
    let forecast = forecast(snapshot, &[sequence], 60);
    let sent: u32 = forecast.days.iter().map(|d| d.new + d.follow_ups).sum();
    assert_eq!(sent, 1_200);
    let ramp: Vec<u32> = forecast.days.iter().take(8).map(|d| d.new + d.follow_ups).collect();
    assert_eq!(ramp, [10, 14, 18, 22, 26, 0, 0, 30]);
    assert_eq!(forecast.first_limit.map(|(_, limit)| limit), Some(Limit::Allowance));
    assert!(forecast.finished_on.is_some());
}

#[test]
fn a_forecast_brings_a_paused_mailbox_back_lower_and_with_a_probe() {
    let allowances = |reason, away: i64| -> Vec<u32> {
        let mut snapshot = monday(1_000, 600);
        snapshot.mailboxes.truncate(1);
        snapshot.campaigns[0].mailboxes = vec![0];
        snapshot.mailboxes[0].warmth.warm_days = 20;
        let until = snapshot.now + DAY;
        let since = until - away * DAY;
        snapshot.mailboxes[0].standing = Standing::Paused { reason, since, until: Some(until) };
        let forecast = forecast(snapshot, &[Sequence { waits: Vec::new() }], 3);
        forecast.days.iter().map(|day| day.mailboxes[0].allowance).collect()
    };
    assert_eq!(allowances(PauseReason::Spam, 1), [0, 1, 27]);
    assert_eq!(allowances(PauseReason::Spam, 8), [0, 1, 17]);
    assert_eq!(allowances(PauseReason::Operator, 8), [0, 45, 47]);
}

#[test]
fn a_forecast_brings_back_lower_whoever_was_warm_for_long_or_has_no_ramp() {
    let allowances = |curve: Curve, cap, warm_days, away: i64| -> Vec<u32> {
        let mut snapshot = monday(1_000, 600);
        snapshot.mailboxes.truncate(1);
        snapshot.campaigns[0].mailboxes = vec![0];
        let mailbox = &mut snapshot.mailboxes[0];
        (mailbox.curve, mailbox.cap, mailbox.warmth.warm_days) = (curve, cap, warm_days);
        let until = snapshot.now + DAY;
        let (since, reason) =
            (until - away * DAY, PauseReason::HardBounces { bounces: 3, last: 20 });
        mailbox.standing = Standing::Paused { reason, since, until: Some(until) };
        let forecast = forecast(snapshot, &[Sequence { waits: Vec::new() }], 5);
        forecast.days.iter().map(|day| day.mailboxes[0].allowance).collect()
    };
    assert_eq!(allowances(Curve::default(), 50, 100, 1), [0, 1, 29, 31, 33]);
    assert_eq!(allowances(Curve::default(), 50, 100, 8), [0, 1, 17, 19, 21]);
    assert_eq!(allowances(Curve::Table(vec![5, 10, 20, 40]), 50, 100, 1), [0, 1, 20, 40, 40]);
    assert_eq!(allowances(Curve::Off, 50, 0, 1), [0, 1, 30, 35, 40]);
    assert_eq!(allowances(Curve::Off, 50, 100, 8), [0, 1, 17, 22, 27]);
}
