//! Other programs: run to their end within a limit, or kept running beside.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::failure::Failure;
use crate::machine;
use crate::stopwatch::Stopwatch;

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) seconds: f64,
    /// The most memory it held, as seen every few milliseconds.
    pub(crate) peak_mib: f64,
}

impl Ended {
    /// Itself, if it did what it was asked.
    pub(crate) fn done(self, what: &str) -> Result<Self, Failure> {
        if self.status.success() {
            return Ok(self);
        }
        let said: Vec<&str> = self.err.lines().chain(self.out.lines()).rev().take(4).collect();
        let said: Vec<&str> = said.into_iter().rev().collect();
        Err(Failure::Broken(format!("{what} ended with {}: {}", self.status, said.join(" / "))))
    }
}

/// Runs a program to its end, at most so many seconds.
pub(crate) fn run(what: &str, command: &mut Command, limit: u64) -> Result<Ended, Failure> {
    let broken = |error: std::io::Error| Failure::of(what, error);
    // Files, not pipes: nobody has to read while it runs.
    let (mut out, mut err) =
        (tempfile::tempfile().map_err(broken)?, tempfile::tempfile().map_err(broken)?);
    command.stdin(Stdio::null()).stdout(out.try_clone().map_err(broken)?);
    command.stderr(err.try_clone().map_err(broken)?);
    let begun = Stopwatch::start();
    let mut child = Running(command.spawn().map_err(broken)?);
    let mut peak_mib = 0.0;
    let mut looks = 0_u32;
    let (status, seconds) = loop {
        if let Some(status) = child.0.try_wait().map_err(broken)? {
            break (status, begun.seconds());
        }
        if begun.elapsed() > Duration::from_secs(limit) {
            return Err(Failure::TooSlow { what: what.to_owned(), seconds: limit });
        }
        // A program holds most when much is done, so a look now and then is enough.
        if looks.is_multiple_of(LOOKS_A_PEAK) {
            peak_mib = machine::memory_mib(child.id(), "VmHWM").unwrap_or(peak_mib);
        }
        looks += 1;
        std::thread::sleep(LOOKS);
    };
    Ok(Ended { status, out: text(&mut out), err: text(&mut err), seconds, peak_mib })
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A program that runs beside the bench, and ends with this value.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts one that says nothing anybody reads.
    pub(crate) fn start(what: &str, command: &mut Command) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| Failure::of(what, error))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Asks it to end, as an operator does, and waits for it.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status();
        let begun = Stopwatch::start();
        while asked.is_ok() && begun.elapsed() < PATIENCE && !self.has_ended() {
            std::thread::sleep(LOOKS);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const LOOKS: Duration = Duration::from_millis(2);

const LOOKS_A_PEAK: u32 = 10;

/// How long a program that was asked to end may take.
const PATIENCE: Duration = Duration::from_secs(40);
