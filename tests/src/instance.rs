//! What the mail servers of the tests' own have in common: a folder, ports, whose the mail is, and an
//! end that comes with the end of the process.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::machine::is_root;

/// A folder for a server, in memory where the machine offers it, and whoever ends the server by
/// `stop` and takes the folder away when this process is gone, in whatever way.
pub(crate) fn begin(name: &str, stop: &str) -> (PathBuf, Child) {
    let memory = PathBuf::from("/dev/shm");
    let home = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix(&format!("warmfront-{name}-")).tempdir_in(home);
    let folder = folder.expect("a folder");
    let watchdog = watchdog(folder.path(), stop);
    (folder.keep(), watchdog)
}

/// A shell that waits for its standard input to end; in a group of its own, so that what ends the
/// tests from the keyboard leaves it to its work.
fn watchdog(folder: &Path, stop: &str) -> Child {
    // What is ending may still write while its folder goes.
    let stop = format!("cat; {stop}; rm -rf \"$1\" || {{ sleep 1; rm -rf \"$1\"; }}");
    as_root("sh")
        .args(["-c", &stop, "watchdog"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a watchdog")
}

/// Mail servers begin as root, and give their processes to others themselves.
#[must_use]
pub fn as_root(program: &str) -> Command {
    if is_root() {
        return with_path(Command::new(program));
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).output();
    assert!(
        sudo.is_ok_and(|output| output.status.success()),
        "a mail server must be started as root, and sudo is not free here; type: sudo -v"
    );
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    with_path(command)
}

/// Where Debian keeps servers; not everybody's path has it.
fn with_path(mut command: Command) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Whose the mail is, `user:group`: ours, or where we are root that of nobody in particular, since
/// servers touch no mail as root.
pub(crate) fn owner() -> String {
    if is_root() {
        return "65534:65534".to_owned();
    }
    let id = |which: &str| {
        let said = Command::new("id").arg(which).output().expect("`id` is everywhere").stdout;
        String::from_utf8(said).expect("a number").trim().to_owned()
    };
    format!("{}:{}", id("-u"), id("-g"))
}
