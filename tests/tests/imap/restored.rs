//! The real program on a restored, older database, in front of a real Dovecot and a server that keeps
//! what it took: nobody is written to twice, and what came in since is not lost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use warmfront_mail::server::Tls;
use warmfront_tests::binary::{Answer, Daemon, Fleet, PASSWORD, Scene, list, wait_until};
use warmfront_tests::dovecot::{Dovecot, Folder};
use warmfront_tests::postgres::Cluster;

const BOOKS: &str = "warmfront.db";
const BACKUP: &str = "backup.db";

/// An installation whose server files copies, as providers do.
struct Place {
    scene: Scene,
    dovecot: Dovecot,
    /// How many copies are filed.
    filed: usize,
}

impl Place {
    /// So many mailboxes that are read, of five messages a day each.
    fn of(mailboxes: usize) -> Self {
        Self::on(None, mailboxes)
    }

    /// The same with its books in that database.
    fn on(store: Option<String>, mailboxes: usize) -> Self {
        let mut fleet = Fleet { store, ..Fleet::of(mailboxes) };
        fleet.mailboxes.iter_mut().for_each(|(_, cap)| *cap = 5);
        let scene = Scene::with(&fleet);
        let dovecot = Dovecot::start();
        for (address, _) in &fleet.mailboxes {
            dovecot.admit(address, PASSWORD);
        }
        scene.installation.write("imap.pem", dovecot.ca_pem());
        let port = dovecot.port(Tls::Starttls);
        let imap = format!(
            "imap = {{ host = \"127.0.0.1\", port = {port}, tls = \"starttls\", ca = \"imap.pem\" }}\n"
        );
        let place = Self { scene, dovecot, filed: 0 };
        place.rewrite("override = true", &(imap + "override = true"));
        place
    }

    /// Changes the configuration.
    fn rewrite(&self, from: &str, to: &str) {
        let file = "warmfront.toml";
        let config = std::fs::read_to_string(self.scene.installation.file(file)).expect("it");
        self.scene.installation.write(file, config.replace(from, to));
    }

    #[track_caller]
    fn run(&self, words: &str) -> Answer {
        self.scene.installation.run(&words.split(' ').collect::<Vec<_>>())
    }

    /// Sends all that may leave, and files copies of it.
    #[track_caller]
    fn send(&mut self) {
        let _ = self.run("run --until-idle").done();
        self.file_copies();
    }

    fn file_copies(&mut self) {
        let accepted = self.scene.sink.accepted();
        for message in &accepted[self.filed..] {
            let text = String::from_utf8(message.bytes.clone()).expect("seven bits");
            self.dovecot.deliver(&message.from, Folder::Sent, &text);
        }
        self.filed = accepted.len();
    }

    /// Begins reconciliations and kills each after so many milliseconds, if it takes that long.
    fn kill_reconciliations(&self, waits: [u64; 4]) {
        let is_killed = |wait: &u64| {
            let mut begun = Daemon::start(&self.scene.installation, &["reconcile"], None);
            std::thread::sleep(Duration::from_millis(*wait));
            let is_running = begun.is_running();
            if is_running {
                begun.kill();
            }
            is_running
        };
        assert!(waits.iter().filter(|wait| is_killed(wait)).count() > 0, "all had ended");
    }

    fn back_up(&self) {
        std::fs::copy(self.file(BOOKS), self.file(BACKUP)).expect("a backup");
    }

    fn restore(&self) {
        std::fs::copy(self.file(BACKUP), self.file(BOOKS)).expect("restored");
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.scene.installation.file(name)
    }

    /// Ten of thirty are written to, then the books are copied, then the others are written to.
    #[track_caller]
    fn begin_and_lose() -> Self {
        let mut place = Self::of(2);
        place.scene.begin("spring", 30);
        place.send();
        assert_eq!(place.scene.sink.accepted_count(), 10);
        place.back_up();
        place.rewrite("cap = 5\n", "cap = 400\n");
        place.send();
        assert_eq!(place.scene.sink.accepted_count(), 30);
        place
    }

    /// How often each person was written to.
    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for message in self.scene.sink.accepted() {
            *times.entry(message.rcpt).or_default() += 1;
        }
        times
    }

    #[track_caller]
    fn nobody_twice(&self, people: usize) {
        let times = self.times();
        assert!(times.len() == people && times.values().all(|times| *times == 1), "{times:?}");
    }

    fn states(&self, campaign: &str) -> String {
        let status = self.run(&format!("campaign status {campaign} --json")).done().json();
        let states = status["enrolments"].as_object().expect("states").iter();
        let states = states.filter(|(_, count)| **count != 0);
        states.map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn a_restored_database_is_brought_up_to_date_by_the_sent_folders() {
    let mut place = Place::begin_and_lose();
    // One of those whom the copy takes for untouched says no.
    let last = place.scene.installation.ledger().pop().expect("a line");
    let (rcpt, id) = (last.rcpt.expect("one"), last.message_id.expect("one"));
    place.dovecot.deliver(
        &last.mailbox,
        Folder::Inbox,
        &format!("From: {rcpt}\r\nIn-Reply-To: {id}\r\nSubject: Re: Hi\r\n\r\nUnsubscribe\r\n"),
    );
    place.restore();
    let _ = place.run("run --until-idle").said(3, &["an older copy", "warmfront reconcile"]);
    for look in ["status", "why p0@spring-0.example"] {
        let told = place.run(look).done();
        assert!(told.out.contains("nothing is sent: these books are an older copy"), "{told}");
        let told = place.run(&format!("{look} --json")).done().json();
        assert!(told["outdated"].is_string(), "{told}");
    }
    place.dovecot.shut();
    let told = place.run("reconcile --json");
    assert_eq!(told.code, Some(1), "{told}");
    assert_eq!(told.json()["mailboxes"][0]["standing"], "unread", "{told}");
    let _ = place.run("run --until-idle").said(3, &["an older copy"]);
    place.dovecot.open();

    let told = place.run("reconcile --json").done().json();
    assert_eq!((&told["older"], &told["up_to_date"]), (&true.into(), &true.into()), "{told}");
    assert_eq!(told["taken_up"], 20, "{told}");
    assert_eq!(told["strays"].as_array().map(Vec::len), Some(0), "{told}");
    let again = place.run("reconcile --json").done().json();
    assert_eq!((&again["older"], &again["taken_up"]), (&false.into(), &0.into()), "{again}");

    place.send();
    place.nobody_twice(30);
    assert_eq!(place.states("spring"), "29 finished, 1 unsubscribed");
    let ledger = place.scene.installation.ledger();
    assert!(ledger.iter().all(|line| line.state == "accepted" && line.attempts == 1), "{ledger:?}");
    assert!(ledger.iter().any(|line| line.message_id.as_ref() == Some(&id)), "ids are kept");
    let _ = place.run("audit").done();
    let days = place.run("mailbox list --json").done().json_lines();
    let accepted: Vec<_> = days.iter().map(|day| day["accepted"].as_u64()).collect();
    assert_eq!(accepted.iter().flatten().sum::<u64>(), 30, "they count on their day: {days:?}");
}

#[test]
fn a_restored_folder_is_found_out_by_the_sent_folders_alone() {
    let mut place = Place::begin_and_lose();
    place.restore();
    std::fs::remove_file(place.file("warmfront.epochs")).expect("lost as well");
    for _ in 0..2 {
        let _ = place.run("run --until-idle").said(3, &["the Sent folder of ann@sender"]);
    }
    place.nobody_twice(30);
    let told = place.run("reconcile").done();
    assert!(told.out.contains("20 messages taken up in all"), "{told}");
    assert!(told.out.lines().all(|line| line.chars().count() <= 80), "{told}");
    place.send();
    place.nobody_twice(30);
}

#[test]
fn a_killed_reconciliation_goes_on_and_none_works_beside_a_daemon() {
    let mut place = Place::begin_and_lose();
    let mut daemon = Daemon::start(&place.scene.installation, &["run"], None);
    wait_until("the daemon runs", || place.run("status --json").json()["daemon"].is_string());
    let _ = place.run("reconcile").said(3, &["in use by process"]);
    daemon.terminate();
    daemon.ended_well("told to stop");
    place.restore();
    place.kill_reconciliations([100, 300, 600, 1_000]);
    let _ = place.run("reconcile").done();
    place.send();
    place.nobody_twice(30);
    assert_eq!(place.states("spring"), "30 finished");
    let _ = place.run("audit").done();
}

#[test]
fn a_restored_server_is_brought_up_to_date_like_a_file_and_waits_for_nobody_who_was_killed() {
    let cluster = Cluster::shared();
    let books = cluster.database(None);
    let mut place = Place::on(Some(cluster.url(&books)), 2);
    place.scene.begin("spring", 30);
    place.send();
    let copy = cluster.database(Some(&books));
    place.rewrite("cap = 5\n", "cap = 400\n");
    place.send();
    place.nobody_twice(30);
    place.rewrite(&format!("/{books}\""), &format!("/{copy}\""));
    let _ = place.run("run --until-idle").said(3, &["an older copy", "warmfront reconcile"]);
    place.kill_reconciliations([300, 600, 1_000, 1_500]);
    let told = place.run("reconcile --json").done().json();
    assert_eq!(told["up_to_date"], true, "{told}");
    place.send();
    place.nobody_twice(30);
    assert_eq!(place.states("spring"), "30 finished");
    let _ = place.run("audit").done();
}

#[test]
fn what_no_list_of_the_copy_has_holds_whoever_got_it_until_the_list_is_back() {
    let mut place = Place::begin_and_lose();
    place.scene.write_campaign("late", 3);
    place.scene.start("late");
    place.send();
    place.nobody_twice(33);
    place.restore();
    let listed = place.run("reconcile").done();
    assert!(listed.out.lines().all(|line| line.chars().count() <= 80), "{listed}");
    let told = place.run("reconcile --json").done().json();
    assert_eq!((&told["taken_up"], told["strays"].as_array().map(Vec::len)), (&0.into(), Some(3)));
    place.scene.start("late");
    assert_eq!(place.states("late"), "3 held");
    place.send();
    place.nobody_twice(33);
    let told = place.run("reconcile").done();
    assert!(!told.out.contains("Sent from here"), "{told}");
    assert_eq!(place.states("late"), "3 finished");
    let _ = place.run("audit").done();
}

#[test]
fn a_mailbox_without_copies_waits_until_the_operator_answers_for_it() {
    let mut place = Place::of(2);
    let quiet = "ann@sender2.example".to_owned();
    let (spring, silent) = (list("spring", 4), list("silent", 20));
    let loud = "ann@sender1.example".to_owned();
    place.scene.write_campaign_to("spring", 4, &spring, std::slice::from_ref(&loud));
    place.scene.write_campaign_to("silent", 20, &silent, &[loud, quiet.clone()]);
    place.scene.start("spring");
    place.scene.start("silent");
    place.send_without_copies_of(&quiet);
    place.back_up();
    place.restore();
    std::fs::write(place.file("warmfront.epochs"), place.later_epochs()).expect("written");
    let told = place.run("reconcile").done();
    assert!(told.out.contains("ann@sender2.example\n    paused"), "{told}");
    assert!(told.out.lines().all(|line| line.chars().count() <= 80), "{told}");
    place.rewrite("cap = 5\n", "cap = 400\n");
    let before = place.states("silent");
    place.send();
    assert_eq!(place.states("silent"), before, "nobody new is written to");
    place.take_out(&quiet);
    place.send();
    assert_eq!(place.states("silent"), before, "not even if it is gone");
    place.says_who_is_unproven();
    let why = place.run("mailbox list").done();
    assert!(why.out.contains("ann@sender2.example is paused until `mailbox resume`"), "{why}");
    let resumed = place.run("mailbox resume ann@sender2.example").done();
    assert!(resumed.err.contains("the books do not know what ann@sender2.example"), "{resumed}");
    place.send();
    place.nobody_twice(24);
}

#[test]
fn a_mailbox_that_is_gone_from_the_configuration_waits_for_the_operator_too() {
    let mut place = Place::of(2);
    let gone = "ann@sender2.example";
    place.scene.begin("spring", 30);
    place.back_up();
    place.send();
    let before = place.scene.sink.accepted_count();
    assert_eq!(before, 10);
    assert!(place.scene.sink.accepted().iter().any(|message| message.from == gone));
    place.take_out(gone);
    place.restore();
    let told = place.run("reconcile --json").done().json();
    let (read, unseen) = (&told["mailboxes"][0], &told["mailboxes"][1]);
    assert_eq!((&read["standing"], &read["taken_up"]), (&"up_to_date".into(), &5.into()), "{told}");
    assert_eq!((&unseen["address"], &unseen["standing"]), (&gone.into(), &"paused".into()));
    place.rewrite("cap = 5\n", "cap = 400\n");
    place.send();
    assert_eq!(place.scene.sink.accepted_count(), before, "it may have written to anybody");
    let resumed = place.run("mailbox resume ann@sender2.example").done();
    assert!(resumed.err.contains("the books do not know what ann@sender2.example"), "{resumed}");
    assert!(resumed.out.contains("resumed; it is in no configuration"), "{resumed}");
    place.send();
    assert_eq!(place.scene.sink.accepted_count(), before + 25, "the operator answers for it");
}

#[test]
fn a_message_that_no_server_shows_is_named_and_is_no_end_of_it() {
    let place = Place::begin_and_lose();
    let (ann, other) = ("ann@sender1.example", "ann@sender2.example");
    let text = "From: ann@sender1.example\r\nSubject: By hand\r\n\r\nHi\r\n";
    for (mailbox, folder) in [(ann, Folder::Sent), (other, Folder::Inbox)] {
        place.dovecot.deliver_as(mailbox, folder, text, ".broken");
        place.dovecot.lock(mailbox, folder, ".broken", true);
    }
    place.restore();
    let told = place.run("reconcile --json").done().json();
    assert_eq!((&told["up_to_date"], &told["taken_up"]), (&true.into(), &20.into()), "{told}");
    for (mailbox, (standing, folder)) in told["mailboxes"]
        .as_array()
        .expect("two")
        .iter()
        .zip([("paused", "Envoy&AOk-s"), ("up_to_date", "INBOX")])
    {
        assert_eq!(
            (&mailbox["standing"], &mailbox["unshown"][0]["folder"]),
            (&standing.into(), &folder.into())
        );
        assert!(mailbox["unshown"][0]["uid"].is_u64(), "{mailbox}");
    }
    let _ = place.run("run --until-idle").done();
    place.nobody_twice(30);
    let _ = place.run("mailbox resume ann@sender1.example").done();
}

impl Place {
    /// Whoever looks learns which mailbox keeps everybody new back.
    #[track_caller]
    fn says_who_is_unproven(&self) {
        let told = self.run("status").done();
        assert!(told.out.contains("nobody new is written to: ann@sender2.example"), "{told}");
        let told = self.run("status --json").done().json();
        assert_eq!(
            (&told["outdated"], &told["mailboxes"][1]["unproven"]),
            (&Value::Null, &true.into())
        );
        let why = self.run("why silent --json").done().json();
        let reason = &why["campaign"]["next"]["reasons"][0]["reason"];
        assert_eq!(reason, "mailbox_unproven", "{why}");
        let ledger = self.scene.installation.ledger();
        let planned = ledger.iter().find(|line| line.state == "planned");
        if let Some(rcpt) = planned.and_then(|line| line.rcpt.as_deref()) {
            let told = self.run(&format!("why {rcpt}")).done();
            assert!(told.out.contains("ann@sender2.example may have written"), "{told}");
        }
    }

    /// Takes a mailbox out of the configuration.
    fn take_out(&self, address: &str) {
        let file = "warmfront.toml";
        let config = std::fs::read_to_string(self.file(file)).expect("it");
        let mut tables = config.split("[[mailbox]]");
        let head = tables.next().expect("what stands before").to_owned();
        let stay = tables.filter(|table| !table.contains(&format!("address = \"{address}\"")));
        let config = stay.fold(head, |all, table| all + "[[mailbox]]" + table);
        self.scene.installation.write(file, config);
    }

    #[track_caller]
    fn send_without_copies_of(&mut self, mailbox: &str) {
        let _ = self.run("run --until-idle").done();
        let accepted = self.scene.sink.accepted();
        for message in accepted.iter().filter(|message| message.from != mailbox) {
            let text = String::from_utf8(message.bytes.clone()).expect("seven bits");
            self.dovecot.deliver(&message.from, Folder::Sent, &text);
        }
        self.filed = accepted.len();
    }

    /// The watermark as it would stand if the books had gone on for long.
    fn later_epochs(&self) -> String {
        let text = std::fs::read_to_string(self.file("warmfront.epochs")).expect("it was written");
        let (name, _) = text.trim().split_once(' ').expect("a name and an epoch");
        format!("{name} 900\n")
    }
}
