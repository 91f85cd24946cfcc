//! The rows of an import into SQLite, a few hundred a statement.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait as _, Value};

use crate::db::{Transaction, json_array, sql};
use crate::import::{ABOVE, BEFORE, Import, REASONS_MAX, Rows, Written};
use crate::row::Row as _;
use crate::{ImportRow, StoreError};

/// Writes the rows as they come; `None` where they end without a last word.
pub(crate) async fn write(
    import: &Import<'_>,
    mut rows: Rows,
) -> Result<Option<Written>, StoreError> {
    let mut batch = Batch {
        import,
        written: Written::default(),
        prospects: last(import.db, "prospects").await?,
        enrolments: last(import.db, "enrolments").await?,
        is_anybody_suppressed: is_anybody_suppressed(import.db).await?,
    };
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

/// The highest id of a table. Nobody else writes, so those behind it are ours to give.
async fn last(db: &Transaction, table: &str) -> Result<i64, StoreError> {
    let query = format!("SELECT coalesce(max(id), 0) AS id FROM {table}");
    let row = db.query_one_raw(sql(&query, [])).await?;
    Ok(row.map_or(Ok(0), |row| row.read("id"))?)
}

async fn is_anybody_suppressed(db: &Transaction) -> Result<bool, StoreError> {
    let query = "SELECT value FROM suppressions LIMIT 1";
    Ok(db.query_one_raw(sql(query, [])).await?.is_some())
}

/// Where rows go, and what they come to.
struct Batch<'a> {
    import: &'a Import<'a>,
    written: Written,
    /// The last prospect's id, and the last enrolment's.
    prospects: i64,
    enrolments: i64,
    is_anybody_suppressed: bool,
}

/// What the books have of an address.
#[derive(Clone, Copy, Default)]
struct Known {
    prospect: Option<i64>,
    enrolment: Option<i64>,
}

/// A row of somebody whom the campaign does not have yet.
struct New<'a> {
    row: &'a ImportRow,
    prospect: i64,
    enrolment: i64,
}

impl Batch<'_> {
    async fn write(&mut self, rows: &[ImportRow]) -> Result<(), StoreError> {
        let mut known = self.known(rows).await?;
        if self.import.update {
            self.update(rows, &known).await?;
        }
        let mut prospects = Vec::new();
        let mut new = Vec::new();
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push(match row {
                ImportRow::Rejected { line, reason } => {
                    self.written.summary.rejected += 1;
                    self.outcome(*line, "rejected", Some(reason), None)
                }
                ImportRow::Duplicate { line } => {
                    self.written.summary.duplicates += 1;
                    self.outcome(*line, "duplicate", Some(ABOVE), None)
                }
                ImportRow::Prospect { line, address, domain, company, .. } => {
                    let known = known.entry(address).or_default();
                    if let Some(enrolment) = known.enrolment {
                        self.written.summary.duplicates += 1;
                        self.outcome(*line, "duplicate", Some(BEFORE), Some(enrolment))
                    } else {
                        let prospect = known.prospect.unwrap_or_else(|| {
                            self.prospects += 1;
                            let company = company.as_deref();
                            let texts = [Some(address.as_str()), Some(domain), company];
                            let [address, domain, company] = texts.map(Value::from);
                            prospects.push([self.prospects.into(), address, domain, company]);
                            self.prospects
                        });
                        self.enrolments += 1;
                        let enrolment = self.enrolments;
                        *known = Known { prospect: Some(prospect), enrolment: Some(enrolment) };
                        new.push(New { row, prospect, enrolment });
                        self.written.summary.accepted += 1;
                        self.outcome(*line, "accepted", None, Some(enrolment))
                    }
                }
            });
        }
        self.written.summary.rows += rows.len() as u64;
        insert(self.import.db, NEW_PROSPECTS, prospects).await?;
        let new = self.enrolments(&new).await?;
        insert(self.import.db, NEW_ENROLMENTS, new).await?;
        insert(self.import.db, NEW_IMPORT_ROWS, outcomes).await
    }

    /// Those of the rows whose addresses the books have.
    async fn known<'r>(
        &self,
        rows: &'r [ImportRow],
    ) -> Result<BTreeMap<&'r str, Known>, StoreError> {
        let addresses: Vec<&str> = rows.iter().filter_map(address).collect();
        let values = [self.import.campaign.into(), json_array(&addresses)?.into()];
        let known = self.import.db.query_all_raw(sql(KNOWN, values)).await?;
        let known = known.iter().map(|row| {
            let at: i64 = row.read("at")?;
            let at = usize::try_from(at).ok().and_then(|at| addresses.get(at)).copied();
            let address =
                at.ok_or_else(|| StoreError::Inconsistent("an unasked row".to_owned()))?;
            let (prospect, enrolment) = (row.read("prospect")?, row.read("enrolment")?);
            Ok((address, Known { prospect: Some(prospect), enrolment }))
        });
        known.collect()
    }

    /// Takes over the values of those who were enrolled before.
    async fn update(
        &mut self,
        rows: &[ImportRow],
        known: &BTreeMap<&str, Known>,
    ) -> Result<(), StoreError> {
        let is_enrolled = |row: &&ImportRow| {
            let known = address(row).and_then(|address| known.get(address));
            known.is_some_and(|known| known.enrolment.is_some())
        };
        let enrolled: Vec<_> = rows.iter().filter(is_enrolled).filter_map(fields).collect();
        if enrolled.is_empty() {
            return Ok(());
        }
        let values = [self.import.campaign.into(), json_array(&enrolled)?.into()];
        let written = self.import.db.query_all_raw(sql(UPDATE_ENROLMENTS, values)).await?;
        self.written.summary.updated += written.len() as u64;
        for row in &written {
            self.note_state(&row.read::<String>("state")?, || Ok(row.read("because")?))?;
        }
        Ok(())
    }

    /// Somebody on the suppression list is enrolled all the same: the row is accounted for, and
    /// over. Somebody whose texts cannot be written is too, and waits for the row to be mended.
    async fn enrolments(&mut self, new: &[New<'_>]) -> Result<Vec<[Value; 8]>, StoreError> {
        let reasons = self.suppressed(new).await?;
        let Import { campaign, now, .. } = *self.import;
        let mut enrolments = Vec::with_capacity(new.len());
        for New { row, prospect, enrolment } in new {
            let ImportRow::Prospect { attributes, zone, blocked, .. } = row else { continue };
            let (state, because, ended) = match (reasons.get(prospect), blocked) {
                (Some(reason), _) => ("suppressed", Some(reason.as_str()), Some(now)),
                (None, Some(blocked)) => ("blocked", Some(blocked.as_str()), None),
                (None, None) => ("active", None, None),
            };
            self.note_state(state, || Ok(because.unwrap_or_default().to_owned()))?;
            enrolments.push([
                (*enrolment).into(),
                campaign.into(),
                (*prospect).into(),
                attributes.as_str().into(),
                zone.as_str().into(),
                state.into(),
                because.into(),
                ended.into(),
            ]);
        }
        Ok(enrolments)
    }

    /// Why some of them must not be written to, by prospect.
    async fn suppressed(&self, new: &[New<'_>]) -> Result<BTreeMap<i64, String>, StoreError> {
        if !self.is_anybody_suppressed || new.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<i64> = new.iter().map(|new| new.prospect).collect();
        let rows =
            self.import.db.query_all_raw(sql(SUPPRESSED, [json_array(&ids)?.into()])).await?;
        rows.iter().map(|row| Ok((row.read("prospect")?, row.read("reason")?))).collect()
    }

    /// Counts those who will not be written to, as they stand.
    fn note_state(
        &mut self,
        state: &str,
        because: impl FnOnce() -> Result<String, StoreError>,
    ) -> Result<(), StoreError> {
        match state {
            "suppressed" => self.written.summary.suppressed += 1,
            "blocked" => {
                self.written.summary.blocked += 1;
                if self.written.blocked.len() < REASONS_MAX {
                    self.written.blocked.push(because()?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn outcome(
        &self,
        line: u64,
        outcome: &str,
        reason: Option<&str>,
        enrolment: Option<i64>,
    ) -> [Value; 5] {
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        [self.import.import.into(), line.into(), outcome.into(), reason.into(), enrolment.into()]
    }
}

/// Writes rows by the statement that `begins` so. Few lengths of it, since each is prepared and kept.
async fn insert<const COLUMNS: usize>(
    db: &Transaction,
    begins: &str,
    rows: Vec<[Value; COLUMNS]>,
) -> Result<(), StoreError> {
    let values = format!("(?{})", ", ?".repeat(COLUMNS - 1));
    let mut left = rows.len();
    let mut rows = rows.into_iter();
    for length in LENGTHS {
        if left < length {
            continue;
        }
        let text = format!("{begins} VALUES {values}{}", format!(", {values}").repeat(length - 1));
        while left >= length {
            left -= length;
            db.execute_raw(sql(&text, rows.by_ref().take(length).flatten())).await?;
        }
    }
    Ok(())
}

fn address(row: &ImportRow) -> Option<&str> {
    match row {
        ImportRow::Prospect { address, .. } => Some(address),
        ImportRow::Rejected { .. } | ImportRow::Duplicate { .. } => None,
    }
}

/// What an update takes over, and whose it is, as one JSON array.
fn fields(row: &ImportRow) -> Option<[Option<&str>; 4]> {
    match row {
        ImportRow::Prospect { address, attributes, zone, blocked, .. } => {
            Some([Some(address), Some(attributes), Some(zone), blocked.as_deref()])
        }
        ImportRow::Rejected { .. } | ImportRow::Duplicate { .. } => None,
    }
}

/// Rows of one look into the books; more at once are no faster.
const BATCH: usize = 500;

/// Rows of one statement that writes, and of those that write what remains. Their values are bound
/// one by one: JSON, which SQLite would take apart, costs more than the writing.
const LENGTHS: [usize; 3] = [100, 10, 1];

/// OR FAIL: what fails ends the import and is undone with it, so SQLite need not remember each page
/// that the statement touches, which are as many as there are rows.
const NEW_PROSPECTS: &str = "INSERT OR FAIL INTO prospects (id, address, domain, company)";

const NEW_ENROLMENTS: &str = "INSERT INTO enrolments
    (id, campaign_id, prospect_id, attributes, zone, state, because, ended_at)";

const NEW_IMPORT_ROWS: &str =
    "INSERT INTO import_rows (import_id, line, outcome, reason, enrolment_id)";

/// CROSS JOIN keeps SQLite to this order: left to itself it reads the whole campaign first, and an
/// import becomes quadratic.
const KNOWN: &str = "
    SELECT j.key AS at, p.id AS prospect, e.id AS enrolment
    FROM json_each($2) j CROSS JOIN prospects p ON p.address = j.value
    LEFT JOIN enrolments e ON e.campaign_id = $1 AND e.prospect_id = p.id";

const SUPPRESSED: &str = "
    SELECT p.id AS prospect, coalesce(a.reason, d.reason, c.reason) AS reason
    FROM json_each($1) j CROSS JOIN prospects p ON p.id = j.value
    LEFT JOIN suppressions a ON a.scope = 'address' AND a.value = p.address
    LEFT JOIN suppressions d ON d.scope = 'domain' AND d.value = p.domain
    LEFT JOIN suppressions c ON c.scope = 'domain' AND c.value = p.company
    WHERE coalesce(a.reason, d.reason, c.reason) IS NOT NULL";

/// What is wrong with a row blocks those of whom nothing has begun: what was sent already is no
/// reason, and whatever is planned is judged again before it leaves.
const UPDATE_ENROLMENTS: &str = "
    UPDATE enrolments SET attributes = n.attributes, zone = n.zone, state = n.state,
           because = CASE WHEN n.state = 'blocked' THEN n.blocked
                          WHEN enrolments.state = 'blocked' THEN NULL
                          ELSE enrolments.because END
    FROM (SELECT e.id, j.value ->> 1 AS attributes, j.value ->> 2 AS zone,
                 j.value ->> 3 AS blocked,
                 CASE WHEN e.state NOT IN ('active', 'blocked') THEN e.state
                      WHEN j.value ->> 3 IS NOT NULL AND e.next_step = 1
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
