//! Each reason by itself, and all of them against a brute force that tries every minute.

use super::*;
use crate::plan::Limit;

mod order;
mod stories;
mod worlds;

fn free() -> Facts {
    let room = Used { attempted: 1, ceiling: 5 };
    Facts {
        books: Books::Current,
        message: Message {
            state: "planned".to_owned(),
            planned_today: true,
            attempts: 4,
            due_at: 0,
            closes_at: 200,
            step: 2,
            strays: false,
        },
        person: Person {
            state: "active".to_owned(),
            because: None,
            erased: false,
            suppressed: false,
            unproven: None,
            attempt_at: Some(50),
            gap: 10,
            company_day: None,
        },
        campaign: Campaign { state: "running".to_owned(), because: None },
        mailbox: Mailbox {
            state: "active".to_owned(),
            paused_until: None,
            paused_because: None,
            needs_login: false,
            domain_fails: None,
            inbox_read_at: Some(95),
            fresh: 10,
            attempt_at: Some(50),
            gap: 10,
            in_flight_since: None,
            leased_until: Some(101),
            day: room,
            domain_day: room,
            tenant_day: Some(room),
        },
        day_ends_at: 1_000,
    }
}

#[track_caller]
fn check(change: impl Fn(&mut Facts), want: Option<&str>) {
    let mut facts = free();
    change(&mut facts);
    assert_eq!(binding(&facts, 100).map(|hold| hold.as_str()), want);
}

const FULL: Used = Used { attempted: 5, ceiling: 5 };

#[test]
fn each_reason_holds_by_itself() {
    check(|_| {}, None);
    check(|f| f.message.state = "accepted".to_owned(), Some("not_planned"));
    check(|f| f.books = Books::Outdated, Some("books_outdated"));
    check(|f| f.person.suppressed = true, Some("suppressed"));
    check(|f| f.person.state = "replied".to_owned(), Some("enrolment_over"));
    check(|f| f.person.erased = true, Some("enrolment_over"));
    check(|f| f.message.attempts = 5, Some("gave_up"));
    check(|f| f.campaign.state = "paused".to_owned(), Some("campaign_not_running"));
    check(|f| f.mailbox.state = "paused".to_owned(), Some("mailbox_paused"));
    let needs_login = |f: &mut Facts| {
        (f.mailbox.state, f.mailbox.needs_login) = ("paused".to_owned(), true);
    };
    check(needs_login, Some("mailbox_needs_login"));
    check(|f| f.mailbox.state = "disabled".to_owned(), Some("mailbox_disabled"));
    check(|f| f.message.strays = true, Some("another_thread"));
    check(|f| f.mailbox.inbox_read_at = None, Some("inbox_not_read"));
    check(|f| f.mailbox.inbox_read_at = Some(89), Some("inbox_not_read"));
    check(|f| (f.mailbox.inbox_read_at, f.message.step) = (None, 1), None);
    check(|f| f.message.planned_today = false, Some("next_plan"));
    check(|f| f.mailbox.day = FULL, Some("mailbox_day_full"));
    check(|f| f.mailbox.domain_day = FULL, Some("domain_day_full"));
    check(|f| f.mailbox.tenant_day = Some(FULL), Some("tenant_day_full"));
    check(|f| f.person.company_day = Some(FULL), Some("company_day_full"));
    check(|f| f.person.attempt_at = Some(95), Some("person_gap"));
    check(|f| f.message.due_at = 101, Some("not_due"));
    check(|f| f.message.closes_at = 100, Some("hours_over"));
    check(|f| f.mailbox.attempt_at = Some(91), Some("mailbox_gap"));
    check(|f| f.mailbox.in_flight_since = Some(99), Some("in_flight"));
    check(|f| f.mailbox.leased_until = Some(100), Some("not_held_by_a_daemon"));
}

#[test]
fn of_several_reasons_the_one_that_would_hold_longest_binds() {
    // A suppressed person of a paused campaign is held by the suppression.
    check(
        |f| (f.person.suppressed, f.campaign.state) = (true, "paused".to_owned()),
        Some("suppressed"),
    );
    check(|f| (f.mailbox.day, f.message.due_at) = (FULL, 150), Some("mailbox_day_full"));
    check(|f| (f.mailbox.day, f.person.gap) = (FULL, 950), Some("mailbox_day_full"));
    check(|f| (f.mailbox.day, f.person.gap) = (FULL, 951), Some("person_gap"));
    // A pause of an hour is over before the day is.
    check(
        |f| {
            (f.mailbox.state, f.mailbox.paused_until) = ("paused".to_owned(), Some(160));
            f.message.planned_today = false;
        },
        Some("next_plan"),
    );
    // Somebody is away for days.
    check(|f| (f.message.planned_today, f.message.due_at) = (false, 5_000), Some("not_due"));
    // When an inbox is read again nobody knows; that no daemon holds a mailbox is over in a moment.
    check(|f| (f.mailbox.inbox_read_at, f.person.gap) = (None, 951), Some("inbox_not_read"));
    check(
        |f| (f.mailbox.leased_until, f.mailbox.attempt_at) = (None, Some(95)),
        Some("mailbox_gap"),
    );
}

#[test]
fn a_reason_says_its_numbers() {
    #[track_caller]
    fn check(hold: Hold, want: &str) {
        assert_eq!(hold.to_string(), want);
    }
    let used = Used { attempted: 50, ceiling: 50 };
    check(Hold::MailboxDay(used), "the mailbox has had 50 of 50 today");
    check(
        Hold::PersonGap { until: 1, gap: 172_800_000 },
        "the person was written to less than 2d ago, with another message",
    );
    check(Hold::MailboxGap { until: 1, gap: 240_000 }, "the mailbox sent less than 4m ago");
    check(
        Hold::InboxStale { age: Some(1_380_000), fresh: 900_000 },
        "a follow-up needs a reading of the mailbox's inbox of the last 15m, and it is 23m old",
    );
    let because = Some("3 of the last 20 messages bounced".to_owned());
    check(
        Hold::Campaign { state: "paused".to_owned(), because },
        "the campaign is paused: 3 of the last 20 messages bounced",
    );
}

#[test]
fn where_no_room_is_left_for_want_of_a_log_in_it_is_said_who_helps() {
    let short = Unplanned::Short { limit: Limit::NeedsLogin, count: 3 };
    assert_eq!((short.as_str(), short.clears()), ("needs_login", Clears::Operator));
    assert_eq!(short.cure(), Some("`warmfront mailbox login ADDRESS`"));
    assert_eq!(
        short.to_string(),
        "3 of the campaign had no room in today's plan: mailboxes for which somebody must log in"
    );
}

#[test]
fn a_mailbox_is_held_by_what_holds_all_of_its_messages() {
    let mut mailbox = free().mailbox;
    assert_eq!(mailbox_holds(Books::Current, &mailbox, 1_000, 100), []);
    (mailbox.domain_day, mailbox.attempt_at) = (FULL, Some(95));
    mailbox.leased_until = None;
    let gap = Hold::MailboxGap { until: 105, gap: 10 };
    let full = Hold::DomainDay(FULL);
    assert_eq!(mailbox_holds(Books::Current, &mailbox, 1_000, 100), [full.clone(), gap.clone()]);
    assert_eq!(mailbox_holds(Books::Outdated, &mailbox, 1_000, 100), [Hold::Outdated, full, gap]);
}
