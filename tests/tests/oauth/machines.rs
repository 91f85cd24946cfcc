//! Machines whose mailboxes log in by tokens, with an identity provider and without mail servers: a
//! token is asked for before anybody connects.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use warmfront_tests::binary::{Answer, Installation, SENDER};
use warmfront_tests::identity::{CLIENT_SECRET, IdentityServer};

use super::world::ANN;

pub(crate) const BOB: &str = "bob@sender.example";

/// Machines with a folder each, and one set of books.
pub(crate) struct Machines {
    pub(crate) identity: IdentityServer,
    books: String,
    pub(crate) all: Vec<Installation>,
}

impl Machines {
    pub(crate) fn sharing(books: String, how_many: usize) -> Self {
        let identity = IdentityServer::start(Duration::from_secs(3_600));
        let mut machines = Self { identity, books, all: Vec::new() };
        for _ in 0..how_many {
            let mut machine = Installation::empty();
            machine.secret("CLIENT_SECRET", CLIENT_SECRET);
            machines.all.push(machine);
            machines.configure(machines.all.len() - 1, "");
        }
        machines
    }

    /// One machine with its own books.
    pub(crate) fn one() -> Self {
        Self::sharing("sqlite://warmfront.db".to_owned(), 1)
    }

    /// Writes the configuration of a machine, with these lines in `[store]`.
    pub(crate) fn configure(&self, machine: usize, store: &str) {
        let auth = self.identity.auth("microsoft", "device");
        let mut config = format!("{SENDER}\n[store]\nurl = \"{}\"\n{store}\n", self.books);
        for address in [ANN, BOB] {
            config.push_str(&format!(
                "[[mailbox]]\naddress = \"{address}\"\nprovider = \"smtp\"\n{auth}\n\
                 smtp = {{ host = \"127.0.0.1\", port = 9, tls = \"none\" }}\n\
                 imap = {{ host = \"127.0.0.1\", port = 9, tls = \"none\" }}\n"
            ));
        }
        self.all[machine].write("warmfront.toml", config);
    }

    /// Somebody brings a refresh token for a mailbox to a machine.
    pub(crate) fn log_in(&self, machine: usize, mailbox: &str, words: &[&str]) -> Answer {
        self.put(machine, "refresh", &self.identity.consent(mailbox));
        let all = ["mailbox", "login", mailbox, "--json", "--refresh-token", "refresh"];
        self.all[machine].run(&[&all, words].concat())
    }

    /// How often a refresh token was spent.
    pub(crate) fn spent(&self) -> usize {
        self.identity.asked().grants.values().sum()
    }

    pub(crate) fn key(&self, machine: usize) -> Option<String> {
        std::fs::read_to_string(self.all[machine].file("warmfront.key")).ok()
    }

    /// Writes a file that nobody else may read.
    pub(crate) fn put(&self, machine: usize, name: &str, text: &str) {
        self.all[machine].write(name, text);
        let ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.all[machine].file(name), ours).expect("our file");
    }

    pub(crate) fn put_key(&self, machine: usize, key: &str) {
        self.put(machine, "warmfront.key", key);
    }

    /// The state of a mailbox, and why it is paused.
    pub(crate) fn standing(&self, mailbox: &str) -> (String, String) {
        let list = self.all[0].run(&["mailbox", "list", "--json"]).done().json_lines();
        let one = list.iter().find(|one| one["address"] == mailbox).expect("the mailbox");
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("why"))
    }
}
