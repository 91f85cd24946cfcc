//! What became of an attempt, written down with all that follows from it.

use sea_orm::ConnectionTrait;

use crate::db::sql;
use crate::row::Row as _;
use crate::{Fate, Settlement, StoreError, health};

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
                i64::from(row.gives_back).into(),
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
        Fate::NotSent { retry_at, closes_at, why, .. } => RowAfter {
            why: Some(why),
            retry_at: Some(*retry_at),
            closes_at: *closes_at,
            gives_back: true,
            ..row
        },
        Fate::GivenUp { why } => RowAfter { why: Some(why), gives_back: true, ..row },
        Fate::InDoubt { why } => RowAfter { state: "in_doubt", why: Some(why), ..row },
    }
}

async fn advance_enrolment(
    db: &impl ConnectionTrait,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let message = settlement.message;
    let enrolment = "(SELECT enrolment_id FROM messages WHERE id = $1)";
    let statement = match &settlement.fate {
        Fate::Accepted { next: Some((step, at)), .. } => sql(
            &format!("UPDATE enrolments SET next_step = $2, next_at = $3 WHERE id = {enrolment}"),
            [message.into(), (*step).into(), (*at).into()],
        ),
        Fate::Accepted { next: None, .. } => sql(
            &format!(
                "UPDATE enrolments SET state = 'finished', ended_at = $2
                 WHERE id = {enrolment} AND state IN ('active', 'held')"
            ),
            [message.into(), settlement.now.into()],
        ),
        Fate::Rejected { verdict, why } => {
            let state = if *verdict == "hard_bounce" { "bounced" } else { "rejected" };
            sql(
                &format!(
                    "UPDATE enrolments SET state = $2, because = $3, ended_at = $4
                     WHERE id = {enrolment} AND ended_at IS NULL"
                ),
                [message.into(), state.into(), why.as_str().into(), settlement.now.into()],
            )
        }
        // What is given back forgets its first attempt, unless that is how its age is known.
        Fate::NotSent { since: Some(since), .. } => sql(
            "UPDATE messages SET first_attempt_at = $2 WHERE id = $1",
            [message.into(), (*since).into()],
        ),
        Fate::GivenUp { why } => return give_up(db, message, why, settlement.now).await,
        Fate::Deferred { .. } | Fate::NotSent { .. } | Fate::InDoubt { .. } => return Ok(()),
    };
    db.execute_raw(statement).await?;
    if matches!(settlement.fate, Fate::Rejected { verdict: "hard_bounce", .. }) {
        suppress_recipient(db, settlement).await?;
    }
    Ok(())
}

/// Tries a planned message no more. Says nothing of its recipient.
pub(crate) async fn give_up(
    db: &impl ConnectionTrait,
    message: i64,
    why: &str,
    now: i64,
) -> Result<(), StoreError> {
    let given_up = db
        .execute_raw(sql(
            "UPDATE messages SET state = 'rejected', verdict = 'message', why = $2,
                    settled_at = $3, changed_at = $3
             WHERE id = $1 AND state = 'planned'",
            [message.into(), why.into(), now.into()],
        ))
        .await?;
    if given_up.rows_affected() == 1 {
        db.execute_raw(sql(
            "UPDATE enrolments SET state = 'rejected', because = $2, ended_at = $3
             WHERE id = (SELECT enrolment_id FROM messages WHERE id = $1) AND ended_at IS NULL",
            [message.into(), why.into(), now.into()],
        ))
        .await?;
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
             JOIN prospects p ON p.id = e.prospect_id WHERE m.id = $1",
            [settlement.message.into()],
        ))
        .await?
        .map(|row| row.read::<Option<String>>("address"))
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

const SETTLE: &str = "
    UPDATE messages SET
        state = $4, changed_at = $3, verdict = $5, why = $6, smtp_code = $7, enhanced_status = $8,
        final_message_id = coalesce($9, final_message_id),
        settled_at = CASE WHEN $4 = 'planned' THEN NULL ELSE $3 END,
        due_at = coalesce($10, due_at),
        closes_at = coalesce($11, closes_at),
        plan_day = CASE WHEN $4 = 'planned' AND $11 IS NULL THEN NULL ELSE plan_day END,
        attempts = attempts - $12
    WHERE id = $1 AND state = 'sending' AND lease_epoch = $2";
