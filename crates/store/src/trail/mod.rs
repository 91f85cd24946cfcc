//! What the books know of one subject, whatever that is: a person, a message, a mailbox, a
//! campaign. Read in one transaction, so that the reasons of an answer fit together.
//!
//! Decides nothing: why something left or did not is for the core to say.

mod fleet;
mod people;

use sea_orm::{AccessMode, ConnectionTrait, FromQueryResult, IsolationLevel, TransactionOptions};
use warmfront_core::reason::{Books, Facts, Mailbox, Past, Turn, Used};
use warmfront_core::span::Span;

use crate::db::{Transaction, sql};
use crate::row::Row as _;
use crate::{CampaignRow, MailboxRow, Store, StoreError, Suppression};

/// All that goes by one name: an address may be a mailbox's and a prospect's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trails {
    /// What suppresses the address, its domain or its company.
    pub suppressions: Vec<Suppression>,
    /// The enrolments of a prospect, oldest first.
    pub enrolments: Vec<EnrolmentTrail>,
    /// The enrolment whose message it is, and the step.
    pub message: Option<(EnrolmentTrail, u32)>,
    /// The mailbox.
    pub mailbox: Option<MailboxTrail>,
    /// The campaign.
    pub campaign: Option<CampaignTrail>,
}

impl Trails {
    /// Whether the books know nothing by that name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Has whatever is told of know that the books are an older copy. Not read from them: that may
    /// be written beside them only.
    pub fn of_outdated_books(&mut self) {
        for trail in self.of_people() {
            for message in &mut trail.messages {
                message.facts.books = Books::Outdated;
            }
            if let Some(turn) = &mut trail.turn {
                turn.books = Books::Outdated;
            }
        }
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.books = Books::Outdated;
            if let Some((message, _)) = &mut mailbox.next {
                message.facts.books = Books::Outdated;
            }
        }
    }

    /// Every enrolment that is told of.
    pub fn of_people(&mut self) -> impl Iterator<Item = &mut EnrolmentTrail> {
        let message = self.message.iter_mut().map(|(trail, _)| trail);
        let next = self.campaign.iter_mut().filter_map(|campaign| campaign.next.as_mut());
        self.enrolments.iter_mut().chain(message).chain(next)
    }
}

/// Somebody in a campaign, and what was sent to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentTrail {
    /// Its row.
    pub id: i64,
    /// The campaign.
    pub campaign: CampaignRow,
    /// Who; nobody once erased.
    pub address: Option<String>,
    /// `active`, `held`, `replied` and so on.
    pub state: String,
    /// Why, where the state alone does not say.
    pub because: Option<String>,
    /// Since when it is over.
    pub ended_at: Option<i64>,
    /// The file it came from, its line, and when.
    pub imported: Option<(String, u32, i64)>,
    /// The prospect's zone, as the list had it.
    pub zone: String,
    /// The mailbox of its thread.
    pub mailbox: Option<String>,
    /// How long the next step waits, as written.
    pub wait: Option<String>,
    /// Its messages, by step.
    pub messages: Vec<MessageTrail>,
    /// Where nothing is planned of its next step: whose turn it is. The hours are for the caller to
    /// fill in; the books hold none.
    pub turn: Option<Turn>,
}

/// A message, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTrail {
    /// Its row.
    pub id: i64,
    /// The step, from 1.
    pub step: u32,
    /// The variant it was written from, once it was tried.
    pub variant: Option<String>,
    /// The mailbox it leaves from.
    pub mailbox: String,
    /// What became of it.
    pub past: Past,
    /// The day it is planned for.
    pub plan_day: Option<String>,
    /// When it is or was due.
    pub due_at: i64,
    /// Its last attempt.
    pub sending_since: Option<i64>,
    /// Its Message-ID, once it has one.
    pub message_id: Option<String>,
    /// What came in about it: (kind, moment).
    pub inbound: Vec<(String, i64)>,
    /// Everything its claim depends on.
    pub facts: Facts,
}

/// A mailbox and its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxTrail {
    /// The mailbox.
    pub row: MailboxRow,
    /// What the books themselves are.
    pub books: Books,
    /// What holds all of its messages.
    pub facts: Mailbox,
    /// Its day, where that is planned.
    pub day: Option<MailboxFigures>,
    /// Messages still planned for today.
    pub planned_today: u64,
    /// The next of them that is due, and whom it goes to.
    pub next: Option<(MessageTrail, Option<String>)>,
}

/// What a mailbox may do today, and has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxFigures {
    /// The most it may ever do.
    pub cap: u32,
    /// Today's most, after warmup and easing.
    pub allowance: u32,
    /// What its counter may reach: the allowance less manual mail.
    pub ceiling: u32,
    /// Its share of the plan.
    pub allotted: u32,
    /// Where it stood on its curve.
    pub warm_days: u32,
    /// Attempts.
    pub attempted: u32,
    /// Of them accepted.
    pub accepted: u32,
}

/// A campaign and its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignTrail {
    /// The campaign.
    pub row: CampaignRow,
    /// People by state.
    pub enrolments: Vec<(String, u64)>,
    /// Messages still planned for today.
    pub planned_today: u64,
    /// When the next of them is due.
    pub next_due_at: Option<i64>,
    /// Whose turn it would be next; nobody's where nobody is left whose next step is not planned.
    pub next: Option<EnrolmentTrail>,
    /// The day's figures: tried or planned, of the target.
    pub target: Used,
}

impl Store {
    /// All that goes by the name `subject`: an address, a Message-ID with or without its brackets,
    /// a mailbox, a campaign. `day` is the counting day of that name, which lasts `today`.
    pub async fn trails(
        &self,
        subject: &str,
        day: &str,
        today: Span,
    ) -> Result<Trails, StoreError> {
        let db = &self.begin_reading().await?;
        let day = Day { name: day, span: today };
        let bare = subject.trim().trim_start_matches('<').trim_end_matches('>');
        let address = bare.to_lowercase();
        Ok(Trails {
            suppressions: people::suppressions(db, &address).await?,
            enrolments: people::enrolments(db, &address, day).await?,
            message: people::message(db, bare, day).await?,
            mailbox: fleet::mailbox(db, &address, day).await?,
            campaign: fleet::campaign(db, bare, day).await?,
        })
    }

    /// A transaction that sees the books as they stand at its first question, and waits for nobody.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, StoreError> {
        let options = if self.db.is_shared() {
            TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            }
        } else {
            TransactionOptions::default()
        };
        Ok(self.db.read.begin(options).await?)
    }
}

/// The counting day.
#[derive(Clone, Copy)]
struct Day<'a> {
    name: &'a str,
    span: Span,
}

/// One count.
async fn count(
    db: &impl ConnectionTrait,
    text: &str,
    values: impl IntoIterator<Item = sea_orm::Value>,
) -> Result<u32, StoreError> {
    let row = db.query_one_raw(sql(text, values)).await?;
    Ok(row.map_or(Ok(0), |row| row.read("n"))?)
}

/// Rows of one kind.
async fn all<R: FromQueryResult>(
    db: &impl ConnectionTrait,
    text: &str,
    values: impl IntoIterator<Item = sea_orm::Value>,
) -> Result<Vec<R>, StoreError> {
    Ok(R::find_by_statement(sql(text, values)).all(db).await?)
}
