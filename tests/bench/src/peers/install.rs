//! Where peers come from: Debian's packages, npm and PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// SQLite's shell.
pub(crate) fn sqlite3() -> Result<PathBuf, Failure> {
    debian("sqlite3", "sqlite3")
}

/// What keeps a program on one core.
pub(crate) fn taskset() -> Result<PathBuf, Failure> {
    debian("taskset", "util-linux")
}

/// A program of a Debian package, installed where it is missing and may be.
pub(super) fn debian(program: &'static str, package: &str) -> Result<PathBuf, Failure> {
    if let Some(found) = found(program) {
        return Ok(found);
    }
    crate::say::progress(&format!("installing {package}"));
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive
         install='apt-get install -y --no-install-recommends {package}'
         $install || {{ apt-get update && $install; }}"
    );
    let shell = ["sh", "-c", script.as_str()];
    let words: Vec<&str> =
        if is_root() { shell.to_vec() } else { [&["sudo", "-n"], &shell[..]].concat() };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    let missing = |why: String| Failure::Missing {
        peer: program,
        why: format!("{why}; type: sudo apt-get install {package}"),
    };
    process::run("apt-get", &mut command, INSTALL_MAX)
        .and_then(|ended| ended.done("apt-get"))
        .map_err(|failure| missing(failure.to_string()))?;
    found(program).ok_or_else(|| missing("the package does not hold it".to_owned()))
}

/// Where a program lies, daemons' folders included.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = folders.iter().map(PathBuf::as_path).chain([Path::new("/usr/sbin")]);
    all.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether the bench may do everything.
pub(super) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

/// A folder with packages of npm, made where it is not there yet.
pub(super) fn npm(peers: &Path, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = peers.join("node");
    let there = |package: &&str| folder.join("node_modules").join(package).is_dir();
    let missing =
        |failure: Failure| Failure::Missing { peer: "nodemailer", why: failure.to_string() };
    debian("node", "nodejs")?;
    if !packages.iter().all(there) {
        let npm = debian("npm", "npm")?;
        crate::say::progress("installing nodemailer");
        make(&folder).map_err(missing)?;
        let mut command = Command::new(npm);
        command
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .args(packages);
        let ended =
            process::run("npm", &mut command, INSTALL_MAX).and_then(|ended| ended.done("npm"));
        ended.map_err(missing)?;
    }
    Ok(folder)
}

/// The programs of a Python environment with these packages, made where it is not there yet.
pub(super) fn pip(peers: &Path, peer: &'static str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = peers.join(peer);
    let programs = folder.join("bin");
    let done = folder.join("installed");
    if !done.exists() {
        let missing = |failure: Failure| Failure::Missing { peer, why: failure.to_string() };
        let python = debian("python3", "python3-venv")?;
        crate::say::progress(&format!("installing {peer}"));
        make(&folder).map_err(missing)?;
        let mut venv = Command::new(python);
        venv.args(["-m", "venv"]).arg(&folder);
        let made = process::run("python3 -m venv", &mut venv, INSTALL_MAX);
        made.and_then(|ended| ended.done("python3 -m venv")).map_err(missing)?;
        let mut command = Command::new(programs.join("pip"));
        command.args(["install", "--quiet"]).args(packages);
        let ended =
            process::run("pip", &mut command, INSTALL_MAX).and_then(|ended| ended.done("pip"));
        ended.map_err(missing)?;
        std::fs::write(&done, "").map_err(|error| missing(Failure::of(peer, error)))?;
    }
    Ok(programs)
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::of("a folder for peers", error))
}

const INSTALL_MAX: u64 = 300;
