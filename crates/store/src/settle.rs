//! What became of an attempt, written down with all that follows from it.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use serde::Serialize;

use crate::claim::written_by;
use crate::db::sql;
use crate::row::Row as _;
use crate::{Fate, Scope, Settlement, StoreError, health, unknown};

/// Settles messages, each at most once in `settlements`; says which were settled.
pub(crate) async fn settle(
    db: &impl ConnectionTrait,
    settlements: &[&Settlement],
) -> Result<BTreeSet<i64>, StoreError> {
    let settled = written_by(db, SETTLE, &rows_after(settlements)).await?;
    let (advanced, finished) = advances(settlements);
    for (text, rows) in [(ADVANCE, advanced), (FINISH, finished)] {
        if !rows.is_empty() {
            written_by(db, text, &rows).await?;
        }
    }
    for settlement in settlements.iter().filter(|one| settled.contains(&one.message)) {
        follow_up(db, settlement).await?;
        if let Some(blow) = settlement.blow {
            let said = row_after(settlement).why;
            health::strike(db, settlement.message, blow, said, settlement.now).await?;
        }
        if let Some(answer) = &settlement.unknown {
            unknown::keep(db, settlement.message, answer, settlement.now).await?;
        }
    }
    Ok(settled)
}

/// Whether nothing follows from any of them but that its person goes on to the next step.
pub(crate) fn is_plain(settlements: &[&Settlement]) -> bool {
    let is_plain = |fate: &Fate| match fate {
        Fate::Accepted { .. } | Fate::Deferred { .. } | Fate::InDoubt { .. } => true,
        Fate::NotSent { since, .. } => since.is_none(),
        Fate::Rejected { .. } | Fate::GivenUp { .. } => false,
    };
    settlements.iter().all(|one| one.blow.is_none() && one.unknown.is_none() && is_plain(&one.fate))
}

/// Whether it moves nothing that several mailboxes share.
pub(crate) fn is_private(settlement: &Settlement) -> bool {
    let is_private = matches!(settlement.fate, Fate::Accepted { .. } | Fate::InDoubt { .. });
    is_private && settlement.blow.is_none()
}

/// The rows for [`SETTLE`].
pub(crate) fn rows_after<'a>(settlements: &[&'a Settlement]) -> Vec<RowAfter<'a>> {
    settlements.iter().map(|settlement| row_after(settlement)).collect()
}

/// Whoever was written to goes on to the next step ([`ADVANCE`]), or has had the last ([`FINISH`]).
pub(crate) fn advances(settlements: &[&Settlement]) -> (Vec<Advance>, Vec<Advance>) {
    let (mut advanced, mut finished) = (Vec::new(), Vec::new());
    for settlement in settlements {
        let Fate::Accepted { next, .. } = settlement.fate else { continue };
        let (message, epoch, now) = (settlement.message, settlement.epoch, settlement.now);
        let next_step = next.map(|(step, _)| step);
        let next_at = next.map(|(_, at)| at);
        let to = if next.is_some() { &mut advanced } else { &mut finished };
        to.push(Advance { message, epoch, now, next_step, next_at });
    }
    (advanced, finished)
}

/// Where a message that was accepted leaves its person. Nowhere, should it be settled already.
#[derive(Serialize)]
pub(crate) struct Advance {
    message: i64,
    epoch: i64,
    now: i64,
    next_step: Option<u32>,
    next_at: Option<i64>,
}

/// How the message's row looks after a settlement.
#[derive(Serialize)]
pub(crate) struct RowAfter<'a> {
    message: i64,
    epoch: i64,
    now: i64,
    state: &'static str,
    verdict: Option<&'static str>,
    why: Option<&'a str>,
    smtp_code: Option<u16>,
    enhanced_status: Option<&'a str>,
    final_message_id: Option<&'a str>,
    retry_at: Option<i64>,
    closes_at: Option<i64>,
    gives_back: u8,
}

fn row_after(settlement: &Settlement) -> RowAfter<'_> {
    let row = RowAfter {
        message: settlement.message,
        epoch: settlement.epoch,
        now: settlement.now,
        state: "planned",
        verdict: None,
        why: None,
        smtp_code: settlement.smtp_code,
        enhanced_status: settlement.enhanced_status.as_deref(),
        final_message_id: None,
        retry_at: None,
        closes_at: None,
        gives_back: 0,
    };
    match &settlement.fate {
        Fate::Accepted { final_message_id, .. } => RowAfter {
            state: "accepted",
            verdict: Some("accepted"),
            final_message_id: final_message_id.as_deref(),
            ..row
        },
        Fate::Rejected { verdict, why } => {
            let verdict = if *verdict == DEAD_DOMAIN { HARD_BOUNCE } else { verdict };
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
            gives_back: 1,
            ..row
        },
        Fate::GivenUp { why } => RowAfter { why: Some(why), gives_back: 1, ..row },
        Fate::InDoubt { why } => RowAfter { state: "in_doubt", why: Some(why), ..row },
    }
}

/// What else follows for the person, or for the message.
async fn follow_up(db: &impl ConnectionTrait, settlement: &Settlement) -> Result<(), StoreError> {
    let message = settlement.message;
    let statement = match &settlement.fate {
        Fate::Rejected { verdict, why } => {
            let is_dead = matches!(*verdict, HARD_BOUNCE | DEAD_DOMAIN);
            let state = if is_dead { "bounced" } else { "rejected" };
            sql(
                "UPDATE enrolments SET state = $2, because = $3, ended_at = $4
                 WHERE id = (SELECT enrolment_id FROM messages WHERE id = $1) AND ended_at IS NULL",
                [message.into(), state.into(), why.as_str().into(), settlement.now.into()],
            )
        }
        // What is given back forgets its first attempt, unless that is how its age is known.
        Fate::NotSent { since: Some(since), .. } => sql(
            "UPDATE messages SET first_attempt_at = $2 WHERE id = $1",
            [message.into(), (*since).into()],
        ),
        Fate::GivenUp { why } => return give_up(db, message, why, settlement.now).await,
        Fate::Accepted { .. }
        | Fate::Deferred { .. }
        | Fate::NotSent { .. }
        | Fate::InDoubt { .. } => return Ok(()),
    };
    db.execute_raw(statement).await?;
    match settlement.fate {
        Fate::Rejected { verdict: HARD_BOUNCE, .. } => {
            suppress_recipient(db, settlement, Scope::Address).await
        }
        Fate::Rejected { verdict: DEAD_DOMAIN, .. } => {
            suppress_recipient(db, settlement, Scope::Domain).await
        }
        _ => Ok(()),
    }
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

/// A dead address is dead for every campaign, and so is a dead domain. A free-mail domain is
/// nobody's company, and never dead for one answer: there the address alone is.
async fn suppress_recipient(
    db: &impl ConnectionTrait,
    settlement: &Settlement,
    scope: Scope,
) -> Result<(), StoreError> {
    let row = db
        .query_one_raw(sql(
            "SELECT p.address, CASE WHEN p.company IS NULL THEN NULL ELSE p.domain END AS domain
             FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
             JOIN prospects p ON p.id = e.prospect_id WHERE m.id = $1",
            [settlement.message.into()],
        ))
        .await?;
    let Some(row) = row else { return Ok(()) };
    let address: Option<String> = row.read("address")?;
    let domain = match scope {
        Scope::Domain => row.read::<Option<String>>("domain")?,
        Scope::Address => None,
    };
    let dead = domain.map(|domain| (Scope::Domain, domain));
    if let Some((scope, value)) = dead.or(address.map(|address| (Scope::Address, address))) {
        crate::suppressions::add(db, scope, &value, HARD_BOUNCE, settlement.now).await?;
    }
    Ok(())
}

/// The verdict on a dead address, and the reason it is suppressed for.
const HARD_BOUNCE: &str = "hard_bounce";

/// The verdict on an address whose whole domain is dead; in the books a hard bounce like any other.
const DEAD_DOMAIN: &str = "dead_domain";

/// A state is compared so (`|| ''`) that PostgreSQL does not look for the state, which it may believe few
/// rows to have, but for the row; and `coalesce` hides from it that only what is settled is asked for.
pub(crate) const SETTLE: &str = "
    UPDATE messages SET
        state = s.state, changed_at = s.now, verdict = s.verdict, why = s.why,
        smtp_code = s.smtp_code, enhanced_status = s.enhanced_status,
        final_message_id = coalesce(s.final_message_id, messages.final_message_id),
        settled_at = CASE WHEN s.state = 'planned' THEN NULL ELSE s.now END,
        due_at = coalesce(s.retry_at, due_at),
        closes_at = coalesce(s.closes_at, messages.closes_at),
        plan_day = CASE WHEN s.state = 'planned' AND s.closes_at IS NULL THEN NULL ELSE plan_day END,
        attempts = attempts - s.gives_back
    FROM (SELECT CAST(value ->> 'message' AS BIGINT) AS message,
                 CAST(value ->> 'epoch' AS BIGINT) AS epoch, CAST(value ->> 'now' AS BIGINT) AS now,
                 value ->> 'state' AS state, value ->> 'verdict' AS verdict, value ->> 'why' AS why,
                 CAST(value ->> 'smtp_code' AS BIGINT) AS smtp_code,
                 value ->> 'enhanced_status' AS enhanced_status,
                 value ->> 'final_message_id' AS final_message_id,
                 CAST(value ->> 'retry_at' AS BIGINT) AS retry_at,
                 CAST(value ->> 'closes_at' AS BIGINT) AS closes_at,
                 CAST(value ->> 'gives_back' AS BIGINT) AS gives_back
          FROM json_each($1)) AS s
    WHERE messages.id = s.message AND messages.state || '' = 'sending' AND lease_epoch = s.epoch
    RETURNING id";

pub(crate) const ADVANCE: &str = "
    UPDATE enrolments SET next_step = a.next_step,
                          next_at = max(a.next_at, coalesce(enrolments.away_until, 0))
    FROM (SELECT m.enrolment_id, CAST(value ->> 'next_step' AS BIGINT) AS next_step,
                 CAST(value ->> 'next_at' AS BIGINT) AS next_at
          FROM json_each($1) j JOIN messages m ON m.id = CAST(j.value ->> 'message' AS BIGINT)
          WHERE m.state || '' = 'accepted' AND m.lease_epoch = CAST(j.value ->> 'epoch' AS BIGINT)
            AND coalesce(m.settled_at, 0) = CAST(j.value ->> 'now' AS BIGINT)) AS a
    WHERE enrolments.id = a.enrolment_id";

pub(crate) const FINISH: &str = "
    UPDATE enrolments SET state = 'finished', ended_at = a.now
    FROM (SELECT m.enrolment_id, CAST(value ->> 'now' AS BIGINT) AS now
          FROM json_each($1) j JOIN messages m ON m.id = CAST(j.value ->> 'message' AS BIGINT)
          WHERE m.state || '' = 'accepted' AND m.lease_epoch = CAST(j.value ->> 'epoch' AS BIGINT)
            AND coalesce(m.settled_at, 0) = CAST(j.value ->> 'now' AS BIGINT)) AS a
    WHERE enrolments.id = a.enrolment_id AND state IN ('active', 'held')";
