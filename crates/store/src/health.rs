//! Answers that speak against a mailbox, and what the core makes of them, in the transaction that
//! records the answer: easing, slowing, and pauses, which `pausing` writes down.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::health::{self, Blow, PauseReason, Record, Thresholds};
use warmfront_core::span::Millis;

use crate::StoreError;
use crate::db::sql;
use crate::pausing::{Of, pause_for_reason};
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
/// domain, the tenant or the campaign with it. `said`: the server's answer, if it was one.
pub(crate) async fn strike(
    db: &impl ConnectionTrait,
    message: i64,
    blow: Blow,
    said: Option<&str>,
    now: Millis,
) -> Result<(), StoreError> {
    let query = sql(
        "SELECT b.id AS mailbox_id, m.campaign_id, b.domain, b.tenant, b.ease_percent, b.eased_at,
                coalesce(m.sending_since, $2) AS sent_at, l.day AS today, d.allotted,
                d.sender_rejections + d.blocks AS sender_rejections
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
    let eases = [Blow::Deferred, Blow::TooFast, Blow::SenderRejected, Blow::Spam, Blow::Complaint];
    if eases.contains(&blow) {
        ease(db, &struck, now).await?;
    }
    let at = thresholds(db).await?;
    if blow == Blow::TooFast {
        slow(db, struck.mailbox_id, now + at.slow_for, now).await?;
    }
    let record = record(db, &struck, blow, &at, now).await?;
    if let Some(reason) = health::pause_for(blow, &record, &at) {
        let of = Of { mailbox_id: struck.mailbox_id, domain: struck.domain, tenant: struck.tenant };
        pause_for_reason(db, &of, reason, &sentence(reason, said), now).await?;
    }
    if blow == Blow::HardBounce {
        stop_a_dead_list(db, struck.campaign_id, &at, now).await?;
    }
    Ok(())
}

/// What a pause says of itself. Whoever is to mend what one answer told of needs its words.
fn sentence(reason: PauseReason, said: Option<&str>) -> String {
    let is_mended = !reason.ends_by_itself() || reason == PauseReason::Domain;
    match said.filter(|_| is_mended) {
        Some(said) => format!("{reason}: {said}"),
        None => reason.to_string(),
    }
}

/// Lets a refusal of the sender that a report tells of fall on its mailbox, once for each message: it
/// counts on the day on which the message was sent; and where that is counted into the mailbox's warmth
/// already, on the present one too, which then is no warm day in its place.
pub(crate) async fn strike_late(
    db: &impl ConnectionTrait,
    message: i64,
    blow: Blow,
    now: Millis,
) -> Result<(), StoreError> {
    let counted = db
        .execute_raw(sql(
            "UPDATE mailbox_days SET blocks = blocks + 1
             FROM (SELECT m.mailbox_id, m.sending_on, b.rolled_on FROM messages m
                   JOIN mailboxes b ON b.id = m.mailbox_id WHERE m.id = $1) AS m
             WHERE mailbox_days.mailbox_id = m.mailbox_id
               AND (day = m.sending_on OR (day = m.rolled_on AND m.sending_on < m.rolled_on))
               AND (SELECT count(*) FROM inbound
                    WHERE message_id = $1 AND kind = 'sender_block') = 1",
            [message.into()],
        ))
        .await?;
    match counted.rows_affected() {
        0 => Ok(()),
        _ => strike(db, message, blow, None, now).await,
    }
}

/// Has a mailbox go at half its rate for a while, from now on if it does so already. The planner
/// ends it (`hasten`).
async fn slow(
    db: &impl ConnectionTrait,
    mailbox: i64,
    until: Millis,
    now: Millis,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "UPDATE mailboxes SET slow_until = $2 WHERE id = $1",
        [mailbox.into(), until.into()],
    ))
    .await?;
    tell(db, mailbox, "mailbox_slowed", &format!("{{\"until\":{until}}}"), now).await
}

/// Gives every mailbox that was slow for long enough its own rate back.
pub(crate) async fn hasten(db: &impl ConnectionTrait, now: Millis) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "UPDATE mailboxes SET slow_until = NULL WHERE slow_until <= $1",
        [now.into()],
    ))
    .await?;
    Ok(())
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
    // Today's allowance falls at once; a mailbox eased to nothing could never show that it is well. What
    // it may still send is reckoned from its ceiling: the allowance of a day is what that is judged by,
    // and may be higher.
    db.execute_raw(sql(
        "UPDATE mailbox_days SET
             allowance = max(1, allowance * $3 / $4),
             ceiling = min(ceiling, max(0, max(1, (ceiling + manual) * $3 / $4) - manual))
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
    at: &Thresholds,
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
             ORDER BY settled_at DESC, id DESC LIMIT CAST($2 AS BIGINT)) AS last",
        [struck.mailbox_id.into(), at.last_messages.into()],
    );
    if let Some(row) = db.query_one_raw(last).await? {
        record.hard_bounces_of_last = count(&row, "bounces")?;
    }
    let window = sql(
        "SELECT count(*) AS settled,
                count(*) FILTER (WHERE verdict = 'hard_bounce') AS bounces FROM messages
         WHERE mailbox_id = $1 AND settled_at > $2 AND state IN ('accepted', 'rejected', 'bounced')",
        [struck.mailbox_id.into(), (now - at.bounce_window).into()],
    );
    if let Some(row) = db.query_one_raw(window).await? {
        record.settled = count(&row, "settled")?;
        record.hard_bounces = count(&row, "bounces")?;
    }
    Ok(record)
}

/// A campaign whose list bounces stops itself.
async fn stop_a_dead_list(
    db: &impl ConnectionTrait,
    campaign: i64,
    at: &Thresholds,
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
    if !health::list_is_dead(bounces, settled, at) {
        return Ok(());
    }
    let sentence = format!(
        "its list bounces: {bounces} of {settled} messages; clean the list, then `campaign start`"
    );
    crate::campaigns::pause(db, campaign, &sentence, now).await
}

/// The figures that the operator has set; before any were written, the defaults.
pub(crate) async fn thresholds(db: &impl ConnectionTrait) -> Result<Thresholds, StoreError> {
    let row = db.query_one_raw(sql("SELECT thresholds FROM settings WHERE id = 1", [])).await?;
    row.map_or(Ok(Thresholds::default()), |row| {
        crate::read_thresholds(&row.read::<String>("thresholds")?)
    })
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
