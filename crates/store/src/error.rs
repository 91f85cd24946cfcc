//! What can go wrong with the books, told by what the caller can do about it.

use std::sync::Arc;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::postgres::PgDatabaseError;

/// A failure of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another daemon works on these books.
    #[error("the books are in use by {owner}; stop it first, or give this one another database")]
    InUse {
        /// The other's name: process and host.
        owner: String,
    },
    /// Older than books of theirs that have sent before: a restored backup.
    #[error(
        "these books are an older copy: they stand at epoch {found}, and {seen} was reached ({}). They do not know what was sent since and would send it again. Put the newer database back; if it is lost, `warmfront reconcile` brings this one up to date by what lies in the Sent folders",
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
    /// Known to be an older copy, and not brought up to date.
    #[error(
        "these books are an older copy: {because}. They would send it again. Put the newer database back; if it is lost, `warmfront reconcile` brings this one up to date by what lies in the Sent folders"
    )]
    Outdated {
        /// How that is known.
        because: String,
    },
    /// A Sent folder holds a message of theirs that they do not have.
    #[error("mailbox {mailbox} has sent a message that the books do not have")]
    Unknown {
        /// Whose folder.
        mailbox: i64,
    },
    /// New books where others have sent before.
    #[error(
        "these books are new and know of nobody who was written to, and others have sent from here before ({}). If that database is lost, restore it; if its name is mistyped in `[store]`, mend that. To begin anew on purpose, remove that file: whoever is imported again will be written to again",
        file.display()
    )]
    Replaced {
        /// Where the others are remembered.
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
    /// The copy that stayed behind when the books were moved.
    #[error(
        "these books were moved to {place}: write that into `url` of [store]. This is the copy that stayed behind, and nothing works on it any more"
    )]
    Gone {
        /// Where they are now, without a password.
        place: String,
    },
    /// Half of them are still elsewhere.
    #[error(
        "these books are half moved here, from {place}: run `warmfront store move` again where they come from, and it goes on. Until it is done, they are still there"
    )]
    Arriving {
        /// Where they come from, without a password.
        place: String,
    },
    /// A database that books should be moved to, and that is not empty.
    #[error(
        "{url} holds {what}; nothing was moved and nothing there was touched. Name an empty database"
    )]
    Occupied {
        /// Which, without a password.
        url: String,
        /// What it holds.
        what: String,
    },
    /// A copy of the books is not what it was made of.
    #[error(
        "the copy differs from the books in {what}: it does not count, and the books are where they were. Run the move again; if it says so again, name another database"
    )]
    Miscopied {
        /// Where.
        what: String,
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
    /// The server is older than what the books ask for.
    #[error(
        "the books need PostgreSQL 15 or later, and the server at {url} is {version}; upgrade it"
    )]
    TooOld {
        /// Its URL, without a password.
        url: String,
        /// What the server says it is.
        version: String,
    },
    /// The server does not wait for its disk.
    #[error(
        "the PostgreSQL server at {url} has `{setting}` off: a power cut would take back what was committed, and mail would be sent twice. Set `{setting} = on` in postgresql.conf (or for this user or database, where it is set there) and reload the server"
    )]
    Forgetful {
        /// Its URL, without a password.
        url: String,
        /// The setting.
        setting: &'static str,
    },
    /// This machine's clock is not the database's.
    #[error(
        "the clock of this machine is {:.1} s {} that of the database, and leases end by the clock; keep both by NTP",
        ahead_ms.abs() as f64 / 1_000.0, if *ahead_ms > 0 { "ahead of" } else { "behind" }
    )]
    WrongClock {
        /// How far ahead this machine is.
        ahead_ms: i64,
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
    #[error(
        "the database is read-only; check the owner and the mode of the file and its folder, or that the server is no standby"
    )]
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
    /// Tokens that were sealed by another key than all others in the books.
    #[error("the tokens in the books are sealed by another key; every machine needs that one")]
    AnotherKey,
    /// Somebody else holds a lock for long, or two waited for each other.
    #[error("the database is locked by another program; try again when that is done")]
    Locked,
    /// The server is away: stopped, restarting, or cut off. What was being committed at that moment
    /// may stand or not.
    #[error("the database does not answer; nothing is sent until it does")]
    Unreachable,
    /// A constraint or a trigger said no, or no column takes what was to be written. Its sentence
    /// says why.
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
        matches!(
            self,
            Self::Full | Self::Unwritable | Self::ReadOnly | Self::Locked | Self::Unreachable
        )
    }
}

impl StoreError {
    /// Whether it speaks of what was to be written, so that something else may be written all the
    /// same. Of what is unknown it is not known: whoever passed an entry for it would lose a reply.
    pub(crate) fn speaks_of_the_entry(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Inconsistent(_))
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Self::Closed,
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::Unreachable,
            DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source))
            | DbErr::Conn(RuntimeErr::SqlxError(source)) => {
                told(source).unwrap_or(Self::Database(error))
            }
            _ => Self::Database(error),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))).into()
    }
}

/// What the caller can make of a failure, where there is more to it than that it failed.
fn told(error: &sqlx::Error) -> Option<StoreError> {
    let answer = match error {
        sqlx::Error::Database(answer) => answer,
        // A server that dies while a connection is made to it is told as one that talks nonsense.
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => {
            return Some(StoreError::Unreachable);
        }
        sqlx::Error::PoolClosed => return Some(StoreError::Closed),
        _ => return None,
    };
    let message = answer.message().to_owned();
    match answer.try_downcast_ref::<PgDatabaseError>() {
        Some(answer) => told_by_postgres(answer.code(), message),
        None => told_by_sqlite(answer.code()?.parse().ok()?, message),
    }
}

fn told_by_sqlite(code: u32, message: String) -> Option<StoreError> {
    // SQLITE_IOERR_WRITE, _FSYNC, _TRUNCATE, _SHMSIZE: of all the ways in which a disk refuses
    // to take more only ENOSPC is told as SQLITE_FULL, and not everywhere.
    if [778, 1_034, 1_546, 4_874].contains(&code) {
        return Some(StoreError::Unwritable);
    }
    // SQLite's primary result code is the low byte (https://www.sqlite.org/rescode.html).
    match code & 0xff {
        5 | 6 => Some(StoreError::Locked),
        8 => Some(StoreError::ReadOnly),
        11 | 26 => Some(StoreError::Damaged(message)),
        13 => Some(StoreError::Full),
        // SQLITE_TOOBIG, _CONSTRAINT, _MISMATCH.
        18..=20 => Some(StoreError::Refused(message)),
        _ => None,
    }
}

/// SQLSTATE: the first two characters name the class
/// (https://www.postgresql.org/docs/15/errcodes-appendix.html).
fn told_by_postgres(code: &str, message: String) -> Option<StoreError> {
    match code {
        // Deadlock, serialization failure, lock timeout.
        "40P01" | "40001" | "55P03" => Some(StoreError::Locked),
        // Also a standby behind a moved address, until it is promoted.
        "25006" => Some(StoreError::ReadOnly),
        "53100" => Some(StoreError::Full),
        "58030" => Some(StoreError::Unwritable),
        // Shut down, crashed, starting up; ended for having been idle; no connection left.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" => Some(StoreError::Unreachable),
        // Cancelled by an administrator; out of memory at this moment.
        "57014" | "53000" | "53200" => Some(StoreError::Unreachable),
        _ if code.starts_with("08") => Some(StoreError::Unreachable),
        // Data that no column takes, a constraint, a limit of the server's.
        _ if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
            Some(StoreError::Refused(message))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaks_of_the_entry(told: Option<StoreError>) -> bool {
        told.is_some_and(|error| error.speaks_of_the_entry())
    }

    #[test]
    fn only_what_is_known_to_speak_of_the_entry_speaks_of_it() {
        #[track_caller]
        fn sqlite(code: u32, want: bool) {
            assert_eq!(speaks_of_the_entry(told_by_sqlite(code, String::new())), want, "{code}");
        }
        #[track_caller]
        fn postgres(code: &str, want: bool) {
            assert_eq!(speaks_of_the_entry(told_by_postgres(code, String::new())), want, "{code}");
        }
        // SQLITE_TOOBIG, _MISMATCH, _CONSTRAINT_TRIGGER.
        for code in [18, 20, 1_811] {
            sqlite(code, true);
        }
        // SQLITE_ERROR, _NOMEM, _INTERRUPT, _IOERR, _SCHEMA.
        for code in [1, 7, 9, 10, 17] {
            sqlite(code, false);
        }
        // Out of range, no such text, a trigger of ours, a row too wide for an index.
        for code in ["22003", "22P02", "23000", "54000"] {
            postgres(code, true);
        }
        // Not supported, no such table, a fault within the server, a setting that is wrong.
        for code in ["0A000", "42P01", "XX000", "55000"] {
            postgres(code, false);
        }
        let unknown = StoreError::from(DbErr::Custom("who knows".to_owned()));
        assert!(!unknown.speaks_of_the_entry());
    }
}
