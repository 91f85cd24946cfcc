//! Everything a claim depends on, read back for explanations.

use sea_orm::FromQueryResult;
use warmfront_core::reason::{Facts, Used};

use crate::db::sql;
use crate::row::columns;
use crate::{Store, StoreError};

impl Store {
    /// Everything a claim of this message depends on.
    pub async fn facts(&self, message: i64, day: &str) -> Result<Option<Facts>, StoreError> {
        let query = sql("SELECT * FROM message_facts WHERE id = $1", [message.into()]);
        let row = FactsRow::find_by_statement(query).one(&self.db.read).await?;
        Ok(row.map(|row| row.into_facts(day)))
    }
}

struct FactsRow {
    state: String,
    plan_day: Option<String>,
    attempts: u32,
    due_at: i64,
    closes_at: i64,
    position: u32,
    enrolment_state: String,
    campaign_state: String,
    mailbox_state: String,
    paused_until: Option<i64>,
    paused_because: Option<String>,
    gap_ms: i64,
    inbox_read_at: Option<i64>,
    mailbox_attempt_at: Option<i64>,
    erased: bool,
    suppressed: bool,
    person_attempt_at: Option<i64>,
    person_gap_ms: i64,
    fresh_ms: i64,
    mailbox_attempted: u32,
    mailbox_ceiling: u32,
    domain_attempted: u32,
    domain_ceiling: u32,
    tenant_attempted: u32,
    tenant_ceiling: Option<u32>,
    company_attempted: u32,
    company_ceiling: Option<u32>,
}

columns!(FactsRow {
    state,
    plan_day,
    attempts,
    due_at,
    closes_at,
    position,
    enrolment_state,
    campaign_state,
    mailbox_state,
    paused_until,
    paused_because,
    gap_ms,
    inbox_read_at,
    mailbox_attempt_at,
    erased,
    suppressed,
    person_attempt_at,
    person_gap_ms,
    fresh_ms,
    mailbox_attempted,
    mailbox_ceiling,
    domain_attempted,
    domain_ceiling,
    tenant_attempted,
    tenant_ceiling,
    company_attempted,
    company_ceiling,
});

impl FactsRow {
    fn into_facts(self, day: &str) -> Facts {
        let used = |attempted, ceiling| Used { attempted, ceiling };
        Facts {
            planned_today: self.plan_day.as_deref() == Some(day),
            state: self.state,
            attempts: self.attempts,
            due_at: self.due_at,
            closes_at: self.closes_at,
            step: self.position,
            enrolment_state: self.enrolment_state,
            erased: self.erased,
            suppressed: self.suppressed,
            campaign_state: self.campaign_state,
            mailbox_state: self.mailbox_state,
            paused_until: self.paused_until,
            paused_because: self.paused_because,
            inbox_read_at: self.inbox_read_at,
            fresh: self.fresh_ms,
            mailbox_attempt_at: self.mailbox_attempt_at,
            gap: self.gap_ms,
            person_attempt_at: self.person_attempt_at,
            person_gap: self.person_gap_ms,
            mailbox_day: used(self.mailbox_attempted, self.mailbox_ceiling),
            domain_day: used(self.domain_attempted, self.domain_ceiling),
            tenant_day: self.tenant_ceiling.map(|c| used(self.tenant_attempted, c)),
            company_day: self.company_ceiling.map(|c| used(self.company_attempted, c)),
        }
    }
}
