//! A message's life in the books: due, claimed, marked, settled.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::health::Blow;
use warmfront_core::reason::{Facts, Used};
use warmfront_core::span::Span;

use crate::db::sql;
use crate::health;
use crate::scribe::Entry;
use crate::{Store, StoreError};

/// A message that is due, with all that its text needs.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DueMessage {
    /// Its row.
    pub id: i64,
    /// Whose step it is.
    pub enrolment_id: i64,
    /// The campaign.
    pub campaign_id: i64,
    /// The campaign's slug.
    pub campaign_slug: String,
    /// The step, from 1.
    pub position: u32,
    /// When it is due.
    pub due_at: i64,
    /// When the hours it is due in are over.
    pub closes_at: i64,
    /// Attempts before this one.
    pub attempts: u32,
    /// The first of them.
    pub first_attempt_at: Option<i64>,
    /// Its Message-ID, once it has one.
    pub rfc_message_id: Option<String>,
    /// Its unsubscribe token, once it has one.
    pub unsubscribe_token: Option<String>,
    /// The text it was first tried with.
    pub revision_id: Option<i64>,
    /// Whom it goes to.
    pub address: String,
    /// The row's columns: JSON.
    pub attributes: String,
    /// The prospect's zone, as the enrolment has it.
    pub zone: String,
}

/// A message accepted earlier in the same thread.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct InThread {
    /// Our Message-ID.
    pub rfc_message_id: String,
    /// The id the server says it has now.
    pub final_message_id: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
}

/// What a claim says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The message.
    pub message: i64,
    /// The epoch of the lease it is sent under.
    pub epoch: i64,
    /// The moment.
    pub now: i64,
    /// The counting day of that moment.
    pub day: String,
    /// Its Message-ID; kept if it has one.
    pub rfc_message_id: String,
    /// Its unsubscribe token; kept if it has one.
    pub unsubscribe_token: String,
    /// The step revision it was rendered from; kept if it has one.
    pub revision: i64,
    /// Its subject as sent.
    pub subject: String,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server took it.
    Accepted {
        /// The id the server says it has now.
        final_message_id: Option<String>,
        /// The next step and the first moment it may go; `None` after the last.
        next: Option<(u32, i64)>,
    },
    /// The server refused it for good.
    Rejected {
        /// Whom that concerns: `recipient`, `hard_bounce`, `message`, `sender`, or `deferred` and
        /// `recipient_deferred` for one given up.
        verdict: &'static str,
        /// Why.
        why: String,
    },
    /// The server put it off.
    Deferred {
        /// Whether for the recipient's sake only.
        for_recipient: bool,
        /// When to try again.
        retry_at: i64,
        /// The end of the hours that moment lies in; `None`: for the next plan to say.
        closes_at: Option<i64>,
        /// Why.
        why: String,
    },
    /// It surely did not go out: given back, and due again.
    NotSent {
        /// When to try again.
        retry_at: i64,
        /// The end of the hours that moment lies in; `None`: for the next plan to say.
        closes_at: Option<i64>,
        /// Why.
        why: String,
    },
    /// It may have gone out.
    InDoubt {
        /// Why.
        why: String,
    },
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The message.
    pub message: i64,
    /// The epoch of the lease it was claimed under.
    pub epoch: i64,
    /// The moment.
    pub now: i64,
    /// What became of it.
    pub fate: Fate,
    /// What it says against the mailbox, the domain or the tenant.
    pub blow: Option<Blow>,
    /// The server's reply code.
    pub smtp_code: Option<u16>,
    /// The server's enhanced code.
    pub enhanced_status: Option<String>,
}

impl Store {
    /// The messages of a mailbox due on `day` by `now`, soonest first.
    pub async fn due(
        &self,
        mailbox: i64,
        day: &str,
        now: i64,
        limit: u32,
    ) -> Result<Vec<DueMessage>, StoreError> {
        let query = sql(
            "SELECT m.id, m.enrolment_id, m.campaign_id, c.slug AS campaign_slug, m.position,
                    m.due_at, m.closes_at, m.attempts, m.first_attempt_at, m.rfc_message_id,
                    m.unsubscribe_token, m.revision_id, p.address, e.attributes, e.zone
             FROM messages m
             JOIN enrolments e ON e.id = m.enrolment_id
             JOIN prospects p ON p.id = e.prospect_id
             JOIN campaigns c ON c.id = m.campaign_id
             WHERE m.mailbox_id = ?1 AND m.plan_day = ?2 AND m.due_at <= ?3
               AND m.state = 'planned' AND p.address IS NOT NULL
             ORDER BY m.due_at, m.id LIMIT ?4",
            [mailbox.into(), day.into(), now.into(), limit.into()],
        );
        Ok(DueMessage::find_by_statement(query).all(&self.db.read).await?)
    }

    /// When the next message of a mailbox is due on `day`, later than `after`.
    pub async fn next_due(
        &self,
        mailbox: i64,
        day: &str,
        after: i64,
    ) -> Result<Option<i64>, StoreError> {
        let query = sql(
            "SELECT min(due_at) AS due_at FROM messages
             WHERE mailbox_id = ?1 AND plan_day = ?2 AND state = 'planned' AND due_at > ?3",
            [mailbox.into(), day.into(), after.into()],
        );
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map(|row| row.try_get("", "due_at")).transpose()?.flatten())
    }

    /// What was accepted of this thread before `position`, in order.
    pub async fn thread(&self, enrolment: i64, position: u32) -> Result<Vec<InThread>, StoreError> {
        let query = sql(
            "SELECT rfc_message_id, final_message_id, subject FROM messages
             WHERE enrolment_id = ?1 AND position < ?2 AND state IN ('accepted', 'in_doubt')
             ORDER BY position",
            [enrolment.into(), position.into()],
        );
        Ok(InThread::find_by_statement(query).all(&self.db.read).await?)
    }

    /// Claims a message: from here on it is being sent, and counted. `false`: refused;
    /// [`Store::facts`] tells why.
    pub async fn claim(&self, claim: Claim) -> Result<bool, StoreError> {
        self.scribe.write(Entry::Claim(Box::new(claim))).await
    }

    /// Says durably that the final dot is about to leave. `false`: the lease is lost, and it must
    /// not.
    pub async fn mark_dot(&self, message: i64, epoch: i64, now: i64) -> Result<bool, StoreError> {
        self.scribe.write(Entry::Dot { message, epoch, now }).await
    }

    /// Records what became of an attempt. `false`: somebody else has settled it.
    pub async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.scribe.write(Entry::Settle(Box::new(settlement))).await
    }

    /// Everything a claim of this message depends on.
    pub async fn facts(&self, message: i64, day: &str) -> Result<Option<Facts>, StoreError> {
        let query = sql("SELECT * FROM message_facts WHERE id = ?1", [message.into()]);
        let row = FactsRow::find_by_statement(query).one(&self.db.read).await?;
        Ok(row.map(|row| row.into_facts(day)))
    }

    /// Sets a message back to later hours of the day, or to the next plan, with the reason.
    pub async fn hold_message(
        &self,
        message: i64,
        hours: Option<Span>,
        why: &str,
    ) -> Result<(), StoreError> {
        self.db
            .write
            .execute_raw(sql(
                "UPDATE messages SET due_at = coalesce(?2, due_at), closes_at = coalesce(?4, closes_at),
                        why = ?3, plan_day = CASE WHEN ?2 IS NULL THEN NULL ELSE plan_day END
                 WHERE id = ?1 AND state = 'planned'",
                [
                    message.into(),
                    hours.map(Span::start).into(),
                    why.into(),
                    hours.map(Span::end).into(),
                ],
            ))
            .await?;
        Ok(())
    }

    /// Notes why a planned message waits where it is.
    pub async fn explain_message(&self, message: i64, why: &str) -> Result<(), StoreError> {
        self.db
            .write
            .execute_raw(sql(
                "UPDATE messages SET why = ?2 WHERE id = ?1 AND state = 'planned' AND why IS NOT ?2",
                [message.into(), why.into()],
            ))
            .await?;
        Ok(())
    }

    /// Blocks an enrolment whose text cannot be rendered, before anything was tried: its message
    /// waits for the next plan after the row is mended.
    pub async fn block_enrolment(
        &self,
        enrolment: i64,
        message: i64,
        why: &str,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        transaction
            .execute_raw(sql(
                "UPDATE enrolments SET state = 'blocked', because = ?2
                 WHERE id = ?1 AND state = 'active'",
                [enrolment.into(), why.into()],
            ))
            .await?;
        transaction
            .execute_raw(sql(
                "UPDATE messages SET plan_day = NULL, why = ?2 WHERE id = ?1 AND state = 'planned'",
                [message.into(), format!("blocked: {why}").into()],
            ))
            .await?;
        Ok(transaction.commit().await?)
    }
}

pub(crate) async fn claim(db: &impl ConnectionTrait, claim: &Claim) -> Result<bool, StoreError> {
    let written = db
        .execute_raw(sql(
            CLAIM,
            [
                claim.message.into(),
                claim.epoch.into(),
                claim.now.into(),
                claim.day.as_str().into(),
                claim.rfc_message_id.as_str().into(),
                claim.unsubscribe_token.as_str().into(),
                claim.revision.into(),
                claim.subject.as_str().into(),
            ],
        ))
        .await?;
    Ok(written.rows_affected() == 1)
}

pub(crate) async fn mark_dot(
    db: &impl ConnectionTrait,
    message: i64,
    epoch: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let written = db
        .execute_raw(sql(
            "UPDATE messages SET dot_at = ?3
             WHERE id = ?1 AND state = 'sending' AND lease_epoch = ?2 AND dot_at IS NULL
               AND EXISTS (SELECT 1 FROM mailboxes b WHERE b.id = messages.mailbox_id
                           AND b.lease_epoch = ?2 AND b.lease_expires_at > ?3)",
            [message.into(), epoch.into(), now.into()],
        ))
        .await?;
    Ok(written.rows_affected() == 1)
}

pub(crate) async fn settle(
    db: &impl ConnectionTrait,
    settlement: &Settlement,
) -> Result<bool, StoreError> {
    let row = row_after(settlement);
    let written = db
        .execute_raw(sql(
            SETTLE,
            [
                settlement.message.into(),
                settlement.epoch.into(),
                settlement.now.into(),
                row.state.into(),
                row.verdict.into(),
                row.why.into(),
                settlement.smtp_code.map(i64::from).into(),
                settlement.enhanced_status.as_deref().into(),
                row.final_message_id.into(),
                row.retry_at.into(),
                row.closes_at.into(),
                row.gives_back.into(),
            ],
        ))
        .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    advance_enrolment(db, settlement).await?;
    if let Some(blow) = settlement.blow {
        health::strike(db, settlement.message, blow, settlement.now).await?;
    }
    Ok(true)
}

/// How the message's row looks after a settlement.
struct RowAfter<'a> {
    state: &'static str,
    verdict: Option<&'static str>,
    why: Option<&'a str>,
    final_message_id: Option<&'a str>,
    retry_at: Option<i64>,
    closes_at: Option<i64>,
    gives_back: bool,
}

fn row_after(settlement: &Settlement) -> RowAfter<'_> {
    let row = RowAfter {
        state: "planned",
        verdict: None,
        why: None,
        final_message_id: None,
        retry_at: None,
        closes_at: None,
        gives_back: false,
    };
    match &settlement.fate {
        Fate::Accepted { final_message_id, .. } => RowAfter {
            state: "accepted",
            verdict: Some("accepted"),
            final_message_id: final_message_id.as_deref(),
            ..row
        },
        Fate::Rejected { verdict, why } => {
            RowAfter { state: "rejected", verdict: Some(verdict), why: Some(why), ..row }
        }
        Fate::Deferred { for_recipient, retry_at, closes_at, why } => RowAfter {
            verdict: Some(if *for_recipient { "recipient_deferred" } else { "deferred" }),
            why: Some(why),
            retry_at: Some(*retry_at),
            closes_at: *closes_at,
            ..row
        },
        Fate::NotSent { retry_at, closes_at, why } => RowAfter {
            why: Some(why),
            retry_at: Some(*retry_at),
            closes_at: *closes_at,
            gives_back: true,
            ..row
        },
        Fate::InDoubt { why } => RowAfter { state: "in_doubt", why: Some(why), ..row },
    }
}

async fn advance_enrolment(
    db: &impl ConnectionTrait,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let message = settlement.message;
    let enrolment = "(SELECT enrolment_id FROM messages WHERE id = ?1)";
    let statement = match &settlement.fate {
        Fate::Accepted { next: Some((step, at)), .. } => sql(
            &format!("UPDATE enrolments SET next_step = ?2, next_at = ?3 WHERE id = {enrolment}"),
            [message.into(), (*step).into(), (*at).into()],
        ),
        Fate::Accepted { next: None, .. } => sql(
            &format!(
                "UPDATE enrolments SET state = 'finished', ended_at = ?2
                 WHERE id = {enrolment} AND state IN ('active', 'held')"
            ),
            [message.into(), settlement.now.into()],
        ),
        Fate::Rejected { verdict, why } => {
            let state = if *verdict == "hard_bounce" { "bounced" } else { "rejected" };
            sql(
                &format!(
                    "UPDATE enrolments SET state = ?2, because = ?3, ended_at = ?4
                     WHERE id = {enrolment} AND ended_at IS NULL"
                ),
                [message.into(), state.into(), why.as_str().into(), settlement.now.into()],
            )
        }
        Fate::Deferred { .. } | Fate::NotSent { .. } | Fate::InDoubt { .. } => return Ok(()),
    };
    db.execute_raw(statement).await?;
    if matches!(settlement.fate, Fate::Rejected { verdict: "hard_bounce", .. }) {
        suppress_recipient(db, settlement).await?;
    }
    Ok(())
}

/// A dead address is dead for every campaign.
async fn suppress_recipient(
    db: &impl ConnectionTrait,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let address = db
        .query_one_raw(sql(
            "SELECT p.address FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
             JOIN prospects p ON p.id = e.prospect_id WHERE m.id = ?1",
            [settlement.message.into()],
        ))
        .await?
        .map(|row| row.try_get::<Option<String>>("", "address"))
        .transpose()?
        .flatten();
    if let Some(address) = address {
        crate::suppressions::add(
            db,
            crate::Scope::Address,
            &address,
            "hard_bounce",
            settlement.now,
        )
        .await?;
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct FactsRow {
    state: String,
    plan_day: Option<String>,
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

impl FactsRow {
    fn into_facts(self, day: &str) -> Facts {
        let used = |attempted, ceiling| Used { attempted, ceiling };
        Facts {
            planned_today: self.plan_day.as_deref() == Some(day),
            state: self.state,
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

/// Everything the trigger behind it would refuse is asked here first, so that a refusal is no
/// error and undoes nobody else's claim.
const CLAIM: &str = "
    UPDATE messages SET
        state = 'sending', changed_at = ?3, sending_since = ?3, sending_on = ?4, lease_epoch = ?2,
        prior_since = sending_since, prior_on = sending_on,
        attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, ?3),
        rfc_message_id = coalesce(rfc_message_id, ?5),
        unsubscribe_token = coalesce(unsubscribe_token, ?6),
        revision_id = coalesce(revision_id, ?7), subject = coalesce(subject, ?8),
        dot_at = NULL, verdict = NULL, smtp_code = NULL, enhanced_status = NULL, why = NULL
    WHERE id = ?1 AND state = 'planned' AND plan_day = ?4 AND due_at <= ?3 AND closes_at > ?3
      AND attempts < 5
      AND EXISTS (SELECT 1 FROM message_facts f WHERE f.id = messages.id
          AND f.enrolment_state = 'active' AND NOT f.erased AND NOT f.suppressed
          AND f.campaign_state = 'running' AND f.mailbox_state = 'active'
          AND f.lease_epoch = ?2 AND f.lease_expires_at > ?3
          AND (f.thread_mailbox_id IS NULL OR f.thread_mailbox_id = f.mailbox_id)
          AND (f.position = 1 OR f.inbox_read_at >= ?3 - f.fresh_ms)
          AND (f.person_attempt_at IS NULL OR f.person_attempt_at + f.person_gap_ms <= ?3)
          AND (f.mailbox_attempt_at IS NULL OR f.mailbox_attempt_at + f.gap_ms <= ?3)
          AND f.mailbox_attempted < f.mailbox_ceiling AND f.domain_attempted < f.domain_ceiling
          AND (f.tenant_ceiling IS NULL OR f.tenant_attempted < f.tenant_ceiling)
          AND (f.company_ceiling IS NULL OR f.company_attempted < f.company_ceiling))
      AND NOT EXISTS (SELECT 1 FROM messages o
                      WHERE o.mailbox_id = messages.mailbox_id AND o.state = 'sending')";

const SETTLE: &str = "
    UPDATE messages SET
        state = ?4, changed_at = ?3, verdict = ?5, why = ?6, smtp_code = ?7, enhanced_status = ?8,
        final_message_id = coalesce(?9, final_message_id),
        settled_at = CASE WHEN ?4 = 'planned' THEN NULL ELSE ?3 END,
        due_at = coalesce(?10, due_at),
        closes_at = coalesce(?11, closes_at),
        plan_day = CASE WHEN ?4 = 'planned' AND ?11 IS NULL THEN NULL ELSE plan_day END,
        attempts = attempts - ?12
    WHERE id = ?1 AND state = 'sending' AND lease_epoch = ?2";
