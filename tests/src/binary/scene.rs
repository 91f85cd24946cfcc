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

impl Scene {
    /// `mailboxes` mailboxes, each of a domain of its own, with passwords and STARTTLS.
    #[must_use]
    pub fn of(mailboxes: usize) -> Self {
        let addresses: Vec<String> =
            (1..=mailboxes).map(|nr| format!("ann@sender{nr}.example")).collect();
        let users: BTreeMap<String, String> =
            addresses.iter().map(|address| (address.clone(), PASSWORD.to_owned())).collect();
        let options = SinkOptions { tls: Tls::Starttls, users, ..SinkOptions::default() };
        let sink = Sink::start(options);
        let mut installation = Installation::empty();
        let zone = installation.zone_by_day();
        let mut config = format!("{SENDER}\n[defaults]\ntimezone = \"{zone}\"\n");
        for address in &addresses {
            let port = sink.addr.port();
            writeln!(config, "{}", mailbox(address, port)).expect("text takes text");
        }
        installation.write("warmfront.toml", config);
        installation.write("ca.pem", &sink.ca_pem);
        installation.secret("MAILBOX_PASSWORD", PASSWORD);
        Self { installation, sink, zone, mailboxes: addresses }
    }

    /// Writes the folder of a campaign of one step to `people` people, to be sent at any hour.
    pub fn write_campaign(&self, name: &str, people: usize) {
        let folder = format!("campaigns/{name}");
        let manifest = format!(
            "name = \"{name}\"\ndaily_target = {people}\nmailboxes = {:?}\n\
             list_source = \"made up for a test\"\ntimezone = \"{}\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n\
             [[step]]\ntemplate = \"steps/1-intro.hbs\"\n",
            self.mailboxes, self.zone
        );
        self.installation.write(&format!("{folder}/campaign.toml"), manifest);
        self.installation.write(&format!("{folder}/prospects.csv"), super::list(name, people));
        let text = "Subject: A question, {{first_name}}\n\nHello {{first_name}}.\n";
        self.installation.write(&format!("{folder}/steps/1-intro.hbs"), text);
    }

    /// Writes a campaign, imports it and starts it.
    #[track_caller]
    pub fn begin(&self, name: &str, people: usize) {
        self.write_campaign(name, people);
        let folder = format!("campaigns/{name}");
        let _ = self.installation.run(&["campaign", "import", &folder]).done();
        let _ = self.installation.run(&["campaign", "start", name]).done();
    }
}

fn mailbox(address: &str, port: u16) -> String {
    format!(
        "[[mailbox]]\naddress = \"{address}\"\nprovider = \"smtp\"\n\
         auth = {{ password = {{ env = \"MAILBOX_PASSWORD\" }} }}\n\
         smtp = {{ host = \"127.0.0.1\", port = {port}, tls = \"starttls\", ca = \"ca.pem\" }}\n\
         override = true\ncap = 500\nwarmup = \"off\"\ngap = \"0s\"\npace = \"asap\"\n\
         window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n"
    )
}

/// Who writes, where nothing depends on it.
pub const SENDER: &str = "[sender]\nlegal_name = \"Example Ltd\"\n\
    postal_address = \"1 Main Street, Springfield, IL 62701, USA\"\n";

/// What every mailbox logs in with.
pub const PASSWORD: &str = "correct horse battery staple";
