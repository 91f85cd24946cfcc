//! What the DNS says of sending domains, and which of them write to nobody new.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::domain::{Finding, Known, Verdict};

use crate::db::sql;
use crate::row::{Row as _, columns};
use crate::{Store, StoreError};

/// What the books know of one check of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCheck {
    /// The domain.
    pub domain: String,
    /// The check's word.
    pub check_name: String,
    /// The last definite verdict's word; `unknown` where there never was one.
    pub verdict: String,
    /// When that verdict was first seen, with nothing else seen since.
    pub since: i64,
    /// When it was last seen.
    pub seen_at: i64,
    /// When it was last asked for.
    pub asked_at: i64,
    /// What was found, for people.
    pub detail: String,
}

columns!(DomainCheck { domain, check_name, verdict, since, seen_at, asked_at, detail });

/// What a record of findings led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// As before.
    None,
    /// From now on the domain writes to nobody new, for that.
    Failing(String),
    /// It does again.
    Well,
}

impl Store {
    /// Writes down what was found of a domain at `now`. Checks that are made no more are forgotten; what
    /// nobody could tell stays as it was known.
    pub async fn record_domain(
        &self,
        domain: &str,
        findings: &[Finding],
        now: i64,
    ) -> Result<Turn, StoreError> {
        let transaction = self.db.begin().await?;
        let before = failing(&transaction, domain).await?;
        let query =
            sql(&format!("{CHECKS} WHERE domain = $1 ORDER BY check_name"), [domain.into()]);
        let known = DomainCheck::find_by_statement(query).all(&transaction).await?;
        let known: BTreeMap<&str, &DomainCheck> =
            known.iter().map(|row| (row.check_name.as_str(), row)).collect();
        transaction
            .execute_raw(sql("DELETE FROM domain_checks WHERE domain = $1", [domain.into()]))
            .await?;
        for finding in findings {
            let row = known.get(finding.check.as_str()).copied();
            transaction.execute_raw(sql(INSERT, written(domain, finding, row, now))).await?;
        }
        let turn = match (before, failing(&transaction, domain).await?) {
            (None, Some(because)) => Turn::Failing(because),
            (Some(_), None) => Turn::Well,
            (None, None) | (Some(_), Some(_)) => Turn::None,
        };
        let kind = match turn {
            Turn::None => None,
            Turn::Failing(_) => Some("domain_failing"),
            Turn::Well => Some("domain_well"),
        };
        if let Some(kind) = kind {
            let data = serde_json::json!({ "domain": domain }).to_string();
            let text = "INSERT INTO events (at, kind, data) VALUES ($1, $2, $3)";
            transaction.execute_raw(sql(text, [now.into(), kind.into(), data.into()])).await?;
        }
        transaction.commit().await?;
        Ok(turn)
    }

    /// All that is known, in order of domain and check.
    pub async fn domain_checks(&self) -> Result<Vec<DomainCheck>, StoreError> {
        let query = sql(&format!("{CHECKS} ORDER BY domain, check_name"), []);
        Ok(DomainCheck::find_by_statement(query).all(&self.db.read).await?)
    }

    /// The domains that write to nobody new, and why.
    pub async fn failing_domains(&self) -> Result<Vec<(String, String)>, StoreError> {
        let text = "SELECT domain, min(because) AS because FROM failing_domains
                    GROUP BY domain ORDER BY domain";
        let rows = self.db.read.query_all_raw(sql(text, [])).await?;
        rows.iter().map(|row| Ok((row.read("domain")?, row.read("because")?))).collect()
    }
}

/// A row of the check, as it is known from now on.
fn written(
    domain: &str,
    finding: &Finding,
    row: Option<&DomainCheck>,
    now: i64,
) -> [sea_orm::Value; 7] {
    let before = row.and_then(|row| {
        let verdict = Verdict::of_word(&row.verdict)?;
        Some(Known { verdict, since: row.since, seen_at: row.seen_at })
    });
    let known = Known::after(before, finding.verdict, now);
    // Of what nobody could tell the books keep what was told last.
    let told = row.filter(|_| finding.verdict == Verdict::Unknown);
    let detail = told.map_or(finding.what.as_str(), |row| &row.detail);
    [
        domain.into(),
        finding.check.as_str().into(),
        known.verdict.as_str().into(),
        known.since.into(),
        known.seen_at.into(),
        now.max(known.seen_at).into(),
        detail.into(),
    ]
}

async fn failing(db: &impl ConnectionTrait, domain: &str) -> Result<Option<String>, StoreError> {
    let text = "SELECT min(because) AS because FROM failing_domains WHERE domain = $1";
    let row = db.query_one_raw(sql(text, [domain.into()])).await?;
    Ok(row.map(|row| row.read::<Option<String>>("because")).transpose()?.flatten())
}

const CHECKS: &str =
    "SELECT domain, check_name, verdict, since, seen_at, asked_at, detail FROM domain_checks";

const INSERT: &str = "INSERT INTO domain_checks
    (domain, check_name, verdict, since, seen_at, asked_at, detail)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
