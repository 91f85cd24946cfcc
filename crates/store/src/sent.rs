//! What lies in a mailbox's Sent folder: evidence of what we sent, and what a person wrote by hand.
//!
//! Nothing is taken for sent, or for not sent, by the passing of time: only a copy proves the one,
//! and the other only a folder in which nothing is missing.

use sea_orm::ConnectionTrait;
use warmfront_core::reading::SentCopy;
use warmfront_core::send_id::Signet;
use warmfront_core::span::{HOUR, MINUTE};

use crate::db::sql;
use crate::inbound::texts;
use crate::row::Row as _;
use crate::{Store, StoreError, taking_up};

/// The counting day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Today {
    /// Its date.
    pub day: String,
    /// When it began.
    pub since: i64,
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

/// What a reading of one mailbox is recorded by.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) mailbox: i64,
    pub(crate) signet: &'a Signet,
    pub(crate) today: &'a Today,
    pub(crate) strays: Strays,
}

/// What mail of ours means that the books do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strays {
    /// They are an older copy.
    Alarm,
    /// That is known, and it was kept as a stray.
    Kept,
}

impl Store {
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
        let values = || [doubt.message.into(), now.into()];
        if doubt.was_sent {
            transaction.execute_raw(sql(COPY_TESTIFIES, values())).await?;
        }
        let text = if doubt.was_sent { WAS_SENT } else { WAS_NOT_SENT };
        let settled = transaction.execute_raw(sql(text, values())).await?;
        if settled.rows_affected() == 1 && doubt.was_sent {
            go_on(&transaction, doubt.message, next, now).await?;
        }
        Ok(transaction.commit().await?)
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

/// Records one copy, once: as one of ours, which settles a doubt, or as mail by hand, which counts.
/// One of ours that the books do not have says that they are an older copy, and ends it all.
pub(crate) async fn record(
    db: &impl ConnectionTrait,
    reader: &Reader<'_>,
    folder: i64,
    copy: &SentCopy,
    now: i64,
) -> Result<(), StoreError> {
    let Reader { mailbox, today, .. } = *reader;
    let ours = match ours_by_id(db, mailbox, copy).await? {
        Some(ours) => Some(ours),
        None => in_doubt_to(db, mailbox, copy).await?,
    };
    let is_new = db
        .query_one_raw(sql(
            "SELECT 1 AS one FROM sent_copies WHERE mailbox_id = $1 AND content_key = $2",
            [mailbox.into(), copy.key.as_str().into()],
        ))
        .await?
        .is_none();
    let is_stray = ours.is_none()
        && copy.send_ids().any(|id| reader.signet.is_ours(id))
        && !taking_up::is_of_a_message(db, copy).await?;
    if is_stray && is_new && reader.strays == Strays::Alarm {
        return Err(StoreError::Unknown { mailbox });
    }
    // Where the numbers of a folder are given anew, a copy lies elsewhere than before.
    db.execute_raw(sql(
        "INSERT INTO sent_copies (mailbox_id, folder_id, uidvalidity, uid, content_key, message_id,
                                  keeps_id, sent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (mailbox_id, content_key) DO UPDATE SET folder_id = excluded.folder_id,
             uidvalidity = excluded.uidvalidity, uid = excluded.uid,
             message_id = coalesce(sent_copies.message_id, excluded.message_id)",
        [
            mailbox.into(),
            folder.into(),
            i64::from(copy.place.uidvalidity).into(),
            i64::from(copy.place.uid).into(),
            copy.key.as_str().into(),
            ours.as_ref().map(|ours| ours.id).into(),
            i64::from(ours.as_ref().is_some_and(|ours| ours.keeps_id)).into(),
            copy.sent_at.into(),
        ],
    ))
    .await?;
    match ours {
        Some(ours) => prove(db, &ours, copy, now).await,
        None if is_new && !is_stray && copy.sent_at >= today.since => {
            count(db, mailbox, copy, today).await
        }
        None => Ok(()),
    }
}

/// A message of ours that a copy is of.
struct Ours {
    id: i64,
    /// Whether the copy bears the Message-ID that we gave it.
    keeps_id: bool,
    is_in_doubt: bool,
}

async fn ours_by_id(
    db: &impl ConnectionTrait,
    mailbox: i64,
    copy: &SentCopy,
) -> Result<Option<Ours>, StoreError> {
    let values = [
        mailbox.into(),
        texts(copy.ids.iter().map(String::as_str))?.into(),
        texts(copy.token.as_deref().into_iter())?.into(),
    ];
    let Some(row) = db.query_one_raw(sql(OURS_BY_ID, values)).await? else { return Ok(None) };
    Ok(Some(Ours {
        id: row.read("id")?,
        keeps_id: row.read("keeps_id")?,
        is_in_doubt: row.read::<String>("state")? == "in_doubt",
    }))
}

/// A provider may give a copy an id of its own, and the answer that told of it was lost: then it is
/// known by its subject, by whom it went to, and when. Mail by hand to the same person has another
/// subject, but for a reply in the thread: of that one no subject is proof.
async fn in_doubt_to(
    db: &impl ConnectionTrait,
    mailbox: i64,
    copy: &SentCopy,
) -> Result<Option<Ours>, StoreError> {
    let subject = copy.subject.as_deref().filter(|subject| !subject.starts_with("Re: "));
    let Some(subject) = subject else { return Ok(None) };
    let row = db
        .query_one_raw(sql(
            "SELECT m.id FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
             JOIN prospects p ON p.id = e.prospect_id
             WHERE m.mailbox_id = $1 AND m.state = 'in_doubt' AND m.subject = $6
               AND p.address IN (SELECT value ->> 0 FROM json_each($2))
               AND $3 BETWEEN m.sending_since - $4 AND m.settled_at + $5
             ORDER BY m.id LIMIT 1",
            [
                mailbox.into(),
                texts(copy.to.iter().map(|to| to.as_str()))?.into(),
                copy.sent_at.into(),
                CLOCKS_DIFFER.into(),
                HOUR.into(),
                subject.into(),
            ],
        ))
        .await?;
    let ours = |id| Ours { id, keeps_id: false, is_in_doubt: true };
    Ok(row.map(|row| row.read("id")).transpose()?.map(ours))
}

/// The copy is evidence, and tells under what other id the message is known.
async fn prove(
    db: &impl ConnectionTrait,
    ours: &Ours,
    copy: &SentCopy,
    now: i64,
) -> Result<(), StoreError> {
    if let Some(id) = copy.ids.first() {
        db.execute_raw(sql(
            "UPDATE messages SET final_message_id = $2
             WHERE id = $1 AND final_message_id IS NULL AND rfc_message_id <> $2",
            [ours.id.into(), id.as_str().into()],
        ))
        .await?;
    }
    if ours.is_in_doubt {
        testify(db, ours.id, "sent_copy", now).await?;
    }
    Ok(())
}

pub(crate) async fn testify(
    db: &impl ConnectionTrait,
    message: i64,
    kind: &str,
    now: i64,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "INSERT INTO evidence (message_id, at, kind) VALUES ($1, $2, $3)",
        [message.into(), now.into(), kind.into()],
    ))
    .await?;
    Ok(())
}

/// Mail by hand to somebody outside counts on today's allowance: providers count it too.
pub(crate) async fn count(
    db: &impl ConnectionTrait,
    mailbox: i64,
    copy: &SentCopy,
    today: &Today,
) -> Result<(), StoreError> {
    let domains = texts(copy.to.iter().map(|to| to.domain()))?;
    db.execute_raw(sql(
        "INSERT INTO mailbox_days (mailbox_id, day, cap, allowance, ceiling, manual, warm_days)
         SELECT id, $2, cap, 0, 0, 1, warm_days FROM mailboxes
         WHERE id = $1 AND EXISTS (SELECT 1 FROM json_each($3) j
                                   WHERE j.value ->> 0 <> mailboxes.domain)
         ON CONFLICT (mailbox_id, day) DO UPDATE SET
             manual = mailbox_days.manual + 1,
             ceiling = min(mailbox_days.ceiling,
                           max(0, mailbox_days.allowance - mailbox_days.manual - 1))",
        [mailbox.into(), today.day.as_str().into(), domains.into()],
    ))
    .await?;
    Ok(())
}

/// What is proven not to have been sent. The Sent folder was read to its end; no copy of it was ever
/// seen; in the folder lie, each under the id that we gave it, a message that went before and one that
/// went behind; and no number between the two is missing, so that nobody can have deleted what is not
/// there.
pub(crate) async fn prove_absences(
    db: &impl ConnectionTrait,
    mailbox: i64,
    read_at: i64,
    now: i64,
) -> Result<(), StoreError> {
    let values = [mailbox.into(), (read_at - COPIES_COME_LATE).into()];
    for row in db.query_all_raw(sql(ABSENT, values)).await? {
        testify(db, row.read("id")?, "absence", now).await?;
    }
    Ok(())
}

/// A server's clock may be behind ours by this much.
const CLOCKS_DIFFER: i64 = 5 * MINUTE;

/// Providers file a copy within seconds, or when they get round to it.
const COPIES_COME_LATE: i64 = 30 * MINUTE;

const OURS_BY_ID: &str = "
    SELECT m.id, m.state,
           m.rfc_message_id IN (SELECT value ->> 0 FROM json_each($2)) AS keeps_id
    FROM messages m
    WHERE +m.mailbox_id = $1 AND m.id IN (
        SELECT id FROM messages WHERE rfc_message_id IN (SELECT value ->> 0 FROM json_each($2))
        UNION ALL
        SELECT id FROM messages WHERE final_message_id IN (SELECT value ->> 0 FROM json_each($2))
        UNION ALL
        SELECT id FROM messages WHERE unsubscribe_token IN (SELECT value ->> 0 FROM json_each($3)))
    ORDER BY m.id LIMIT 1";

/// A copy of an earlier attempt speaks too: whoever got that one is to get no other. The inner SELECT
/// has SQLite take the few from their index: to have them in order it would read every message.
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

const COPY_TESTIFIES: &str = "
    INSERT INTO evidence (message_id, at, kind)
    SELECT m.id, $2, 'sent_copy' FROM messages m
    WHERE m.id = $1 AND m.state = 'in_doubt'
      AND EXISTS (SELECT 1 FROM sent_copies s WHERE s.message_id = m.id)
      AND NOT EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = m.id
                      AND v.at >= m.settled_at AND v.kind = 'sent_copy')";

const WAS_SENT: &str = "
    UPDATE messages SET state = 'accepted', verdict = 'accepted', changed_at = $2, settled_at = $2,
           why = CASE WHEN EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = messages.id
                                   AND v.at >= messages.settled_at AND v.kind = 'sent_copy')
                      THEN 'its copy lies in the Sent folder' ELSE 'an answer to it came in' END
    WHERE id = $1 AND state = 'in_doubt'";

const WAS_NOT_SENT: &str = "
    UPDATE messages SET state = 'planned', plan_day = NULL, verdict = NULL, settled_at = NULL,
           changed_at = $2, why = 'the Sent folder proves that it was not sent'
    WHERE id = $1 AND state = 'in_doubt'";

const GOES_ON: &str = "
    UPDATE enrolments SET next_step = $3, next_at = max($2, coalesce(away_until, 0))
    WHERE id = (SELECT enrolment_id FROM messages WHERE id = $1) AND ended_at IS NULL";

const HAS_HAD_ALL: &str = "
    UPDATE enrolments SET state = 'finished', ended_at = $2
    WHERE id = (SELECT enrolment_id FROM messages WHERE id = $1) AND state IN ('active', 'held')";

const ABSENT: &str = "
    SELECT m.id FROM messages m
    JOIN sent_copies a ON a.id = (
        SELECT c.id FROM sent_copies c JOIN messages o ON o.id = c.message_id
        WHERE o.mailbox_id = $1 AND c.mailbox_id = $1 AND c.keeps_id = 1
          AND o.sending_since < m.sending_since
        ORDER BY o.sending_since DESC LIMIT 1)
    JOIN sent_copies b ON b.id = (
        SELECT c.id FROM sent_copies c JOIN messages o ON o.id = c.message_id
        WHERE o.mailbox_id = $1 AND c.mailbox_id = $1 AND c.keeps_id = 1
          AND o.sending_since > m.sending_since
        ORDER BY o.sending_since LIMIT 1)
    WHERE m.mailbox_id = $1 AND m.state = 'in_doubt' AND m.settled_at < $2
      AND NOT EXISTS (SELECT 1 FROM evidence v WHERE v.message_id = m.id AND v.at >= m.settled_at)
      AND NOT EXISTS (SELECT 1 FROM sent_copies s WHERE s.message_id = m.id)
      AND a.folder_id = b.folder_id AND a.uidvalidity = b.uidvalidity AND a.uid < b.uid
      AND b.uid - a.uid = (SELECT count(*) FROM sent_copies c
          WHERE c.folder_id = a.folder_id AND c.uidvalidity = a.uidvalidity
            AND c.uid > a.uid AND c.uid <= b.uid)";
