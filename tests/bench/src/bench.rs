//! What every row works with: what was asked, a folder to work in, the program to measure.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Options;
use crate::failure::Failure;
use crate::process;

/// One run of the bench.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) options: Options,
    /// Ours: everything the bench writes lies under it.
    folder: PathBuf,
    /// The program, as users get it.
    program: PathBuf,
    /// Servers that the bench started and that left its family.
    adopted: RefCell<BTreeSet<u32>>,
    /// Held while the bench runs: two at once would measure one another.
    _lock: File,
}

impl Bench {
    /// Makes the folder and builds the program.
    pub(crate) fn prepare(options: Options) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::of("the bench", error))?;
        let tagged = |folder: &&Path| folder.join("CACHEDIR.TAG").exists();
        let target = own.ancestors().find(tagged).ok_or_else(|| {
            Failure::Broken("run the bench with `cargo run`: it works in cargo's folder".to_owned())
        })?;
        let folder = target.join("bench");
        let lock = lock(&folder)?;
        let work = folder.join(WORK);
        // What an earlier run left, which may have been ended by force.
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).map_err(|error| Failure::of("a folder to work in", error))?;
        let program = build(target)?;
        Ok(Self { options, folder, program, adopted: RefCell::default(), _lock: lock })
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Counts a process, and whatever descends from it, as ours.
    pub(crate) fn adopt(&self, process: u32) {
        self.adopted.borrow_mut().insert(process);
    }

    /// The processes that were adopted.
    pub(crate) fn adopted(&self) -> BTreeSet<u32> {
        self.adopted.borrow().clone()
    }

    /// Where what was installed is kept from one run to the next.
    pub(crate) fn peers(&self) -> PathBuf {
        self.folder.join("peers")
    }

    /// A new, empty folder on the disk that durable figures are about.
    pub(crate) fn work(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.folder.join(WORK).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| Failure::of("a folder to work in", error))?;
        Ok(folder)
    }

    /// The usual size, or a small one in a quick run.
    pub(crate) fn size(&self, usual: usize, quick: usize) -> usize {
        if self.options.quick { quick } else { usual }
    }

    /// Whether any row of a group is wanted.
    pub(crate) fn wants(&self, key: &str) -> bool {
        let rows = &self.options.rows;
        rows.is_empty() || rows.iter().any(|wanted| crate::arguments::names(wanted, key))
    }

    /// A part of a row in a process of its own, so that it can be stopped and its memory is seen.
    /// Its answer is one JSON value.
    pub(crate) fn probe(&self, words: &[&str], limit: u64) -> Result<serde_json::Value, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::of("the bench", error))?;
        let mut command = Command::new(own);
        command.arg(crate::arguments::PROBE).args(words);
        let what = words.first().copied().unwrap_or_default();
        let ended = process::run(what, &mut command, limit)?.done(what)?;
        serde_json::from_str(&ended.out).map_err(|error| Failure::of(what, error))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder.join(WORK));
    }
}

fn lock(folder: &Path) -> Result<File, Failure> {
    let broken = |error: std::io::Error| Failure::of("the bench's lock", error);
    fs::create_dir_all(folder).map_err(broken)?;
    let file = File::create(folder.join("lock")).map_err(broken)?;
    file.try_lock().map_err(|_| {
        Failure::Broken("another bench is at work here: wait until it has ended".to_owned())
    })?;
    Ok(file)
}

/// Waits until the disk has taken what was written, so that one side does not pay for the other.
pub(crate) fn settle_disk() {
    let _ = Command::new("sync").status();
}

/// Builds the program in release; where it is fresh that takes cargo a moment.
fn build(target: &Path) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells a program of its own package would pass for a change of the environment.
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(variable);
        }
    }
    command.args(["build", "--release", "-p", "warmfront", "--bin", "warmfront"]);
    command.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    crate::say::progress("building the program");
    process::run("the build", &mut command, BUILD_MAX)?.done("the build")?;
    Ok(target.join("release").join("warmfront"))
}

/// What a run leaves behind is removed at its end.
const WORK: &str = "work";

const BUILD_MAX: u64 = 1_800;
