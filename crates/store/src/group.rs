//! Claims, dots and settlements that are written by one commit, each kind by one statement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sea_orm::ConnectionTrait;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use warmfront_core::health::Blow;

use crate::claim::{self, CLAIM, Dot, MARK_DOT};
use crate::db::{Db, json_array};
use crate::settle::{self, ADVANCE, FINISH, SETTLE};
use crate::{Claim, Settlement, StoreError, postgres};

/// One thing to write.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Claim(Box<Claim>),
    Dot(Dot),
    Settle(Box<Settlement>),
}

impl Entry {
    pub(crate) fn message(&self) -> i64 {
        match self {
            Self::Claim(claim) => claim.message,
            Self::Dot(dot) => dot.message,
            Self::Settle(settlement) => settlement.message,
        }
    }
}

/// Writes entries of different messages by one commit, all of them or none; gives the messages that
/// were in the state that their entry supposes. What ends comes before what begins: a mailbox may
/// have one message settled and the next one claimed.
pub(crate) async fn write(db: &Db, entries: &[&Entry]) -> Result<BTreeSet<i64>, StoreError> {
    let group = Group::of(entries);
    if let Some(pool) = db.sqlite().filter(|_| settle::is_plain(&group.settlements)) {
        return group.write_at_once(pool).await;
    }
    let transaction = db.begin_group().await?;
    if db.is_shared() {
        // What a campaign has bounced is summed over all of its mailboxes.
        let adds_up = |one: &&Settlement| one.blow == Some(Blow::HardBounce);
        match group.settlements.iter().any(adds_up) {
            true => postgres::wait_to_be_alone(&transaction).await?,
            false => postgres::wait_beside(&transaction, &group.counting()).await?,
        }
    }
    let mut written = BTreeSet::new();
    if !group.settlements.is_empty() {
        written.extend(settle::settle(&transaction, &group.settlements).await?);
    }
    written.extend(group.begin(&transaction).await?);
    transaction.commit().await?;
    Ok(written)
}

/// Entries by kind.
#[derive(Default)]
struct Group<'a> {
    claims: Vec<&'a Claim>,
    dots: Vec<&'a Dot>,
    settlements: Vec<&'a Settlement>,
}

impl<'a> Group<'a> {
    fn of(entries: &[&'a Entry]) -> Self {
        let mut group = Self::default();
        for entry in entries {
            match entry {
                Entry::Claim(claim) => group.claims.push(claim),
                Entry::Dot(dot) => group.dots.push(dot),
                Entry::Settle(settlement) => group.settlements.push(settlement),
            }
        }
        group
    }

    /// Hands the whole transaction over to SQLite's thread as one text: to wake it and to be woken
    /// costs as much as a statement.
    async fn write_at_once(&self, pool: &SqlitePool) -> Result<BTreeSet<i64>, StoreError> {
        let (advanced, finished) = settle::advances(&self.settlements);
        let rows = [
            json_array(&settle::rows_after(&self.settlements))?,
            json_array(&advanced)?,
            json_array(&finished)?,
            json_array(&self.claims)?,
            json_array(&self.dots)?,
        ];
        let wanted = rows.each_ref().map(|rows| rows != "[]");
        let text = AT_ONCE.get(&wanted).map(String::as_str).unwrap_or_default();
        let query =
            rows.into_iter().fold(sqlx::query(AssertSqlSafe(text)), sqlx::query::Query::bind);
        let mut connection = pool.acquire().await?;
        match query.fetch_all(&mut *connection).await {
            Ok(rows) => Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?),
            Err(error) => {
                // Where it failed before it began there is nothing to undo, and this says so.
                let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                Err(error.into())
            }
        }
    }

    /// Writes the claims and the dots.
    async fn begin(&self, db: &impl ConnectionTrait) -> Result<BTreeSet<i64>, StoreError> {
        let mut written = BTreeSet::new();
        if !self.claims.is_empty() {
            written.extend(claim::claim(db, &self.claims).await?);
        }
        if !self.dots.is_empty() {
            written.extend(claim::mark_dots(db, &self.dots).await?);
        }
        Ok(written)
    }

    /// The messages by which what several mailboxes share is moved: a budget, a person, a pause.
    /// A dot moves nothing, and what was accepted only its mailbox's own.
    fn counting(&self) -> Vec<i64> {
        let claimed = self.claims.iter().map(|claim| claim.message);
        let moving = self.settlements.iter().filter(|settled| !settle::is_private(settled));
        claimed.chain(moving.map(|settled| settled.message)).collect()
    }
}

/// A transaction for each choice of statements: one that has no rows costs a third of one that has.
/// Of the rows that come back each is a message that was written.
static AT_ONCE: LazyLock<BTreeMap<[bool; 5], String>> = LazyLock::new(|| {
    let choices = 0_u8..32;
    choices.map(|bits| [0, 1, 2, 3, 4].map(|n| bits >> n & 1 == 1)).map(transaction).collect()
});

fn transaction(wanted: [bool; 5]) -> ([bool; 5], String) {
    let texts = [SETTLE, ADVANCE, FINISH, CLAIM, MARK_DOT];
    let numbered = (1..).zip(texts).map(|(n, text)| text.replace("$1", &format!("${n}")) + ";");
    let chosen = numbered.zip(wanted).filter(|(_, wanted)| *wanted).map(|(text, _)| text);
    (wanted, format!("BEGIN IMMEDIATE; {} COMMIT", chosen.collect::<String>()))
}
