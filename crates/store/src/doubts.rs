//! Messages in doubt, as the operator sees them, and what settles one: evidence, or the operator's word.

use sea_orm::{ConnectionTrait, FromQueryResult as _};

use crate::db::sql;
use crate::row::{Row as _, columns};
use crate::{Store, StoreError};

/// A message in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Its row.
    pub id: i64,
    /// The mailbox it may have left from.
    pub mailbox: String,
    /// Whom it goes to, unless erased.
    pub rcpt: Option<String>,
    /// The campaign's row.
    pub campaign_id: i64,
    /// The campaign's slug.
    pub campaign: String,
    /// The step, from 1.
    pub step: u32,
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Since when it is in doubt.
    pub since: i64,
    /// When it was sent, if it was.
    pub sending_since: i64,
    /// The person's zone, as the enrolment has it.
    pub zone: String,
    /// How it came to be in doubt.
    pub why: Option<String>,
    /// The evidence that there is, its kinds in order of finding, with commas between them.
    pub evidence: String,
    /// When the mailbox's Sent folder was last read.
    pub sent_read_at: Option<i64>,
}

columns!(Doubt {
    id,
    mailbox,
    rcpt,
    campaign_id,
    campaign,
    step,
    message_id,
    since,
    sending_since,
    zone,
    why,
    evidence,
    sent_read_at
});

/// What the operator says of a message in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was sent.
    Accepted,
    /// It was not, and is to be sent.
    Planned,
}

/// A message that was in doubt and is no longer: evidence was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledDoubt {
    /// The message.
    pub message: i64,
    /// The campaign.
    pub campaign_id: i64,
    /// The step.
    pub position: u32,
    /// The person's zone, as the enrolment has it.
    pub zone: String,
    /// When it was sent, if it was.
    pub sending_since: i64,
    /// Whether it was.
    pub was_sent: bool,
}

impl Store {
    /// Every message in doubt, the oldest first.
    pub async fn doubts(&self) -> Result<Vec<Doubt>, StoreError> {
        Ok(Doubt::find_by_statement(sql(DOUBTS, [])).all(&self.db.read).await?)
    }

    /// The state of a message, by its row or by its Message-ID, with its row; `None`: there is none.
    pub async fn message_state(&self, id: &str) -> Result<Option<(i64, String)>, StoreError> {
        let bare = id.trim().trim_start_matches('<').trim_end_matches('>');
        let query = sql(
            "SELECT id, state FROM messages WHERE id = $1 OR rfc_message_id = $2",
            [bare.parse::<i64>().ok().into(), format!("<{bare}>").into()],
        );
        let row = self.db.read.query_one_raw(query).await?;
        row.map(|row| Ok((row.read("id")?, row.read("state")?))).transpose()
    }

    /// The messages in doubt for which there is evidence: that they were sent, or that they were not.
    /// A copy may have been read before the doubt arose, while its message was still on its way.
    pub async fn doubts_with_evidence(&self) -> Result<Vec<SettledDoubt>, StoreError> {
        let rows = self.db.read.query_all_raw(sql(WITH_EVIDENCE, [])).await?;
        let doubt = |row: &sea_orm::QueryResult| {
            Ok(SettledDoubt {
                message: row.read("id")?,
                campaign_id: row.read("campaign_id")?,
                position: row.read("position")?,
                zone: row.read("zone")?,
                sending_since: row.read("sending_since")?,
                was_sent: row.read("was_sent")?,
            })
        };
        rows.iter().map(doubt).collect()
    }

    /// Settles one of them: accepted, so that its person goes on to `next` or has had the last step,
    /// or planned again.
    pub async fn settle_doubt(
        &self,
        doubt: &SettledDoubt,
        next: Option<(u32, i64)>,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        let message = doubt.message;
        if doubt.was_sent {
            if transaction.query_one_raw(sql(SILENT_COPY, [message.into()])).await?.is_some() {
                testify(&transaction, message, "sent_copy", now).await?;
            }
            if accept(&transaction, message, now).await? {
                go_on(&transaction, message, next, now).await?;
            }
        } else {
            let values = [message.into(), now.into()];
            transaction.execute_raw(sql(WAS_NOT_SENT, values)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Settles doubts at the operator's word, which is kept as evidence: all of them, or none. Where
    /// a message was sent its person goes on to `next` or has had the last step. Gives the first that
    /// was settled meanwhile; then nothing is settled.
    pub async fn settle_by_operator(
        &self,
        messages: &[(i64, Option<(u32, i64)>)],
        verdict: Verdict,
        now: i64,
    ) -> Result<Option<i64>, StoreError> {
        let transaction = self.db.begin().await?;
        for &(message, next) in messages {
            let doubt = "SELECT 1 AS one FROM messages WHERE id = $1 AND state = 'in_doubt'";
            if transaction.query_one_raw(sql(doubt, [message.into()])).await?.is_none() {
                return Ok(Some(message));
            }
            testify(&transaction, message, "operator", now).await?;
            match verdict {
                Verdict::Accepted => {
                    accept(&transaction, message, now).await?;
                    go_on(&transaction, message, next, now).await?;
                }
                Verdict::Planned => {
                    let values = [message.into(), now.into()];
                    transaction.execute_raw(sql(SAID_TO_BE_UNSENT, values)).await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(None)
    }
}

/// The person of a message that was sent goes on to `next`, or has had the last step.
pub(crate) async fn go_on(
    db: &impl ConnectionTrait,
    message: i64,
    next: Option<(u32, i64)>,
    now: i64,
) -> Result<(), StoreError> {
    let (text, step, at) = match next {
        Some((step, at)) => (GOES_ON, Some(step), at),
        None => (HAS_HAD_ALL, None, now),
    };
    let mut values = vec![message.into(), at.into()];
    values.extend(step.map(sea_orm::Value::from));
    db.execute_raw(sql(text, values)).await?;
    Ok(())
}

/// Keeps evidence of a message. None is older than the state that it speaks of: `now` was asked for
/// before whoever else wrote in these books was done.
pub(crate) async fn testify(
    db: &impl ConnectionTrait,
    message: i64,
    kind: &str,
    now: i64,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "INSERT INTO evidence (message_id, at, kind)
         SELECT id, max($2, changed_at), $3 FROM messages WHERE id = $1",
        [message.into(), now.into(), kind.into()],
    ))
    .await?;
    Ok(())
}

/// Settles a doubt for which there is evidence that the message was sent; `false`: it was settled
/// already.
pub(crate) async fn accept(
    db: &impl ConnectionTrait,
    message: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let accepted = db.execute_raw(sql(ACCEPT, [message.into(), now.into()])).await?;
    Ok(accepted.rows_affected() == 1)
}

const DOUBTS: &str = "
    SELECT m.id, b.address AS mailbox, p.address AS rcpt, m.campaign_id, c.slug AS campaign,
           m.position AS step, m.rfc_message_id AS message_id, m.settled_at AS since,
           m.sending_since, e.zone, m.why,
           coalesce((SELECT string_agg(v.kind, ',' ORDER BY v.id) FROM evidence v WHERE v.message_id = m.id
                     AND v.at >= m.settled_at), '') AS evidence,
           (SELECT max(f.read_at) FROM folders f
            WHERE f.mailbox_id = m.mailbox_id AND f.role = 'sent') AS sent_read_at
    FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN enrolments e ON e.id = m.enrolment_id JOIN prospects p ON p.id = e.prospect_id
    WHERE m.state = 'in_doubt' ORDER BY m.settled_at, m.id";

const SAID_TO_BE_UNSENT: &str = "
    UPDATE messages SET state = 'planned', plan_day = NULL, verdict = NULL, settled_at = NULL,
           changed_at = $2, why = 'the operator said that it was not sent' WHERE id = $1";

/// A copy of an earlier attempt speaks too: whoever got that one is to get no other.
const WITH_EVIDENCE: &str = "
    SELECT m.id, m.campaign_id, m.position, e.zone, m.sending_since, m.was_sent
    FROM (SELECT m.id, m.campaign_id, m.position, m.sending_since, m.enrolment_id,
                 EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = m.id
                         AND v.at >= m.settled_at AND v.kind IN ('sent_copy', 'reply', 'bounce'))
                 OR EXISTS (SELECT 1 FROM sent_copies s WHERE s.message_id = m.id) AS was_sent,
                 EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = m.id
                         AND v.at >= m.settled_at AND v.kind = 'absence') AS is_absent
          FROM messages m
          WHERE m.id IN (SELECT id FROM messages WHERE state = 'in_doubt')) m
    JOIN enrolments e ON e.id = m.enrolment_id
    WHERE m.was_sent OR m.is_absent
    ORDER BY m.id";

/// Whether a message in doubt has a copy of which nothing is among the evidence yet.
const SILENT_COPY: &str = "
    SELECT 1 AS silent FROM messages m
    WHERE m.id = $1 AND m.state = 'in_doubt'
      AND EXISTS (SELECT 1 FROM sent_copies s WHERE s.message_id = m.id)
      AND NOT EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = m.id
                      AND v.at >= m.settled_at AND v.kind = 'sent_copy')";

const ACCEPT: &str = "
    UPDATE messages SET state = 'accepted', verdict = 'accepted', changed_at = $2, settled_at = $2,
           why = (SELECT CASE max(CASE v.kind WHEN 'operator' THEN 2 WHEN 'sent_copy' THEN 1 ELSE 0 END)
                         WHEN 2 THEN 'the operator said that it was sent'
                         WHEN 1 THEN 'its copy lies in the Sent folder'
                         ELSE 'an answer to it came in' END
                  FROM evidence v WHERE v.message_id = messages.id AND v.at >= messages.settled_at)
    WHERE id = $1 AND state = 'in_doubt'";

/// Absence counts for nothing beside a proof, which another daemon may just have found.
const WAS_NOT_SENT: &str = "
    UPDATE messages SET state = 'planned', plan_day = NULL, verdict = NULL, settled_at = NULL,
           changed_at = $2, why = 'the Sent folder proves that it was not sent'
    WHERE id = $1 AND state = 'in_doubt'
      AND NOT EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = messages.id
                      AND v.at >= messages.settled_at AND v.kind <> 'absence')
      AND NOT EXISTS (SELECT 1 FROM sent_copies s WHERE s.message_id = messages.id)";

const GOES_ON: &str = "
    UPDATE enrolments SET next_step = $3, next_at = max($2, coalesce(away_until, 0))
    WHERE id = (SELECT enrolment_id FROM messages WHERE id = $1) AND ended_at IS NULL";

const HAS_HAD_ALL: &str = "
    UPDATE enrolments SET state = 'finished', ended_at = $2
    WHERE id = (SELECT enrolment_id FROM messages WHERE id = $1) AND state IN ('active', 'held')";
