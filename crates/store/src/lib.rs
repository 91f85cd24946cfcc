//! The books. Each public method is one transaction; what must never go wrong, the database itself
//! refuses (see `migrations/`).
//!
//! Decides nothing: what an answer does to a mailbox is asked of the core, inside the transaction
//! that records it. Knows nothing of files, mail or clocks.

mod books;
mod campaigns;
mod claim;
mod daemon;
mod days;
mod db;
mod domains;
mod doubts;
mod error;
mod facts;
mod fleet;
mod foreign;
mod funnel;
mod group;
mod health;
mod import;
mod import_rows;
mod import_staged;
mod import_steps;
mod inbound;
mod lease;
mod moving;
mod occasions;
mod patient;
mod pausing;
mod people;
mod planning;
mod postgres;
mod reading;
mod restored;
mod row;
mod save_plan;
mod scribe;
mod sealing;
mod sending;
mod sent;
mod settle;
mod sqlite;
mod stage;
mod suppressions;
mod taking_up;
mod tokens;
mod trail;
mod unknown;
mod visit;
mod watermark;
mod workers;

use std::path::PathBuf;

use sea_orm::{ConnectionTrait as _, FromQueryResult as _};
use warmfront_core::health::Thresholds;

pub use self::books::{Audit, Imbalance, LedgerLine};
pub use self::campaigns::{CampaignRow, CampaignStatus};
pub use self::claim::DOT_WITHIN_MS;
pub use self::daemon::DaemonLock;
pub use self::db::Durability;
pub use self::domains::{DomainCheck, Turn};
pub use self::doubts::{Doubt, SettledDoubt, Verdict};
pub use self::error::StoreError;
pub use self::fleet::{MailboxRow, MailboxSpec};
pub use self::funnel::{Answered, Funnel, FunnelRow, People};
pub use self::import::{ImportRow, ImportSummary, Imported, NewCampaign, StepText, TakenOver};
pub use self::inbound::Consequence;
pub use self::lease::Lease;
pub use self::moving::{Move, Moved, Progress, Told};
pub use self::people::{Blamed, Wish};
pub use self::planning::{
    Candidate, CompanyUse, DayUse, NewMessage, PlanEntry, SavedMailboxDay, SavedPlan,
};
pub use self::reading::{FolderRow, Found, Read, ReadingLease, Recorded, RefusedArrival};
pub use self::save_plan::{DayPlan, ReckonedBy};
pub use self::sending::{Claim, DueMessage, Fate, InThread, Settlement};
pub use self::sent::Today;
pub use self::suppressions::{Scope, Suppression};
pub use self::taking_up::{Stray, StrayRow, TakenUp};
pub use self::tokens::{LoggedIn, RefreshLease, SealedTokens, Tokens};
pub use self::trail::{
    CampaignTrail, EnrolmentTrail, MailboxFigures, MailboxTrail, MessageTrail, Trails,
};
pub use self::unknown::UnknownAnswer;
pub use self::watermark::Watermark;
pub use self::workers::{Company, LOST_AFTER_MS, Worker};
use crate::db::{Db, sql};
use crate::row::{Row as _, columns};
use crate::scribe::Scribe;

/// The books of one installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    scribe: Scribe,
    /// The one file that keeps the books, where one does.
    file: Option<PathBuf>,
}

/// What the triggers need to know of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The zone whose civil date counts.
    pub zone: String,
    /// The seed of the plans.
    pub seed: i64,
    /// Messages to one company in a day.
    pub company_per_day: u32,
    /// Least time between two messages to one person, in milliseconds.
    pub person_gap_ms: i64,
    /// How old an inbox's reading may be for a follow-up, in milliseconds.
    pub fresh_ms: i64,
    /// When mailboxes and campaigns stop.
    pub thresholds: Thresholds,
    /// How long a domain's failure stands before it holds anything back, in milliseconds; nothing
    /// where domains are not looked at.
    pub domain_grace_ms: Option<i64>,
}

struct SettingsRow {
    zone: String,
    seed: i64,
    company_per_day: u32,
    person_gap_ms: i64,
    fresh_ms: i64,
    thresholds: String,
    domain_grace_ms: Option<i64>,
}

columns!(SettingsRow {
    zone,
    seed,
    company_per_day,
    person_gap_ms,
    fresh_ms,
    thresholds,
    domain_grace_ms,
});

impl SettingsRow {
    fn into_settings(self) -> Result<Settings, StoreError> {
        Ok(Settings {
            thresholds: read_thresholds(&self.thresholds)?,
            zone: self.zone,
            seed: self.seed,
            company_per_day: self.company_per_day,
            person_gap_ms: self.person_gap_ms,
            fresh_ms: self.fresh_ms,
            domain_grace_ms: self.domain_grace_ms,
        })
    }
}

/// Thresholds as the books keep them; a newer version may have added some.
fn read_thresholds(text: &str) -> Result<Thresholds, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Inconsistent(format!("the thresholds `{text}`: {error}")))
}

/// A reading older than this proves nothing.
pub const FRESH_MS: i64 = 15 * 60 * 1_000;

impl Store {
    /// Opens the books at `url`, brings their schema up to date, and refuses those of a newer
    /// version, and those that are moved elsewhere, or not whole yet.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        let store = Self::open_anywhere(url, durability).await?;
        moving::refuse_on_the_move(&store.db).await?;
        Ok(store)
    }

    /// The books in the file behind `url` as they are: nothing is made, changed or brought up to date.
    /// `None` where there are none yet, or they are another version's, or a server's, which is not
    /// asked for this.
    pub async fn look(url: &str) -> Result<Option<Self>, StoreError> {
        let db = sqlite::look(url).await?;
        Ok(db.map(|db| Self { scribe: Scribe::start(db.clone()), db, file: sqlite::path(url) }))
    }

    /// The same wherever the books are, for whoever moves them.
    async fn open_anywhere(url: &str, durability: Durability) -> Result<Self, StoreError> {
        let db = Db::open(url, durability).await?;
        Ok(Self { scribe: Scribe::start(db.clone()), db, file: sqlite::path(url) })
    }

    /// The file behind `url`, where there is one.
    #[must_use]
    pub fn file(url: &str) -> Option<PathBuf> {
        sqlite::path(url)
    }

    /// Closes the books. SQLite then moves all of its log into the one file, so that a copy of it
    /// is a copy of everything.
    pub async fn close(self) -> Result<(), StoreError> {
        let Db { read, write, scribe } = self.db;
        read.close().await?;
        scribe.close().await?;
        Ok(write.close().await?)
    }

    /// Writes the settings. The seed of the first time stays, or a saved plan would not be the one
    /// its inputs give.
    pub async fn write_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        let thresholds = serde_json::to_string(&settings.thresholds)
            .map_err(|error| StoreError::Inconsistent(format!("the thresholds: {error}")))?;
        self.db
            .write
            .execute_raw(sql(
                "INSERT INTO settings
                     (id, zone, seed, company_per_day, person_gap_ms, fresh_ms, thresholds,
                      domain_grace_ms)
                 VALUES (1, $1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (id) DO UPDATE SET zone = excluded.zone,
                     company_per_day = excluded.company_per_day,
                     person_gap_ms = excluded.person_gap_ms, fresh_ms = excluded.fresh_ms,
                     thresholds = excluded.thresholds,
                     domain_grace_ms = excluded.domain_grace_ms",
                [
                    settings.zone.as_str().into(),
                    settings.seed.into(),
                    settings.company_per_day.into(),
                    settings.person_gap_ms.into(),
                    settings.fresh_ms.into(),
                    thresholds.into(),
                    settings.domain_grace_ms.into(),
                ],
            ))
            .await?;
        Ok(())
    }

    /// The settings, if they were ever written.
    pub async fn settings(&self) -> Result<Option<Settings>, StoreError> {
        let query = sql(
            "SELECT zone, seed, company_per_day, person_gap_ms, fresh_ms, thresholds, domain_grace_ms
             FROM settings WHERE id = 1",
            [],
        );
        let row = SettingsRow::find_by_statement(query).one(&self.db.read).await?;
        row.map(SettingsRow::into_settings).transpose()
    }

    /// The latest moment the books have recorded: a clock behind it was set back.
    pub async fn latest_moment(&self) -> Result<Option<i64>, StoreError> {
        let query = sql(
            "SELECT max(at) AS at FROM (SELECT at FROM events ORDER BY id DESC LIMIT 100) AS e",
            [],
        );
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map(|row| row.read("at")).transpose()?.flatten())
    }
}
