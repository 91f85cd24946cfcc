//! What the books know of what an arrival names: the message it is about, and whom the mailbox wrote
//! to.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::span::DAY;

use crate::StoreError;
use crate::db::{json_array, sql};

/// The message an arrival is about.
#[derive(FromQueryResult)]
pub(super) struct About {
    pub(super) id: i64,
    pub(super) enrolment_id: i64,
    pub(super) state: String,
    pub(super) address: Option<String>,
    /// Whether it can be about no other message.
    pub(super) is_sure: bool,
}

/// Our message that an arrival names: by its Message-ID, by the one it was given on the way, by its
/// opt-out token. Of several the last of the thread. A person may answer to another of our mailboxes,
/// or be forwarded there; a server reports to the one that sent.
pub(super) async fn message_of(
    db: &impl ConnectionTrait,
    mailbox: i64,
    arrival: &Inbound,
) -> Result<Option<About>, StoreError> {
    if arrival.names.is_empty() && arrival.tokens.is_empty() {
        return Ok(None);
    }
    // The plus keeps SQLite from reading all that the mailbox ever sent.
    let query = sql(
        &format!(
            "SELECT m.id, m.enrolment_id, m.state, p.address, 1 = 1 AS is_sure FROM messages m
             JOIN enrolments e ON e.id = m.enrolment_id JOIN prospects p ON p.id = e.prospect_id
             WHERE (+m.mailbox_id = $3 OR $4 = 0) AND m.id IN ({BEARERS})
             ORDER BY m.sending_since DESC, m.id DESC LIMIT 1"
        ),
        [
            texts(arrival.names.iter().map(String::as_str))?.into(),
            texts(arrival.tokens.iter().map(String::as_str))?.into(),
            mailbox.into(),
            i64::from(arrival.kind.is_report()).into(),
        ],
    );
    Ok(About::find_by_statement(query).one(db).await?)
}

/// What this very mailbox last wrote to whoever sent a no that names no message of ours, whose
/// machine answers, or who seems to write to many: the answer that told the message's id may have
/// been lost, and doubt counts as a no. Where it is all that the mailbox ever wrote to them, a person
/// who writes behind it answers nothing else; a machine may answer what somebody wrote by hand.
pub(super) async fn message_to_the_sender(
    db: &impl ConnectionTrait,
    mailbox: i64,
    arrival: &Inbound,
) -> Result<Option<About>, StoreError> {
    let sender = arrival.from.as_ref().filter(|_| arrival.counts_by_its_sender());
    let Some(from) = sender else { return Ok(None) };
    let is_machine =
        [Some(arrival.kind), arrival.kind_from_a_prospect].contains(&Some(Kind::AutoReply));
    let query = sql(
        "SELECT m.id, m.enrolment_id, m.state, p.address, $3 >= m.sending_since AND $4 = 0 AND NOT EXISTS (
             SELECT 1 FROM messages o JOIN enrolments x ON x.id = o.enrolment_id
             WHERE x.prospect_id = p.id AND +o.mailbox_id = $1 AND o.attempts > 0 AND o.id <> m.id
         ) AS is_sure
         FROM prospects p JOIN enrolments e ON e.prospect_id = p.id JOIN messages m ON m.enrolment_id = e.id
         WHERE p.address = $2 AND +m.mailbox_id = $1 AND m.attempts > 0
         ORDER BY m.sending_since DESC, m.id DESC LIMIT 1",
        [
            mailbox.into(),
            from.as_str().into(),
            arrival.received_at.into(),
            i64::from(is_machine).into(),
        ],
    );
    Ok(About::find_by_statement(query).one(db).await?)
}

/// Whether it is a copy of what the mailbox itself wrote, or the one that wrote the message, which
/// names its own thread.
pub(super) async fn is_own(
    db: &impl ConnectionTrait,
    mailbox: i64,
    arrival: &Inbound,
    about: Option<&About>,
) -> Result<bool, StoreError> {
    let Some(from) = &arrival.from else { return Ok(false) };
    let query = sql(
        "SELECT 1 AS own FROM mailboxes WHERE address = $2 AND (id = $1
             OR id = (SELECT mailbox_id FROM messages WHERE id = $3))",
        [mailbox.into(), from.as_str().into(), about.map(|about| about.id).into()],
    );
    Ok(db.query_one_raw(query).await?.is_some())
}

/// Whether this mailbox wrote lately to whom a report blames that names no message of ours.
pub(super) async fn wrote_lately(
    db: &impl ConnectionTrait,
    mailbox: i64,
    arrival: &Inbound,
    now: i64,
) -> Result<bool, StoreError> {
    if !arrival.kind.is_report() || arrival.recipients.is_empty() {
        return Ok(false);
    }
    let query = sql(
        &format!("SELECT 1 AS wrote FROM prospects q WHERE q.id IN ({WRITTEN_TO_LATELY}) LIMIT 1"),
        [
            texts(arrival.recipients.iter().map(Address::as_str))?.into(),
            mailbox.into(),
            (now - LATELY).into(),
        ],
    );
    Ok(db.query_one_raw(query).await?.is_some())
}

/// Texts as one bound value: rows of one column, which both databases read alike.
pub(crate) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Result<String, StoreError> {
    json_array(&texts.map(|text| [text]).collect::<Vec<_>>())
}

/// The messages that bear one of these ids ($1), as their own or as one they were given on the way, or
/// one of these tokens ($2).
pub(crate) const BEARERS: &str = "
    SELECT id FROM messages WHERE rfc_message_id IN (SELECT value ->> 0 FROM json_each($1))
    UNION ALL
    SELECT id FROM messages WHERE final_message_id IN (SELECT value ->> 0 FROM json_each($1))
    UNION ALL
    SELECT id FROM messages WHERE unsubscribe_token IN (SELECT value ->> 0 FROM json_each($2))";

/// Whom of a report's recipients ($1) this mailbox ($2) wrote to since a moment ($3).
pub(super) const WRITTEN_TO_LATELY: &str = "
    SELECT p.id FROM prospects p JOIN enrolments e ON e.prospect_id = p.id
    JOIN messages m ON m.enrolment_id = e.id
    WHERE p.address IN (SELECT value ->> 0 FROM json_each($1)) AND +m.mailbox_id = $2
      AND m.attempts > 0 AND m.sending_since > $3";

/// How long ago a mailbox may have written to whom a report without a message's id is about.
pub(super) const LATELY: i64 = 7 * DAY;
