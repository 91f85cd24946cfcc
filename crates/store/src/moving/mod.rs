//! Moves the books to another database, whole or not at all, and from wherever an earlier move was
//! interrupted.
//!
//! # Why nothing is lost, doubled or sent twice
//!
//! 1. The source is held by one transaction from the first row to the last: nobody writes there
//!    meanwhile, and everybody may read. In SQLite the lock of a daemon is held too.
//! 2. The target is marked `arriving` before the first row: nobody opens it, no mailbox is leased.
//! 3. Both sides are read in the order of the key. What the target has is compared with the source
//!    row by row, and what it lacks is appended: so a second run goes on where the first one ended,
//!    and begins anew where the source has changed since. Rows go as they are, past the triggers and
//!    never past a constraint ([`rows`]).
//! 4. All rows are read once more from both sides and compared, and so are the proofs of
//!    [`Store::audit`] ([`proof`]).
//! 5. The source is marked `gone`; the watermark learns of the next epoch; the target takes that
//!    epoch and loses its mark. Each step is durable before the next. A move that ends between
//!    two of them leaves books that nobody may send from, and is finished by running it again; any
//!    copy of the source made before is older than the watermark.

mod marks;
mod proof;
mod rows;
mod tables;

use futures_util::TryStreamExt as _;
use sea_orm::ConnectionTrait as _;

pub(crate) use self::marks::refuse_on_the_move;
use self::marks::{Whereabouts, whereabouts};
use self::rows::{Writer, listed, rows};
use self::tables::Table;
use crate::db::{Transaction, sql, without_password};
use crate::row::Row as _;
use crate::{Durability, Store, StoreError, Watermark, postgres};

/// A move of the books to another database.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// Where they are.
    pub from: &'a str,
    /// Where they shall be: an empty database, or one that an earlier run has begun to fill.
    pub to: &'a str,
    /// Remembers the epochs of books.
    pub watermark: &'a Watermark,
    /// Who moves them, for whoever wants to begin a daemon meanwhile.
    pub owner: &'a str,
    /// The present moment.
    pub now: i64,
    /// What a commit promises.
    pub durability: Durability,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// So many rows of a table are there by now.
    Copied(&'a str, u64),
    /// What an earlier run had copied is no longer so; everything is copied anew.
    Anew,
    /// All of a table's rows are the same on both sides.
    Compared(&'a str, u64),
    /// The source is marked as moved. Only the target counts from here on.
    Gone,
}

/// What is told of a move while it goes on.
pub type Told<'a> = &'a mut (dyn for<'b> FnMut(Progress<'b>) + Send);

/// Books that are moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Each table and its rows. Empty where an earlier run had moved them all.
    pub tables: Vec<(String, u64)>,
    /// The epoch that the books begin there.
    pub epoch: i64,
}

/// Which books they are.
struct Identity {
    name: String,
    epoch: i64,
}

impl Move<'_> {
    /// Moves the books. May be interrupted at any moment, and run again.
    pub async fn run(&self, told: Told<'_>) -> Result<Moved, StoreError> {
        postgres::refuse_company(self.from).await?;
        let source = Store::open_anywhere(self.from, self.durability).await?;
        let lock = source.lock_for_daemon(self.owner)?;
        let identity = identity(&source).await?;
        let is_gone = self.refuse_elsewhere(&source).await?;
        source.refuse_if_behind(self.watermark, i64::from(is_gone)).await?;
        source.end_all_leases(&lock).await?;
        let held = source.db.begin_unlocked().await?.with_patience(postgres::IMPORT_MAX);
        let tables = tables::tables(&held).await?;
        postgres::hold_still(&held, &listed(&tables), "SHARE").await?;
        self.refuse_workers(&source).await?;
        postgres::refuse_strangers(self.to, &known(&tables)).await?;
        let target = Store::open_anywhere(self.to, self.durability).await?;
        let passage =
            Passage { order: *self, source: &source, held, target: &target, tables, identity };
        let moved = passage.complete(is_gone, told).await?;
        source.close().await?;
        target.close().await?;
        Ok(moved)
    }

    /// Whether the books are gone already, to where they shall go.
    async fn refuse_elsewhere(&self, source: &Store) -> Result<bool, StoreError> {
        match whereabouts(&source.db.read).await? {
            Whereabouts::Here => Ok(false),
            Whereabouts::Gone { place } if place == without_password(self.to) => Ok(true),
            Whereabouts::Gone { place } => Err(StoreError::Gone { place }),
            Whereabouts::Arriving { place, .. } => Err(StoreError::Arriving { place }),
        }
    }

    /// Where a lock proves nothing, the books tell who works.
    async fn refuse_workers(&self, source: &Store) -> Result<(), StoreError> {
        source.refuse_a_wrong_clock(self.now).await?;
        let workers = source.workers(self.now).await?;
        if workers.is_empty() {
            return Ok(());
        }
        let owners: Vec<String> = workers.into_iter().map(|worker| worker.owner).collect();
        Err(StoreError::InUse { owner: owners.join(" and ") })
    }
}

/// A move with both sides open.
struct Passage<'a> {
    order: Move<'a>,
    source: &'a Store,
    /// Keeps the source as it is.
    held: Transaction,
    target: &'a Store,
    tables: Vec<Table>,
    identity: Identity,
}

impl Passage<'_> {
    async fn complete(self, is_gone: bool, told: Told<'_>) -> Result<Moved, StoreError> {
        let _lock = self.target.lock_for_daemon(self.order.owner)?;
        let guard = postgres::refuse_another_move(&self.target.db).await?;
        self.refuse_another_schema().await?;
        if self.is_done(is_gone).await? {
            let epoch = identity(self.target).await?.epoch;
            return Ok(Moved { tables: Vec::new(), epoch });
        }
        if !self.copy(told).await? {
            told(Progress::Anew);
            let transaction =
                self.target.db.begin_unlocked().await?.with_patience(postgres::IMPORT_MAX);
            rows::empty(&transaction, &self.tables).await?;
            transaction.commit().await?;
            if !self.copy(told).await? {
                let what = "somebody else writes to it".to_owned();
                return Err(StoreError::Miscopied { what });
            }
        }
        let moved = self.seal(is_gone, told).await?;
        if let Some(guard) = guard {
            guard.rollback().await?;
        }
        Ok(moved)
    }

    /// A column that one side lacks would be lost without a word.
    async fn refuse_another_schema(&self) -> Result<(), StoreError> {
        let theirs = tables::tables(&self.target.db.read).await?;
        let known = |table: &Table| self.tables.iter().any(|ours| ours.is_like(table));
        match theirs.iter().find(|table| !known(table)) {
            Some(table) => {
                Err(self.occupied(&format!("a table `{}` that is not ours", table.name)))
            }
            None if theirs.len() != self.tables.len() => Err(self.occupied("other tables")),
            None => Ok(()),
        }
    }

    /// Whether an earlier run has moved everything. Marks the target as the one where these books
    /// arrive, where it is empty; refuses one that holds anything else.
    async fn is_done(&self, is_gone: bool) -> Result<bool, StoreError> {
        let there = identity(self.target).await;
        match whereabouts(&self.target.db.read).await? {
            Whereabouts::Arriving { name, .. } if name == self.identity.name => return Ok(false),
            Whereabouts::Arriving { .. } => return Err(self.occupied("other books, half moved")),
            Whereabouts::Gone { .. } => return Err(self.occupied("books that were moved away")),
            Whereabouts::Here => {}
        }
        let there = there?;
        match there.name == self.identity.name {
            true if is_gone => return Ok(true),
            true => return Err(self.occupied("these very books, or a copy of them")),
            false => {}
        }
        if there.epoch > 0 {
            return Err(self.occupied("books that a daemon has worked on"));
        }
        for table in self.tables.iter().filter(|table| !BEFORE_USE.contains(&table.name.as_str())) {
            let text = format!("SELECT 1 AS one FROM \"{}\" LIMIT 1", table.name);
            if self.target.db.read.query_one_raw(sql(&text, [])).await?.is_some() {
                return Err(self.occupied(&format!("rows in `{}`", table.name)));
            }
        }
        let transaction =
            self.target.db.begin_unlocked().await?.with_patience(postgres::IMPORT_MAX);
        let from = without_password(self.order.from);
        marks::mark_arriving(&transaction, &self.identity.name, &from).await?;
        rows::empty(&transaction, &self.tables).await?;
        transaction.commit().await?;
        Ok(false)
    }

    fn occupied(&self, what: &str) -> StoreError {
        StoreError::Occupied { url: without_password(self.order.to), what: what.to_owned() }
    }

    /// Appends what the target lacks. False where what it has is not what the source has.
    async fn copy(&self, told: Told<'_>) -> Result<bool, StoreError> {
        for table in &self.tables {
            let mut ours = rows(&self.held, table).await?;
            let mut theirs = rows(&self.target.db.read, table).await?;
            let mut copied = 0;
            while let Some(there) = theirs.try_next().await? {
                if ours.try_next().await?.as_ref() != Some(&there) {
                    return Ok(false);
                }
                copied += 1;
            }
            drop(theirs);
            let mut writer = Writer::new(&self.target.db, table);
            while let Some(row) = ours.try_next().await? {
                let committed = writer.add(row).await? as u64;
                if committed > 0 {
                    copied += committed;
                    told(Progress::Copied(&table.name, copied));
                }
            }
            copied += writer.finish().await? as u64;
            told(Progress::Copied(&table.name, copied));
        }
        Ok(true)
    }

    /// Proves that the copy is whole, and makes it the one that counts.
    async fn seal(self, is_gone: bool, told: Told<'_>) -> Result<Moved, StoreError> {
        let there = self.target.db.begin_unlocked().await?.with_patience(postgres::IMPORT_MAX);
        postgres::hold_still(&there, &listed(&self.tables), "SHARE ROW EXCLUSIVE").await?;
        let tables = proof::compare(&self.held, &there, &self.tables, told).await?;
        proof::refuse_other_sums(self.source, self.target).await?;
        proof::refuse_what_does_not_hold(&there).await?;
        postgres::be_ready(&there, &self.tables.iter().map(|t| &*t.name).collect::<Vec<_>>())
            .await?;
        let Identity { name, epoch } = self.identity;
        if !is_gone {
            marks::mark_gone(&self.held, &name, &without_password(self.order.to)).await?;
        }
        self.held.commit().await?;
        told(Progress::Gone);
        // Before the target counts: a copy of the source must be older than what is remembered.
        self.order.watermark.remember(name, epoch + 1).await?;
        there.execute_raw(sql("UPDATE identity SET epoch = $1", [(epoch + 1).into()])).await?;
        marks::mark_here(&there).await?;
        there.commit().await?;
        Ok(Moved { tables, epoch: epoch + 1 })
    }
}

async fn identity(store: &Store) -> Result<Identity, StoreError> {
    let row = store.db.read.query_one_raw(sql("SELECT name, epoch FROM identity", [])).await?;
    let row = row.ok_or_else(|| StoreError::Inconsistent("they have no name".to_owned()))?;
    Ok(Identity { name: row.read("name")?, epoch: row.read("epoch")? })
}

/// Every table that books have.
fn known(tables: &[Table]) -> Vec<&str> {
    tables.iter().map(|table| &*table.name).chain(tables::KEPT).collect()
}

/// What any command writes into new books by itself: their name, and what the configuration says.
const BEFORE_USE: [&str; 3] = ["identity", "settings", "mailboxes"];
