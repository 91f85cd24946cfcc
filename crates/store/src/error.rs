//! What can go wrong with the books, told by what the caller can do about it.

use sea_orm::{DbErr, RuntimeErr};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another daemon works on these books.
    #[error("the books are in use by {owner}; stop it first, or give this one another database")]
    InUse {
        /// The other's name: process and host.
        owner: String,
    },
    /// Older than books of theirs that have sent before: a restored backup.
    #[error(
        "these books are an older copy: they stand at epoch {found}, and {seen} was reached ({}). They do not know what was sent since and would send it again. Put the newer database back. If it is lost, suppress everybody it may have written to (`warmfront suppress import FILE`), then remove that file",
        file.display()
    )]
    Restored {
        /// The epoch of these books.
        found: i64,
        /// The highest epoch known.
        seen: i64,
        /// Where that is written.
        file: std::path::PathBuf,
    },
    /// The file that remembers epochs cannot be used.
    #[error("{}: {why}", file.display())]
    Watermark {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Written by a later version.
    #[error(
        "the database was written by a newer Warmfront (it has the migration `{migration}`); upgrade this one, or restore the backup made before the upgrade"
    )]
    Newer {
        /// The migration this build does not know.
        migration: String,
    },
    /// It cannot be opened at all.
    #[error("cannot open the database {url}: {why}")]
    Open {
        /// The URL, without a password.
        url: String,
        /// What the database says.
        why: String,
    },
    /// The file is something else: another program's database, or none at all.
    #[error(
        "{}: {why}; it was left as it is. Name another file in `url` of [store], or move this one away",
        file.display()
    )]
    Foreign {
        /// The file.
        file: std::path::PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// The file is damaged.
    #[error(
        "the database file is damaged ({0}); put its newest backup back, with its `-wal` file if there is one. Without a backup, suppress everybody it may have written to (`warmfront suppress import FILE`) before beginning anew"
    )]
    Damaged(String),
    /// It cannot be written to.
    #[error("the database is read-only; check the owner and the mode of the file and its folder")]
    ReadOnly,
    /// The disk is full. Nothing was lost; nothing is sent until there is room.
    #[error("the disk of the database is full; nothing is sent until there is room")]
    Full,
    /// The disk refuses a write in another way: a quota, a limit on file sizes, a fault. Nothing was
    /// lost either.
    #[error(
        "the database cannot be written: the disk refuses, because of a quota, a limit on the size of files, or a fault; nothing is sent until it takes writes again"
    )]
    Unwritable,
    /// An update would take a step away from under people who wait for it.
    #[error(
        "the folder of {slug} ends with step {steps}, and people still wait for step {step} in the books ({people}, later ones counted too): nothing was taken over. Put the step back, and leave it until `warmfront campaign status {slug}` shows nobody active, held or blocked"
    )]
    StepAwaited {
        /// The campaign.
        slug: String,
        /// How many wait.
        people: u64,
        /// The first step that is gone and awaited.
        step: u32,
        /// How many steps the folder has.
        steps: u64,
    },
    /// Somebody else holds the write lock for long.
    #[error("the database is locked by another program; try again when that is done")]
    Locked,
    /// A constraint or a trigger said no. Its sentence says why.
    #[error("refused by the books: {0}")]
    Refused(String),
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
    /// Two figures that must agree do not, or a row makes no sense.
    #[error("the books are inconsistent: {0}")]
    Inconsistent(String),
    /// Anything else the database says.
    #[error("the database failed: {0}")]
    Database(DbErr),
}

impl StoreError {
    /// Whether waiting may help: the caller keeps what it wanted to do and tries again later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Unwritable | Self::Locked)
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        let Some((code, message)) = database_answer(&error) else {
            return match error {
                DbErr::ConnectionAcquire(_) => Self::Locked,
                other => Self::Database(other),
            };
        };
        // SQLITE_IOERR_WRITE, _FSYNC, _TRUNCATE, _SHMSIZE: of all the ways in which a disk refuses
        // to take more only ENOSPC is told as SQLITE_FULL, and not everywhere.
        if [778, 1_034, 1_546, 4_874].contains(&code) {
            return Self::Unwritable;
        }
        // SQLite's primary result code is the low byte (https://www.sqlite.org/rescode.html).
        match code & 0xff {
            5 | 6 => Self::Locked,
            8 => Self::ReadOnly,
            11 | 26 => Self::Damaged(message),
            13 => Self::Full,
            19 => Self::Refused(message),
            _ => Self::Database(error),
        }
    }
}

/// SQLite's result code and text, where the database answered at all.
fn database_answer(error: &DbErr) -> Option<(u32, String)> {
    let (DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))
    | DbErr::Conn(RuntimeErr::SqlxError(source))) = error
    else {
        return None;
    };
    let database = source.as_database_error()?;
    Some((database.code()?.parse().ok()?, database.message().to_owned()))
}
