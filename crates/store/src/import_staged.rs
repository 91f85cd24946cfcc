//! The rows of an import into PostgreSQL, by few statements over all of them: they stand in a table
//! that only its connection sees (see `stage.rs`).

use sea_orm::ConnectionTrait as _;

use crate::db::sql;
use crate::import::{BEFORE, Import, REASONS_MAX, Written};
use crate::row::Row as _;
use crate::{ImportSummary, StoreError, postgres};

/// Writes the rows of the table `staged`.
pub(crate) async fn write(import: &Import<'_>) -> Result<Written, StoreError> {
    let Import { db, campaign, update, now, .. } = *import;
    db.execute_raw(sql(NEW_PROSPECTS, [])).await?;
    let updated = match update {
        true => db.query_all_raw(sql(UPDATE_ENROLMENTS, [campaign.into()])).await?,
        false => Vec::new(),
    };
    let new = db
        .query_one_raw(sql(
            NEW_ENROLMENTS_AND_ROWS,
            [import.import.into(), campaign.into(), now.into(), BEFORE.into()],
        ))
        .await?
        .ok_or_else(|| StoreError::Inconsistent("an import was not counted".to_owned()))?;
    // From here on nobody else writes: who was suppressed meanwhile is known.
    postgres::wait_to_be_alone(db).await?;
    let late = db.execute_raw(sql(SUPPRESSED_MEANWHILE, [campaign.into(), now.into()])).await?;
    let figure = |name: &str| new.read::<i64>(name).map(i64::unsigned_abs);
    let mut summary = ImportSummary {
        rows: figure("rows")?,
        accepted: figure("accepted")?,
        rejected: figure("rejected")?,
        duplicates: figure("duplicates")?,
        updated: updated.len() as u64,
        suppressed: figure("suppressed")? + late.rows_affected(),
        blocked: figure("blocked")?,
    };
    let mut blocked: Vec<String> = serde_json::from_str(&new.read::<String>("reasons")?)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    for row in &updated {
        if row.read::<String>("state")? == "blocked" {
            summary.blocked += 1;
            blocked.push(row.read("because")?);
        }
    }
    blocked.truncate(REASONS_MAX);
    Ok(Written { summary, blocked })
}

/// In the order of the list, as everywhere: who stands first is written to first.
const NEW_PROSPECTS: &str = "
    INSERT INTO prospects (address, domain, company)
    SELECT address, domain, company FROM (
        SELECT DISTINCT ON (address) * FROM staged WHERE outcome IS NULL ORDER BY address, line) s
    WHERE NOT EXISTS (SELECT 1 FROM prospects p WHERE p.address = s.address)
    ORDER BY line";

/// What is wrong with a row blocks those of whom nothing has begun, as in SQLite.
const UPDATE_ENROLMENTS: &str = "
    UPDATE enrolments SET attributes = n.attributes, zone = n.zone, state = n.state,
           because = CASE WHEN n.state = 'blocked' THEN n.blocked
                          WHEN enrolments.state = 'blocked' THEN NULL
                          ELSE enrolments.because END
    FROM (SELECT e.id, s.attributes, s.zone, s.blocked,
                 CASE WHEN e.state NOT IN ('active', 'blocked') THEN e.state
                      WHEN s.blocked IS NOT NULL AND e.next_step = 1
                           AND (e.state = 'blocked' OR NOT EXISTS
                                (SELECT 1 FROM messages m WHERE m.enrolment_id = e.id))
                      THEN 'blocked' ELSE 'active' END AS state
          FROM (SELECT DISTINCT ON (address) * FROM staged WHERE outcome IS NULL
                ORDER BY address, line) s
          JOIN prospects p ON p.address = s.address
          JOIN enrolments e ON e.campaign_id = $1 AND e.prospect_id = p.id) n
    WHERE enrolments.id = n.id AND enrolments.ended_at IS NULL
      AND (enrolments.attributes <> n.attributes OR enrolments.zone <> n.zone
           OR enrolments.state <> n.state
           OR (n.state = 'blocked' AND enrolments.because IS DISTINCT FROM n.blocked))
    RETURNING enrolments.state, enrolments.because";

/// Somebody on the suppression list is enrolled all the same: the row is accounted for, and over.
/// Somebody whose texts cannot be written is too, and waits for the row to be mended. All parts see
/// the enrolments as they were before.
const NEW_ENROLMENTS_AND_ROWS: &str = "
    WITH list AS (
        SELECT s.*, p.id AS prospect_id, e.id AS known, coalesce(a.reason, d.reason, c.reason) AS no,
               line = min(line) OVER (PARTITION BY s.address) AS is_first
        FROM staged s LEFT JOIN prospects p ON p.address = s.address
        LEFT JOIN enrolments e ON e.campaign_id = $2 AND e.prospect_id = p.id
        LEFT JOIN suppressions a ON a.scope = 'address' AND a.value = p.address
        LEFT JOIN suppressions d ON d.scope = 'domain' AND d.value = p.domain
        LEFT JOIN suppressions c ON c.scope = 'domain' AND c.value = p.company),
    new AS (
        INSERT INTO enrolments (campaign_id, prospect_id, attributes, zone, state, because, ended_at)
        SELECT $2, prospect_id, attributes, zone,
               CASE WHEN no IS NOT NULL THEN 'suppressed'
                    WHEN blocked IS NOT NULL THEN 'blocked' ELSE 'active' END,
               coalesce(no, blocked),
               CASE WHEN no IS NULL THEN NULL ELSE $3 END
        FROM list WHERE outcome IS NULL AND known IS NULL AND is_first ORDER BY line
        RETURNING id, prospect_id, state, because),
    written AS (
        INSERT INTO import_rows (import_id, line, outcome, reason, enrolment_id)
        SELECT $1, line,
               CASE WHEN l.outcome IS NOT NULL THEN l.outcome
                    WHEN is_first AND n.id IS NOT NULL THEN 'accepted' ELSE 'duplicate' END,
               CASE WHEN l.outcome IS NOT NULL THEN l.reason
                    WHEN is_first AND n.id IS NOT NULL THEN NULL ELSE $4 END,
               coalesce(n.id, l.known)
        FROM list l LEFT JOIN new n ON n.prospect_id = l.prospect_id
        RETURNING outcome)
    SELECT count(*) AS rows, count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
           count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
           count(*) FILTER (WHERE outcome = 'duplicate') AS duplicates,
           (SELECT count(*) FROM new WHERE state = 'suppressed') AS suppressed,
           (SELECT count(*) FROM new WHERE state = 'blocked') AS blocked,
           (SELECT CAST(coalesce(json_agg(because), '[]') AS TEXT) FROM (
                SELECT because FROM new WHERE state = 'blocked' ORDER BY id LIMIT 20) b) AS reasons
    FROM written";

const SUPPRESSED_MEANWHILE: &str = "
    UPDATE enrolments SET state = 'suppressed', because = 'suppressed during the import', ended_at = $2
    WHERE campaign_id = $1 AND ended_at IS NULL AND prospect_id IN (
        SELECT p.id FROM suppressions s JOIN prospects p ON p.address = s.value
        WHERE s.scope = 'address'
        UNION SELECT p.id FROM suppressions s JOIN prospects p ON p.domain = s.value
        WHERE s.scope = 'domain'
        UNION SELECT p.id FROM suppressions s JOIN prospects p ON p.company = s.value
        WHERE s.scope = 'domain')";
