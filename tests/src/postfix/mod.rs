//! A Postfix of the tests' own: nothing of the machine's is read or written, it listens on this
//! machine only, and it ends with the process.
//!
//! Stricter than Postfix is by default: a bare line feed, a command sent too early, or eight bits
//! that were not announced are refused. Installs Postfix where it is missing and it may; names the
//! line to type where it may not. What it received is read in `received`.
//!
//! By itself it keeps all mail in one folder; with a Dovecot behind it everybody has a mailbox there,
//! and a copy of what they submit.

mod config;
mod exchange;
mod passwords;
mod received;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use passwords::Passwords;

pub use config::{Door, login};
pub use exchange::Exchange;
pub use received::{Delivered, LogEntry, Received};

use crate::binary::{PATIENCE, wait_until, wait_within};
use crate::dovecot::Dovecot;
use crate::instance::{self, as_root};
use crate::machine::{Software, free_port, install, provide, run};
use crate::server::certificate;

/// A running Postfix with its files.
#[derive(Debug)]
pub struct Postfix {
    folder: PathBuf,
    ports: Vec<u16>,
    ca_pem: String,
    passwords: Passwords,
    /// How much of its log belongs to the past.
    log_read: usize,
    /// Ends it when this process does, in whatever way: its standard input closes then.
    _watchdog: Child,
}

impl Postfix {
    /// The one that all tests of this process share, to one of them at a time: whatever it receives
    /// meanwhile is that test's.
    ///
    /// # Panics
    ///
    /// If there is no Postfix to be had: no test can go on then.
    pub fn lent() -> MutexGuard<'static, Self> {
        static SHARED: OnceLock<Mutex<Postfix>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Mutex::new(Self::start(None)));
        let mut postfix = shared.lock().unwrap_or_else(PoisonError::into_inner);
        postfix.forget();
        postfix
    }

    /// One that takes mail to a Dovecot, which knows the log-ins too: each person's address.
    #[must_use]
    pub fn before(dovecot: &Dovecot) -> Self {
        Self::start(Some(dovecot))
    }

    fn start(onward: Option<&Dovecot>) -> Self {
        provide(&POSTFIX, find, install).unwrap_or_else(|why| panic!("{why}"));
        // It waits for the disk with every message.
        let (folder, watchdog) = instance::begin("mta", "postfix -c \"$1/etc\" abort");
        let mut ports: Vec<u16> = Door::ALL.iter().map(|_| free_port()).collect();
        if let Some(dovecot) = onward {
            ports[Door::Exchange as usize] = dovecot.outgoing_port();
        }
        let papers = certificate::papers();
        let etc = folder.join("etc");
        // Debian's Postfix looks for SASL's files there, whatever it is told.
        std::fs::create_dir_all(etc.join("sasl")).expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(etc.join(name), text).expect("a file");
        write("main.cf", &config::main(&folder, onward));
        write("master.cf", &config::master(&ports));
        write("mailboxes", config::MAILBOXES);
        write("logins", config::LOGINS);
        write("copies", config::COPIES);
        write("unlisted", config::UNLISTED);
        if let Some(dovecot) = onward {
            write("transport", &config::transport(&folder, dovecot));
        }
        write("sasl/smtpd.conf", &config::sasl(&folder, "PLAIN LOGIN"));
        write("sasl/login.conf", &config::sasl(&folder, "LOGIN"));
        write("certificate.pem", &papers.certificate);
        write("key.pem", &papers.key);
        // Its processes are of other users, and must get at what is theirs.
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("our folder");
        let passwords = Passwords::serve(&config::socket(&folder));
        let begin = "set -e; mkdir queue data mail; chown postfix data; chown \"$1\" mail
            exec postfix -c \"$PWD/etc\" start";
        let owner = instance::owner();
        run(as_root("sh").args(["-c", begin, "begin", &owner]).current_dir(&folder));
        Self { folder, ports, ca_pem: papers.ca, passwords, log_read: 0, _watchdog: watchdog }
    }

    /// The CA that vouches for it.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Where a door is.
    #[must_use]
    pub fn port(&self, door: Door) -> u16 {
        self.ports[door as usize]
    }

    /// Gives somebody a log-in.
    pub fn admit(&self, login: &str, password: &str) {
        self.passwords.admit(login, password);
    }

    /// The log-ins it has refused since it was lent.
    #[must_use]
    pub fn turned_away(&self) -> Vec<String> {
        self.passwords.turned_away()
    }

    /// All it has received since it was lent, once all of it is delivered.
    #[must_use]
    pub fn received(&self) -> Received {
        self.rest();
        // Its log is written by another program of its own.
        let sent = || self.log()[self.log_read..].matches(" status=sent ").count();
        wait_until("the log is whole", || sent() >= received::mails(&self.inbox()).len());
        Received::read(&self.inbox(), &self.log()[self.log_read..])
    }

    /// Another server at its door, with mail for somebody here.
    #[must_use]
    pub fn exchange(&self) -> Exchange {
        Exchange::at(self.port(Door::Exchange))
    }

    /// Lets the servers of `late.` be there from now on.
    pub fn let_the_late_in(&self, dovecot: &Dovecot) {
        std::os::unix::fs::symlink(dovecot.lmtp(), config::late(&self.folder)).expect("a link");
    }

    /// Waits until nothing is on its way any more.
    pub fn rest(&self) {
        let etc = self.folder.join("etc");
        // Other tests have it hold mail back for a while.
        wait_within(3 * PATIENCE, "the queue is empty", || {
            let asked = as_root("postqueue").arg("-c").arg(&etc).arg("-p").output();
            asked.is_ok_and(|said| said.stdout == b"Mail queue is empty\n")
        });
    }

    fn forget(&mut self) {
        self.rest();
        for mail in received::mails(&self.inbox()) {
            std::fs::remove_file(mail).expect("a mail that is ours");
        }
        self.log_read = self.log().len();
        self.passwords.forget();
    }

    fn inbox(&self) -> PathBuf {
        self.folder.join("mail").join(config::INBOX).join("new")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).expect("its log")
    }
}

/// Postfix, and the part of SASL that checks passwords.
fn find() -> Option<()> {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = libraries.map(|folder| folder.path().join("sasl2/libplain.so"));
    let found = Path::new("/usr/sbin/postfix").exists() && libraries.any(|plain| plain.exists());
    found.then_some(())
}

/// Debian's Postfix. Without a configuration the package starts no server; beside that a policy forbids to start
/// any, unless the machine has a policy already.
pub const POSTFIX: Software = Software {
    name: "Postfix",
    packages: "postfix libsasl2-modules",
    before:
        "echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
            trap 'exit 1' HUP INT TERM
            printf '#!/bin/sh\\nexit 101\\n' >$policy
            chmod 755 $policy
        fi",
    by_hand: "echo 'postfix postfix/main_mailer_type select No configuration' | \
        sudo debconf-set-selections && sudo DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends --no-remove postfix libsasl2-modules",
};
