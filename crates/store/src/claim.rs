//! The claim and the mark of the dot: one statement for all that a group has of them.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use serde::Serialize;

use crate::db::{json_array, sql};
use crate::row::Row as _;
use crate::{Claim, StoreError};

/// The mark that the final dot of a message is about to leave.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Dot {
    pub(crate) message: i64,
    pub(crate) epoch: i64,
    pub(crate) now: i64,
    /// The lease must last longer than that.
    pub(crate) until: i64,
}

/// Claims messages, each at most once in `claims`; says which were claimed.
pub(crate) async fn claim(
    db: &impl ConnectionTrait,
    claims: &[&Claim],
) -> Result<BTreeSet<i64>, StoreError> {
    written_by(db, CLAIM, claims).await
}

/// Marks dots, each message at most once in `dots`; says which were marked.
pub(crate) async fn mark_dots(
    db: &impl ConnectionTrait,
    dots: &[&Dot],
) -> Result<BTreeSet<i64>, StoreError> {
    written_by(db, MARK_DOT, dots).await
}

/// Runs a statement over rows given as a JSON array; says which it wrote.
pub(crate) async fn written_by(
    db: &impl ConnectionTrait,
    text: &str,
    rows: &[impl Serialize],
) -> Result<BTreeSet<i64>, StoreError> {
    let written = db.query_all_raw(sql(text, [json_array(&rows)?.into()])).await?;
    Ok(written.iter().map(|row| row.read("id")).collect::<Result<_, _>>()?)
}

/// How long after it was asked for the dot may leave. The lease must last longer than that, so a
/// process that was stopped in between knows by its own clock that it has lost its lease.
pub const DOT_WITHIN_MS: i64 = 10_000;

/// Everything the trigger behind it would refuse is asked here first, so that a refusal is no
/// error and undoes nobody else's claim. What two claims of one group race for only the trigger
/// sees: then each is written alone. (`state || ''`: see [`SETTLE`](crate::settle::SETTLE).)
pub(crate) const CLAIM: &str = "
    UPDATE messages SET
        state = 'sending', changed_at = c.now, sending_since = c.now, sending_on = c.day,
        lease_epoch = c.epoch, prior_since = sending_since, prior_on = sending_on,
        attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, c.now),
        rfc_message_id = coalesce(messages.rfc_message_id, c.rfc_message_id),
        unsubscribe_token = coalesce(messages.unsubscribe_token, c.unsubscribe_token),
        revision_id = coalesce(revision_id, c.revision),
        subject = coalesce(messages.subject, c.subject),
        dot_at = NULL, verdict = NULL, smtp_code = NULL, enhanced_status = NULL, why = NULL
    FROM (SELECT CAST(value ->> 'message' AS BIGINT) AS message,
                 CAST(value ->> 'epoch' AS BIGINT) AS epoch, CAST(value ->> 'now' AS BIGINT) AS now,
                 value ->> 'day' AS day, value ->> 'rfc_message_id' AS rfc_message_id,
                 value ->> 'unsubscribe_token' AS unsubscribe_token,
                 CAST(value ->> 'revision' AS BIGINT) AS revision, value ->> 'subject' AS subject
          FROM json_each($1)) AS c
    WHERE messages.id = c.message
      AND state || '' = 'planned' AND plan_day = c.day AND due_at <= c.now AND closes_at > c.now
      AND attempts < 5
      AND EXISTS (SELECT 1 FROM message_facts f WHERE f.id = messages.id
          AND f.enrolment_state = 'active' AND NOT f.erased AND NOT f.suppressed
          AND f.campaign_state = 'running' AND f.mailbox_state = 'active'
          AND f.lease_epoch = c.epoch AND f.lease_expires_at > c.now
          AND (f.thread_mailbox_id IS NULL OR f.thread_mailbox_id = f.mailbox_id)
          AND (f.position = 1 OR f.inbox_read_at >= c.now - f.fresh_ms)
          AND (f.person_attempt_at IS NULL OR f.person_attempt_at + f.person_gap_ms <= c.now)
          AND (f.mailbox_attempt_at IS NULL OR f.mailbox_attempt_at + f.gap_ms <= c.now)
          AND f.mailbox_attempted < f.mailbox_ceiling AND f.domain_attempted < f.domain_ceiling
          AND (f.tenant_ceiling IS NULL OR f.tenant_attempted < f.tenant_ceiling)
          AND (f.company_ceiling IS NULL OR f.company_attempted < f.company_ceiling))
      AND (position > 1 OR NOT EXISTS (
           SELECT 1 FROM failing_domains g JOIN mailboxes b ON b.domain = g.domain
           WHERE b.id = messages.mailbox_id))
      AND (SELECT count(*) FROM messages o
           WHERE o.mailbox_id = messages.mailbox_id AND o.state = 'sending') = 0
    RETURNING id";

pub(crate) const MARK_DOT: &str = "
    UPDATE messages SET dot_at = d.now
    FROM (SELECT CAST(value ->> 'message' AS BIGINT) AS message,
                 CAST(value ->> 'epoch' AS BIGINT) AS epoch, CAST(value ->> 'now' AS BIGINT) AS now,
                 CAST(value ->> 'until' AS BIGINT) AS until
          FROM json_each($1)) AS d
    WHERE messages.id = d.message AND state || '' = 'sending' AND lease_epoch = d.epoch AND dot_at IS NULL
      AND closes_at > d.now
      AND EXISTS (SELECT 1 FROM mailboxes b WHERE b.id = messages.mailbox_id
                  AND b.lease_epoch = d.epoch AND b.lease_expires_at > d.until)
    RETURNING id";
