//! The rows of an import into SQLite, a few hundred a statement.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait as _;

use crate::db::sql;
use crate::import::{ABOVE, BEFORE, Import, Rows, json};
use crate::row::Row as _;
use crate::{ImportRow, ImportSummary, StoreError};

/// Writes the rows as they come; `None` where they end without a last word.
pub(crate) async fn write(
    import: &Import<'_>,
    mut rows: Rows,
) -> Result<Option<ImportSummary>, StoreError> {
    let mut batch = Batch { import, summary: ImportSummary::default() };
    loop {
        match rows.recv().await {
            Some(Some(rows)) => {
                for chunk in rows.chunks(BATCH) {
                    batch.write(chunk).await?;
                }
            }
            Some(None) => return Ok(Some(batch.summary)),
            None => return Ok(None),
        }
    }
}

/// Where rows go, and what they come to.
struct Batch<'a> {
    import: &'a Import<'a>,
    summary: ImportSummary,
}

impl Batch<'_> {
    async fn write(&mut self, rows: &[ImportRow]) -> Result<(), StoreError> {
        let Import { db, campaign, now, update, .. } = *self.import;
        let prospects = json(&rows.iter().filter_map(prospect_fields).collect::<Vec<_>>())?;
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
        self.summary.suppressed += new
            .iter()
            .filter(|row| row.read::<String>("state").is_ok_and(|s| s == "suppressed"))
            .count() as u64;
        if update && !enrolled.is_empty() {
            let written =
                db.execute_raw(sql(UPDATE_ENROLMENTS, [campaign.into(), prospects.into()])).await?;
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
                    (*line, "duplicate", Some(ABOVE), None)
                }
                ImportRow::Prospect { line, address, .. } if enrolled.insert(address.clone()) => {
                    self.summary.accepted += 1;
                    (*line, "accepted", None, Some(address))
                }
                ImportRow::Prospect { line, address, .. } => {
                    self.summary.duplicates += 1;
                    (*line, "duplicate", Some(BEFORE), Some(address))
                }
            });
        }
        let Import { db, campaign, import, .. } = *self.import;
        db.execute_raw(sql(
            NEW_IMPORT_ROWS,
            [import.into(), campaign.into(), json(&outcomes)?.into()],
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
const NEW_ENROLMENTS: &str = "
    INSERT INTO enrolments (campaign_id, prospect_id, attributes, zone, state, because, ended_at)
    SELECT $1, p.id, j.value ->> 3, j.value ->> 4,
           CASE WHEN s.value IS NULL THEN 'active' ELSE 'suppressed' END, s.reason,
           CASE WHEN s.value IS NULL THEN NULL ELSE $3 END
    FROM json_each($2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
    LEFT JOIN suppressions s ON (s.scope = 'address' AND s.value = p.address)
                             OR (s.scope = 'domain' AND s.value IN (p.domain, p.company))
    WHERE true
    ON CONFLICT DO NOTHING RETURNING state";

const UPDATE_ENROLMENTS: &str = "
    UPDATE enrolments SET attributes = j.value ->> 3, zone = j.value ->> 4,
           state = CASE WHEN state = 'blocked' THEN 'active' ELSE state END,
           because = CASE WHEN state = 'blocked' THEN NULL ELSE because END
    FROM json_each($2) j CROSS JOIN prospects p ON p.address = j.value ->> 0
    WHERE enrolments.campaign_id = $1 AND enrolments.prospect_id = p.id
      AND enrolments.ended_at IS NULL
      AND (attributes <> j.value ->> 3 OR zone <> j.value ->> 4 OR state = 'blocked')";

const NEW_IMPORT_ROWS: &str = "
    INSERT INTO import_rows (import_id, line, outcome, reason, enrolment_id)
    SELECT $1, j.value ->> 0, j.value ->> 1, j.value ->> 2, e.id
    FROM json_each($3) j
    LEFT JOIN prospects p ON p.address = j.value ->> 3
    LEFT JOIN enrolments e ON e.campaign_id = $2 AND e.prospect_id = p.id";
