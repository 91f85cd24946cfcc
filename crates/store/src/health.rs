//! Answers that speak against a mailbox, and what the core makes of them, in the transaction that
//! records the answer.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::health::{self, Blow, PauseReason, Record};
use warmfront_core::span::{DAY, Millis};

use crate::StoreError;
use crate::db::{json, sql};
use crate::row::{Row as _, columns};

/// What a blow is judged by.
struct Struck {
    mailbox_id: i64,
    campaign_id: i64,
    domain: String,
    tenant: Option<String>,
    ease_percent: u32,
    eased_at: Option<i64>,
    sent_at: i64,
    /// The last day planned for; a complaint may be about an earlier one.
    today: String,
    allotted: u32,
    sender_rejections: u32,
}

columns!(Struck {
    mailbox_id,
    campaign_id,
    domain,
    tenant,
    ease_percent,
    eased_at,
    sent_at,
    today,
    allotted,
    sender_rejections,
});

/// Lets a blow that came with a message fall on its mailbox: eases, pauses, and where it must, the
/// domain, the tenant or the campaign with it.
pub(crate) async fn strike(
    db: &impl ConnectionTrait,
    message: i64,
    blow: Blow,
    now: Millis,
) -> Result<(), StoreError> {
    let query = sql(
        "SELECT b.id AS mailbox_id, m.campaign_id, b.domain, b.tenant, b.ease_percent, b.eased_at,
                coalesce(m.sending_since, $2) AS sent_at, l.day AS today, d.allotted,
                d.sender_rejections
         FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
         JOIN mailbox_days l ON l.mailbox_id = b.id
          AND l.day = (SELECT max(day) FROM mailbox_days WHERE mailbox_id = b.id)
         JOIN mailbox_days d ON d.mailbox_id = b.id AND d.day = coalesce(m.sending_on, l.day)
         WHERE m.id = $1",
        [message.into(), now.into()],
    );
    let Some(struck) = Struck::find_by_statement(query).one(db).await? else {
        return Err(StoreError::Inconsistent(format!("message {message} has no mailbox day")));
    };
    if matches!(blow, Blow::Deferred | Blow::SenderRejected | Blow::Spam | Blow::Complaint) {
        ease(db, &struck, now).await?;
    }
    let record = record(db, &struck, blow, now).await?;
    if let Some(reason) = health::pause_for(blow, &record) {
        pause_for_reason(db, &struck, reason, now).await?;
    }
    if blow == Blow::HardBounce {
        stop_a_dead_list(db, struck.campaign_id, now).await?;
    }
    Ok(())
}

/// Pauses one mailbox until an operator mends what no message shows: its log-in, its server.
pub(crate) async fn stop(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
    because: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let sentence = format!("{reason}: {because}");
    pause(db, mailbox, reason, &sentence, None, 0, now).await
}

async fn ease(db: &impl ConnectionTrait, struck: &Struck, now: Millis) -> Result<(), StoreError> {
    let Some(percent) = health::eased(struck.ease_percent, struck.eased_at, struck.sent_at) else {
        return Ok(());
    };
    db.execute_raw(sql(
        "UPDATE mailboxes SET ease_percent = $2, eased_at = $3 WHERE id = $1",
        [struck.mailbox_id.into(), percent.into(), now.into()],
    ))
    .await?;
    // Today's allowance falls at once; a mailbox eased to nothing could never show that it is well.
    db.execute_raw(sql(
        "UPDATE mailbox_days SET
             allowance = max(1, allowance * $3 / $4),
             ceiling = min(ceiling, max(0, max(1, allowance * $3 / $4) - manual))
         WHERE mailbox_id = $1 AND day = $2 AND allowance > 0",
        [
            struck.mailbox_id.into(),
            struck.today.as_str().into(),
            percent.into(),
            struck.ease_percent.into(),
        ],
    ))
    .await?;
    tell(db, struck.mailbox_id, "mailbox_eased", &format!("{{\"percent\":{percent}}}"), now).await
}

async fn record(
    db: &impl ConnectionTrait,
    struck: &Struck,
    blow: Blow,
    now: Millis,
) -> Result<Record, StoreError> {
    let mut record = Record {
        allotted_today: struck.allotted,
        sender_rejections_today: struck.sender_rejections,
        ..Record::default()
    };
    if blow != Blow::HardBounce {
        return Ok(record);
    }
    let count = |row: &sea_orm::QueryResult, column| row.read::<u32>(column);
    let last = sql(
        "SELECT count(*) FILTER (WHERE verdict = 'hard_bounce') AS bounces FROM (
             SELECT verdict FROM messages
             WHERE mailbox_id = $1 AND settled_at IS NOT NULL
               AND state IN ('accepted', 'rejected', 'bounced')
             ORDER BY settled_at DESC, id DESC LIMIT $2) AS last",
        [struck.mailbox_id.into(), health::LAST.into()],
    );
    if let Some(row) = db.query_one_raw(last).await? {
        record.hard_bounces_of_last = count(&row, "bounces")?;
    }
    let window = sql(
        "SELECT count(*) AS settled,
                count(*) FILTER (WHERE verdict = 'hard_bounce') AS bounces FROM messages
         WHERE mailbox_id = $1 AND settled_at > $2 AND state IN ('accepted', 'rejected', 'bounced')",
        [struck.mailbox_id.into(), (now - i64::from(health::WINDOW_DAYS) * DAY).into()],
    );
    if let Some(row) = db.query_one_raw(window).await? {
        record.settled = count(&row, "settled")?;
        record.hard_bounces = count(&row, "bounces")?;
    }
    Ok(record)
}

async fn pause_for_reason(
    db: &impl ConnectionTrait,
    struck: &Struck,
    reason: PauseReason,
    now: Millis,
) -> Result<(), StoreError> {
    match reason {
        PauseReason::Domain => return pause_all(db, "domain", &struck.domain, reason, now).await,
        PauseReason::Tenant => {
            let Some(tenant) = &struck.tenant else {
                return pause_all(db, "domain", &struck.domain, reason, now).await;
            };
            return pause_all(db, "tenant", tenant, reason, now).await;
        }
        PauseReason::SenderRejections { .. }
        | PauseReason::HardBounces { .. }
        | PauseReason::BounceRate { .. }
        | PauseReason::Spam
        | PauseReason::Complaint
        | PauseReason::Credentials
        | PauseReason::Quota
        | PauseReason::Configuration
        | PauseReason::Operator => {}
    }
    pause_one(db, struck.mailbox_id, reason, now).await?;
    if reason.is_policy() {
        spread(db, "domain", &struck.domain, PauseReason::Domain, now).await?;
        if let Some(tenant) = &struck.tenant {
            spread(db, "tenant", tenant, PauseReason::Tenant, now).await?;
        }
    }
    Ok(())
}

/// Two mailboxes of one domain or tenant paused for policy within a day pause all of it, though a
/// pause of theirs may be over already.
async fn spread(
    db: &impl ConnectionTrait,
    column: &str,
    name: &str,
    reason: PauseReason,
    now: Millis,
) -> Result<(), StoreError> {
    let data = json(db, "v.data");
    let paused = db
        .query_one_raw(sql(
            &format!(
                "SELECT count(DISTINCT v.mailbox_id) AS n FROM events v
                 JOIN mailboxes b ON b.id = v.mailbox_id
                 WHERE v.kind = 'mailbox_paused' AND v.at > $2 AND b.{column} = $1
                   AND {data} ->> 'reason' IN ('sender_rejections', 'spam', 'complaint')"
            ),
            [name.into(), (now - health::SPREAD_WINDOW).into()],
        ))
        .await?
        .map_or(Ok(0), |row| row.read::<i64>("n"))?;
    if paused >= 2 {
        pause_all(db, column, name, reason, now).await?;
    }
    Ok(())
}

async fn pause_all(
    db: &impl ConnectionTrait,
    column: &str,
    name: &str,
    reason: PauseReason,
    now: Millis,
) -> Result<(), StoreError> {
    let ids = db
        .query_all_raw(sql(
            &format!("SELECT id FROM mailboxes WHERE {column} = $1 AND state <> 'disabled'"),
            [name.into()],
        ))
        .await?;
    for row in ids {
        pause_one(db, row.read("id")?, reason, now).await?;
    }
    Ok(())
}

/// Pauses one mailbox, the longer the sooner after its last pause.
async fn pause_one(
    db: &impl ConnectionTrait,
    mailbox: i64,
    reason: PauseReason,
    now: Millis,
) -> Result<(), StoreError> {
    let earlier = db
        .query_one_raw(sql(
            "SELECT pauses FROM mailboxes WHERE id = $1 AND last_paused_at >= $2",
            [mailbox.into(), (now - health::REPEAT_WINDOW).into()],
        ))
        .await?
        .map_or(Ok(0), |row| row.read::<u32>("pauses"))?;
    let until = health::paused_until(reason, earlier, now);
    // What waits for a person to mend it says nothing of how the mailbox is seen.
    let pauses = if reason.ends_by_itself() { earlier + 1 } else { 0 };
    pause(db, mailbox, reason, &reason.to_string(), until, pauses, now).await
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
        worsen(db, mailbox, reason, until, pauses, now).await?;
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
            reason.to_string().into(),
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

/// A campaign whose list bounces stops itself.
async fn stop_a_dead_list(
    db: &impl ConnectionTrait,
    campaign: i64,
    now: Millis,
) -> Result<(), StoreError> {
    let row = db
        .query_one_raw(sql(
            "SELECT CAST(coalesce(sum(a.settled), 0) AS BIGINT) AS settled,
                    CAST(coalesce(sum(a.hard_bounces), 0) AS BIGINT) AS hard_bounces
             FROM campaigns c JOIN campaign_answers a ON a.campaign_id = c.id
             WHERE c.id = $1 AND c.state = 'running'",
            [campaign.into()],
        ))
        .await?;
    let Some(row) = row else { return Ok(()) };
    let (settled, bounces) = (row.read("settled")?, row.read("hard_bounces")?);
    if !health::list_is_dead(bounces, settled) {
        return Ok(());
    }
    let sentence = format!(
        "its list bounces: {bounces} of {settled} messages; clean the list, then `campaign start`"
    );
    crate::campaigns::pause(db, campaign, &sentence, now).await
}

/// Writes an event about a mailbox.
pub(crate) async fn tell(
    db: &impl ConnectionTrait,
    mailbox: i64,
    kind: &str,
    data: &str,
    now: Millis,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "INSERT INTO events (at, kind, mailbox_id, data) VALUES ($1, $2, $3, $4)",
        [now.into(), kind.into(), mailbox.into(), data.into()],
    ))
    .await?;
    Ok(())
}
