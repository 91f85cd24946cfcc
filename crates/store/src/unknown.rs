//! Answers that no rule knew: one of each kind is kept, so that somebody can look at them and write a
//! rule. What was done about them is the safe side, and stands beside their messages.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::answer::Answer;

use crate::db::sql;
use crate::row::columns;
use crate::{Store, StoreError};

/// Answers of one kind, to one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAnswer {
    /// The mailbox.
    pub mailbox: String,
    /// Where in the dialogue they came.
    pub phase: String,
    /// The reply code.
    pub code: u32,
    /// The enhanced status code; empty where they had none.
    pub enhanced: String,
    /// The first of them, without addresses.
    pub text: String,
    /// How many.
    pub times: u32,
    /// When the first came.
    pub first_at: i64,
    /// When the last came.
    pub last_at: i64,
}

columns!(UnknownAnswer { mailbox, phase, code, enhanced, text, times, first_at, last_at });

impl Store {
    /// The answers that no rule knew, most frequent first: a hundred kinds of them.
    pub async fn unknown_answers(&self) -> Result<Vec<UnknownAnswer>, StoreError> {
        let query = sql(
            "SELECT b.address AS mailbox, u.phase, u.code, u.enhanced, u.text, u.times, u.first_at,
                    u.last_at
             FROM unknown_answers u JOIN mailboxes b ON b.id = u.mailbox_id
             ORDER BY u.times DESC, b.address, u.phase, u.code, u.enhanced, u.shape LIMIT 100",
            [],
        );
        Ok(UnknownAnswer::find_by_statement(query).all(&self.db.read).await?)
    }
}

/// Keeps the answer to a message, or counts it with its kind. Of a server that never says the same
/// twice no more than [`KINDS_MAX`] are kept.
pub(crate) async fn keep(
    db: &impl ConnectionTrait,
    message: i64,
    answer: &Answer,
    now: i64,
) -> Result<(), StoreError> {
    let enhanced = answer.enhanced.map_or_else(String::new, |code| code.to_string());
    db.execute_raw(sql(
        "INSERT INTO unknown_answers (mailbox_id, phase, code, enhanced, shape, text, first_at, last_at)
         SELECT m.mailbox_id, $2, $3, $4, $5, $6, $7, $7 FROM messages m
         WHERE m.id = $1 AND (
             $8 > (SELECT count(*) FROM unknown_answers u WHERE u.mailbox_id = m.mailbox_id)
             OR EXISTS (SELECT 1 FROM unknown_answers u WHERE u.mailbox_id = m.mailbox_id
                        AND u.phase = $2 AND u.code = $3 AND u.enhanced = $4 AND u.shape = $5))
         ON CONFLICT (mailbox_id, phase, code, enhanced, shape) DO UPDATE SET
             times = unknown_answers.times + 1, last_at = excluded.last_at",
        [
            message.into(),
            answer.phase.as_str().into(),
            i64::from(answer.code).into(),
            enhanced.into(),
            answer.shape().into(),
            answer.example().into(),
            now.into(),
            KINDS_MAX.into(),
        ],
    ))
    .await?;
    Ok(())
}

/// Kinds of answers kept for one mailbox.
const KINDS_MAX: i64 = 200;
