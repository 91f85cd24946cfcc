//! Tells a restored backup from the books that sent last.
//!
//! Books know of themselves only what they held when they were copied, so the highest epoch they
//! reached is also kept in a file outside of them, beside the configuration. Written after the
//! commit: a crash between the two leaves the file behind the books, which is harmless.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use warmfront_core::send_id::Signet;

use crate::db::sql;
use crate::row::Row as _;
use crate::{Store, StoreError};

/// The file that remembers how far each set of books has come.
#[derive(Clone, Debug)]
pub struct Watermark {
    file: PathBuf,
    /// The last epoch that this process has begun: where the next is no later, the server has been
    /// replaced by an older copy under its feet.
    begun: Arc<AtomicI64>,
}

/// Which books, and how far they have come.
struct Mark {
    name: String,
    epoch: i64,
}

impl Watermark {
    /// The watermark of whoever works by the configuration file `config`: `warmfront.epochs` beside
    /// `warmfront.toml`.
    #[must_use]
    pub fn beside(config: &Path) -> Self {
        Self { file: config.with_extension("epochs"), begun: Arc::new(AtomicI64::new(0)) }
    }

    fn read(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| self.error(&error))?,
        };
        let parse = |line: &str| {
            let (name, epoch) = line.split_once(' ')?;
            Some((name.to_owned(), epoch.parse().ok()?))
        };
        text.lines().map(parse).collect::<Option<_>>().ok_or_else(|| StoreError::Watermark {
            file: self.file.clone(),
            why: "not as Warmfront wrote it (one `NAME EPOCH` a line); put it back, or remove it \
                  if the database was not replaced by an older copy"
                .to_owned(),
        })
    }

    /// How far books of that name are known to have come.
    fn seen(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(take_out(&mut self.read()?, name))
    }

    /// Remembers how far these books have come.
    pub(crate) async fn remember(&self, name: String, epoch: i64) -> Result<(), StoreError> {
        let watermark = self.clone();
        let remember = move || {
            let _ours = watermark.lock()?;
            let mut marks = watermark.read()?;
            // Of two daemons of one folder the later to write may have the earlier epoch.
            let seen = take_out(&mut marks, &name);
            marks.insert(Signet::of(&name).alias(), seen.map_or(epoch, |seen| seen.max(epoch)));
            watermark.write(&marks).map_err(|error| watermark.error(&error))
        };
        tokio::task::spawn_blocking(remember).await.map_err(|_| StoreError::Closed)?
    }

    /// Keeps other daemons of this folder from writing until it is dropped: whoever reads, adds and
    /// writes beside another forgets what that one added. A file of its own, since the marks' own is
    /// replaced each time.
    fn lock(&self) -> Result<File, StoreError> {
        let beside = self.file.with_extension("epochs.lock");
        let file = File::options().create(true).truncate(false).write(true).open(beside);
        let file = file.map_err(|error| self.error(&error))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_TRY),
                Err(TryLockError::Error(error)) => return Err(self.error(&error)),
            }
        }
        let why =
            "another daemon of this folder writes it, and does not come to an end; look whether \
                   one is stopped"
                .to_owned();
        Err(StoreError::Watermark { file: self.file.clone(), why })
    }

    /// Whole or not at all, and on the disk when it returns.
    fn write(&self, marks: &BTreeMap<String, i64>) -> io::Result<()> {
        let mut text = String::new();
        for (name, epoch) in marks {
            writeln!(text, "{name} {epoch}").map_err(io::Error::other)?;
        }
        let beside = self.file.with_extension("epochs.new");
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.file)?;
        match self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }

    fn error(&self, error: &io::Error) -> StoreError {
        let why = format!(
            "{error}; it tells a restored backup from the newest database, so its folder must be \
             writable"
        );
        StoreError::Watermark { file: self.file.clone(), why }
    }
}

impl Store {
    /// Refuses books that are older than the watermark remembers, and new ones where it remembers
    /// others: a lost file, or a mistyped name, would write to everybody again.
    pub async fn refuse_if_restored(&self, watermark: &Watermark) -> Result<(), StoreError> {
        self.refuse_if_behind(watermark, 0).await
    }

    /// The same, where the watermark may be ahead by as many epochs.
    pub(crate) async fn refuse_if_behind(
        &self,
        watermark: &Watermark,
        ahead: i64,
    ) -> Result<(), StoreError> {
        let row = self.db.read.query_one_raw(sql("SELECT name, epoch FROM identity", [])).await?;
        let mark = mark(row)?;
        match watermark.seen(&mark.name)? {
            None if mark.epoch == 0 && !watermark.read()?.is_empty() => {
                Err(StoreError::Replaced { file: watermark.file.clone() })
            }
            Some(seen) if seen > mark.epoch + ahead => {
                Err(StoreError::Restored { found: mark.epoch, seen, file: watermark.file.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Brings the epoch of these books past the highest that the watermark knows of them, by a
    /// statement that is given it and returns their name and their epoch.
    pub(crate) async fn catch_up(
        &self,
        watermark: &Watermark,
        text: &str,
    ) -> Result<(), StoreError> {
        let row = self.db.read.query_one_raw(sql("SELECT name, epoch FROM identity", [])).await?;
        let known = mark(row)?;
        let seen = watermark.seen(&known.name)?.unwrap_or_default();
        let mark = mark(self.db.write.query_one_raw(sql(text, [seen.into()])).await?)?;
        watermark.remember(mark.name, mark.epoch).await
    }

    /// Begins a new epoch and has the watermark remember it. What is sent from now on, no earlier
    /// copy of these books can be unaware of without being found out. Refuses books that are behind
    /// those this process has worked on: a standby that was promoted while it ran, and lacks some.
    pub async fn begin_epoch(&self, watermark: &Watermark) -> Result<(), StoreError> {
        let advance = sql("UPDATE identity SET epoch = epoch + 1 RETURNING name, epoch", []);
        let mark = mark(self.db.write.query_one_raw(advance).await?)?;
        let begun = watermark.begun.fetch_max(mark.epoch, Ordering::Relaxed);
        if begun >= mark.epoch {
            let file = watermark.file.clone();
            return Err(StoreError::Restored { found: mark.epoch, seen: begun, file });
        }
        watermark.remember(mark.name, mark.epoch).await
    }
}

/// Takes the mark of books out, under whatever it is kept: their name is the key that their ids are
/// sealed with, so it is their alias, and was the name itself once.
fn take_out(marks: &mut BTreeMap<String, i64>, name: &str) -> Option<i64> {
    marks.remove(&Signet::of(name).alias()).max(marks.remove(name))
}

fn mark(row: Option<sea_orm::QueryResult>) -> Result<Mark, StoreError> {
    let row = row.ok_or_else(|| StoreError::Inconsistent("they have no name".to_owned()))?;
    Ok(Mark { name: row.read("name")?, epoch: row.read("epoch")? })
}

/// How often, and for how long, the lock is asked for: five seconds in all. Whoever has it needs some
/// milliseconds, and one that is stopped must not stop the others.
const LOCK_TRIES: u32 = 100;
const LOCK_TRY: Duration = Duration::from_millis(50);
