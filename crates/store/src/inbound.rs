//! What came in, recorded once, and what it does to enrolments and mailboxes.

mod known;
mod proof;

use jiff::tz::TimeZone;
use sea_orm::{ConnectionTrait, Statement};
use warmfront_core::address::Address;
use warmfront_core::health::Blow;
use warmfront_core::inbound::{Blame, Course, Inbound, Kind, Known};

use self::known::{
    About, LATELY, WRITTEN_TO_LATELY, is_own, message_of, message_to_the_sender, wrote_lately,
};
pub(crate) use self::known::{BEARERS, texts};
use self::proof::{Proof, prove};
use crate::db::sql;
use crate::row::Row as _;
use crate::{Scope, Store, StoreError, health, suppressions};

/// What an arrival led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// It was recorded before.
    Known,
    /// It names no message of ours, or changes nothing.
    None,
    /// The enrolment is over.
    Ended,
}

impl Store {
    /// Records what came into a mailbox, and that all of it was seen.
    pub async fn record_inbound(
        &self,
        mailbox: i64,
        arrivals: &[Inbound],
        now: i64,
    ) -> Result<Vec<Consequence>, StoreError> {
        let transaction = self.db.begin().await?;
        let mut consequences = Vec::new();
        for arrival in arrivals {
            consequences.push(record(&transaction, mailbox, arrival, now).await?);
        }
        transaction
            .execute_raw(sql(
                "UPDATE mailboxes SET inbox_read_at = $2 WHERE id = $1",
                [mailbox.into(), now.into()],
            ))
            .await?;
        transaction.commit().await?;
        Ok(consequences)
    }
}

pub(crate) async fn record(
    db: &impl ConnectionTrait,
    mailbox: i64,
    arrival: &Inbound,
    now: i64,
) -> Result<Consequence, StoreError> {
    let about = match message_of(db, mailbox, arrival).await? {
        Some(about) => Some(about),
        None => message_to_the_sender(db, mailbox, arrival).await?,
    };
    let to = about.as_ref().and_then(|about| Address::parse(about.address.as_ref()?).ok());
    let known = match to {
        _ if is_own(db, mailbox, arrival, about.as_ref()).await? => Known::Own,
        Some(address) => Known::Message(address),
        None if wrote_lately(db, mailbox, arrival, now).await? => Known::Lately,
        None => Known::Nothing,
    };
    let arrival = arrival.clone().judged(&known);
    let surely = about.as_ref().filter(|about| about.is_sure);
    let proof = surely.and_then(|_| Proof::of(&arrival));
    let early = proof.filter(|_| surely.is_some_and(|about| about.state == "sending"));
    let recorded = db
        .execute_raw(sql(
            "INSERT INTO inbound
                 (mailbox_id, content_key, kind, status, return_on, message_id, received_at, early)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            [
                mailbox.into(),
                arrival.key.as_str().into(),
                arrival.kind.as_str().into(),
                arrival.status.map(|status| status.to_string()).into(),
                arrival.return_on.map(|day| day.to_string()).into(),
                about.as_ref().map(|about| about.id).into(),
                arrival.received_at.into(),
                early.map(Proof::as_str).into(),
            ],
        ))
        .await?;
    if recorded.rows_affected() == 0 {
        return Ok(Consequence::Known);
    }
    let Some(mut about) = about.filter(|about| about.address.is_some()) else {
        if known == Known::Lately && arrival.effects.enrolment == Course::Hold {
            hold_the_blamed(db, mailbox, &arrival, now).await?;
        }
        return Ok(Consequence::None);
    };
    if let Some(proof) = proof {
        let is_over = arrival.kind.is_no() || proof == Proof::Bounce;
        prove(db, &mut about, proof, is_over, now).await?;
    }
    consequence(db, &about, &arrival, now).await
}

/// What an arrival does to the enrolment that it is about.
async fn consequence(
    db: &impl ConnectionTrait,
    about: &About,
    arrival: &Inbound,
    now: i64,
) -> Result<Consequence, StoreError> {
    match arrival.kind {
        Kind::Reply => {
            let consequence = end(db, about, "replied", now).await?;
            hold_colleagues(db, about).await?;
            Ok(consequence)
        }
        Kind::Unsubscribe => {
            let consequence = end(db, about, "unsubscribed", now).await?;
            suppress(db, about, "unsubscribed", now).await?;
            if let Some(colleague) = colleague(about, arrival) {
                suppressions::add(db, Scope::Address, colleague, "unsubscribed", now).await?;
                hold_colleagues(db, about).await?;
            }
            Ok(consequence)
        }
        Kind::Complaint => {
            let consequence = end(db, about, "complained", now).await?;
            suppress(db, about, "complained", now).await?;
            health::strike(db, about.id, Blow::Complaint, None, now).await?;
            Ok(consequence)
        }
        Kind::HardBounce if arrival.effects.suppress => bounce(db, about, now).await,
        Kind::HardBounce | Kind::SenderBlock => {
            hold_one(db, about, "a report came that it was not delivered").await?;
            let blow = match arrival.effects.mailbox {
                Blame::Block => arrival.blow.or(Some(Blow::SenderRejected)),
                Blame::Limit => arrival.blow.or(Some(Blow::QuotaReached)),
                Blame::None | Blame::Complaint => None,
            };
            if let Some(blow) = blow {
                health::strike_late(db, about.id, blow, now).await?;
            }
            Ok(Consequence::None)
        }
        Kind::AutoReply => {
            put_off(db, about, arrival).await?;
            Ok(Consequence::None)
        }
        Kind::SoftBounce | Kind::Delayed | Kind::Suspicious | Kind::Unrelated => {
            Ok(Consequence::None)
        }
    }
}

async fn end(
    db: &impl ConnectionTrait,
    about: &About,
    state: &str,
    now: i64,
) -> Result<Consequence, StoreError> {
    let ended = db
        .execute_raw(sql(
            "UPDATE enrolments SET state = $2, ended_at = $3
             WHERE id = $1 AND (ended_at IS NULL OR state = 'finished')",
            [about.enrolment_id.into(), state.into(), now.into()],
        ))
        .await?;
    Ok(if ended.rows_affected() == 1 { Consequence::Ended } else { Consequence::None })
}

/// Who asks for somebody else of their company: they mean all of it.
fn colleague<'a>(about: &About, arrival: &'a Inbound) -> Option<&'a str> {
    let from =
        arrival.from.as_ref().filter(|from| about.address.as_deref() != Some(from.as_str()))?;
    let to = Address::parse(about.address.as_ref()?).ok()?;
    (from.company()? == to.company()?).then_some(from.as_str())
}

/// Whoever answered is talking to a person now: in every other campaign they, and the people of
/// their company, wait for the operator.
async fn hold_colleagues(db: &impl ConnectionTrait, about: &About) -> Result<(), StoreError> {
    let whom = sql(
        "UPDATE enrolments SET state = 'held', because = 'an answer came from there'
         WHERE state = 'active' AND prospect_id IN (
             SELECT e.prospect_id FROM enrolments e WHERE e.id = $1
             UNION SELECT q.id FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                   JOIN prospects q ON q.company = p.company WHERE e.id = $1)
         RETURNING id",
        [about.enrolment_id.into()],
    );
    hold(db, whom).await
}

/// Whoever is blamed by a report that names no message of ours waits for the operator, if this
/// mailbox wrote to them lately: too little to suppress an address by, too much to go on.
async fn hold_the_blamed(
    db: &impl ConnectionTrait,
    mailbox: i64,
    arrival: &Inbound,
    now: i64,
) -> Result<(), StoreError> {
    let whom = sql(
        &format!(
            "UPDATE enrolments SET state = 'held', because = 'a report came that names no message',
                    blamed_at = CAST($4 AS BIGINT)
             WHERE state = 'active' AND prospect_id IN ({WRITTEN_TO_LATELY})
             RETURNING id"
        ),
        [
            texts(arrival.recipients.iter().map(Address::as_str))?.into(),
            mailbox.into(),
            (now - LATELY).into(),
            now.into(),
        ],
    );
    hold(db, whom).await
}

/// One enrolment waits for the operator.
async fn hold_one(
    db: &impl ConnectionTrait,
    about: &About,
    because: &str,
) -> Result<(), StoreError> {
    let whom = sql(
        "UPDATE enrolments SET state = 'held', because = $2
         WHERE id = $1 AND state = 'active' RETURNING id",
        [about.enrolment_id.into(), because.into()],
    );
    hold(db, whom).await
}

/// Nobody is reminded of what they have not seen: every later step waits until they are back, one that
/// is planned too; of one on its way or in doubt, should it come back, the books see to it. A first
/// step leaves.
async fn put_off(
    db: &impl ConnectionTrait,
    about: &About,
    arrival: &Inbound,
) -> Result<(), StoreError> {
    // At noon in Greenwich a day has begun wherever they are.
    let noon = arrival.return_on.map(|day| day.at(12, 0, 0, 0));
    let back = noon.and_then(|noon| noon.to_zoned(TimeZone::UTC).ok());
    let Some(back) = back.map(|back| back.timestamp().as_millisecond()) else { return Ok(()) };
    db.execute_raw(sql(
        "UPDATE enrolments SET away_until = $2, away_said_at = $3,
                next_at = CASE WHEN next_at > 0 THEN max(next_at, $2) ELSE next_at END
         WHERE id = $1 AND ended_at IS NULL AND coalesce(away_until, 0) < $2",
        [about.enrolment_id.into(), back.into(), arrival.received_at.into()],
    ))
    .await?;
    db.execute_raw(sql(
        "UPDATE messages SET plan_day = NULL, due_at = $2, first_attempt_at = NULL,
                why = CASE WHEN plan_day IS NULL THEN why ELSE 'recipient_away' END
         WHERE enrolment_id = $1 AND state = 'planned' AND position > 1 AND due_at < $2",
        [about.enrolment_id.into(), back.into()],
    ))
    .await?;
    Ok(())
}

/// Holds enrolments by a statement that returns them: what was planned for them goes back to no
/// day.
pub(crate) async fn hold(db: &impl ConnectionTrait, whom: Statement) -> Result<(), StoreError> {
    for row in db.query_all_raw(whom).await? {
        let enrolment: i64 = row.read("id")?;
        db.execute_raw(sql(
            "UPDATE messages SET plan_day = NULL, why = 'enrolment_held'
             WHERE enrolment_id = $1 AND state = 'planned'",
            [enrolment.into()],
        ))
        .await?;
    }
    Ok(())
}

async fn suppress(
    db: &impl ConnectionTrait,
    about: &About,
    reason: &str,
    now: i64,
) -> Result<(), StoreError> {
    if let Some(address) = &about.address {
        suppressions::add(db, Scope::Address, address, reason, now).await?;
    }
    Ok(())
}

/// Nobody writes to a dead address again, whatever has become of the message. It counts where the
/// message was accepted; one still on its way is looked at again.
async fn bounce(
    db: &impl ConnectionTrait,
    about: &About,
    now: i64,
) -> Result<Consequence, StoreError> {
    let bounced = db
        .execute_raw(sql(
            "UPDATE messages SET state = 'bounced', verdict = 'hard_bounce', changed_at = $2,
                    why = 'a delivery report came back' WHERE id = $1 AND state = 'accepted'",
            [about.id.into(), now.into()],
        ))
        .await?;
    let consequence = end(db, about, "bounced", now).await?;
    suppress(db, about, "hard_bounce", now).await?;
    if bounced.rows_affected() == 1 {
        health::strike(db, about.id, Blow::HardBounce, None, now).await?;
    }
    Ok(consequence)
}
