//! An installation whose mailboxes send to a sink, as fast as they can.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use warmfront_mail::smtp::Tls;

use super::Installation;
use crate::server::{Sink, SinkOptions};

/// A fleet, and the server that takes what it sends.
pub struct Scene {
    /// The program's side.
    pub installation: Installation,
    /// The server's.
    pub sink: Sink,
    zone: String,
    mailboxes: Vec<String>,
}

/// What a fleet is like.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its mailboxes, each with the most it may send in a day.
    pub mailboxes: Vec<(String, u32)>,
    /// Where its books are, unless beside the configuration.
    pub store: Option<String>,
    /// What `[limits]` says.
    pub limits: String,
    /// The least time between two messages of one mailbox.
    pub gap: &'static str,
}

impl Fleet {
    /// `mailboxes` mailboxes, each of a domain of its own.
    #[must_use]
    pub fn of(mailboxes: usize) -> Self {
        let address = |nr| (format!("ann@sender{nr}.example"), 500);
        Self {
            mailboxes: (1..=mailboxes).map(address).collect(),
            store: None,
            limits: String::new(),
            gap: "0s",
        }
    }
}

impl Scene {
    /// `mailboxes` mailboxes, each of a domain of its own, with passwords and STARTTLS.
    #[must_use]
    pub fn of(mailboxes: usize) -> Self {
        Self::with(&Fleet::of(mailboxes))
    }

    /// A fleet with passwords and STARTTLS.
    #[must_use]
    pub fn with(fleet: &Fleet) -> Self {
        let addresses: Vec<String> = fleet.mailboxes.iter().map(|(one, _)| one.clone()).collect();
        let users: BTreeMap<String, String> =
            addresses.iter().map(|address| (address.clone(), PASSWORD.to_owned())).collect();
        let options = SinkOptions { tls: Tls::Starttls, users, ..SinkOptions::default() };
        let sink = Sink::start(options);
        let mut installation = Installation::empty();
        let zone = installation.zone_by_day();
        let mut config = format!("{SENDER}\n[defaults]\ntimezone = \"{zone}\"\n");
        if let Some(url) = &fleet.store {
            writeln!(config, "[store]\nurl = \"{url}\"").expect("text takes text");
        }
        if !fleet.limits.is_empty() {
            writeln!(config, "[limits]\n{}", fleet.limits).expect("text takes text");
        }
        for (address, cap) in &fleet.mailboxes {
            let port = sink.addr.port();
            writeln!(config, "{}", mailbox(address, *cap, fleet.gap, port))
                .expect("text takes text");
        }
        installation.write("warmfront.toml", config);
        installation.write("ca.pem", &sink.ca_pem);
        installation.secret("MAILBOX_PASSWORD", PASSWORD);
        Self { installation, sink, zone, mailboxes: addresses }
    }

    /// The same fleet and the same books from another folder, as from another machine.
    #[must_use]
    pub fn elsewhere(&self) -> Installation {
        let mut other = Installation::empty();
        for name in ["warmfront.toml", "ca.pem"] {
            let file = std::fs::read(self.installation.file(name)).expect("it was written");
            other.write(name, file);
        }
        other.secret("MAILBOX_PASSWORD", PASSWORD);
        other
    }

    /// Writes the folder of a campaign of one step to `people` people, to be sent at any hour.
    pub fn write_campaign(&self, name: &str, people: usize) {
        self.write_campaign_to(name, people, &super::list(name, people), &self.mailboxes);
    }

    /// The same from some of the mailboxes to the people of a list.
    pub fn write_campaign_to(&self, name: &str, target: usize, list: &str, mailboxes: &[String]) {
        let folder = format!("campaigns/{name}");
        let manifest = format!(
            "name = \"{name}\"\ndaily_target = {target}\nmailboxes = {:?}\n\
             list_source = \"made up for a test\"\ntimezone = \"{}\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n\
             [[step]]\ntemplate = \"steps/1-intro.hbs\"\n",
            mailboxes, self.zone
        );
        self.installation.write(&format!("{folder}/campaign.toml"), manifest);
        self.installation.write(&format!("{folder}/prospects.csv"), list);
        let text = "Subject: A question, {{first_name}}\n\nHello {{first_name}}.\n";
        self.installation.write(&format!("{folder}/steps/1-intro.hbs"), text);
    }

    /// Writes a campaign, imports it and starts it.
    #[track_caller]
    pub fn begin(&self, name: &str, people: usize) {
        self.write_campaign(name, people);
        self.start(name);
    }

    /// Imports a campaign that is written, and starts it.
    #[track_caller]
    pub fn start(&self, name: &str) {
        let folder = format!("campaigns/{name}");
        let _ = self.installation.run(&["campaign", "import", &folder]).done();
        let _ = self.installation.run(&["campaign", "start", name]).done();
    }
}

fn mailbox(address: &str, cap: u32, gap: &str, port: u16) -> String {
    format!(
        "[[mailbox]]\naddress = \"{address}\"\nprovider = \"smtp\"\n\
         auth = {{ password = {{ env = \"MAILBOX_PASSWORD\" }} }}\n\
         smtp = {{ host = \"127.0.0.1\", port = {port}, tls = \"starttls\", ca = \"ca.pem\" }}\n\
         override = true\ncap = {cap}\nwarmup = \"off\"\ngap = \"{gap}\"\npace = \"asap\"\n\
         window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n"
    )
}

/// Who writes, where nothing depends on it.
pub const SENDER: &str = "[sender]\nlegal_name = \"Example Ltd\"\n\
    postal_address = \"1 Main Street, Springfield, IL 62701, USA\"\n";

/// What every mailbox logs in with.
pub const PASSWORD: &str = "correct horse battery staple";
