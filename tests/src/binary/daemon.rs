//! A command that goes on for a while: stopped, woken, killed, waited for.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::{Installation, signal, wait_until};

/// A process of the program. What it says goes into a file, so that nobody has to read it for it to
/// go on. It ends with this value.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a command; at the failpoint it does what that says.
    ///
    /// # Panics
    ///
    /// If the machine has no process or file left, like everything here: no test can go on then.
    #[must_use]
    pub fn start(installation: &Installation, words: &[&str], failpoint: Option<&str>) -> Self {
        let logs = installation.file("logs");
        std::fs::create_dir_all(&logs).expect("a folder");
        let nr = std::fs::read_dir(&logs).expect("a folder").count();
        let log = logs.join(nr.to_string());
        let file = File::create_new(&log).expect("a file");
        let other = file.try_clone().expect("a file");
        let mut command = installation.command(words);
        if let Some(failpoint) = failpoint {
            command.env("WARMFRONT_FAILPOINT", failpoint);
        }
        let child = command.stdout(other).stderr(file).stdin(Stdio::null()).spawn();
        Self { child: child.expect("the program starts"), log }
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it is, until it is woken: it is not told.
    pub fn stop(&self) {
        signal(&self.child, "STOP");
    }

    /// Lets it go on.
    pub fn wake(&self) {
        signal(&self.child, "CONT");
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        signal(&self.child, "TERM");
    }

    /// Ends it in the midst of whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child that is ours");
        let _ = self.child.wait();
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("its log")
    }

    /// Its exit code, once it has ended by itself; `None` where a signal ended it.
    #[track_caller]
    pub fn ended(&mut self) -> Option<i32> {
        wait_until("the program ends", || !self.is_running());
        self.child.wait().expect("a child").code()
    }

    /// Waits for its end, which must be a good one.
    #[track_caller]
    pub fn ended_well(&mut self, story: &str) {
        let code = self.ended();
        assert_eq!(code, Some(0), "{story}: {}", self.said());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
