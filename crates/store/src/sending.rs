//! A message's life in the books: due, claimed, marked, settled.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::answer::Answer;
use warmfront_core::health::Blow;
use warmfront_core::span::Span;

use crate::claim::{DOT_WITHIN_MS, Dot};
use crate::db::sql;
use crate::group::Entry;
use crate::row::columns;
use crate::{Store, StoreError};

/// A message that is due, with all that its text needs.
#[derive(Clone, Debug, PartialEq, Eq)]
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

columns!(DueMessage {
    id,
    enrolment_id,
    campaign_id,
    campaign_slug,
    position,
    due_at,
    closes_at,
    attempts,
    first_attempt_at,
    rfc_message_id,
    unsubscribe_token,
    revision_id,
    address,
    attributes,
    zone,
});

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
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
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
        /// Whom that concerns: `recipient`, `hard_bounce`, `dead_domain`, `message`, `sender`, or
        /// `deferred` and `recipient_deferred` for one given up.
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
        /// Since when it has been tried without an answer; `None`: that began anew.
        since: Option<i64>,
        /// When to try again.
        retry_at: i64,
        /// The end of the hours that moment lies in; `None`: for the next plan to say.
        closes_at: Option<i64>,
        /// Why.
        why: String,
    },
    /// It surely did not go out and never will: given back, and tried no more.
    GivenUp {
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
    /// The server's answer, where no rule knows it.
    pub unknown: Option<Answer>,
}

impl Store {
    /// The messages of a mailbox due on `day` by `now`, soonest first, and the next one after them.
    pub async fn due(
        &self,
        mailbox: i64,
        day: &str,
        now: i64,
        limit: u32,
    ) -> Result<Vec<DueMessage>, StoreError> {
        // The cast: a bare parameter as its limit has SQLite prepare a statement anew each time.
        let query = sql(
            "SELECT m.id, m.enrolment_id, m.campaign_id, c.slug AS campaign_slug, m.position,
                    m.due_at, m.closes_at, m.attempts, m.first_attempt_at, m.rfc_message_id,
                    m.unsubscribe_token, m.revision_id, p.address, e.attributes, e.zone
             FROM messages m
             JOIN enrolments e ON e.id = m.enrolment_id
             JOIN prospects p ON p.id = e.prospect_id
             JOIN campaigns c ON c.id = m.campaign_id
             WHERE m.mailbox_id = $1 AND m.plan_day = $2 AND m.state = 'planned'
               AND m.due_at <= coalesce(
                   (SELECT min(n.due_at) FROM messages n WHERE n.mailbox_id = $1
                    AND n.plan_day = $2 AND n.state = 'planned' AND n.due_at > $3), $3)
               AND p.address IS NOT NULL
             ORDER BY m.due_at, m.id LIMIT CAST($4 AS BIGINT)",
            [mailbox.into(), day.into(), now.into(), limit.into()],
        );
        Ok(DueMessage::find_by_statement(query).all(&self.db.read).await?)
    }

    /// What was accepted of this thread before `position`, in order.
    pub async fn thread(&self, enrolment: i64, position: u32) -> Result<Vec<InThread>, StoreError> {
        let query = sql(
            "SELECT rfc_message_id, final_message_id, subject FROM messages
             WHERE enrolment_id = $1 AND position < $2 AND state IN ('accepted', 'in_doubt')
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

    /// Says durably that the final dot is about to leave, within [`DOT_WITHIN_MS`](crate::DOT_WITHIN_MS)
    /// of `now`. `false`: the lease is lost or about to end, and it must not.
    pub async fn mark_dot(&self, message: i64, epoch: i64, now: i64) -> Result<bool, StoreError> {
        self.scribe.write(Entry::Dot(Dot { message, epoch, now, until: now + DOT_WITHIN_MS })).await
    }

    /// Records what became of an attempt. `false`: somebody else has settled it.
    pub async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.scribe.write(Entry::Settle(Box::new(settlement))).await
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
                "UPDATE messages SET due_at = coalesce($2, due_at), closes_at = coalesce($4, closes_at),
                        why = $3, plan_day = CASE WHEN $2 IS NULL THEN NULL ELSE plan_day END
                 WHERE id = $1 AND state = 'planned'",
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
                "UPDATE messages SET why = $2 WHERE id = $1 AND state = 'planned' AND why IS DISTINCT FROM $2",
                [message.into(), why.into()],
            ))
            .await?;
        Ok(())
    }

    /// Gives a message up that was tried as often as anything is. Says nothing of its recipient.
    pub async fn give_up(&self, message: i64, why: &str, now: i64) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        crate::settle::give_up(&transaction, message, why, now).await?;
        Ok(transaction.commit().await?)
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
                "UPDATE enrolments SET state = 'blocked', because = $2
                 WHERE id = $1 AND state = 'active'",
                [enrolment.into(), why.into()],
            ))
            .await?;
        transaction
            .execute_raw(sql(
                "UPDATE messages SET plan_day = NULL, why = $2 WHERE id = $1 AND state = 'planned'",
                [message.into(), format!("blocked: {why}").into()],
            ))
            .await?;
        Ok(transaction.commit().await?)
    }
}
