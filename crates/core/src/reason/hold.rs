//! What holds a planned message back, in words, and what clears it.

use std::fmt;

use super::{GAVE_UP, Used};
use crate::span::{DAY, HOUR, MINUTE, Millis, SECOND, length_text};

/// Why a message does not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is being sent, has left or is over: its state. What is settled says more
    /// ([`settled`](super::settled)).
    NotPlanned(String),
    /// The books are an older copy of others that have sent since.
    Outdated,
    /// The person asked for it, bounced or was put on the list.
    Suppressed,
    /// The enrolment is over, or waits for a person.
    Enrolment {
        /// Its state.
        state: String,
        /// Why, where the state alone does not say.
        because: Option<String>,
    },
    /// That mailbox may have written the same since the books were copied.
    Unproven(String),
    /// It was tried as often as anything is.
    Attempts(u32),
    /// The campaign does not run.
    Campaign {
        /// Its state.
        state: String,
        /// The pause's sentence.
        because: Option<String>,
    },
    /// The mailbox is paused.
    MailboxPaused {
        /// The pause's sentence.
        because: String,
        /// Until when, where waiting is enough.
        until: Option<Millis>,
    },
    /// Somebody must log in for the mailbox again.
    MailboxLogin {
        /// The pause's sentence.
        because: String,
    },
    /// The mailbox is gone from the configuration.
    MailboxDisabled,
    /// The sending domain fails its checks, for that: it writes to nobody new.
    DomainFails(String),
    /// It is planned from another mailbox than its thread began in.
    AnotherThread,
    /// It waits for the next day's plan.
    NextPlan,
    /// It is not due.
    NotDue(Millis),
    /// The hours it was due in are over.
    HoursOver(Millis),
    /// A follow-up needs proof that the inbox was read.
    InboxStale {
        /// How old the last reading is.
        age: Option<Millis>,
        /// How old it may be.
        fresh: Millis,
    },
    /// The mailbox's day is full.
    MailboxDay(Used),
    /// The sending domain's day is full.
    DomainDay(Used),
    /// The tenant's day is full.
    TenantDay(Used),
    /// The company's day is full.
    CompanyDay(Used),
    /// The person was written to too lately.
    PersonGap {
        /// Until when.
        until: Millis,
        /// The least time between two messages.
        gap: Millis,
    },
    /// The mailbox sent too lately.
    MailboxGap {
        /// Until when.
        until: Millis,
        /// The least time between two messages.
        gap: Millis,
    },
    /// Another message of the mailbox is being sent, since then.
    InFlight(Millis),
    /// No daemon holds the mailbox.
    Unleased,
}

/// What makes a reason go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clears {
    /// Time alone: it is gone at that moment.
    At(Millis),
    /// The next counting day, with its new plan and its new counters.
    NextDay,
    /// As many counting days, at the least.
    Days(u32),
    /// A daemon that runs, as soon as it comes to it.
    Running,
    /// The operator.
    Operator,
    /// Nothing.
    Never,
}

impl Clears {
    /// The word for scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::At(_) => "at",
            Self::NextDay => "next_day",
            Self::Days(_) => "days",
            Self::Running => "running",
            Self::Operator => "operator",
            Self::Never => "never",
        }
    }

    /// How long it lasts, for comparison: what nothing clears, what waits for the operator, what
    /// waits for a daemon for nobody knows how long, then by its moment.
    pub(super) fn lasts(self, day_ends_at: Millis) -> (u8, Millis) {
        match self {
            Self::Never => (4, 0),
            Self::Operator => (3, 0),
            Self::Running => (2, 0),
            Self::At(at) => (1, at),
            Self::NextDay => (1, day_ends_at),
            // Days of 24 hours will do for a comparison.
            Self::Days(days) => (1, day_ends_at + Millis::from(days.saturating_sub(1)) * DAY),
        }
    }
}

impl Hold {
    /// The word in the books.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotPlanned(_) => "not_planned",
            Self::Outdated => "books_outdated",
            Self::Suppressed => "suppressed",
            Self::Enrolment { .. } => "enrolment_over",
            Self::Unproven(_) => "mailbox_unproven",
            Self::Attempts(_) => GAVE_UP,
            Self::Campaign { .. } => "campaign_not_running",
            Self::MailboxPaused { .. } => "mailbox_paused",
            Self::MailboxLogin { .. } => "mailbox_needs_login",
            Self::MailboxDisabled => "mailbox_disabled",
            Self::DomainFails(_) => "domain_fails",
            Self::AnotherThread => "another_thread",
            Self::NextPlan => "next_plan",
            Self::NotDue(_) => "not_due",
            Self::HoursOver(_) => "hours_over",
            Self::InboxStale { .. } => "inbox_not_read",
            Self::MailboxDay(_) => "mailbox_day_full",
            Self::DomainDay(_) => "domain_day_full",
            Self::TenantDay(_) => "tenant_day_full",
            Self::CompanyDay(_) => "company_day_full",
            Self::PersonGap { .. } => "person_gap",
            Self::MailboxGap { .. } => "mailbox_gap",
            Self::InFlight(_) => "in_flight",
            Self::Unleased => "not_held_by_a_daemon",
        }
    }

    /// What makes it go away.
    #[must_use]
    pub fn clears(&self) -> Clears {
        match self {
            Self::NotDue(until)
            | Self::PersonGap { until, .. }
            | Self::MailboxGap { until, .. }
            | Self::MailboxPaused { until: Some(until), .. } => Clears::At(*until),
            Self::AnotherThread
            | Self::NextPlan
            | Self::HoursOver(_)
            | Self::MailboxDay(_)
            | Self::DomainDay(_)
            | Self::TenantDay(_)
            | Self::CompanyDay(_) => Clears::NextDay,
            Self::InboxStale { .. } | Self::InFlight(_) | Self::Unleased => Clears::Running,
            Self::Enrolment { state, .. } if state == "held" || state == "blocked" => {
                Clears::Operator
            }
            Self::Campaign { .. }
            | Self::MailboxPaused { .. }
            | Self::MailboxLogin { .. }
            | Self::MailboxDisabled
            | Self::DomainFails(_)
            | Self::Unproven(_)
            | Self::Outdated => Clears::Operator,
            Self::NotPlanned(state) if state == "sending" => Clears::Running,
            Self::Suppressed | Self::Enrolment { .. } | Self::Attempts(_) | Self::NotPlanned(_) => {
                Clears::Never
            }
        }
    }

    /// How long it lasts, for comparison. What a daemon at work is done with in a moment comes last.
    pub(super) fn lasts(&self, day_ends_at: Millis) -> (u8, Millis) {
        match self {
            Self::InFlight(_) | Self::Unleased => (0, 0),
            other => other.clears().lasts(day_ends_at),
        }
    }

    /// What an operator can do about it, where there is something.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Campaign { state, .. } if state != "finished" => {
                Some("`warmfront campaign start NAME`")
            }
            Self::Campaign { .. } => {
                Some("import new people, then `warmfront campaign start NAME`")
            }
            Self::Outdated => {
                Some("put the newer database back if there is one, else `warmfront reconcile`")
            }
            Self::Enrolment { state, .. } if state == "held" => {
                Some("`warmfront person release ADDRESS`, or `person stop ADDRESS`")
            }
            Self::Enrolment { state, .. } if state == "blocked" => {
                Some("mend the row or the step, then `warmfront campaign import DIR --update`")
            }
            Self::MailboxPaused { until: None, .. } => {
                Some("mend the cause, then `warmfront mailbox resume ADDRESS`")
            }
            Self::MailboxLogin { .. } => Some("`warmfront mailbox login ADDRESS`"),
            Self::MailboxDisabled => Some("write the mailbox into warmfront.toml again"),
            Self::DomainFails(_) => Some("publish the record that `warmfront doctor` shows"),
            Self::Unproven(_) => {
                Some("suppress whom it wrote to, then `warmfront mailbox resume ADDRESS`")
            }
            Self::Unleased => {
                Some("`warmfront run`, unless one is running and has yet to come to it")
            }
            Self::InboxStale { .. } => {
                Some("`warmfront run` reads the inboxes of mailboxes that have `imap`")
            }
            Self::NotPlanned(_)
            | Self::Suppressed
            | Self::Enrolment { .. }
            | Self::Attempts(_)
            | Self::MailboxPaused { until: Some(_), .. }
            | Self::AnotherThread
            | Self::NextPlan
            | Self::NotDue(_)
            | Self::HoursOver(_)
            | Self::MailboxDay(_)
            | Self::DomainDay(_)
            | Self::TenantDay(_)
            | Self::CompanyDay(_)
            | Self::PersonGap { .. }
            | Self::MailboxGap { .. }
            | Self::InFlight(_) => None,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = |f: &mut fmt::Formatter<'_>, whose: &str, used: &Used| {
            write!(f, "{whose} has had {} of {} today", used.attempted, used.ceiling)
        };
        match self {
            Self::NotPlanned(state) => write!(f, "it is {state}"),
            Self::Outdated => {
                f.write_str("these books are an older copy and do not know what was sent since")
            }
            Self::Suppressed => f.write_str("the address is suppressed"),
            Self::Enrolment { state, because } => {
                stands(f, &of_enrolment(state), because.as_deref())
            }
            Self::Unproven(mailbox) => write!(
                f,
                "since the books were copied {mailbox} may have written to anybody, and nothing \
                 shows to whom"
            ),
            Self::Attempts(attempts) => write!(f, "{GAVE_UP} after {attempts} attempts"),
            Self::Campaign { state, because } => {
                stands(f, &format!("the campaign is {state}"), because.as_deref())
            }
            Self::MailboxPaused { because, .. } | Self::MailboxLogin { because } => {
                write!(f, "the mailbox is paused: {because}")
            }
            Self::MailboxDisabled => f.write_str("the mailbox is gone from the configuration"),
            Self::DomainFails(because) => {
                write!(
                    f,
                    "the sending domain fails its checks, so it writes to nobody new: {because}"
                )
            }
            Self::AnotherThread => f.write_str("its thread began in another mailbox"),
            Self::NextPlan => f.write_str("it waits for the next day's plan"),
            Self::NotDue(_) => f.write_str("it is not due yet"),
            Self::HoursOver(_) => f.write_str("the hours it was due in are over"),
            Self::InboxStale { age: None, .. } => {
                f.write_str("a follow-up needs a reading of the mailbox's inbox, and there is none")
            }
            Self::InboxStale { age: Some(age), fresh } => write!(
                f,
                "a follow-up needs a reading of the mailbox's inbox of the last {}, and it is {} old",
                length_text(*fresh),
                length_text(rounded(*age))
            ),
            Self::MailboxDay(used) => full(f, "the mailbox", used),
            Self::DomainDay(used) => full(f, "the sending domain", used),
            Self::TenantDay(used) => full(f, "the tenant", used),
            Self::CompanyDay(used) => full(f, "the company written to", used),
            Self::PersonGap { gap, .. } => write!(
                f,
                "the person was written to less than {} ago, with another message",
                length_text(*gap)
            ),
            Self::MailboxGap { gap, .. } => {
                write!(f, "the mailbox sent less than {} ago", length_text(*gap))
            }
            Self::InFlight(_) => f.write_str("another message of the mailbox is being sent"),
            Self::Unleased => f.write_str("no daemon has taken the mailbox up"),
        }
    }
}

/// An age as people say it: nobody counts the seconds of hours, nor the minutes of days.
fn rounded(age: Millis) -> Millis {
    let unit = match age {
        DAY.. => HOUR,
        HOUR.. => MINUTE,
        _ => SECOND,
    };
    age / unit * unit
}

/// A state and its cause, where that is known.
pub(super) fn stands(f: &mut fmt::Formatter<'_>, what: &str, because: Option<&str>) -> fmt::Result {
    f.write_str(what)?;
    because.map_or(Ok(()), |because| write!(f, ": {because}"))
}

/// What the state of an enrolment that gets nothing says.
pub(super) fn of_enrolment(state: &str) -> String {
    let said = match state {
        "held" => "the enrolment is held",
        "blocked" => "the enrolment is blocked: its text cannot be rendered",
        "replied" => "the person replied",
        "bounced" => "the address bounced",
        "unsubscribed" => "the person unsubscribed",
        "complained" => "the person reported a message as spam",
        "suppressed" => "the address was suppressed",
        "rejected" => "a message to the person was rejected",
        "finished" => "the person has had the last step",
        "stopped" => "the enrolment was stopped",
        "erased" => "the person was erased",
        other => return format!("the enrolment is {other}"),
    };
    said.to_owned()
}
