//! Secrets, which stand in no file of ours: a configuration only says where each is to be found.
//!
//! They are looked up when they are needed, kept in memory that prints as `[REDACTED]`, and named
//! in no message. Does not keep them: that is the environment's, the file's or the command's work.
//! Whoever is asked has half a minute, and whoever asks waits for it on a thread of its own.

mod disks;
mod keyring;

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use warmfront_mail::submit::Trouble;

use self::disks::Disks;
use self::keyring::{Keyring, NotGiven};
use crate::config::{AuthRef, Mailbox};

/// Where a secret is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file nobody else may read.
    File(PathBuf),
    /// On the first line of what a command prints; run by `sh -c`.
    Command(String),
    /// In the keyring of the session that Warmfront is started in.
    Keyring {
        /// The service that the entry is for.
        service: String,
        /// The user's name there.
        user: String,
    },
}

/// Who keeps secrets, and may be away. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Keepers {
    keyring: Keyring,
    disks: Disks,
}

impl Keepers {
    /// The session's keyring, and this machine's disks.
    pub(crate) fn new() -> Self {
        Self { keyring: Keyring::new(), disks: Disks::new() }
    }
}

/// Why a secret could not be had. Says whose it is, never what it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The variable is not there.
    #[error(
        "{whose}: the environment variable `{name}` is not set; set it where Warmfront is started, \
         and start it again: it keeps the environment it began with"
    )]
    Unset { whose: String, name: String },
    /// The file is not there or not ours to read.
    #[error("{whose}: the secret file {} cannot be read: {why}", file.display())]
    Unreadable { whose: String, file: PathBuf, why: io::Error },
    /// Others may read the file.
    #[error(
        "{whose}: others may read the secret file {0}; run `chmod 600 {0}`",
        file.display()
    )]
    Open { whose: String, file: PathBuf },
    /// The command said no, or could not be run.
    #[error("{whose}: the command `{command}` {why}; run it by hand to see what it says")]
    Failed { whose: String, command: String, why: String },
    /// What was found is no secret.
    #[error("{whose}: what stands in {place} {why}")]
    Unusable { whose: String, place: String, why: &'static str },
    /// The keyring has no such entry.
    #[error("{whose}: the keyring has nothing for `{service}/{user}`; put it there first")]
    NoEntry { whose: String, service: String, user: String },
    /// There is no keyring, or it is locked.
    #[error(
        "{whose}: there is no keyring to be asked here ({why}); on a server say `env`, `file` or \
         `command` instead"
    )]
    NoKeyring { whose: String, why: String },
    /// The keyring hangs.
    #[error(
        "{whose}: the keyring does not answer; it may be locked and wait for somebody: unlock it, or \
         on a server say `env`, `file` or `command` instead"
    )]
    Silent { whose: String },
}

impl SecretError {
    /// What it means for whoever wants to log in: whoever keeps secrets for others may be away for a
    /// moment, and what is written nowhere stays so.
    pub(crate) fn into_trouble(self) -> Trouble {
        match self {
            Self::Failed { .. } | Self::NoKeyring { .. } | Self::Silent { .. } => {
                Trouble::SecretAway(self.to_string())
            }
            // A disk of another machine that does not answer.
            Self::Unreadable { ref why, .. } if !is_said_for_good(why) => {
                Trouble::SecretAway(self.to_string())
            }
            Self::Unset { .. }
            | Self::Unreadable { .. }
            | Self::Open { .. }
            | Self::Unusable { .. }
            | Self::NoEntry { .. } => Trouble::NoSecret(self.to_string()),
        }
    }
}

/// A password as its provider wants it.
pub(crate) fn password(
    secret: &SecretRef,
    mailbox: &Mailbox,
    keepers: &Keepers,
) -> Result<SecretString, SecretError> {
    let mut password = line(secret, mailbox.address.as_str(), keepers)?;
    if mailbox.provider.app_password {
        // Shown as `abcd efgh ijkl mnop`, to be given without the blanks.
        password.retain(|c| c != ' ');
    }
    Ok(password.into())
}

/// What has to be done beside changing a mailbox's password, where a daemon would not see it change.
pub(crate) fn restart(mailbox: &Mailbox) -> Option<String> {
    let Some(AuthRef::Password(SecretRef::Env(name))) = &mailbox.auth else { return None };
    Some(format!(
        "After a change of `{name}` start the daemon again: it keeps the environment it began with."
    ))
}

/// A secret that is one line of text.
pub(crate) fn text(
    secret: &SecretRef,
    whose: &str,
    keepers: &Keepers,
) -> Result<SecretString, SecretError> {
    line(secret, whose, keepers).map(SecretString::from)
}

/// A secret that may be many lines, such as a key file.
pub(crate) fn document(
    secret: &SecretRef,
    whose: &str,
    keepers: &Keepers,
) -> Result<SecretString, SecretError> {
    let bytes = octets(secret, whose, keepers)?;
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| not_text(secret, whose))
}

/// One line of text, without the line break most editors and commands leave at its end.
fn line(secret: &SecretRef, whose: &str, keepers: &Keepers) -> Result<String, SecretError> {
    let unusable =
        |why| SecretError::Unusable { whose: whose.to_owned(), place: place(secret), why };
    let bytes = octets(secret, whose, keepers)?;
    let text = String::from_utf8(bytes).map_err(|_| not_text(secret, whose))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(unusable("is empty"));
    }
    if text.contains(char::is_control) {
        return Err(unusable("is more than one line of text; a secret is exactly one"));
    }
    Ok(text.to_owned())
}

fn octets(secret: &SecretRef, whose: &str, keepers: &Keepers) -> Result<Vec<u8>, SecretError> {
    match secret {
        SecretRef::Env(name) => std::env::var_os(name)
            .map(std::ffi::OsString::into_encoded_bytes)
            .ok_or_else(|| SecretError::Unset { whose: whose.to_owned(), name: name.clone() }),
        SecretRef::File(file) => contents(&keepers.disks, file, whose),
        SecretRef::Command(command) => printed(command, whose),
        SecretRef::Keyring { service, user } => kept(&keepers.keyring, service, user, whose),
    }
}

fn not_text(secret: &SecretRef, whose: &str) -> SecretError {
    let why = "is not text (UTF-8)";
    SecretError::Unusable { whose: whose.to_owned(), place: place(secret), why }
}

fn place(secret: &SecretRef) -> String {
    match secret {
        SecretRef::Env(name) => format!("the environment variable `{name}`"),
        SecretRef::File(file) => format!("the secret file {}", file.display()),
        SecretRef::Command(command) => format!("the answer of the command `{command}`"),
        SecretRef::Keyring { service, user } => format!("the keyring for `{service}/{user}`"),
    }
}

fn contents(disks: &Disks, file: &Path, whose: &str) -> Result<Vec<u8>, SecretError> {
    let (whose, file) = (whose.to_owned(), file.to_owned());
    match disks.read(&file, SECRET_MAX) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(SecretError::Open { whose, file }),
        Err(why) => Err(SecretError::Unreadable { whose, file, why }),
    }
}

/// Whether looking again changes nothing: it is not there, or not ours to read.
fn is_said_for_good(why: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(why.kind(), NotFound | PermissionDenied | IsADirectory | NotADirectory)
}

fn printed(command: &str, whose: &str) -> Result<Vec<u8>, SecretError> {
    let failed = |why: String| SecretError::Failed {
        whose: whose.to_owned(),
        command: command.to_owned(),
        why,
    };
    let unstartable = |error: io::Error| failed(format!("cannot be run: {error}"));
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Of its own, so that it ends with all that it has started.
        .process_group(0)
        .spawn()
        .map_err(unstartable)?;
    let said = match child.stdout.take().map(heard).transpose() {
        Ok(said) => said,
        Err(error) => {
            stop(child);
            return Err(unstartable(error));
        }
    };
    for left in (0..COMMAND_POLLS).rev() {
        if let Some(status) = child.try_wait().map_err(unstartable)? {
            if !status.success() {
                return Err(failed(format!("failed ({status})")));
            }
            // What it has started in the background may keep the pipe open.
            let said = said.map(|said| said.recv_timeout(COMMAND_POLL * (left + 1)));
            let said = said.and_then(Result::ok);
            let Some(said) = said else {
                stop(child);
                return Err(failed("has ended, and what it left running has not".to_owned()));
            };
            return said.map_err(unstartable);
        }
        std::thread::sleep(COMMAND_POLL);
    }
    stop(child);
    Err(failed("did not end within 30 seconds".to_owned()))
}

/// All that comes out of a pipe, read on a thread of its own: nothing else ends a read.
fn heard(pipe: ChildStdout) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.take(SECRET_MAX).read_to_end(&mut bytes);
        // Nobody waits for it where the command was given up.
        let _ = tell.send(read.map(|_| bytes));
    })?;
    Ok(told)
}

fn kept(keyring: &Keyring, service: &str, user: &str, whose: &str) -> Result<Vec<u8>, SecretError> {
    let whose = || whose.to_owned();
    keyring.ask(service, user).map(String::into_bytes).map_err(|why| match why {
        NotGiven::NoEntry => {
            let (service, user) = (service.to_owned(), user.to_owned());
            SecretError::NoEntry { whose: whose(), service, user }
        }
        NotGiven::NoKeyring(why) => SecretError::NoKeyring { whose: whose(), why },
        NotGiven::Silent => SecretError::Silent { whose: whose() },
    })
}

/// Ends a command that hangs, with all that it has started. What is gone already needs no more.
fn stop(mut child: Child) {
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.wait();
}

/// No password is longer, and a pipe holds as much: a command that prints it can end.
const SECRET_MAX: u64 = 16 << 10;

/// Thirty seconds: long enough for a password manager that asks the network, short enough for one
/// that asks a person who is not there.
const COMMAND_POLLS: u32 = 1_500;
const COMMAND_POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
