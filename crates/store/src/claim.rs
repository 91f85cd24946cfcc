//! The claim and the mark of the dot: one statement each.

use sea_orm::ConnectionTrait;

use crate::db::sql;
use crate::{Claim, StoreError};

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
            "UPDATE messages SET dot_at = $3
             WHERE id = $1 AND state = 'sending' AND lease_epoch = $2 AND dot_at IS NULL
               AND EXISTS (SELECT 1 FROM mailboxes b WHERE b.id = messages.mailbox_id
                           AND b.lease_epoch = $2 AND b.lease_expires_at > $3 + $4)",
            [message.into(), epoch.into(), now.into(), DOT_WITHIN_MS.into()],
        ))
        .await?;
    Ok(written.rows_affected() == 1)
}

/// How long after it was asked for the dot may leave. The lease must last longer than that, so a
/// process that was stopped in between knows by its own clock that it has lost its lease.
pub const DOT_WITHIN_MS: i64 = 10_000;

/// Everything the trigger behind it would refuse is asked here first, so that a refusal is no
/// error and undoes nobody else's claim.
const CLAIM: &str = "
    UPDATE messages SET
        state = 'sending', changed_at = $3, sending_since = $3, sending_on = $4, lease_epoch = $2,
        prior_since = sending_since, prior_on = sending_on,
        attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, $3),
        rfc_message_id = coalesce(rfc_message_id, $5),
        unsubscribe_token = coalesce(unsubscribe_token, $6),
        revision_id = coalesce(revision_id, $7), subject = coalesce(subject, $8),
        dot_at = NULL, verdict = NULL, smtp_code = NULL, enhanced_status = NULL, why = NULL
    WHERE id = $1 AND state = 'planned' AND plan_day = $4 AND due_at <= $3 AND closes_at > $3
      AND attempts < 5
      AND EXISTS (SELECT 1 FROM message_facts f WHERE f.id = messages.id
          AND f.enrolment_state = 'active' AND NOT f.erased AND NOT f.suppressed
          AND f.campaign_state = 'running' AND f.mailbox_state = 'active'
          AND f.lease_epoch = $2 AND f.lease_expires_at > $3
          AND (f.thread_mailbox_id IS NULL OR f.thread_mailbox_id = f.mailbox_id)
          AND (f.position = 1 OR f.inbox_read_at >= $3 - f.fresh_ms)
          AND (f.person_attempt_at IS NULL OR f.person_attempt_at + f.person_gap_ms <= $3)
          AND (f.mailbox_attempt_at IS NULL OR f.mailbox_attempt_at + f.gap_ms <= $3)
          AND f.mailbox_attempted < f.mailbox_ceiling AND f.domain_attempted < f.domain_ceiling
          AND (f.tenant_ceiling IS NULL OR f.tenant_attempted < f.tenant_ceiling)
          AND (f.company_ceiling IS NULL OR f.company_attempted < f.company_ceiling))
      AND NOT EXISTS (SELECT 1 FROM messages o
                      WHERE o.mailbox_id = messages.mailbox_id AND o.state = 'sending')";
