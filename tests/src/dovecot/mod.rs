//! A Dovecot of the tests' own: nothing of the machine's is read or written, it listens on this
//! machine only, and it ends with the process.
//!
//! Its folders are called as people call them elsewhere, and only their uses say what they are for.
//! Mail is put into them as files, or comes from a Postfix. Installs Dovecot where it is missing and it
//! may; names the line to type where it may not.

mod config;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;

use warmfront_mail::imap::{Account, Deadlines};
use warmfront_mail::server::{Credentials, Tls};

use crate::binary::wait_until;
use crate::identity::Introspection;
use crate::instance::{self, as_root};
use crate::machine::{Software, free_port, install, provide, run};
use crate::server::certificate;

/// A running Dovecot with its files.
#[derive(Debug)]
pub struct Dovecot {
    folder: PathBuf,
    ports: Vec<u16>,
    ca_pem: String,
    delivered: Mutex<u32>,
    _watchdog: Child,
}

/// A folder of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// INBOX.
    Inbox,
    /// Where spam goes: `Unerwünscht`.
    Junk,
    /// Where copies of sent mail lie: `Envoyés`.
    Sent,
    /// One that is none of our business, though its name says otherwise: `Sent`.
    Decoy,
}

impl Dovecot {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is no Dovecot to be had: no test can go on then.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// One that takes tokens beside passwords, shown by these mechanisms, and asks there what they are
    /// good for.
    #[must_use]
    pub fn believing(introspection: &Introspection, mechanisms: &str) -> Self {
        Self::start_with(Some((introspection, mechanisms)))
    }

    fn start_with(tokens: Option<(&Introspection, &str)>) -> Self {
        provide(&DOVECOT, find, install).unwrap_or_else(|why| panic!("{why}"));
        let (folder, watchdog) =
            instance::begin("imap", "doveadm -c \"$1/dovecot.conf\" stop; sleep 0.2");
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let papers = certificate::papers();
        let write =
            |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
        write(
            "dovecot.conf",
            &config::text(&folder, &ports, tokens.map(|(_, mechanisms)| mechanisms)),
        );
        if let Some((introspection, _)) = tokens {
            write(config::TOKENS, &config::tokens(introspection));
        }
        write("certificate.pem", &papers.certificate);
        write("key.pem", &papers.key);
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&folder, open).expect("our folder");
        let begin = "set -e; mkdir run state mail; chown \"$1\" mail";
        run(as_root("sh").args(["-c", begin, "begin", &instance::owner()]).current_dir(&folder));
        std::fs::create_dir(folder.join("passwords")).expect("a folder");
        let delivered = Mutex::default();
        let dovecot = Self { folder, ports, ca_pem: papers.ca, delivered, _watchdog: watchdog };
        dovecot.open();
        dovecot
    }

    /// Takes connections.
    pub fn open(&self) {
        run(as_root("dovecot").arg("-c").arg(self.config()));
        self.await_port(true);
    }

    /// Ends every connection and takes no more.
    pub fn shut(&self) {
        run(as_root("doveadm").arg("-c").arg(self.config()).arg("stop"));
        self.await_port(false);
        let pid = self.folder.join("run/master.pid");
        wait_until("its master has ended", || !pid.exists());
    }

    /// Ends the connections of a user, or of all whose names fit; says whether there was one.
    pub fn kick(&self, users: &str) -> bool {
        let kicked = as_root("doveadm")
            .arg("-c")
            .arg(self.config())
            .args(["kick", users])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        kicked.is_ok_and(|status| status.success())
    }

    /// Gives somebody a mailbox.
    pub fn admit(&self, user: &str, password: &str) {
        self.set_password(user, password);
        for folder in [Folder::Inbox, Folder::Junk, Folder::Sent, Folder::Decoy] {
            for part in ["cur", "new", "tmp"] {
                std::fs::create_dir_all(self.maildir(user, folder).join(part)).expect("a folder");
            }
        }
        let home = self.folder.join("mail").join(user);
        run(as_root("chown").args(["-R", &instance::owner()]).arg(home));
    }

    /// Files copies of what somebody submits in their Sent folder, as large providers do.
    pub fn files_copies(&self, user: &str) {
        self.set_rules(user, config::COPIES_TO_SENT);
    }

    /// Answers what comes to somebody with this text, once for each who writes (RFC 5230).
    pub fn answers_for(&self, user: &str, text: &str) {
        let rules = format!("require \"vacation\";\nvacation :subject \"I am away\" \"{text}\";\n");
        self.set_rules(user, &rules);
    }

    fn set_rules(&self, user: &str, rules: &str) {
        let file = self.folder.join("mail").join(user).join(config::RULES);
        std::fs::write(file, rules).expect("a file");
    }

    /// Takes this for somebody's password, a second from now at the latest.
    pub fn set_password(&self, user: &str, password: &str) {
        let file = self.folder.join("passwords").join(user);
        std::fs::write(file, format!("{user}:{{PLAIN}}{password}\n")).expect("a file");
    }

    /// Puts a message into a folder, as a delivery does.
    pub fn deliver(&self, user: &str, folder: Folder, message: &str) {
        self.deliver_as(user, folder, message, "");
    }

    /// The same with something behind the file's name, by which Dovecot is told of its size.
    pub fn deliver_as(&self, user: &str, folder: Folder, message: &str, mark: &str) {
        let mut delivered = self.delivered.lock().expect("no panic in between");
        *delivered += 1;
        let name = format!("{:010}.{delivered}.test{mark}", 1_700_000_000 + *delivered);
        let maildir = self.maildir(user, folder);
        std::fs::write(maildir.join("tmp").join(&name), message).expect("a message");
        std::fs::rename(maildir.join("tmp").join(&name), maildir.join("new").join(&name))
            .expect("a delivery");
    }

    /// Makes a folder's messages unreadable whose file names end with `mark`, or readable again.
    pub fn lock(&self, user: &str, folder: Folder, mark: &str, is_locked: bool) {
        let mode = if is_locked { 0o000 } else { 0o644 };
        for file in self.files(user, folder) {
            if file.to_string_lossy().contains(mark) {
                let permissions = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(file, permissions).expect("a message");
            }
        }
    }

    /// Gives the messages of a folder new numbers, as a server does that was restored.
    pub fn renumber(&self, user: &str, folder: Folder) {
        let maildir = self.maildir(user, folder);
        let wipe = "rm -f \"$1\"/dovecot-uidlist* \"$1\"/dovecot.index*";
        run(as_root("sh").args(["-c", wipe, "wipe"]).arg(maildir));
        self.kick(user);
    }

    /// The messages of a folder that somebody has marked, in whatever way.
    #[must_use]
    pub fn marked(&self, user: &str, folder: Folder) -> Vec<String> {
        let names = self.files(user, folder).into_iter();
        let names = names.map(|file| file.file_name().expect("a name").display().to_string());
        names
            .filter(|name| name.split_once(":2,").is_some_and(|(_, marks)| !marks.is_empty()))
            .collect()
    }

    /// The messages of a folder, in no particular order.
    #[must_use]
    pub fn messages(&self, user: &str, folder: Folder) -> Vec<String> {
        let read = |file| String::from_utf8(std::fs::read(file).expect("a message"));
        self.files(user, folder).into_iter().map(|file| read(file).expect("in UTF-8")).collect()
    }

    /// How many messages a folder holds.
    #[must_use]
    pub fn count(&self, user: &str, folder: Folder) -> usize {
        self.files(user, folder).len()
    }

    /// How a user reaches it.
    #[must_use]
    pub fn account(&self, user: &str, password: &str, tls: Tls) -> Account {
        Account {
            username: user.to_owned(),
            credentials: Some(Credentials::Password(password.into())),
            host: "127.0.0.1".to_owned(),
            port: self.port(tls),
            tls,
            roots: Some(self.ca_pem.clone().into_bytes()),
            deadlines: Deadlines::default(),
        }
    }

    /// Where it listens, with or without TLS from the first byte.
    #[must_use]
    pub fn port(&self, tls: Tls) -> u16 {
        self.ports[usize::from(tls == Tls::Implicit)]
    }

    /// Where mail is handed to it, by LMTP (RFC 2033).
    #[must_use]
    pub fn lmtp(&self) -> PathBuf {
        self.folder.join("run/lmtp")
    }

    /// Where it is asked whether a password is right.
    #[must_use]
    pub fn auth(&self) -> PathBuf {
        self.folder.join("run/auth-submission")
    }

    /// Where it hands on what it writes itself. Who takes it is for others to say.
    #[must_use]
    pub fn outgoing_port(&self) -> u16 {
        self.ports[2]
    }

    /// The CA that vouches for it.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    fn files(&self, user: &str, folder: Folder) -> Vec<PathBuf> {
        let maildir = self.maildir(user, folder);
        let parts = ["new", "cur"].map(|part| maildir.join(part));
        let files = parts.iter().flat_map(|part| std::fs::read_dir(part).into_iter().flatten());
        files.map(|file| file.expect("a file").path()).collect()
    }

    fn maildir(&self, user: &str, folder: Folder) -> PathBuf {
        let home = self.folder.join("mail").join(user).join("Maildir");
        match folder {
            Folder::Inbox => home,
            Folder::Junk => home.join(format!(".{}", config::JUNK_IN_UTF7)),
            Folder::Sent => home.join(format!(".{}", config::SENT_IN_UTF7)),
            Folder::Decoy => home.join(".Sent"),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("dovecot.conf")
    }

    fn await_port(&self, is_open: bool) {
        wait_until("Dovecot listens, or no longer", || {
            let tried = std::net::TcpStream::connect(("127.0.0.1", self.ports[0]));
            tried.is_ok() == is_open
        });
    }
}

fn find() -> Option<()> {
    let parts = ["imap", "lmtp", "modules/lib90_sieve_plugin.so"];
    parts.iter().all(|part| Path::new("/usr/lib/dovecot").join(part).exists()).then_some(())
}

/// A policy forbids that Debian's package starts a server, unless the machine has a policy already.
const DOVECOT: Software = Software {
    name: "Dovecot",
    packages: "dovecot-core dovecot-imapd dovecot-lmtpd dovecot-sieve",
    before: "policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
            trap 'exit 1' HUP INT TERM
            printf '#!/bin/sh\\nexit 101\\n' >$policy
            chmod 755 $policy
        fi",
    by_hand: "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        --no-remove dovecot-core dovecot-imapd dovecot-lmtpd dovecot-sieve",
};
