//! A campaign folder becomes rows, all of them or none.

use sea_orm::ConnectionTrait;
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::campaigns::tell;
use crate::db::{Transaction, sql};
use crate::import_steps::{Steps, write_steps};
use crate::occasions::TO_PLAN_FOR;
use crate::row::{Row as _, columns};
use crate::stage::{self, Staged};
use crate::{Store, StoreError, import_rows, import_staged, inbound, postgres, sqlite};

/// A campaign to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCampaign {
    /// Its folder's name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Messages a day, follow-ups included.
    pub daily_target: u32,
    /// Windows, holidays, mailboxes: JSON.
    pub manifest: String,
    /// The wait of each step, the first one's `None`.
    pub waits: Vec<Option<String>>,
    /// The texts.
    pub texts: Vec<StepText>,
    /// The prospect list's name, for the books.
    pub file: String,
    /// Take over what changed since the last import, for steps not sent yet.
    pub update: bool,
}

/// One variant of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepText {
    /// Its revision's row; 0 before it has one.
    pub id: i64,
    /// The step, from 1.
    pub position: u32,
    /// The variant's name.
    pub variant: String,
    /// Its subject template; `None` replies in thread.
    pub subject: Option<String>,
    /// Its text template.
    pub text: String,
    /// Its HTML template.
    pub html: Option<String>,
    /// Tells this text from any other.
    pub hash: String,
}

columns!(StepText { id, position, variant, subject, text, html, hash });

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportRow {
    /// A good one.
    Prospect {
        /// Its line.
        line: u64,
        /// Its address, normalised.
        address: String,
        /// The address's domain.
        domain: String,
        /// The company, unless it is a free-mail address.
        company: Option<String>,
        /// Its columns: JSON.
        attributes: String,
        /// An IANA name, `country:XX` or nothing.
        zone: String,
        /// Why its texts cannot be written, where they cannot.
        blocked: Option<String>,
    },
    /// A bad one.
    Rejected {
        /// Its line.
        line: u64,
        /// Why.
        reason: String,
    },
    /// One whose address the list has already.
    Duplicate {
        /// Its line.
        line: u64,
    },
}

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows of the list.
    pub rows: u64,
    /// New enrolments.
    pub accepted: u64,
    /// Bad rows.
    pub rejected: u64,
    /// Rows that were there already.
    pub duplicates: u64,
    /// Of the duplicates, those whose values were taken over.
    pub updated: u64,
    /// New enrolments that were suppressed before they began.
    pub suppressed: u64,
    /// Enrolments, new or updated, whose texts cannot be written.
    pub blocked: u64,
}

/// An import that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The campaign.
    pub campaign: i64,
    /// Its figures.
    pub summary: ImportSummary,
    /// Why people are blocked, the first of them.
    pub blocked: Vec<String>,
    /// Whether folder and books differ in their steps, and the books' were kept.
    pub kept_old_steps: bool,
    /// What of the texts was taken over, where the campaign was known and an update asked for.
    pub taken_over: Option<TakenOver>,
}

/// Texts that an update took over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// New, changed, or back again.
    pub changed: u64,
    /// Gone from the folder.
    pub withdrawn: u64,
}

impl Store {
    /// Imports a campaign and its list in one transaction; the rows come in batches, so that a
    /// list may be longer than memory. Where the sender of rows goes away without a last word
    /// (`None`), nothing is imported.
    pub async fn import(
        &self,
        campaign: &NewCampaign,
        rows: mpsc::Receiver<Option<Vec<ImportRow>>>,
        now: i64,
    ) -> Result<Option<Imported>, StoreError> {
        let Some(begun) = self.begin_import(campaign, rows).await? else { return Ok(None) };
        let imported = write(&begun.transaction, campaign, begun.source, now).await?;
        match imported.is_some() {
            true => begun.transaction.commit().await?,
            false => begun.transaction.rollback().await?,
        }
        close(begun.pool).await;
        Ok(imported)
    }

    /// Says what an import would come to, and writes nothing.
    pub async fn rehearse_import(
        &self,
        campaign: &NewCampaign,
        rows: mpsc::Receiver<Option<Vec<ImportRow>>>,
        now: i64,
    ) -> Result<Option<Imported>, StoreError> {
        let Some(begun) = self.begin_import(campaign, rows).await? else { return Ok(None) };
        let imported = write(&begun.transaction, campaign, begun.source, now).await?;
        begun.transaction.rollback().await?;
        close(begun.pool).await;
        Ok(imported)
    }

    /// An import works on rows that nobody sees yet, beside all others; one that changes what is
    /// there is alone from the first.
    async fn begin_import(
        &self,
        campaign: &NewCampaign,
        rows: Rows,
    ) -> Result<Option<Begun>, StoreError> {
        if !self.db.is_shared() {
            let transaction = self.db.begin_unlocked().await?;
            transaction.execute_raw(sql(sqlite::CACHE_OF_AN_IMPORT, [])).await?;
            return Ok(Some(Begun { transaction, source: Source::Coming(rows), pool: None }));
        }
        let Some(Staged { transaction, pool }) = stage::begin(&self.db, rows).await? else {
            return Ok(None);
        };
        postgres::wait_to_import(&transaction).await?;
        if campaign.update {
            postgres::wait_to_be_alone(&transaction).await?;
        }
        Ok(Some(Begun { transaction, source: Source::Staged, pool: Some(pool) }))
    }
}

/// The rows of a list, batch by batch; the last word is `None`.
pub(crate) type Rows = mpsc::Receiver<Option<Vec<ImportRow>>>;

/// An import that has begun.
struct Begun {
    transaction: Transaction,
    source: Source,
    /// Of the connection that has the rows, where it is one of its own.
    pool: Option<PgPool>,
}

async fn close(pool: Option<PgPool>) {
    if let Some(pool) = pool {
        pool.close().await;
    }
}

/// Where the rows of an import are.
enum Source {
    /// Yet to come.
    Coming(Rows),
    /// In the table `staged`, all of them.
    Staged,
}

/// What the rows of an import came to.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) summary: ImportSummary,
    /// Why people are blocked, the first of them.
    pub(crate) blocked: Vec<String>,
}

/// Reasons kept for whoever imports; the books have them all.
pub(crate) const REASONS_MAX: usize = 20;

/// An import under way.
#[derive(Clone, Copy)]
pub(crate) struct Import<'a> {
    pub(crate) db: &'a Transaction,
    pub(crate) campaign: i64,
    pub(crate) import: i64,
    pub(crate) update: bool,
    pub(crate) now: i64,
}

async fn write(
    transaction: &Transaction,
    campaign: &NewCampaign,
    source: Source,
    now: i64,
) -> Result<Option<Imported>, StoreError> {
    let (id, is_new) = write_campaign(transaction, campaign, now).await?;
    let steps = write_steps(transaction, campaign, id, is_new).await?;
    let import: i64 = transaction
        .query_one_raw(sql(
            "INSERT INTO imports (campaign_id, at, file, rows, accepted, rejected, duplicates)
             VALUES ($1, $2, $3, 0, 0, 0, 0) RETURNING id",
            [id.into(), now.into(), campaign.file.as_str().into()],
        ))
        .await?
        .ok_or_else(|| StoreError::Inconsistent("an import was not written".to_owned()))?
        .read("id")?;
    let import = Import { db: transaction, campaign: id, import, update: campaign.update, now };
    let written = match source {
        Source::Coming(rows) => import_rows::write(&import, rows).await?,
        Source::Staged => Some(import_staged::write(&import).await?),
    };
    let Some(Written { summary, blocked }) = written else { return Ok(None) };
    inbound::hold(transaction, sql(&hold_the_answered(), [id.into()])).await?;
    close_import(&import, &summary).await?;
    Ok(Some(Imported {
        campaign: id,
        summary,
        blocked,
        kept_old_steps: steps == Steps::KeptOld,
        taken_over: match steps {
            Steps::TakenOver(what) => Some(what),
            Steps::New | Steps::KeptOld | Steps::Same => None,
        },
    }))
}

async fn write_campaign(
    db: &impl ConnectionTrait,
    campaign: &NewCampaign,
    now: i64,
) -> Result<(i64, bool), StoreError> {
    let known = db
        .query_one_raw(sql(
            "SELECT id FROM campaigns WHERE slug = $1",
            [campaign.slug.as_str().into()],
        ))
        .await?;
    let values = || {
        [
            campaign.slug.as_str().into(),
            campaign.name.as_str().into(),
            campaign.daily_target.into(),
            campaign.manifest.as_str().into(),
            now.into(),
        ]
    };
    if let Some(row) = known {
        if campaign.update {
            db.execute_raw(sql(
                "UPDATE campaigns SET name = $2, daily_target = $3, manifest = $4
                 WHERE slug = $1 AND $5 IS NOT NULL",
                values(),
            ))
            .await?;
        }
        return Ok((row.read("id")?, false));
    }
    let row = db
        .query_one_raw(sql(
            "INSERT INTO campaigns (slug, name, daily_target, manifest, created_at)
             VALUES ($1, $2, $3, $4, $5) RETURNING id",
            values(),
        ))
        .await?
        .ok_or_else(|| StoreError::Inconsistent("a campaign was not written".to_owned()))?;
    Ok((row.read("id")?, true))
}

async fn close_import(import: &Import<'_>, summary: &ImportSummary) -> Result<(), StoreError> {
    let Import { db, campaign, import, now, .. } = *import;
    let figure = |n: u64| sea_orm::Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    db.execute_raw(sql(
        "UPDATE imports SET rows = $2, accepted = $3, rejected = $4, duplicates = $5 WHERE id = $1",
        [
            import.into(),
            figure(summary.rows),
            figure(summary.accepted),
            figure(summary.rejected),
            figure(summary.duplicates),
        ],
    ))
    .await?;
    // A finished campaign with new people has work again.
    db.execute_raw(sql(
        "UPDATE campaigns SET state = 'running' WHERE id = $1 AND state = 'finished' AND $2 > 0",
        [campaign.into(), figure(summary.accepted)],
    ))
    .await?;
    let data = format!("{{\"rows\":{},\"accepted\":{}}}", summary.rows, summary.accepted);
    tell(db, campaign, "imported", &data, now).await
}

/// Why a row brings nobody new.
pub(crate) const ABOVE: &str = "the address stands above in the same list";
pub(crate) const BEFORE: &str = "the address was imported before";

/// Those of the campaign who have answered another, or work where somebody has, unless the operator
/// released them since. Once an import: it reads every enrolment there is.
fn hold_the_answered() -> String {
    format!(
        "
    UPDATE enrolments SET state = 'held', because = 'an answer came from there'
    WHERE campaign_id = $1 AND state = 'active' AND prospect_id IN (
        SELECT r.prospect_id FROM enrolments r WHERE r.state = 'replied'
        UNION SELECT q.id FROM enrolments r JOIN prospects p ON p.id = r.prospect_id
              JOIN prospects q ON q.company = p.company WHERE r.state = 'replied')
      AND id NOT IN (
        SELECT enrolment_id FROM events
        WHERE {TO_PLAN_FOR} AND kind = 'enrolment_resumed')
    RETURNING id"
    )
}
