//! The machine the tests run on: who we are there, and how what is missing gets onto it.
//!
//! Knows Debian's package manager and nothing of what it installs. Includable by itself, beside
//! `postgres.rs`.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Something the tests need of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Software {
    /// What people call it.
    pub name: &'static str,
    /// Debian's packages of it.
    pub packages: &'static str,
    /// What a shell must do before they are installed, as root.
    pub before: &'static str,
    /// What somebody types who installs it by hand.
    pub by_hand: &'static str,
}

/// Where it is; installs it where it is not, and says what to type where that cannot be done. One at a
/// time on the whole machine: two who install side by side lock each other out.
///
/// # Errors
///
/// If it is not there in the end: no test may pass for want of it.
pub fn provide<T>(
    software: &Software,
    find: impl Fn() -> Option<T>,
    install: impl FnOnce(&Software) -> Result<(), String>,
) -> Result<T, String> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let turn = turn().map_err(|why| format!("nobody knows whose turn it is to install: {why}"))?;
    // Whoever had the turn before may have wanted the same.
    if let Some(found) = find() {
        return Ok(found);
    }
    let Software { name, by_hand, .. } = software;
    install(software).map_err(|why| {
        format!("{name} is missing and cannot be installed from here; type: {by_hand}\n{why}")
    })?;
    let found = find();
    drop(turn);
    found.ok_or_else(|| format!("{name} was installed and is not there; type: {by_hand}"))
}

/// Waits until nobody else installs anything for tests, and keeps others waiting while it is held.
///
/// # Errors
///
/// If there is no file to be locked.
pub fn turn() -> std::io::Result<File> {
    let file = std::env::temp_dir().join("warmfront-tests.install.lock");
    // It may be another user's: then it can be read, and that is enough.
    let file = File::open(&file).or_else(|_| File::create(&file))?;
    file.lock()?;
    Ok(file)
}

/// With Debian's package manager, as root or by `sudo` if that asks nothing.
///
/// # Errors
///
/// All that was said, if it fails.
pub fn install(software: &Software) -> Result<(), String> {
    let mut command = Command::new(if is_root() { "sh" } else { "sudo" });
    if !is_root() {
        command.args(["-n", "sh"]);
    }
    try_run(command.arg("-c").arg(software.script()))
}

impl Software {
    /// Removes nothing: two mail servers, say, exclude each other, and the other one is in use.
    fn script(&self) -> String {
        let Self { packages, before, .. } = self;
        format!(
            "set -e
            {before}
            export DEBIAN_FRONTEND=noninteractive
            get() {{
                apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends --no-remove \
                    {packages}
            }}
            get || {{ apt-get update && get; }}"
        )
    }
}

/// Whether we may do everything.
#[must_use]
pub fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| {
        let id = Command::new("id").arg("-u").output();
        id.is_ok_and(|id| id.stdout == b"0\n")
    })
}

/// A port of this machine for a server that binds it later. It is below those that the system deals out
/// by itself (`net.ipv4.ip_local_port_range`), so that no connection gets it in between, and nobody here
/// gets it twice.
///
/// # Panics
///
/// If none is free.
#[must_use]
pub fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS {
        // Processes that test side by side begin at different ones.
        let nth = TRIED
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(std::process::id().wrapping_mul(101));
        let port = u16::try_from(LOWEST_PORT + nth % PORTS).expect("below 32,768");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

const LOWEST_PORT: u32 = 12_000;
const PORTS: u32 = 20_000;

/// Runs a program.
///
/// # Panics
///
/// With all that it said, if it fails.
pub fn run(command: &mut Command) {
    if let Err(why) = try_run(command) {
        panic!("{why}\n{command:?}");
    }
}

/// Not by `output`: a server that the program starts would keep the pipe open for as long as it
/// runs.
fn try_run(command: &mut Command) -> Result<(), String> {
    let mut said = tempfile::tempfile().expect("a file");
    let out = said.try_clone().and_then(|out| Ok((out, said.try_clone()?))).expect("a file");
    let status = command.stdin(Stdio::null()).stdout(out.0).stderr(out.1).status();
    if status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        return Ok(());
    }
    let mut text = String::new();
    let _ = std::io::Seek::rewind(&mut said).and_then(|()| said.read_to_string(&mut text));
    let ended = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    Err(format!("{}: {ended}\n{text}", command.get_program().display()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn of_many_who_miss_something_one_installs_it() {
        let software = Software { name: "it", packages: "", before: "", by_hand: "get it" };
        let (is_there, times) = (AtomicBool::new(false), AtomicUsize::new(0));
        let find = || is_there.load(Ordering::SeqCst).then_some(());
        let install = |_: &Software| {
            times.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(20));
            is_there.store(true, Ordering::SeqCst);
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| provide(&software, find, install).expect("it is there"));
            }
        });
        assert_eq!(times.load(Ordering::SeqCst), 1);
    }
}
