//! A campaign folder becomes rows, all of them or none.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};
use tokio::sync::mpsc;

use crate::campaigns::{latest_texts, tell};
use crate::db::sql;
use crate::import_rows::Batch;
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
    let kept_old_steps = write_steps(transaction, campaign, id, is_new).await?;
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
    Ok(Some(Imported { campaign: id, summary, blocked, kept_old_steps }))
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

/// Writes steps and texts; says whether they differ from the books and the books' were kept.
async fn write_steps(
    db: &impl ConnectionTrait,
    campaign: &NewCampaign,
    id: i64,
    is_new: bool,
) -> Result<bool, StoreError> {
    let known: BTreeMap<(u32, String), String> = latest_texts(db, id)
        .await?
        .into_iter()
        .map(|text| ((text.position, text.variant), text.hash))
        .collect();
    let changed: Vec<&StepText> = campaign
        .texts
        .iter()
        .filter(|t| known.get(&(t.position, t.variant.clone())) != Some(&t.hash))
        .collect();
    if !is_new && !campaign.update {
        let waits = db
            .query_all_raw(sql(
                "SELECT wait FROM steps WHERE campaign_id = ?1 ORDER BY position",
                [id.into()],
            ))
            .await?
            .iter()
            .map(|row| Ok(row.try_get("", "wait")?))
            .collect::<Result<Vec<Option<String>>, StoreError>>()?;
        return Ok(!changed.is_empty() || waits != campaign.waits);
    }
    for (index, wait) in campaign.waits.iter().enumerate() {
        db.execute_raw(sql(
            "INSERT INTO steps (campaign_id, position, wait) VALUES (?1, ?2, ?3)
             ON CONFLICT (campaign_id, position) DO UPDATE SET wait = excluded.wait",
            [
                id.into(),
                i64::try_from(index + 1).unwrap_or(i64::MAX).into(),
                wait.as_deref().into(),
            ],
        ))
        .await?;
    }
    for text in changed {
        db.execute_raw(sql(
            "INSERT INTO step_revisions
                 (campaign_id, position, variant, revision, subject, text, html, hash)
             SELECT ?1, ?2, ?3, coalesce(max(revision), 0) + 1, ?4, ?5, ?6, ?7
             FROM step_revisions WHERE campaign_id = ?1 AND position = ?2 AND variant = ?3",
            [
                id.into(),
                text.position.into(),
                text.variant.as_str().into(),
                text.subject.as_deref().into(),
                text.text.as_str().into(),
                text.html.as_deref().into(),
                text.hash.as_str().into(),
            ],
        ))
        .await?;
    }
    Ok(false)
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
