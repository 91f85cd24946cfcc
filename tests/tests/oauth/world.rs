//! A mail world that takes tokens, and an installation whose mailboxes have them.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};
use std::time::Duration;

use serde_json::Value;
use warmfront_mail::server::Tls;
use warmfront_tests::binary::{Answer, Installation, SENDER, list};
use warmfront_tests::dovecot::Dovecot;
use warmfront_tests::identity::{CLIENT_SECRET, IdentityServer};
use warmfront_tests::postfix::{Door, Postfix};

use super::identity::Identity;

pub(crate) struct World<I = IdentityServer> {
    pub(crate) identity: I,
    pub(crate) dovecot: Dovecot,
    pub(crate) postfix: Postfix,
    pub(crate) installation: Installation,
    mailboxes: Vec<String>,
    /// Where the books are, if not beside the configuration.
    books: Option<String>,
}

/// Who has a mailbox, unless a test needs more.
pub(crate) const ANN: &str = "ann@sender.example";

impl World {
    /// A world whose tokens live so long, and mailboxes that log in by this flow.
    pub(crate) fn of(lives: Duration, identity: &str, flow: &str, mailboxes: &[&str]) -> Self {
        Self::that_takes("xoauth2 oauthbearer", lives, identity, flow, mailboxes)
    }

    /// The same with servers that take tokens by these mechanisms.
    pub(crate) fn that_takes(
        mechanisms: &str,
        lives: Duration,
        identity: &str,
        flow: &str,
        mailboxes: &[&str],
    ) -> Self {
        let provider = IdentityServer::start(lives);
        let auth = provider.auth(identity, flow);
        Self::behind(provider, mechanisms, &auth, mailboxes)
    }
}

impl<I: AsRef<dyn Identity>> World<I> {
    /// Mail servers that believe this identity provider, and mailboxes with such an `auth`.
    pub(crate) fn behind(identity: I, mechanisms: &str, auth: &str, mailboxes: &[&str]) -> Self {
        let dovecot = Dovecot::believing(&identity.as_ref().introspection(), mechanisms);
        let postfix = Postfix::before(&dovecot);
        for mailbox in mailboxes {
            // Nobody knows this password: only tokens let anybody in.
            dovecot.admit(mailbox, "unused");
            dovecot.files_copies(mailbox);
        }
        let mut installation = Installation::empty();
        installation.write("smtp.pem", postfix.ca_pem());
        installation.write("imap.pem", dovecot.ca_pem());
        installation.secret("CLIENT_SECRET", CLIENT_SECRET);
        let mailboxes = mailboxes.iter().map(|&address| address.to_owned()).collect();
        let world = Self { identity, dovecot, postfix, installation, mailboxes, books: None };
        world.configure(auth);
        world
    }

    /// The same with its books elsewhere.
    pub(crate) fn with_books(self, url: String, auth: &str) -> Self {
        let world = Self { books: Some(url), ..self };
        world.configure(auth);
        world
    }

    /// Where the books are.
    pub(crate) fn books(&self) -> String {
        let file = || format!("sqlite://{}", self.installation.file("warmfront.db").display());
        self.books.clone().unwrap_or_else(file)
    }

    /// Writes the configuration, with this `auth` for all mailboxes.
    pub(crate) fn configure(&self, auth: &str) {
        let zone = self.installation.zone_by_day();
        let (smtp, imap) = (self.postfix.port(Door::Starttls), self.dovecot.port(Tls::Implicit));
        let mut config = format!(
            "{SENDER}\n[store]\nurl = \"{}\"\n[defaults]\ntimezone = \"{zone}\"\n\
             [limits]\ncompany_per_day = 10\nperson_gap = \"0s\"\noverride = true\n",
            self.books()
        );
        for address in &self.mailboxes {
            writeln!(
                config,
                "[[mailbox]]\naddress = \"{address}\"\nprovider = \"smtp\"\n{auth}\n\
                 smtp = {{ host = \"127.0.0.1\", port = {smtp}, tls = \"starttls\", \
                 ca = \"smtp.pem\" }}\n\
                 imap = {{ host = \"127.0.0.1\", port = {imap}, tls = \"implicit\", \
                 ca = \"imap.pem\" }}\n\
                 override = true\ncap = 500\nwarmup = \"off\"\ngap = \"0s\"\npace = \"asap\"\n\
                 window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}"
            )
            .expect("text takes text");
        }
        self.installation.write("warmfront.toml", config);
    }

    /// Logs in by a refresh token that somebody has brought.
    #[track_caller]
    pub(crate) fn log_in(&self, mailbox: &str) {
        self.installation.write("refresh", self.identity.as_ref().consent(mailbox));
        self.close_to_others("refresh");
        let words = ["mailbox", "login", mailbox, "--refresh-token", "refresh"];
        let _ = self.installation.run(&words).done();
    }

    /// Lets nobody else read a file.
    pub(crate) fn close_to_others(&self, file: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.installation.file(file), ours).expect("our file");
    }

    /// Begins a campaign to so many people.
    #[track_caller]
    pub(crate) fn begin(&self, name: &str, people: usize) {
        let folder = format!("campaigns/{name}");
        let zone = self.installation.zone_by_day();
        let manifest = format!(
            "name = \"{name}\"\ndaily_target = {people}\nmailboxes = [\"*@sender.example\"]\n\
             list_source = \"made up for a test\"\ntimezone = \"{zone}\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n\
             [[step]]\ntemplate = \"steps/1.hbs\"\n"
        );
        self.installation.write(&format!("{folder}/campaign.toml"), manifest);
        self.installation.write(&format!("{folder}/prospects.csv"), list(name, people));
        let text = "Subject: A question, {{first_name}}\n\nHello {{first_name}}.\n";
        self.installation.write(&format!("{folder}/steps/1.hbs"), text);
        for nr in 0..people {
            self.dovecot.admit(&format!("p{nr}@{name}-{nr}.example"), "unused");
        }
        let _ = self.installation.run(&["campaign", "import", &folder]).done();
        let _ = self.installation.run(&["campaign", "start", name]).done();
    }

    /// How many messages are in a state.
    pub(crate) fn count(&self, state: &str) -> usize {
        self.installation.ledger().iter().filter(|line| line.state == state).count()
    }

    /// The answer to a command given as one line.
    #[track_caller]
    pub(crate) fn told(&self, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        self.installation.run(&words).done().json()
    }

    /// What `status` says of a mailbox: its state, and why.
    #[track_caller]
    pub(crate) fn standing(&self, mailbox: &str) -> (String, String) {
        let status = self.told("status");
        let all = status["mailboxes"].as_array().expect("mailboxes");
        let one = all.iter().find(|one| one["address"] == mailbox).expect("the mailbox");
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("why"))
    }

    /// Nothing of what the program says, and no file of its own, holds a token.
    #[track_caller]
    pub(crate) fn keeps_secrets(&self, answers: &[&Answer]) {
        let secrets = self.identity.as_ref().secrets();
        assert!(!secrets.is_empty(), "there is nothing to keep");
        let given = ["refresh"];
        let files = std::fs::read_dir(self.installation.path()).expect("our folder");
        let files = files.map(|file| file.expect("a file").path()).filter(|file| file.is_file());
        let ours = files.filter(|file| {
            let name = file.file_name().and_then(|name| name.to_str());
            name.is_none_or(|name| !given.contains(&name))
        });
        let read = ours.map(|file| std::fs::read(file).expect("a file"));
        let said = answers.iter().map(|said| format!("{}{}", said.out, said.err).into_bytes());
        for octets in read.chain(said) {
            let text = String::from_utf8_lossy(&octets);
            for secret in secrets.iter().map(String::as_str).chain([CLIENT_SECRET]) {
                assert!(!text.contains(secret), "a secret is told: {text}");
            }
        }
    }
}

/// A command that waits for somebody, and what it says meanwhile.
pub(crate) struct Waiting {
    child: Child,
    err: BufReader<ChildStderr>,
    said: String,
}

impl Waiting {
    pub(crate) fn begin(installation: &Installation, words: &[&str]) -> Self {
        let mut command = installation.command(words);
        let piped = std::process::Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(piped());
        let mut child = command.spawn().expect("the program starts");
        let err = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, err, said: String::new() }
    }

    /// What follows `begin` on the first line that has it.
    #[track_caller]
    pub(crate) fn says(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.err.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended without saying {begin:?}: {}", self.said);
            self.said.push_str(&line);
            if let Some((_, rest)) = line.split_once(begin) {
                return rest.trim_end().to_owned();
            }
        }
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        let keyboard = self.child.stdin.as_mut().expect("it is piped");
        keyboard.write_all(format!("{line}\n").as_bytes()).expect("it listens");
    }

    /// How it ended.
    pub(crate) fn ended(mut self) -> Answer {
        self.err.read_to_string(&mut self.said).expect("text");
        let output = self.child.wait_with_output().expect("it ends");
        Answer { err: self.said, ..Answer::from(output) }
    }
}

/// Does what a browser does: asks, and says where it is sent, if anywhere.
pub(crate) fn browse(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://").expect("an address of this machine");
    let (host, path) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut tcp = TcpStream::connect(host).expect("somebody listens");
    let question = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    tcp.write_all(question.as_bytes()).expect("somebody listens");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).expect("an answer");
    answer.lines().find_map(|line| line.strip_prefix("Location: ")).map(str::to_owned)
}
