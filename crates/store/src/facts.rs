//! Everything a claim depends on, read back for explanations.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::reason::{Books, Campaign, Facts, Mailbox, Message, Person, Used};
use warmfront_core::span::Span;

use crate::db::sql;
use crate::row::columns;
use crate::{Store, StoreError};

impl Store {
    /// Everything a claim of this message depends on, but whether the books are an older copy: that
    /// is known beside them too, and for the caller to fill in. `day` is the counting day of that name, which
    /// lasts `today`.
    pub async fn facts(
        &self,
        message: i64,
        day: &str,
        today: Span,
    ) -> Result<Option<Facts>, StoreError> {
        facts(&self.db.read, message, day, today).await
    }
}

/// The same within a transaction.
pub(crate) async fn facts(
    db: &impl ConnectionTrait,
    message: i64,
    day: &str,
    today: Span,
) -> Result<Option<Facts>, StoreError> {
    let row = FactsRow::find_by_statement(sql(FACTS, [message.into()])).one(db).await?;
    Ok(row.map(|row| row.into_facts(day, today)))
}

struct FactsRow {
    state: String,
    plan_day: Option<String>,
    attempts: u32,
    due_at: i64,
    closes_at: i64,
    position: u32,
    strays: bool,
    enrolment_state: String,
    enrolment_because: Option<String>,
    campaign_state: String,
    campaign_because: Option<String>,
    mailbox_state: String,
    paused_until: Option<i64>,
    paused_because: Option<String>,
    needs_login: bool,
    lease_expires_at: Option<i64>,
    in_flight_since: Option<i64>,
    domain_fails: Option<String>,
    gap_ms: i64,
    inbox_read_at: Option<i64>,
    mailbox_attempt_at: Option<i64>,
    erased: bool,
    suppressed: bool,
    unproven: Option<String>,
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
    strays,
    enrolment_state,
    enrolment_because,
    campaign_state,
    campaign_because,
    mailbox_state,
    paused_until,
    paused_because,
    needs_login,
    lease_expires_at,
    in_flight_since,
    domain_fails,
    gap_ms,
    inbox_read_at,
    mailbox_attempt_at,
    erased,
    suppressed,
    unproven,
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
    fn into_facts(self, day: &str, today: Span) -> Facts {
        let used = |attempted, ceiling| Used { attempted, ceiling };
        Facts {
            books: Books::Current,
            message: Message {
                planned_today: self.plan_day.as_deref() == Some(day),
                state: self.state,
                attempts: self.attempts,
                due_at: self.due_at,
                closes_at: self.closes_at,
                step: self.position,
                strays: self.strays,
            },
            person: Person {
                state: self.enrolment_state,
                because: self.enrolment_because,
                erased: self.erased,
                suppressed: self.suppressed,
                unproven: self.unproven,
                attempt_at: self.person_attempt_at,
                gap: self.person_gap_ms,
                company_day: self.company_ceiling.map(|c| used(self.company_attempted, c)),
            },
            campaign: Campaign { state: self.campaign_state, because: self.campaign_because },
            mailbox: Mailbox {
                state: self.mailbox_state,
                paused_until: self.paused_until,
                paused_because: self.paused_because,
                needs_login: self.needs_login,
                domain_fails: self.domain_fails,
                inbox_read_at: self.inbox_read_at,
                fresh: self.fresh_ms,
                attempt_at: self.mailbox_attempt_at,
                gap: self.gap_ms,
                in_flight_since: self.in_flight_since,
                leased_until: self.lease_expires_at,
                day: used(self.mailbox_attempted, self.mailbox_ceiling),
                domain_day: used(self.domain_attempted, self.domain_ceiling),
                tenant_day: self.tenant_ceiling.map(|c| used(self.tenant_attempted, c)),
            },
            day_ends_at: today.end(),
        }
    }
}

/// The view the claim reads, and what else an explanation says.
const FACTS: &str = "
    SELECT f.state, f.plan_day, f.attempts, f.due_at, f.closes_at, f.position,
           f.thread_mailbox_id IS NOT NULL AND f.thread_mailbox_id <> f.mailbox_id AS strays,
           f.enrolment_state, e.because AS enrolment_because,
           f.campaign_state, c.paused_because AS campaign_because,
           f.mailbox_state, f.paused_until, f.paused_because,
           EXISTS (SELECT 1 FROM mailboxes b
                   WHERE b.id = f.mailbox_id AND b.paused_reason = 'login') AS needs_login,
           f.lease_expires_at,
           (SELECT o.sending_since FROM messages o WHERE o.mailbox_id = f.mailbox_id
            AND o.state = 'sending' AND o.id <> f.id) AS in_flight_since,
           (SELECT min(g.because) FROM failing_domains g JOIN mailboxes b ON b.domain = g.domain
            WHERE b.id = f.mailbox_id) AS domain_fails,
           f.gap_ms, f.inbox_read_at, f.mailbox_attempt_at, f.erased, f.suppressed,
           f.person_attempt_at, f.person_gap_ms, f.fresh_ms, f.mailbox_attempted,
           f.mailbox_ceiling, f.domain_attempted, f.domain_ceiling, f.tenant_attempted,
           f.tenant_ceiling, f.company_attempted, f.company_ceiling,
           CASE WHEN f.position = 1 AND f.attempts = 0 AND f.plan_day IS NULL
                THEN (SELECT min(u.address) FROM mailboxes u WHERE u.unproven = 1) END AS unproven
    FROM message_facts f JOIN messages m ON m.id = f.id
    JOIN enrolments e ON e.id = m.enrolment_id JOIN campaigns c ON c.id = m.campaign_id
    WHERE f.id = $1";
