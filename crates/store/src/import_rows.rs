//! The rows of an import, a few hundred a statement.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, QueryResult};

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
    /// Why people are blocked, the first of them.
    pub(crate) blocked: Vec<String>,
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
        self.note_states(&new)?;
        if self.update && !enrolled.is_empty() {
            let values = [self.campaign.into(), prospects.into()];
            let written = self.db.query_all_raw(sql(UPDATE_ENROLMENTS, values)).await?;
            self.note_states(&written)?;
            self.summary.updated += written.len() as u64;
        }
        self.write_outcomes(rows, enrolled).await
    }

    /// Counts those who will not be written to, as they stand.
    fn note_states(&mut self, enrolments: &[QueryResult]) -> Result<(), StoreError> {
        for row in enrolments {
            match row.try_get::<String>("", "state")?.as_str() {
                "suppressed" => self.summary.suppressed += 1,
                "blocked" => {
                    self.summary.blocked += 1;
                    if self.blocked.len() < REASONS_MAX {
                        self.blocked.push(row.try_get("", "because")?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
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
fn prospect_fields(row: &ImportRow) -> Option<[Option<&str>; 6]> {
    match row {
        ImportRow::Prospect { address, domain, company, attributes, zone, blocked, .. } => Some([
            Some(address),
            Some(domain),
            company.as_deref(),
            Some(attributes),
            Some(zone),
            blocked.as_deref(),
        ]),
        ImportRow::Rejected { .. } | ImportRow::Duplicate { .. } => None,
    }
}

fn json(rows: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Inconsistent(error.to_string()))
}

/// Rows of one statement; larger ones are no faster.
const BATCH: usize = 500;

/// Reasons kept for whoever imports; the books have them all.
const REASONS_MAX: usize = 20;

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
/// Somebody whose texts cannot be written is too, and waits for the row to be mended.
const NEW_ENROLMENTS: &str = "
    INSERT INTO enrolments (campaign_id, prospect_id, attributes, zone, state, because, ended_at)
    SELECT ?1, p.id, j.value ->> 3, j.value ->> 4,
           CASE WHEN s.value IS NOT NULL THEN 'suppressed'
                WHEN j.value ->> 5 IS NOT NULL THEN 'blocked' ELSE 'active' END,
           coalesce(s.reason, j.value ->> 5),
           CASE WHEN s.value IS NULL THEN NULL ELSE ?3 END
    FROM json_each(?2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
    LEFT JOIN suppressions s ON (s.scope = 'address' AND s.value = p.address)
                             OR (s.scope = 'domain' AND s.value IN (p.domain, p.company))
    WHERE true
    ON CONFLICT DO NOTHING RETURNING state, because";

/// Once an import: it reads every enrolment there is.
const HOLD_THE_ANSWERED: &str = "
    UPDATE enrolments SET state = 'held', because = 'an answer came from there'
    WHERE campaign_id = ?1 AND state = 'active' AND prospect_id IN (
        SELECT r.prospect_id FROM enrolments r WHERE r.state = 'replied'
        UNION SELECT q.id FROM enrolments r JOIN prospects p ON p.id = r.prospect_id
              JOIN prospects q ON q.company = p.company WHERE r.state = 'replied')
    RETURNING id";

/// What is wrong with a row blocks those of whom nothing has begun: what was sent already is no
/// reason, and whatever is planned is judged again before it leaves.
const UPDATE_ENROLMENTS: &str = "
    UPDATE enrolments SET attributes = n.attributes, zone = n.zone, state = n.state,
           because = CASE WHEN n.state = 'blocked' THEN n.blocked
                          WHEN enrolments.state = 'blocked' THEN NULL
                          ELSE enrolments.because END
    FROM (SELECT e.id, j.value ->> 3 AS attributes, j.value ->> 4 AS zone,
                 j.value ->> 5 AS blocked,
                 CASE WHEN e.state NOT IN ('active', 'blocked') THEN e.state
                      WHEN j.value ->> 5 IS NOT NULL AND e.next_step = 1
                           AND (e.state = 'blocked' OR NOT EXISTS
                                (SELECT 1 FROM messages m WHERE m.enrolment_id = e.id))
                      THEN 'blocked' ELSE 'active' END AS state
          FROM json_each(?2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
          CROSS JOIN enrolments e ON e.campaign_id = ?1 AND e.prospect_id = p.id) n
    WHERE enrolments.id = n.id AND enrolments.ended_at IS NULL
      AND (enrolments.attributes <> n.attributes OR enrolments.zone <> n.zone
           OR enrolments.state <> n.state
           OR (n.state = 'blocked' AND enrolments.because IS NOT n.blocked))
    RETURNING state, because";

const NEW_IMPORT_ROWS: &str = "
    INSERT INTO import_rows (import_id, line, outcome, reason, enrolment_id)
    SELECT ?1, j.value ->> 0, j.value ->> 1, j.value ->> 2, e.id
    FROM json_each(?3) j
    LEFT JOIN prospects p ON p.address = j.value ->> 3
    LEFT JOIN enrolments e ON e.campaign_id = ?2 AND e.prospect_id = p.id";
