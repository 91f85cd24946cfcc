//! Campaigns: started, paused, finished, counted.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::db::sql;
use crate::import::StepText;
use crate::row::{Row as _, columns};
use crate::{Store, StoreError};

/// A campaign as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignRow {
    /// Its row.
    pub id: i64,
    /// Its folder's name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// `draft`, `running`, `paused` or `finished`.
    pub state: String,
    /// Why it is paused.
    pub paused_because: Option<String>,
    /// Messages a day, follow-ups included.
    pub daily_target: u32,
    /// Windows, holidays, mailboxes, waits: JSON.
    pub manifest: String,
}

columns!(CampaignRow { id, slug, name, state, paused_because, daily_target, manifest });

/// How a campaign stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignStatus {
    /// The campaign.
    pub row: CampaignRow,
    /// Enrolments by state.
    pub enrolments: BTreeMap<String, u64>,
    /// Messages by state.
    pub messages: BTreeMap<String, u64>,
    /// Messages accepted, by step.
    pub accepted_by_step: BTreeMap<u32, u64>,
}

pub(crate) const COLUMNS: &str = "id, slug, name, state, paused_because, daily_target, manifest";

impl Store {
    /// All campaigns, in order of slug.
    pub async fn campaigns(&self) -> Result<Vec<CampaignRow>, StoreError> {
        let query = sql(&format!("SELECT {COLUMNS} FROM campaigns ORDER BY slug"), []);
        Ok(CampaignRow::find_by_statement(query).all(&self.db.read).await?)
    }

    /// The campaign of that slug.
    pub async fn campaign(&self, slug: &str) -> Result<Option<CampaignRow>, StoreError> {
        let query = sql(&format!("SELECT {COLUMNS} FROM campaigns WHERE slug = $1"), [slug.into()]);
        Ok(CampaignRow::find_by_statement(query).one(&self.db.read).await?)
    }

    /// How a campaign stands.
    pub async fn campaign_status(&self, row: CampaignRow) -> Result<CampaignStatus, StoreError> {
        let by = async |text: &str| -> Result<BTreeMap<String, u64>, StoreError> {
            let rows = self.db.read.query_all_raw(sql(text, [row.id.into()])).await?;
            rows.iter()
                .map(|r| Ok((r.read("state")?, r.read::<i64>("n")?.unsigned_abs())))
                .collect()
        };
        let enrolments =
            by("SELECT state, count(*) AS n FROM enrolments WHERE campaign_id = $1 GROUP BY 1")
                .await?;
        let messages =
            by("SELECT state, count(*) AS n FROM messages WHERE campaign_id = $1 GROUP BY 1")
                .await?;
        let steps = self
            .db
            .read
            .query_all_raw(sql(
                "SELECT position, count(*) AS n FROM messages
                 WHERE campaign_id = $1 AND state IN ('accepted', 'bounced') GROUP BY 1",
                [row.id.into()],
            ))
            .await?;
        let accepted_by_step = steps
            .iter()
            .map(|r| Ok((r.read("position")?, r.read::<i64>("n")?.unsigned_abs())))
            .collect::<Result<_, StoreError>>()?;
        Ok(CampaignStatus { row, enrolments, messages, accepted_by_step })
    }

    /// Starts a campaign, or lets a paused one go on. What its list has bounced so far is
    /// forgotten: the operator has seen it.
    pub async fn start_campaign(&self, campaign: i64, now: i64) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        let started = transaction
            .execute_raw(sql(
                "UPDATE campaigns SET state = 'running', paused_because = NULL
                 WHERE id = $1 AND state <> 'running'",
                [campaign.into()],
            ))
            .await?;
        if started.rows_affected() == 1 {
            let forget = "UPDATE campaign_answers SET settled = 0, hard_bounces = 0
                          WHERE campaign_id = $1";
            transaction.execute_raw(sql(forget, [campaign.into()])).await?;
            tell(&transaction, campaign, "campaign_started", "{}", now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Pauses a running campaign, with the reason.
    pub async fn pause_campaign(
        &self,
        campaign: i64,
        because: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        pause(&transaction, campaign, because, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Finishes every running campaign that has nobody left to write to; says how many. Holds nobody
    /// up where there is none, as at most times.
    pub async fn finish_campaigns(&self, now: i64) -> Result<usize, StoreError> {
        if self.db.read.query_one_raw(sql(FINISHED, [])).await?.is_none() {
            return Ok(0);
        }
        let transaction = self.db.begin().await?;
        let done = transaction.query_all_raw(sql(FINISHED, [])).await?;
        for row in &done {
            let id: i64 = row.read("id")?;
            transaction
                .execute_raw(sql(
                    "UPDATE campaigns SET state = 'finished' WHERE id = $1",
                    [id.into()],
                ))
                .await?;
            tell(&transaction, id, "campaign_finished", "{}", now).await?;
        }
        transaction.commit().await?;
        Ok(done.len())
    }

    /// The waits before step 2, 3, … of a campaign, as written.
    pub async fn waits(&self, campaign: i64) -> Result<Vec<String>, StoreError> {
        let rows = self
            .db
            .read
            .query_all_raw(sql(
                "SELECT wait FROM steps
                 WHERE campaign_id = $1 AND position > 1 AND withdrawn = 0 ORDER BY position",
                [campaign.into()],
            ))
            .await?;
        rows.iter().map(|row| Ok(row.read("wait")?)).collect()
    }

    /// The texts of a campaign: of each step and variant the latest revision. One that was withdrawn
    /// is none of them any more.
    pub async fn texts(&self, campaign: i64) -> Result<Vec<StepText>, StoreError> {
        texts(&self.db.read, campaign, TEXTS).await
    }

    /// One text as it was.
    pub async fn text(&self, revision: i64) -> Result<Option<StepText>, StoreError> {
        let query = sql(
            "SELECT id, position, variant, subject, text, html, hash FROM step_revisions
             WHERE id = $1",
            [revision.into()],
        );
        Ok(StepText::find_by_statement(query).one(&self.db.read).await?)
    }
}

/// The latest texts of a campaign, those in use or those withdrawn.
pub(crate) async fn texts(
    db: &impl ConnectionTrait,
    campaign: i64,
    which: &str,
) -> Result<Vec<StepText>, StoreError> {
    let query = sql(
        &format!(
            "SELECT id, position, variant, subject, text, html, hash FROM step_revisions r
             WHERE campaign_id = $1 AND revision = (SELECT max(revision) FROM step_revisions l
                   WHERE l.campaign_id = r.campaign_id AND l.position = r.position
                     AND l.variant = r.variant)
               AND {which} (SELECT 1 FROM withdrawn_variants w
                   WHERE w.campaign_id = r.campaign_id AND w.position = r.position
                     AND w.variant = r.variant)
             ORDER BY position, variant"
        ),
        [campaign.into()],
    );
    Ok(StepText::find_by_statement(query).all(db).await?)
}

/// Texts in use.
pub(crate) const TEXTS: &str = "NOT EXISTS";

/// Texts that were withdrawn.
pub(crate) const WITHDRAWN: &str = "EXISTS";

pub(crate) async fn pause(
    db: &impl ConnectionTrait,
    campaign: i64,
    because: &str,
    now: i64,
) -> Result<(), StoreError> {
    let paused = db
        .execute_raw(sql(
            "UPDATE campaigns SET state = 'paused', paused_because = $2
             WHERE id = $1 AND state = 'running'",
            [campaign.into(), because.into()],
        ))
        .await?;
    if paused.rows_affected() == 1 {
        tell(db, campaign, "campaign_paused", "{}", now).await?;
    }
    Ok(())
}

pub(crate) async fn tell(
    db: &impl ConnectionTrait,
    campaign: i64,
    kind: &str,
    data: &str,
    now: i64,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "INSERT INTO events (at, kind, campaign_id, data) VALUES ($1, $2, $3, $4)",
        [now.into(), kind.into(), campaign.into(), data.into()],
    ))
    .await?;
    Ok(())
}

/// A doubt about somebody who is out keeps nothing: where nobody is left, it leads to no message.
const FINISHED: &str = "
    SELECT c.id FROM campaigns c WHERE c.state = 'running'
      AND EXISTS (SELECT 1 FROM enrolments e WHERE e.campaign_id = c.id)
      AND NOT EXISTS (SELECT 1 FROM enrolments e
                      WHERE e.campaign_id = c.id AND e.state IN ('active', 'held', 'blocked'))
      AND NOT EXISTS (SELECT 1 FROM messages m
                      WHERE m.campaign_id = c.id AND m.state IN ('planned', 'sending'))";
