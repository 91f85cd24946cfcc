//! Where peers come from: Debian's packages, npm and PyPI. What cannot be installed from here is told
//! with the line to type.

use std::path::{Path, PathBuf};
use std::process::Command;

use warmfront_tests::machine::{self, Software, provide};

use crate::failure::Failure;
use crate::process;

/// SQLite's shell.
pub(crate) fn sqlite3() -> Result<PathBuf, Failure> {
    debian("sqlite3", &SQLITE)
}

/// What keeps a program on one core.
pub(crate) fn taskset() -> Result<PathBuf, Failure> {
    debian("taskset", &UTIL_LINUX)
}

/// A program of Debian's, installed where it is missing and may be.
pub(super) fn debian(program: &str, software: &Software) -> Result<PathBuf, Failure> {
    had(software, || found(program))
}

/// A folder with packages of npm, made where it is not there yet.
pub(super) fn npm(peers: &Path, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = peers.join("node");
    let there = |package: &&str| folder.join("node_modules").join(package).is_dir();
    debian("node", &NODE)?;
    if !packages.iter().all(there) {
        let mut npm = Command::new(debian("npm", &NPM)?);
        make(&folder)?;
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).args(packages);
        install_by("nodemailer", &mut npm)?;
    }
    Ok(folder)
}

/// The programs of a Python environment with these packages, made where it is not there yet.
pub(super) fn pip(peers: &Path, peer: &str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = peers.join(peer);
    let programs = folder.join("bin");
    let done = folder.join("installed");
    if !done.exists() {
        let python = had(&VENV, || found("python3").filter(|python| makes_environments(python)))?;
        make(&folder)?;
        install_by(peer, Command::new(python).args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(programs.join("pip"));
        install_by(peer, pip.args(["install", "--quiet"]).args(packages))?;
        std::fs::write(&done, "").map_err(|error| Failure::of(peer, error))?;
    }
    Ok(programs)
}

fn had(software: &Software, find: impl Fn() -> Option<PathBuf>) -> Result<PathBuf, Failure> {
    let install = |software: &Software| {
        crate::say::progress(&format!("installing {}", software.name));
        machine::install(software)
    };
    provide(software, find, install).map_err(Failure::Missing)
}

/// Installs a peer by a program of its own, which can be typed too.
fn install_by(peer: &str, command: &mut Command) -> Result<(), Failure> {
    crate::say::progress(&format!("installing {peer}"));
    let program = command.get_program().display().to_string();
    let ended = process::run(&program, command, INSTALL_MAX).and_then(|ended| ended.done(&program));
    ended.map(drop).map_err(|why| {
        Failure::Missing(format!(
            "{peer} is missing and cannot be installed from here; type: {command:?}\n{why}"
        ))
    })
}

/// Where a program lies, daemons' folders included.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = folders.iter().map(PathBuf::as_path).chain([Path::new("/usr/sbin")]);
    all.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Debian's Python comes without what puts pip into a new environment.
fn makes_environments(python: &Path) -> bool {
    let asked = Command::new(python).args(["-c", "import ensurepip, venv"]).output();
    asked.is_ok_and(|said| said.status.success())
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::of("a folder for peers", error))
}

/// Software that apt alone installs, also by hand.
macro_rules! package {
    ($name:literal, $packages:literal) => {
        Software {
            name: $name,
            packages: $packages,
            before: "",
            by_hand: concat!("sudo apt-get install -y --no-install-recommends ", $packages),
        }
    };
}

const SQLITE: Software = package!("SQLite's shell", "sqlite3");
const UTIL_LINUX: Software = package!("taskset", "util-linux");
pub(super) const PSQL: Software = package!("psql", "postgresql-client");
pub(super) const NODE: Software = package!("Node.js", "nodejs");
const NPM: Software = package!("npm", "npm");
const VENV: Software = package!("Python's venv", "python3-venv");

const INSTALL_MAX: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_installed_is_told_with_the_line_to_type() {
        for software in [SQLITE, UTIL_LINUX, PSQL, NODE, NPM, VENV] {
            let line =
                format!("sudo apt-get install -y --no-install-recommends {}", software.packages);
            let no = |_: &Software| Err("E: no network".to_owned());
            let missing = provide(&software, || None::<PathBuf>, no).unwrap_err();
            assert!(missing.contains(&format!("type: {line}\n")), "{missing}");
        }
        let mut fails = Command::new("sh");
        let failure = install_by("nothing", fails.args(["-c", "echo no network >&2; exit 7"]));
        let told = failure.unwrap_err().to_string();
        let want = "nothing is missing and cannot be installed from here; \
                    type: \"sh\" \"-c\" \"echo no network >&2; exit 7\"\n\
                    sh ended with exit status: 7: no network";
        assert_eq!(told, want);
    }

    #[test]
    fn a_python_that_makes_no_environments_does_not_serve() {
        assert!(!makes_environments(Path::new("false")));
        assert!(makes_environments(Path::new("true")));
    }
}
