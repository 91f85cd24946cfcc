//! People whom an answer put on hold, and what the operator says of them.

use sea_orm::{ConnectionTrait as _, FromQueryResult as _};

use crate::db::sql;
use crate::row::{Row as _, columns};
use crate::{Scope, Store, StoreError};

/// What the operator wants for somebody's enrolments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Those on hold go on.
    Release,
    /// None of them goes on.
    Stop,
}

/// Somebody who waits because a report blamed them that names no message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blamed {
    /// Their address.
    pub address: String,
    /// The campaign's slug.
    pub campaign: String,
    /// Since when they wait.
    pub since: i64,
}

columns!(Blamed { address, campaign, since });

impl Store {
    /// Who waits for the operator's word on such a report, in one campaign or in all, longest first.
    pub async fn blamed(&self, campaign: Option<&str>) -> Result<Vec<Blamed>, StoreError> {
        let query = sql(
            "SELECT p.address, c.slug AS campaign, e.blamed_at AS since
             FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
             JOIN campaigns c ON c.id = e.campaign_id
             WHERE e.blamed_at IS NOT NULL AND e.state = 'held' AND p.address IS NOT NULL
               AND ($1 IS NULL OR c.slug = $1)
             ORDER BY e.blamed_at, p.address, c.slug",
            [campaign.into()],
        );
        Ok(Blamed::find_by_statement(query).all(&self.db.read).await?)
    }

    /// Does as the operator wishes with the enrolments of one address, or of everybody at a company,
    /// in one campaign or in all; says how many changed.
    pub async fn do_with_people(
        &self,
        wish: Wish,
        (scope, whom): (Scope, &str),
        campaign: Option<&str>,
        now: i64,
    ) -> Result<u64, StoreError> {
        let transaction = self.db.begin().await?;
        let whom = [whom.to_lowercase().into(), campaign.into(), now.into()];
        let people = match scope {
            Scope::Address => "p.address = $1",
            Scope::Domain => "p.domain = $1 OR p.company = $1",
        };
        let change = match wish {
            Wish::Release => {
                "state = 'active', because = NULL, blamed_at = NULL WHERE state = 'held'"
            }
            Wish::Stop => {
                "state = 'stopped', because = 'stopped by the operator', ended_at = CAST($3 AS BIGINT)
                 WHERE ended_at IS NULL"
            }
        };
        let text = format!(
            "UPDATE enrolments SET {change} AND CAST($3 AS BIGINT) IS NOT NULL AND id IN (
                 SELECT e.id FROM prospects p JOIN enrolments e ON e.prospect_id = p.id
                 JOIN campaigns c ON c.id = e.campaign_id
                 WHERE ({people}) AND ($2 IS NULL OR c.slug = $2))
             RETURNING id"
        );
        let changed = transaction.query_all_raw(sql(&text, whom)).await?;
        if wish == Wish::Release {
            for row in &changed {
                let enrolment: i64 = row.read("id")?;
                for statement in [NO_LONGER_HELD, RESUMED] {
                    transaction.execute_raw(sql(statement, [enrolment.into(), now.into()])).await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(changed.len() as u64)
    }
}

/// The next plan finds it a day.
const NO_LONGER_HELD: &str = "UPDATE messages SET why = NULL, changed_at = $2
    WHERE enrolment_id = $1 AND state = 'planned' AND why = 'enrolment_held'";

const RESUMED: &str = "INSERT INTO events (at, kind, campaign_id, enrolment_id, data)
    SELECT $2, 'enrolment_resumed', campaign_id, id, '{}' FROM enrolments WHERE id = $1";
