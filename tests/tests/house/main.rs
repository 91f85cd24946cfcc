//! The rules of the house, each kept by a test: the arrows between crates, what the source may
//! say, and that documents and examples tell the truth.
//!
//! A rule that turns out wrong is changed here, in a commit of its own that says why. What clippy
//! can see for itself (`clippy.toml`, `[workspace.lints]`) is left to clippy.

mod arrows;
mod documents;
mod examples;
mod figures;
mod source;
mod tidy;

use std::path::{Path, PathBuf};

/// The workspace's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("`tests` lies in the workspace")
}

/// The text of a file of the workspace.
#[track_caller]
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// Every file the workspace is made of, by its path from the root, in order. Build results and the
/// books of a running Warmfront are not part of it.
fn files() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root().join(&folder)).expect("a readable folder");
        for entry in entries {
            let entry = entry.expect("a readable folder");
            let name = entry.file_name().into_string().expect("file names are UTF-8");
            let path = folder.join(&name);
            if entry.file_type().expect("its kind is known").is_dir() {
                if ![".git", "target", "node_modules"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if ![".db", ".db-shm", ".db-wal"].iter().any(|books| name.ends_with(books)) {
                files.push(path.to_str().expect("UTF-8, as its parts are").replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

/// Fails with every breach of a rule at once: a house is not tidied one crumb per run.
#[track_caller]
fn none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}
