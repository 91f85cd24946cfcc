//! Messages in doubt, as the operator sees them, and the operator's word on one.

use sea_orm::{ConnectionTrait as _, FromQueryResult as _};

use crate::db::sql;
use crate::row::{Row as _, columns};
use crate::sent::{go_on, testify};
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
        let text = match verdict {
            Verdict::Accepted => SAID_TO_BE_SENT,
            Verdict::Planned => SAID_TO_BE_UNSENT,
        };
        for &(message, next) in messages {
            let doubt = "SELECT 1 AS one FROM messages WHERE id = $1 AND state = 'in_doubt'";
            if transaction.query_one_raw(sql(doubt, [message.into()])).await?.is_none() {
                return Ok(Some(message));
            }
            testify(&transaction, message, "operator", now).await?;
            transaction.execute_raw(sql(text, [message.into(), now.into()])).await?;
            if verdict == Verdict::Accepted {
                go_on(&transaction, message, next, now).await?;
            }
        }
        transaction.commit().await?;
        Ok(None)
    }
}

const DOUBTS: &str = "
    SELECT m.id, b.address AS mailbox, p.address AS rcpt, m.campaign_id, c.slug AS campaign,
           m.position AS step, m.rfc_message_id AS message_id, m.settled_at AS since,
           m.sending_since, e.zone, m.why,
           coalesce((SELECT string_agg(v.kind, ',') FROM evidence v WHERE v.message_id = m.id
                     AND v.at >= m.settled_at), '') AS evidence,
           (SELECT max(f.read_at) FROM folders f
            WHERE f.mailbox_id = m.mailbox_id AND f.role = 'sent') AS sent_read_at
    FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN enrolments e ON e.id = m.enrolment_id JOIN prospects p ON p.id = e.prospect_id
    WHERE m.state = 'in_doubt' ORDER BY m.settled_at, m.id";

const SAID_TO_BE_SENT: &str = "
    UPDATE messages SET state = 'accepted', verdict = 'accepted', changed_at = $2, settled_at = $2,
           why = 'the operator said that it was sent' WHERE id = $1";

const SAID_TO_BE_UNSENT: &str = "
    UPDATE messages SET state = 'planned', plan_day = NULL, verdict = NULL, settled_at = NULL,
           changed_at = $2, why = 'the operator said that it was not sent' WHERE id = $1";
