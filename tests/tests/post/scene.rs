//! An installation whose mailboxes are of the office, and what its books say.

use std::fmt::Write as _;

use serde_json::{Value, json};
use warmfront_mail::server::Tls;
use warmfront_tests::binary::{Answer, Installation, LedgerLine, SENDER};
use warmfront_tests::postfix::Door;

use super::office::{Office, PASSWORD, office};

pub(crate) struct Scene {
    pub(crate) office: &'static Office,
    pub(crate) installation: Installation,
    zone: String,
    mailboxes: Vec<String>,
    smtp: String,
}

/// A step: how long it waits, and its text.
pub(crate) type Step = (Option<&'static str>, &'static str);

impl Scene {
    /// Mailboxes that submit as most do. Nobody reads them yet.
    pub(crate) fn of(mailboxes: &[&str]) -> Self {
        let port = office().postfix.port(Door::Starttls);
        Self::by(mailboxes, &format!("port = {port}, tls = \"starttls\", ca = \"smtp.pem\""))
    }

    /// The same in the clear, by a port of somebody's who listens in.
    pub(crate) fn through(port: u16, mailboxes: &[&str]) -> Self {
        Self::by(mailboxes, &format!("port = {port}, tls = \"none\""))
    }

    fn by(mailboxes: &[&str], smtp: &str) -> Self {
        let office = office();
        office.admit(mailboxes);
        for mailbox in mailboxes {
            office.dovecot.files_copies(mailbox);
        }
        let mut installation = Installation::empty();
        installation.write("smtp.pem", office.postfix.ca_pem());
        installation.write("imap.pem", office.dovecot.ca_pem());
        installation.secret("MAILBOX_PASSWORD", PASSWORD);
        let zone = installation.zone_by_day();
        let mailboxes = mailboxes.iter().map(|&address| address.to_owned()).collect();
        let scene = Self { office, installation, zone, mailboxes, smtp: smtp.to_owned() };
        scene.configure("");
        scene
    }

    /// Has the mailboxes read from now on: the first reading is the next thing that is done.
    pub(crate) fn reads_mailboxes(&self) {
        let port = self.office.dovecot.port(Tls::Implicit);
        self.configure(&format!(
            "imap = {{ host = \"127.0.0.1\", port = {port}, tls = \"implicit\", ca = \"imap.pem\" }}"
        ));
    }

    fn configure(&self, imap: &str) {
        let mut config = format!(
            "{SENDER}\n[defaults]\ntimezone = \"{}\"\n\
             [limits]\ncompany_per_day = 10\nperson_gap = \"0s\"\noverride = true\n",
            self.zone
        );
        for address in &self.mailboxes {
            let smtp = &self.smtp;
            writeln!(
                config,
                "[[mailbox]]\naddress = \"{address}\"\nname = \"Ann Lee\"\nprovider = \"smtp\"\n\
                 auth = {{ password = {{ env = \"MAILBOX_PASSWORD\" }} }}\n\
                 smtp = {{ host = \"127.0.0.1\", {smtp} }}\n{imap}\n\
                 override = true\ncap = 500\nwarmup = \"off\"\ngap = \"0s\"\npace = \"asap\"\n\
                 window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}"
            )
            .expect("text takes text");
        }
        self.installation.write("warmfront.toml", config);
    }

    /// Imports a campaign, or what has changed of it: at most `target` messages a day, at any hour.
    #[track_caller]
    pub(crate) fn import(&self, name: &str, target: usize, people: &[&str], steps: &[Step]) {
        let folder = format!("campaigns/{name}");
        let mut manifest = format!(
            "name = \"{name}\"\ndaily_target = {target}\nmailboxes = {:?}\n\
             list_source = \"made up for a test\"\ntimezone = \"{}\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n",
            self.mailboxes, self.zone
        );
        for (nr, (wait, text)) in steps.iter().enumerate() {
            writeln!(manifest, "[[step]]\ntemplate = \"steps/{nr}.hbs\"").expect("text takes text");
            if let Some(wait) = wait {
                writeln!(manifest, "wait = \"{wait}\"").expect("text takes text");
            }
            self.installation.write(&format!("{folder}/steps/{nr}.hbs"), text);
        }
        let list = format!("email\n{}\n", people.join("\n"));
        self.installation.write(&format!("{folder}/campaign.toml"), manifest);
        self.installation.write(&format!("{folder}/prospects.csv"), list);
        let _ = self.installation.run(&["campaign", "import", &folder, "--update"]).done();
    }

    /// Imports a campaign and starts it.
    #[track_caller]
    pub(crate) fn begin(&self, name: &str, target: usize, people: &[&str], steps: &[Step]) {
        self.import(name, target, people, steps);
        let _ = self.installation.run(&["campaign", "start", name]).done();
    }

    /// Lets the program do what there is to do today; the books add up afterwards.
    #[track_caller]
    pub(crate) fn run(&self) {
        // What Postfix does not understand is put off, and would be waited for until the day's end.
        let limit = ["timeout", PATIENCE];
        let done = self.installation.command_by(&limit, &["run", "--until-idle"]).output();
        let _ = Answer::from(done.expect("the program starts")).done();
        let _ = self.installation.run(&["audit"]).done();
    }

    /// The answer to a command given as one line.
    #[track_caller]
    pub(crate) fn told(&self, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        self.installation.run(&words).done().json()
    }

    /// What `why` says of somebody's enrolment in a campaign.
    #[track_caller]
    pub(crate) fn enrolment(&self, campaign: &str, person: &str) -> Value {
        let told = self.told(&format!("why {person}"));
        let mut all = told["enrolments"].as_array().expect("enrolments").iter();
        let found = all.find(|one| one["campaign"] == campaign);
        found.unwrap_or_else(|| panic!("{person} is not in {campaign}: {told}")).clone()
    }

    /// The message of a step to somebody.
    #[track_caller]
    pub(crate) fn line(&self, campaign: &str, person: &str, step: u32) -> LedgerLine {
        let is_it = |line: &LedgerLine| {
            (line.campaign.as_str(), line.rcpt.as_deref(), line.step)
                == (campaign, Some(person), step)
        };
        let mut found = self.installation.ledger().into_iter().filter(is_it);
        let line = found.next().unwrap_or_else(|| panic!("no step {step} for {person}"));
        assert_eq!(found.next(), None, "the step is there once");
        line
    }

    /// Who is suppressed, and why.
    #[track_caller]
    pub(crate) fn suppressed(&self) -> Vec<(String, String)> {
        let list = self.installation.run(&["suppress", "list", "--json"]).done().json_lines();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        list.iter().map(|line| (text(&line["value"]), text(&line["reason"]))).collect()
    }

    /// Every mailbox sends, and as much as ever: nothing is held against it, and no copy of what it
    /// sent was taken for mail written by hand.
    #[track_caller]
    pub(crate) fn mailboxes_are_well(&self) {
        for address in &self.mailboxes {
            let told = self.told(&format!("why {address}"));
            let mailbox = &told["mailbox"];
            let stands = [&mailbox["state"], &mailbox["ease_percent"], &mailbox["ceiling"]];
            assert_eq!(stands, [&json!("active"), &json!(100), &json!(500)], "{told}");
        }
    }
}

/// The longest that a day of any scene takes, in seconds, on a machine that is busy otherwise.
const PATIENCE: &str = "180";
