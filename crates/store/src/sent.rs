//! What lies in a mailbox's Sent folder: evidence of what we sent, and what a person wrote by hand.
//!
//! Nothing is taken for sent, or for not sent, by the passing of time: only a copy proves the one,
//! and the other only a folder in which nothing is missing.

use sea_orm::ConnectionTrait;
use warmfront_core::address::Address;
use warmfront_core::reading::SentCopy;
use warmfront_core::send_id::Signet;
use warmfront_core::span::{HOUR, MINUTE};

use crate::db::sql;
use crate::doubts::testify;
use crate::inbound::{BEARERS, texts};
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

impl Store {
    /// Counts mail by hand of which no Sent folder will tell.
    pub async fn count_by_hand(
        &self,
        mailbox: i64,
        to: &Address,
        day: &str,
    ) -> Result<(), StoreError> {
        count(&self.db.write, mailbox, std::slice::from_ref(to), day).await
    }
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
            count(db, mailbox, &copy.to, &today.day).await
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

/// A first step that was given back may leave by another mailbox, with the id that it has. Books that are
/// an older copy have it where it was: what is on its way or in doubt there is ours wherever its copy lies.
async fn ours_by_id(
    db: &impl ConnectionTrait,
    mailbox: i64,
    copy: &SentCopy,
) -> Result<Option<Ours>, StoreError> {
    let [ids, token] = borne_by(copy)?;
    // The plus keeps SQLite from reading all that the mailbox ever sent.
    let query = sql(
        &format!(
            "SELECT m.id, m.state,
                    m.rfc_message_id IN (SELECT value ->> 0 FROM json_each($1)) AS keeps_id
             FROM messages m
             WHERE (+m.mailbox_id = $3 OR m.state IN ('sending', 'in_doubt'))
               AND m.id IN ({BEARERS})
             ORDER BY m.id LIMIT 1"
        ),
        [ids, token, mailbox.into()],
    );
    let Some(row) = db.query_one_raw(query).await? else { return Ok(None) };
    Ok(Some(Ours {
        id: row.read("id")?,
        keeps_id: row.read("keeps_id")?,
        is_in_doubt: row.read::<String>("state")? == "in_doubt",
    }))
}

/// What a copy bears, as [`BEARERS`] asks for it.
pub(crate) fn borne_by(copy: &SentCopy) -> Result<[sea_orm::Value; 2], StoreError> {
    let ids = texts(copy.ids.iter().map(String::as_str))?;
    Ok([ids.into(), texts(copy.token.as_deref().into_iter())?.into()])
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

/// Mail by hand to somebody outside counts on today's allowance: providers count it too.
pub(crate) async fn count(
    db: &impl ConnectionTrait,
    mailbox: i64,
    to: &[Address],
    day: &str,
) -> Result<(), StoreError> {
    let domains = texts(to.iter().map(|to| to.domain()))?;
    db.execute_raw(sql(
        "INSERT INTO mailbox_days (mailbox_id, day, cap, allowance, ceiling, manual, warm_days)
         SELECT id, $2, cap, 0, 0, 1, warm_days FROM mailboxes
         WHERE id = $1 AND EXISTS (SELECT 1 FROM json_each($3) j
                                   WHERE j.value ->> 0 <> mailboxes.domain)
         ON CONFLICT (mailbox_id, day) DO UPDATE SET
             manual = mailbox_days.manual + 1,
             ceiling = min(mailbox_days.ceiling,
                           max(0, mailbox_days.allowance - mailbox_days.manual - 1))",
        [mailbox.into(), day.into(), domains.into()],
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
