//! Files that may lie on another machine's disk. Each is read on a thread of its own, because nothing
//! else ends a read, and while one hangs nobody else waits for the same.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// Who reads. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Disks {
    /// What is being read still by somebody for whom nobody waits any more.
    hanging: Arc<Mutex<BTreeSet<PathBuf>>>,
    within: Duration,
}

impl Disks {
    pub(super) fn new() -> Self {
        Self::that_answer_within(WITHIN)
    }

    fn that_answer_within(within: Duration) -> Self {
        Self { hanging: Arc::default(), within }
    }

    /// What stands in a file, so much at most; `None` where others may read it too.
    pub(super) fn read(&self, file: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let silent = || io::Error::new(io::ErrorKind::TimedOut, "its disk does not answer");
        if lock(&self.hanging).contains(file) {
            return Err(silent());
        }
        let (tell, told) = mpsc::sync_channel(1);
        let (path, hanging) = (file.to_owned(), Arc::clone(&self.hanging));
        std::thread::Builder::new().spawn(move || {
            let read = contents(&path, most);
            // Under the lock, so that whoever gives it up now knows that it has ended.
            let mut hanging = lock(&hanging);
            hanging.remove(&path);
            let _ = tell.send(read);
        })?;
        told.recv_timeout(self.within).unwrap_or_else(|_| {
            let mut hanging = lock(&self.hanging);
            told.try_recv().unwrap_or_else(|_| {
                hanging.insert(file.to_owned());
                Err(silent())
            })
        })
    }
}

fn contents(file: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let opened = File::open(file)?;
    // Of the open file, not of the name: nobody can swap it in between.
    if opened.metadata()?.permissions().mode() & OTHERS != 0 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    opened.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn lock(hanging: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    hanging.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Group's and everybody's bits of a file mode.
const OTHERS: u32 = 0o077;

/// As long as a command has.
const WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_disk_that_hangs_costs_one_thread_a_file_and_is_asked_again_once_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        // Opening one waits for whoever writes to it.
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
        let disks = Disks::that_answer_within(Duration::from_millis(1));
        let read = || disks.read(&pipe, 100).map_err(|error| error.to_string());
        for _ in 0..100 {
            assert_eq!(read(), Err("its disk does not answer".to_owned()));
        }
        assert_eq!(lock(&disks.hanging).len(), 1);
        // The one that waits gets this, and nobody hears it.
        std::fs::write(&pipe, "late").unwrap();
        while !lock(&disks.hanging).is_empty() {
            std::thread::yield_now();
        }
        std::fs::remove_file(&pipe).unwrap();
        // A thousandth of a second may be too short once more.
        let answers = || read().unwrap_err().contains("No such file");
        while !answers() {
            std::thread::yield_now();
        }
    }
}
