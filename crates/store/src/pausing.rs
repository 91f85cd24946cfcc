//! Pauses, written down: of a mailbox, of its domain, of its tenant; what outlasts and outweighs what.
//!
//! Whether an answer pauses anybody is not decided here.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::health::{self, PauseReason};
use warmfront_core::span::Millis;

use crate::StoreError;
use crate::db::{json, sql};
use crate::health::{tell, thresholds};
use crate::row::{Row as _, columns};

/// Whose mailbox it is.
pub(crate) struct Of {
    pub(crate) mailbox_id: i64,
    pub(crate) domain: String,
    pub(crate) tenant: Option<String>,
}

columns!(Of { mailbox_id, domain, tenant });

/// Pauses a mailbox for what no message shows: its log-in, its server, and where it must, the
/// domain or the tenant with it.
pub(crate) async fn stop(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
    because: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let query = sql(
        "SELECT id AS mailbox_id, domain, tenant FROM mailboxes WHERE id = $1",
        [mailbox.into()],
    );
    let Some(of) = Of::find_by_statement(query).one(db).await? else { return Ok(()) };
    pause_for_reason(db, &of, reason, &format!("{reason}: {because}"), now).await
}

/// Pauses a mailbox, or all of its domain or tenant where that is what is refused.
pub(crate) async fn pause_for_reason(
    db: &impl ConnectionTrait,
    of: &Of,
    reason: PauseReason,
    sentence: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let (domain, tenant) = (("domain", of.domain.as_str()), of.tenant.as_deref());
    let whole = match reason {
        PauseReason::Domain => Some(domain),
        PauseReason::Tenant | PauseReason::TenantQuota | PauseReason::TenantStopped => {
            Some(tenant.map_or(domain, |tenant| ("tenant", tenant)))
        }
        PauseReason::SenderRejections { .. }
        | PauseReason::HardBounces { .. }
        | PauseReason::BounceRate { .. }
        | PauseReason::Spam
        | PauseReason::Complaint
        | PauseReason::Credentials
        | PauseReason::Login
        | PauseReason::Quota
        | PauseReason::Configuration
        | PauseReason::Banned
        | PauseReason::Restored
        | PauseReason::Operator => None,
    };
    if let Some((column, name)) = whole {
        return pause_all(db, column, name, reason, sentence, now).await;
    }
    pause_one(db, of.mailbox_id, reason, sentence, now).await?;
    if reason.is_policy() {
        spread(db, "domain", &of.domain, PauseReason::Domain, now).await?;
        if let Some(tenant) = tenant {
            spread(db, "tenant", tenant, PauseReason::Tenant, now).await?;
        }
    }
    Ok(())
}

/// Two mailboxes of one domain or tenant paused for policy within a day, or what the operator has set,
/// pause all of it, though a pause of theirs may be over already.
async fn spread(
    db: &impl ConnectionTrait,
    column: &str,
    name: &str,
    reason: PauseReason,
    now: Millis,
) -> Result<(), StoreError> {
    let data = json(db, "v.data");
    let at = thresholds(db).await?;
    let paused = db
        .query_one_raw(sql(
            &format!(
                "SELECT count(DISTINCT v.mailbox_id) AS n FROM events v
                 JOIN mailboxes b ON b.id = v.mailbox_id
                 WHERE v.kind = 'mailbox_paused' AND v.at > $2 AND b.{column} = $1
                   AND {data} ->> 'reason' IN ('sender_rejections', 'spam', 'complaint')"
            ),
            [name.into(), (now - at.spread_window).into()],
        ))
        .await?
        .map_or(Ok(0), |row| row.read::<i64>("n"))?;
    if paused >= i64::from(at.spread_mailboxes) {
        pause_all(db, column, name, reason, &reason.to_string(), now).await?;
    }
    Ok(())
}

async fn pause_all(
    db: &impl ConnectionTrait,
    column: &str,
    name: &str,
    reason: PauseReason,
    sentence: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let ids = db
        .query_all_raw(sql(
            &format!("SELECT id FROM mailboxes WHERE {column} = $1 AND state <> 'disabled'"),
            [name.into()],
        ))
        .await?;
    for row in ids {
        pause_one(db, row.read("id")?, reason, sentence, now).await?;
    }
    Ok(())
}

/// Pauses one mailbox, the longer the sooner after its last pause.
async fn pause_one(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
    sentence: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let at = thresholds(db).await?;
    let earlier = db
        .query_one_raw(sql(
            "SELECT pauses FROM mailboxes WHERE id = $1 AND last_paused_at >= $2",
            [mailbox.into(), (now - at.repeat_window).into()],
        ))
        .await?
        .map_or(Ok(0), |row| row.read::<u32>("pauses"))?;
    let until = health::paused_until(reason, earlier, &at, now);
    let pauses = if reason.repeats() { earlier + 1 } else { 0 };
    pause(db, mailbox, reason, sentence, until, pauses, now).await
}

pub(crate) async fn pause(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
    sentence: &str,
    until: Option<Millis>,
    pauses: u32,
    now: Millis,
) -> Result<(), StoreError> {
    let word = reason.as_str();
    let written = db
        .execute_raw(sql(
            "UPDATE mailboxes SET state = 'paused', paused_at = $2, paused_until = $3,
                    paused_reason = $4, paused_because = $5,
                    pauses = CASE WHEN $6 > 0 THEN $6 ELSE pauses END,
                    last_paused_at = CASE WHEN $6 > 0 THEN $2 ELSE last_paused_at END
             WHERE id = $1 AND state = 'active'",
            [mailbox.into(), now.into(), until.into(), word.into(), sentence.into(), pauses.into()],
        ))
        .await?;
    if written.rows_affected() == 0 {
        if until.is_none() && pauses == 0 {
            return outlast(db, mailbox, sentence).await;
        }
        if !outweighs(db, mailbox, reason).await? {
            return Ok(());
        }
        worsen(db, mailbox, reason, sentence, until, pauses, now).await?;
    }
    let data = format!(
        "{{\"reason\":\"{word}\",\"until\":{}}}",
        until.map_or("null".to_owned(), |at| at.to_string())
    );
    tell(db, mailbox, "mailbox_paused", &data, now).await
}

async fn outweighs(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
) -> Result<bool, StoreError> {
    let query = sql(
        "SELECT paused_reason FROM mailboxes WHERE id = $1 AND state = 'paused'",
        [mailbox.into()],
    );
    let Some(row) = db.query_one_raw(query).await? else { return Ok(false) };
    let word: String = row.read("paused_reason")?;
    Ok(PauseReason::from_word(&word).is_some_and(|other| reason.outweighs(other)))
}

/// Puts a graver reason in the place of a lighter one. The pause began with the lighter, counts as
/// the graver does, and lasts as long as the longer of both; what waits for a person still does.
async fn worsen(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
    sentence: &str,
    until: Option<Millis>,
    pauses: u32,
    now: Millis,
) -> Result<(), StoreError> {
    // max() of anything and NULL is NULL: no end.
    db.execute_raw(sql(
        "UPDATE mailboxes SET paused_reason = $2, paused_because = $3 || '; ' || paused_because,
                paused_until = max(paused_until, $4), pauses = $5, last_paused_at = $6
         WHERE id = $1",
        [
            mailbox.into(),
            reason.as_str().into(),
            sentence.into(),
            until.into(),
            pauses.into(),
            now.into(),
        ],
    ))
    .await?;
    Ok(())
}

/// Who is told to wait for a person waits, even where a pause would have ended by itself. Its reason
/// stays: an operator's word on top is no amnesty.
async fn outlast(
    db: &impl ConnectionTrait,
    mailbox: i64,
    sentence: &str,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "UPDATE mailboxes SET paused_until = NULL, paused_because = paused_because || '; ' || $2
         WHERE id = $1 AND state = 'paused' AND paused_until IS NOT NULL",
        [mailbox.into(), sentence.into()],
    ))
    .await?;
    Ok(())
}
