//! An installation whose mailboxes send to Postfix, as fast as they can.

use std::fmt::Write as _;
use std::sync::MutexGuard;

use warmfront_tests::binary::{Answer, Installation, LedgerLine, SENDER};
use warmfront_tests::postfix::{Door, Postfix, Received, login};

pub(crate) struct Scene {
    pub(crate) postfix: MutexGuard<'static, Postfix>,
    pub(crate) installation: Installation,
    zone: String,
    mailboxes: Vec<Mailbox>,
}

/// A mailbox, and how it comes in.
pub(crate) struct Mailbox {
    pub(crate) address: String,
    pub(crate) password: String,
    pub(crate) door: Door,
    /// The name it logs in with, if it is not its own.
    pub(crate) login: String,
}

/// The outcome of a day, from both sides.
pub(crate) struct Outcome {
    pub(crate) ledger: Vec<LedgerLine>,
    pub(crate) received: Received,
}

impl Mailbox {
    /// The owner of an address, with a password of his own.
    pub(crate) fn new(address: &str, door: Door) -> Self {
        let password = format!("\u{fc}ber \"{address}\"");
        Self { login: login(address), address: address.to_owned(), password, door }
    }
}

impl Scene {
    /// Postfix knows the log-ins of all these mailboxes.
    pub(crate) fn of(mailboxes: Vec<Mailbox>) -> Self {
        let postfix = Postfix::lent();
        let mut installation = Installation::empty();
        let zone = installation.zone_by_day();
        let mut config = format!("{SENDER}\n[defaults]\ntimezone = \"{zone}\"\n");
        for (nr, mailbox) in mailboxes.iter().enumerate() {
            postfix.admit(&mailbox.login, &mailbox.password);
            installation.secret(&format!("PASSWORD_{nr}"), &mailbox.password);
            let port = postfix.port(mailbox.door);
            writeln!(config, "{}", mailbox.config(nr, port)).expect("text takes text");
        }
        installation.write("warmfront.toml", config);
        installation.write("ca.pem", postfix.ca_pem());
        Self { postfix, installation, zone, mailboxes }
    }

    /// Sends a campaign of one step to these people at any hour, until nothing is left for today.
    #[track_caller]
    pub(crate) fn play(&self, name: &str, people: &[String], step: &str) -> Outcome {
        let folder = format!("campaigns/{name}");
        let mailboxes: Vec<&str> = self.mailboxes.iter().map(|m| m.address.as_str()).collect();
        let manifest = format!(
            "name = \"{name}\"\ndaily_target = {}\nmailboxes = {mailboxes:?}\n\
             list_source = \"made up for a test\"\ntimezone = \"{}\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n\
             [[step]]\ntemplate = \"steps/1-intro.hbs\"\n",
            people.len(),
            self.zone
        );
        let mut list = "email,first_name\n".to_owned();
        for person in people {
            writeln!(list, "{person},Zo\u{eb}").expect("text takes text");
        }
        self.installation.write(&format!("{folder}/campaign.toml"), manifest);
        self.installation.write(&format!("{folder}/prospects.csv"), list);
        self.installation.write(&format!("{folder}/steps/1-intro.hbs"), step);
        let _ = self.installation.run(&["campaign", "import", &folder]).done();
        let _ = self.installation.run(&["campaign", "start", name]).done();
        // What Postfix does not understand is put off, and would be waited for until the day's end.
        let limit = ["timeout", PATIENCE];
        let sent = self.installation.command_by(&limit, &["run", "--until-idle"]).output();
        let _ = Answer::from(sent.expect("the program starts")).done();
        let ledger = self.installation.ledger();
        let _ = self.installation.run(&["audit"]).done();
        Outcome { ledger, received: self.postfix.received() }
    }

    /// Checks what `mailbox list` says of a mailbox, and how it begins to tell why.
    #[track_caller]
    pub(crate) fn stands(&self, address: &str, state: &str, why: &str) {
        let list = self.installation.run(&["mailbox", "list", "--json"]).done().json_lines();
        let line = list.iter().find(|line| line["address"] == address).expect("it is listed");
        assert_eq!(line["state"], state, "{line}");
        let told = line["why"].as_str().unwrap_or_default();
        assert!(told.starts_with(why) && told.is_empty() == why.is_empty(), "{line}");
    }
}

impl Mailbox {
    fn config(&self, nr: usize, port: u16) -> String {
        let Self { address, login, door, .. } = self;
        let tls = if *door == Door::Implicit { "implicit" } else { "starttls" };
        format!(
            "[[mailbox]]\naddress = \"{address}\"\nname = \"Ann \u{c9}t\u{e9}\"\n\
             provider = \"smtp\"\nusername = \"{login}\"\n\
             auth = {{ password = {{ env = \"PASSWORD_{nr}\" }} }}\n\
             smtp = {{ host = \"127.0.0.1\", port = {port}, tls = \"{tls}\", ca = \"ca.pem\" }}\n\
             override = true\ncap = 500\nwarmup = \"off\"\ngap = \"0s\"\npace = \"asap\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n"
        )
    }
}

/// `count` people, each at a company of their own.
pub(crate) fn people(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|nr| format!("p{nr}@{name}-{nr}.example")).collect()
}

/// The longest that a day of any scene takes, in seconds, on a machine that is busy otherwise.
const PATIENCE: &str = "120";
