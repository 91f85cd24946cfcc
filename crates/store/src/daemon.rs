//! One daemon works on a file: it holds a lock beside it for as long as it lives.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Store, StoreError};

/// The right to send from these books. Held until dropped, or the process ends in whatever way.
///
/// Books in PostgreSQL have any number of daemons, and nothing to lock: there it proves nothing,
/// and only leases count.
#[derive(Debug)]
pub struct DaemonLock {
    file: Option<File>,
    is_alone: bool,
}

impl DaemonLock {
    /// Whether its holder is the only daemon of these books.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }
}

impl Drop for DaemonLock {
    /// Closing the file would do, but for a child process that has a copy of it until it has begun.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.unlock();
        }
    }
}

impl Store {
    /// Takes the right to send from these books, or says who has it.
    pub fn lock_for_daemon(&self, owner: &str) -> Result<DaemonLock, StoreError> {
        let is_alone = !self.db.is_shared();
        let Some(database) = &self.file else { return Ok(DaemonLock { file: None, is_alone }) };
        let mut file = side_file(database, "daemon-lock")?;
        if !could_lock(&file) {
            return Err(StoreError::InUse { owner: owner_in(&mut file) });
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(owner.as_bytes()));
        written.map_err(|error| side_file_error(database, &error))?;
        Ok(DaemonLock { file: Some(file), is_alone })
    }

    /// The one daemon that works on these books at present, if one does. Asks with a shared lock,
    /// so that two who ask do not take each other for the daemon, and leaves the name alone.
    pub fn daemon(&self) -> Result<Option<String>, StoreError> {
        let Some(database) = &self.file else { return Ok(None) };
        let mut file = side_file(database, "daemon-lock")?;
        Ok(file.try_lock_shared().is_err().then(|| owner_in(&mut file)))
    }
}

/// Locks it. Whoever only asks which daemon works holds it for microseconds, so it is tried more than
/// once.
fn could_lock(file: &File) -> bool {
    (0..GLANCES).any(|glance| {
        if glance > 0 {
            std::thread::sleep(GLANCE);
        }
        file.try_lock().is_ok()
    })
}

/// A lock that is held is tried so often, so far apart.
const GLANCES: u32 = 10;
const GLANCE: Duration = Duration::from_millis(5);

fn owner_in(file: &mut File) -> String {
    let mut owner = String::new();
    match file.read_to_string(&mut owner) {
        Ok(_) if !owner.trim().is_empty() => owner.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

/// Beside the file itself, whatever other names lead to it: two locks would be none.
pub(crate) fn side_file(database: &Path, suffix: &str) -> Result<File, StoreError> {
    let itself = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let mut name = itself.into_os_string();
    name.push(format!(".{suffix}"));
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(PathBuf::from(name))
        .map_err(|error| side_file_error(database, &error))
}

pub(crate) fn side_file_error(database: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly
        }
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Open { url: database.display().to_string(), why: error.to_string() },
    }
}
