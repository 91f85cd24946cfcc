//! Where the program under test is.
//!
//! Only a package's own tests are told by cargo where its programs lie, and only those get them
//! built. So these tests have it built themselves, with the profile they were built with; where it
//! is fresh, as after `cargo test --workspace`, that takes cargo a moment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program, as fresh as the source.
///
/// # Panics
///
/// If it cannot be built: then there is nothing to test.
#[must_use]
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it lies");
    let tagged = |folder: &&Path| folder.join("CACHEDIR.TAG").exists();
    let target = test.ancestors().find(tagged).expect("cargo tags its target folder");
    let folder = test.ancestors().nth(2).and_then(Path::file_name).expect("PROFILE/deps/TEST");
    let profile = if folder == "debug" { "dev".as_ref() } else { folder };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // As `cargo test --workspace` builds it for the tests of its own package. Asked for in any other
    // way, it would lack the features that dev-dependencies turn on, and half of all would be built
    // again. Without the network, for `cargo test --workspace` has fetched all that it takes.
    let mut command = Command::new(cargo);
    // What cargo told this test of its own package would pass for a change of the environment, and
    // build scripts that watch it would run again, here and in the next build of the tests.
    for (variable, _) in std::env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if ours.iter().any(|ours| variable.to_string_lossy().starts_with(ours)) {
            command.env_remove(variable);
        }
    }
    let built = command
        .args(["test", "--workspace", "--no-run", "--test", ITS_OWN_TEST, "--offline"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--profile")
        .arg(profile)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8_lossy(&built.stdout);
    let path = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["kind"][0] == "bin";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    path.expect("cargo names the program it built")
}

/// A test of the program's own package: what cargo builds programs for.
const ITS_OWN_TEST: &str = "demo";
