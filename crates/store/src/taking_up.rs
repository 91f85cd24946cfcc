//! What a Sent folder holds and outdated books do not have: taken up as what it is, a message that was
//! accepted; or, where it is nobody's whom they know, kept as a stray, whose reader waits for the
//! operator.

use sea_orm::{ConnectionTrait, FromQueryResult as _};
use warmfront_core::reading::SentCopy;
use warmfront_core::send_id::Enrolled;

use crate::db::sql;
use crate::doubts::{go_on, testify};
use crate::inbound::{BEARERS, hold, texts};
use crate::row::{Row as _, columns};
use crate::sent::{self, Today, borne_by};
use crate::{Store, StoreError};

/// A message that the books do not have as sent, and a Sent folder does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenUp {
    /// The mailbox it left from.
    pub mailbox: i64,
    /// Whose step it is.
    pub enrolment: i64,
    /// The campaign.
    pub campaign: i64,
    /// The step, from 1.
    pub step: u32,
    /// Its Message-ID.
    pub rfc_message_id: String,
    /// Its unsubscribe token.
    pub unsubscribe_token: String,
    /// The text it was made from, as far as the books have it.
    pub revision: i64,
    /// Its subject.
    pub subject: Option<String>,
    /// When it was sent.
    pub sent_at: i64,
    /// The counting day of that moment.
    pub day: String,
    /// The next step and the first moment it may go; `None` after the last.
    pub next: Option<(u32, i64)>,
}

/// Mail of ours to somebody, in a campaign or of a step that the books do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The mailbox it left from.
    pub mailbox: i64,
    /// What lies in the Sent folder.
    pub copy: SentCopy,
    /// Its Message-ID: ours, where it still bears it.
    pub rfc_id: String,
    /// The counting day it was sent on.
    pub day: String,
}

/// What the operator is told of a stray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrayRow {
    /// Its row.
    pub id: i64,
    /// The mailbox it left from.
    pub mailbox_id: i64,
    /// That mailbox's address.
    pub mailbox: String,
    /// Whom it went to.
    pub address: String,
    /// Its Message-ID.
    pub rfc_id: String,
    /// The token of its opt-out link.
    pub token: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// When it was sent.
    pub sent_at: i64,
}

columns!(StrayRow { id, mailbox_id, mailbox, address, rfc_id, token, subject, sent_at });

impl Store {
    /// Of the copies those that bear an id of ours and are no message that the books have as sent.
    pub async fn unknown_copies<'a>(
        &self,
        mailbox: i64,
        copies: &'a [SentCopy],
    ) -> Result<Vec<&'a SentCopy>, StoreError> {
        let signet = self.signet().await?;
        let mut unknown = Vec::new();
        for copy in copies.iter().filter(|copy| copy.send_ids().any(|id| signet.is_ours(id))) {
            if !is_known(&self.db.read, mailbox, copy).await? {
                unknown.push(copy);
            }
        }
        Ok(unknown)
    }

    /// The people of these addresses in every campaign, over or not.
    pub async fn enrolled<'a>(
        &self,
        addresses: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Enrolled>, StoreError> {
        let query = sql(
            "SELECT e.id AS enrolment, c.id AS campaign, c.slug, p.address,
                    (SELECT max(s.position) FROM steps s WHERE s.campaign_id = c.id) AS steps
             FROM prospects p JOIN enrolments e ON e.prospect_id = p.id
             JOIN campaigns c ON c.id = e.campaign_id
             WHERE p.address IN (SELECT value ->> 0 FROM json_each($1)) ORDER BY e.id",
            [texts(addresses)?.into()],
        );
        let rows = self.db.read.query_all_raw(query).await?;
        let enrolled = |row: &sea_orm::QueryResult| {
            Ok(Enrolled {
                enrolment: row.read("enrolment")?,
                campaign: row.read("campaign")?,
                slug: row.read("slug")?,
                address: row.read("address")?,
                steps: row.read("steps")?,
            })
        };
        rows.iter().map(enrolled).collect()
    }

    /// The zone of an enrolment's person, as the row has it.
    pub async fn zone_of(&self, enrolment: i64) -> Result<String, StoreError> {
        let query = sql("SELECT zone FROM enrolments WHERE id = $1", [enrolment.into()]);
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map_or(Ok(String::new()), |row| row.read("zone"))?)
    }

    /// Strays whose people the books still do not have.
    pub async fn strays(&self) -> Result<Vec<StrayRow>, StoreError> {
        Ok(StrayRow::find_by_statement(sql(STRAYS, [])).all(&self.db.read).await?)
    }

    /// Takes up a stray whose person the books have by now; `false`: it is none of theirs yet.
    pub async fn take_up_stray(
        &self,
        stray: i64,
        taken: &TakenUp,
        now: i64,
    ) -> Result<bool, StoreError> {
        let transaction = self.db.begin().await?;
        let Some(message) = take_up(&transaction, taken, now).await? else { return Ok(false) };
        let linked = [stray.into(), message.into()];
        transaction.execute_raw(sql(NO_LONGER_STRAY, linked)).await?;
        transaction.execute_raw(sql(NO_LONGER_HELD, [message.into()])).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Whether the books have what this copy is of as sent, or have kept it as a stray.
pub(crate) async fn is_known(
    db: &impl ConnectionTrait,
    mailbox: i64,
    copy: &SentCopy,
) -> Result<bool, StoreError> {
    let [ids, token] = borne_by(copy)?;
    let query = sql(
        &format!(
            "SELECT 1 AS known FROM messages WHERE state <> 'planned' AND id IN ({BEARERS})
             UNION ALL SELECT 1 FROM strays WHERE mailbox_id = $3 AND content_key = $4 LIMIT 1"
        ),
        [ids, token, mailbox.into(), copy.key.as_str().into()],
    );
    Ok(db.query_one_raw(query).await?.is_some())
}

/// Whether any mailbox's message, in whatever state, bears an id of this copy.
pub(crate) async fn is_of_a_message(
    db: &impl ConnectionTrait,
    copy: &SentCopy,
) -> Result<bool, StoreError> {
    let query = sql(&format!("{BEARERS} LIMIT 1"), borne_by(copy)?);
    Ok(db.query_one_raw(query).await?.is_some())
}

/// Takes up one message; gives its row. `None`: the books cannot have it sent, since the step before
/// it was not, or its person is out.
pub(crate) async fn take_up(
    db: &impl ConnectionTrait,
    taken: &TakenUp,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let TakenUp { mailbox, enrolment, step, sent_at, .. } = *taken;
    let new = [
        enrolment.into(),
        taken.campaign.into(),
        step.into(),
        mailbox.into(),
        sent_at.into(),
        now.into(),
    ];
    db.execute_raw(sql(NEW_MESSAGE, new)).await?;
    let asked = [enrolment.into(), step.into(), mailbox.into()];
    let Some(row) = db.query_one_raw(sql(AWAITED, asked)).await? else { return Ok(None) };
    let message: i64 = row.read("id")?;
    // A first step that was never claimed may have moved to another mailbox.
    let moved = [message.into(), mailbox.into()];
    db.execute_raw(sql(MOVE_THERE, moved)).await?;
    let day = [mailbox.into(), taken.day.as_str().into()];
    db.execute_raw(sql(DAY_OF_WHICH_NOTHING_IS_KNOWN, day)).await?;
    testify(db, message, "sent_copy", now).await?;
    db.execute_raw(sql(
        TAKE_UP,
        [
            message.into(),
            now.into(),
            sent_at.into(),
            taken.day.as_str().into(),
            taken.rfc_message_id.as_str().into(),
            taken.unsubscribe_token.as_str().into(),
            taken.revision.into(),
            taken.subject.as_deref().into(),
        ],
    ))
    .await?;
    go_on(db, message, taken.next, now).await?;
    Ok(Some(message))
}

/// Keeps a stray: it counts as mail by hand on its day, and whoever got it waits for the operator.
pub(crate) async fn keep_stray(db: &impl ConnectionTrait, stray: &Stray) -> Result<(), StoreError> {
    let copy = &stray.copy;
    for to in &copy.to {
        let kept = db
            .execute_raw(sql(
                "INSERT INTO strays (mailbox_id, content_key, rfc_id, token, address, subject, sent_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                [
                    stray.mailbox.into(),
                    copy.key.as_str().into(),
                    stray.rfc_id.as_str().into(),
                    copy.token.as_deref().into(),
                    to.as_str().into(),
                    copy.subject.as_deref().into(),
                    copy.sent_at.into(),
                ],
            ))
            .await?;
        if kept.rows_affected() == 1 {
            let today = Today { day: stray.day.clone(), since: copy.sent_at };
            sent::count(db, stray.mailbox, &copy.to, &today.day).await?;
            hold(db, sql(HOLD_WHO_GOT_IT, [to.as_str().into()])).await?;
        }
    }
    Ok(())
}

const STRAYS: &str = "
    SELECT s.id, s.mailbox_id, b.address AS mailbox, s.address, s.rfc_id, s.token, s.subject,
           s.sent_at
    FROM strays s JOIN mailboxes b ON b.id = s.mailbox_id
    WHERE s.message_id IS NULL ORDER BY s.sent_at, s.id";

const NO_LONGER_STRAY: &str = "UPDATE strays SET message_id = $2 WHERE id = $1";

const NO_LONGER_HELD: &str = "
    UPDATE enrolments SET state = 'active', because = NULL
    WHERE state = 'held' AND because = 'mail was sent there that these books do not have'
      AND prospect_id = (SELECT e.prospect_id FROM messages m
                         JOIN enrolments e ON e.id = m.enrolment_id WHERE m.id = $1)
      AND NOT EXISTS (SELECT 1 FROM strays s JOIN prospects p ON p.address = s.address
                      WHERE p.id = enrolments.prospect_id AND s.message_id IS NULL)";

const HOLD_WHO_GOT_IT: &str = "
    UPDATE enrolments SET state = 'held',
           because = 'mail was sent there that these books do not have'
    WHERE state = 'active' AND prospect_id IN (SELECT id FROM prospects WHERE address = $1)
    RETURNING id";

const NEW_MESSAGE: &str = "
    INSERT INTO messages (enrolment_id, campaign_id, position, mailbox_id, due_at, closes_at,
                          changed_at)
    SELECT e.id, $2, $3, $4, $5, $5, $6 FROM enrolments e
    WHERE e.id = $1 AND e.ended_at IS NULL AND e.next_step = $3
      AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.enrolment_id = e.id AND m.position = $3)";

const AWAITED: &str = "
    SELECT m.id FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
    WHERE m.enrolment_id = $1 AND m.position = $2 AND e.next_step = $2 AND m.state = 'planned'
      AND coalesce(e.mailbox_id, $3) = $3 AND (m.attempts = 0 OR m.mailbox_id = $3)";

const MOVE_THERE: &str = "UPDATE messages SET mailbox_id = $2 WHERE id = $1 AND mailbox_id <> $2";

/// How much the mailbox might have sent on such a day nobody knows any more: all of its cap, so that
/// few messages make no warm day.
const DAY_OF_WHICH_NOTHING_IS_KNOWN: &str = "
    INSERT INTO mailbox_days (mailbox_id, day, cap, allowance, ceiling, warm_days)
    SELECT id, $2, cap, cap, 0, warm_days FROM mailboxes WHERE id = $1
    ON CONFLICT (mailbox_id, day) DO UPDATE SET allowance = mailbox_days.cap
        WHERE mailbox_days.allowance = 0";

const TAKE_UP: &str = "
    UPDATE messages SET state = 'accepted', verdict = 'accepted', attempts = attempts + 1,
           changed_at = $2, sending_since = $3, settled_at = $3, sending_on = $4,
           first_attempt_at = coalesce(first_attempt_at, $3),
           unsubscribe_token = CASE WHEN rfc_message_id IS NULL THEN $6 ELSE unsubscribe_token END,
           rfc_message_id = coalesce(rfc_message_id, $5), revision_id = coalesce(revision_id, $7),
           subject = coalesce(subject, $8), why = 'its copy lies in the Sent folder'
    WHERE id = $1";
