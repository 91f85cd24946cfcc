//! The rows of an import, a few hundred a statement.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction};

use crate::db::sql;
use crate::{ImportRow, ImportSummary, StoreError, inbound};

/// Where rows go, and what they come to.
pub(crate) struct Batch<'a> {
    pub(crate) db: &'a DatabaseTransaction,
    pub(crate) campaign: i64,
    pub(crate) import: i64,
    pub(crate) update: bool,
    pub(crate) now: i64,
    pub(crate) summary: ImportSummary,
}

impl Batch<'_> {
    /// Writes rows, and counts them.
    pub(crate) async fn write(&mut self, rows: Vec<ImportRow>) -> Result<(), StoreError> {
        for chunk in rows.chunks(BATCH) {
            self.write_chunk(chunk).await?;
        }
        Ok(())
    }

    /// Holds those of the campaign who have answered another, or work where somebody has.
    pub(crate) async fn hold_the_answered(&self) -> Result<(), StoreError> {
        inbound::hold(self.db, sql(HOLD_THE_ANSWERED, [self.campaign.into()])).await
    }

    async fn write_chunk(&mut self, rows: &[ImportRow]) -> Result<(), StoreError> {
        let prospects = json(&rows.iter().filter_map(prospect_fields).collect::<Vec<_>>())?;
        self.db.execute_raw(sql(NEW_PROSPECTS, [prospects.as_str().into()])).await?;
        let enrolled = self
            .db
            .query_all_raw(sql(ENROLLED, [self.campaign.into(), prospects.as_str().into()]))
            .await?;
        let enrolled: BTreeSet<String> = enrolled
            .iter()
            .map(|row| Ok(row.try_get("", "address")?))
            .collect::<Result<_, StoreError>>()?;
        let new = self
            .db
            .query_all_raw(sql(
                NEW_ENROLMENTS,
                [self.campaign.into(), prospects.as_str().into(), self.now.into()],
            ))
            .await?;
        self.summary.suppressed += new
            .iter()
            .filter(|row| row.try_get::<String>("", "state").is_ok_and(|s| s == "suppressed"))
            .count() as u64;
        if self.update && !enrolled.is_empty() {
            let written = self
                .db
                .execute_raw(sql(UPDATE_ENROLMENTS, [self.campaign.into(), prospects.into()]))
                .await?;
            self.summary.updated += written.rows_affected();
        }
        self.write_outcomes(rows, enrolled).await
    }

    async fn write_outcomes(
        &mut self,
        rows: &[ImportRow],
        mut enrolled: BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            self.summary.rows += 1;
            outcomes.push(match row {
                ImportRow::Rejected { line, reason } => {
                    self.summary.rejected += 1;
                    (*line, "rejected", Some(reason.as_str()), None)
                }
                ImportRow::Duplicate { line } => {
                    self.summary.duplicates += 1;
                    (*line, "duplicate", Some("the address stands above in the same list"), None)
                }
                ImportRow::Prospect { line, address, .. } if enrolled.insert(address.clone()) => {
                    self.summary.accepted += 1;
                    (*line, "accepted", None, Some(address))
                }
                ImportRow::Prospect { line, address, .. } => {
                    self.summary.duplicates += 1;
                    (*line, "duplicate", Some("the address was imported before"), Some(address))
                }
            });
        }
        self.db
            .execute_raw(sql(
                NEW_IMPORT_ROWS,
                [self.import.into(), self.campaign.into(), json(&outcomes)?.into()],
            ))
            .await?;
        Ok(())
    }
}

/// A prospect as one JSON array.
fn prospect_fields(row: &ImportRow) -> Option<(&str, &str, Option<&str>, &str, &str)> {
    match row {
        ImportRow::Prospect { address, domain, company, attributes, zone, .. } => {
            Some((address, domain, company.as_deref(), attributes, zone))
        }
        ImportRow::Rejected { .. } | ImportRow::Duplicate { .. } => None,
    }
}

fn json(rows: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Inconsistent(error.to_string()))
}

/// Rows of one statement; larger ones are no faster.
const BATCH: usize = 500;

const NEW_PROSPECTS: &str = "
    INSERT INTO prospects (address, domain, company)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
    ON CONFLICT DO NOTHING";

/// CROSS JOIN keeps SQLite to this order: left to itself it reads the whole campaign first, and an
/// import becomes quadratic.
const ENROLLED: &str = "
    SELECT p.address FROM json_each(?2) j
    CROSS JOIN prospects p ON p.address = j.value ->> 0
    CROSS JOIN enrolments e ON e.campaign_id = ?1 AND e.prospect_id = p.id";

/// Somebody on the suppression list is enrolled all the same: the row is accounted for, and over.
const NEW_ENROLMENTS: &str = "
    INSERT INTO enrolments (campaign_id, prospect_id, attributes, zone, state, because, ended_at)
    SELECT ?1, p.id, j.value ->> 3, j.value ->> 4,
           CASE WHEN s.value IS NULL THEN 'active' ELSE 'suppressed' END, s.reason,
           CASE WHEN s.value IS NULL THEN NULL ELSE ?3 END
    FROM json_each(?2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
    LEFT JOIN suppressions s ON (s.scope = 'address' AND s.value = p.address)
                             OR (s.scope = 'domain' AND s.value IN (p.domain, p.company))
    WHERE true
    ON CONFLICT DO NOTHING RETURNING state";

/// Once an import: it reads every enrolment there is.
const HOLD_THE_ANSWERED: &str = "
    UPDATE enrolments SET state = 'held', because = 'an answer came from there'
    WHERE campaign_id = ?1 AND state = 'active' AND prospect_id IN (
        SELECT r.prospect_id FROM enrolments r WHERE r.state = 'replied'
        UNION SELECT q.id FROM enrolments r JOIN prospects p ON p.id = r.prospect_id
              JOIN prospects q ON q.company = p.company WHERE r.state = 'replied')
    RETURNING id";

const UPDATE_ENROLMENTS: &str = "
    UPDATE enrolments SET attributes = j.value ->> 3, zone = j.value ->> 4,
           state = CASE WHEN state = 'blocked' THEN 'active' ELSE state END,
           because = CASE WHEN state = 'blocked' THEN NULL ELSE because END
    FROM json_each(?2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
    WHERE enrolments.campaign_id = ?1 AND enrolments.prospect_id = p.id
      AND enrolments.ended_at IS NULL
      AND (attributes <> j.value ->> 3 OR zone <> j.value ->> 4 OR state = 'blocked')";

const NEW_IMPORT_ROWS: &str = "
    INSERT INTO import_rows (import_id, line, outcome, reason, enrolment_id)
    SELECT ?1, j.value ->> 0, j.value ->> 1, j.value ->> 2, e.id
    FROM json_each(?3) j
    LEFT JOIN prospects p ON p.address = j.value ->> 3
    LEFT JOIN enrolments e ON e.campaign_id = ?2 AND e.prospect_id = p.id";
