//! The rows of an import into SQLite, a few hundred a statement.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, QueryResult};

use crate::db::{json_array, sql};
use crate::import::{ABOVE, BEFORE, Import, REASONS_MAX, Rows, Written};
use crate::row::Row as _;
use crate::{ImportRow, StoreError};

/// Writes the rows as they come; `None` where they end without a last word.
pub(crate) async fn write(
    import: &Import<'_>,
    mut rows: Rows,
) -> Result<Option<Written>, StoreError> {
    let mut batch = Batch { import, written: Written::default() };
    loop {
        match rows.recv().await {
            Some(Some(rows)) => {
                for chunk in rows.chunks(BATCH) {
                    batch.write(chunk).await?;
                }
            }
            Some(None) => return Ok(Some(batch.written)),
            None => return Ok(None),
        }
    }
}

/// Where rows go, and what they come to.
struct Batch<'a> {
    import: &'a Import<'a>,
    written: Written,
}

impl Batch<'_> {
    async fn write(&mut self, rows: &[ImportRow]) -> Result<(), StoreError> {
        let Import { db, campaign, now, update, .. } = *self.import;
        let prospects = json_array(&rows.iter().filter_map(prospect_fields).collect::<Vec<_>>())?;
        db.execute_raw(sql(NEW_PROSPECTS, [prospects.as_str().into()])).await?;
        let enrolled =
            db.query_all_raw(sql(ENROLLED, [campaign.into(), prospects.as_str().into()])).await?;
        let enrolled: BTreeSet<String> = enrolled
            .iter()
            .map(|row| Ok(row.read("address")?))
            .collect::<Result<_, StoreError>>()?;
        let new = db
            .query_all_raw(sql(
                NEW_ENROLMENTS,
                [campaign.into(), prospects.as_str().into(), now.into()],
            ))
            .await?;
        self.note_states(&new)?;
        if update && !enrolled.is_empty() {
            let values = [campaign.into(), prospects.into()];
            let written = db.query_all_raw(sql(UPDATE_ENROLMENTS, values)).await?;
            self.note_states(&written)?;
            self.written.summary.updated += written.len() as u64;
        }
        self.write_outcomes(rows, enrolled).await
    }

    /// Counts those who will not be written to, as they stand.
    fn note_states(&mut self, enrolments: &[QueryResult]) -> Result<(), StoreError> {
        for row in enrolments {
            match row.read::<String>("state")?.as_str() {
                "suppressed" => self.written.summary.suppressed += 1,
                "blocked" => {
                    self.written.summary.blocked += 1;
                    if self.written.blocked.len() < REASONS_MAX {
                        self.written.blocked.push(row.read("because")?);
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
            self.written.summary.rows += 1;
            outcomes.push(match row {
                ImportRow::Rejected { line, reason } => {
                    self.written.summary.rejected += 1;
                    (*line, "rejected", Some(reason.as_str()), None)
                }
                ImportRow::Duplicate { line } => {
                    self.written.summary.duplicates += 1;
                    (*line, "duplicate", Some(ABOVE), None)
                }
                ImportRow::Prospect { line, address, .. } if enrolled.insert(address.clone()) => {
                    self.written.summary.accepted += 1;
                    (*line, "accepted", None, Some(address))
                }
                ImportRow::Prospect { line, address, .. } => {
                    self.written.summary.duplicates += 1;
                    (*line, "duplicate", Some(BEFORE), Some(address))
                }
            });
        }
        let Import { db, campaign, import, .. } = *self.import;
        db.execute_raw(sql(
            NEW_IMPORT_ROWS,
            [import.into(), campaign.into(), json_array(&outcomes)?.into()],
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

/// Rows of one statement; larger ones are no faster.
const BATCH: usize = 500;

const NEW_PROSPECTS: &str = "
    INSERT INTO prospects (address, domain, company)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true
    ON CONFLICT DO NOTHING";

/// CROSS JOIN keeps SQLite to this order: left to itself it reads the whole campaign first, and an
/// import becomes quadratic.
const ENROLLED: &str = "
    SELECT p.address FROM json_each($2) j
    CROSS JOIN prospects p ON p.address = j.value ->> 0
    CROSS JOIN enrolments e ON e.campaign_id = $1 AND e.prospect_id = p.id";

/// Somebody on the suppression list is enrolled all the same: the row is accounted for, and over.
/// Somebody whose texts cannot be written is too, and waits for the row to be mended.
const NEW_ENROLMENTS: &str = "
    INSERT INTO enrolments (campaign_id, prospect_id, attributes, zone, state, because, ended_at)
    SELECT $1, p.id, j.value ->> 3, j.value ->> 4,
           CASE WHEN s.value IS NOT NULL THEN 'suppressed'
                WHEN j.value ->> 5 IS NOT NULL THEN 'blocked' ELSE 'active' END,
           coalesce(s.reason, j.value ->> 5),
           CASE WHEN s.value IS NULL THEN NULL ELSE $3 END
    FROM json_each($2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
    LEFT JOIN suppressions s ON (s.scope = 'address' AND s.value = p.address)
                             OR (s.scope = 'domain' AND s.value IN (p.domain, p.company))
    WHERE true
    ON CONFLICT DO NOTHING RETURNING state, because";

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
          FROM json_each($2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
          CROSS JOIN enrolments e ON e.campaign_id = $1 AND e.prospect_id = p.id) n
    WHERE enrolments.id = n.id AND enrolments.ended_at IS NULL
      AND (enrolments.attributes <> n.attributes OR enrolments.zone <> n.zone
           OR enrolments.state <> n.state
           OR (n.state = 'blocked' AND enrolments.because IS DISTINCT FROM n.blocked))
    RETURNING state, because";

const NEW_IMPORT_ROWS: &str = "
    INSERT INTO import_rows (import_id, line, outcome, reason, enrolment_id)
    SELECT $1, j.value ->> 0, j.value ->> 1, j.value ->> 2, e.id
    FROM json_each($3) j
    LEFT JOIN prospects p ON p.address = j.value ->> 3
    LEFT JOIN enrolments e ON e.campaign_id = $2 AND e.prospect_id = p.id";
