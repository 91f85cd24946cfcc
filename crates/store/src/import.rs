//! A campaign folder becomes rows, all of them or none.

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};
use tokio::sync::mpsc;

use crate::campaigns::tell;
use crate::db::sql;
use crate::import_rows::Batch;
use crate::import_steps::{Steps, write_steps};
use crate::{Store, StoreError};

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
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
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
        let transaction = self.db.begin().await?;
        let imported = write(&transaction, campaign, rows, now).await?;
        if imported.is_some() {
            transaction.commit().await?;
        }
        Ok(imported)
    }

    /// Says what an import would come to, and writes nothing.
    pub async fn rehearse_import(
        &self,
        campaign: &NewCampaign,
        rows: mpsc::Receiver<Option<Vec<ImportRow>>>,
        now: i64,
    ) -> Result<Option<Imported>, StoreError> {
        let transaction = self.db.begin().await?;
        let imported = write(&transaction, campaign, rows, now).await?;
        transaction.rollback().await?;
        Ok(imported)
    }
}

async fn write(
    transaction: &DatabaseTransaction,
    campaign: &NewCampaign,
    mut rows: mpsc::Receiver<Option<Vec<ImportRow>>>,
    now: i64,
) -> Result<Option<Imported>, StoreError> {
    let (id, is_new) = write_campaign(transaction, campaign, now).await?;
    let steps = write_steps(transaction, campaign, id, is_new).await?;
    let import: i64 = transaction
        .query_one_raw(sql(
            "INSERT INTO imports (campaign_id, at, file, rows, accepted, rejected, duplicates)
             VALUES (?1, ?2, ?3, 0, 0, 0, 0) RETURNING id",
            [id.into(), now.into(), campaign.file.as_str().into()],
        ))
        .await?
        .ok_or_else(|| StoreError::Inconsistent("an import was not written".to_owned()))?
        .try_get("", "id")?;
    let mut batch = Batch {
        db: transaction,
        campaign: id,
        import,
        update: campaign.update,
        now,
        summary: ImportSummary::default(),
        blocked: Vec::new(),
    };
    loop {
        match rows.recv().await {
            Some(Some(rows)) => batch.write(rows).await?,
            Some(None) => break,
            None => return Ok(None),
        }
    }
    batch.hold_the_answered().await?;
    let Batch { summary, blocked, .. } = batch;
    close_import(transaction, import, id, &summary, now).await?;
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
            "SELECT id FROM campaigns WHERE slug = ?1",
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
                "UPDATE campaigns SET name = ?2, daily_target = ?3, manifest = ?4
                 WHERE slug = ?1 AND ?5 IS NOT NULL",
                values(),
            ))
            .await?;
        }
        return Ok((row.try_get("", "id")?, false));
    }
    let row = db
        .query_one_raw(sql(
            "INSERT INTO campaigns (slug, name, daily_target, manifest, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
            values(),
        ))
        .await?
        .ok_or_else(|| StoreError::Inconsistent("a campaign was not written".to_owned()))?;
    Ok((row.try_get("", "id")?, true))
}

async fn close_import(
    db: &impl ConnectionTrait,
    import: i64,
    campaign: i64,
    summary: &ImportSummary,
    now: i64,
) -> Result<(), StoreError> {
    let figure = |n: u64| sea_orm::Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    db.execute_raw(sql(
        "UPDATE imports SET rows = ?2, accepted = ?3, rejected = ?4, duplicates = ?5 WHERE id = ?1",
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
        "UPDATE campaigns SET state = 'running' WHERE id = ?1 AND state = 'finished' AND ?2 > 0",
        [campaign.into(), figure(summary.accepted)],
    ))
    .await?;
    let data = format!("{{\"rows\":{},\"accepted\":{}}}", summary.rows, summary.accepted);
    tell(db, campaign, "imported", &data, now).await
}
