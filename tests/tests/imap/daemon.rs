//! The real program in front of a real Dovecot.

use warmfront_mail::server::Tls;
use warmfront_tests::binary::{Daemon, Fleet, Scene, wait_until};
use warmfront_tests::dovecot::{Dovecot, Folder};

use super::reader::dovecot;

#[test]
fn who_cannot_be_read_still_sends_and_says_so_until_it_can() {
    let dovecot = dovecot();
    let user = "ann@sender1.example";
    dovecot.admit(user, "another one");
    let scene = read_by(&dovecot);
    scene.begin("first", 3);
    let _ = scene.installation.run(&["run", "--until-idle"]).done();
    assert_eq!(scene.sink.accepted_count(), 3, "first messages wait for nobody");
    let status = scene.installation.run(&["status"]).done();
    let cannot = "mailbox ann@sender1.example cannot be read, so its follow-ups wait: the server \
                  refused the log-in";
    let told: Vec<&str> = status.out.split_whitespace().collect();
    assert!(told.join(" ").contains(cannot), "{status}");

    dovecot.set_password(user, warmfront_tests::binary::PASSWORD);
    let line = scene.installation.ledger().remove(0);
    let (from, id) = (line.rcpt.expect("one"), line.message_id.expect("one"));
    let reply = format!("From: {from}\r\nIn-Reply-To: {id}\r\nSubject: Re: Hi\r\n\r\nYes.\r\n");
    dovecot.deliver(user, Folder::Inbox, &reply);
    // Dovecot may take a second to see the password, so the program may need to be asked twice.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let _ = scene.installation.run(&["run", "--until-idle"]).done();
    let list = scene.installation.run(&["mailbox", "list", "--json"]).done().json();
    assert!(list["inbox_trouble"].is_null() && list["inbox_read_at"].is_string(), "{list}");
    let roles: Vec<&str> = list["reads"]
        .as_array()
        .expect("folders")
        .iter()
        .map(|f| f["role"].as_str().expect("a word"))
        .collect();
    assert_eq!(roles, ["sent", "inbox", "junk"]);
    let campaign = scene.installation.run(&["campaign", "status", "first", "--json"]).done();
    assert_eq!(campaign.json()["enrolments"]["replied"], 1, "{campaign}");
}

/// Nothing more is planned, and a reply is heard all the same, long before the next reading by the
/// clock.
#[test]
fn a_daemon_hears_of_a_reply_at_once() {
    // Its mailbox is called as the other test's is.
    let dovecot = Dovecot::start();
    let user = "ann@sender1.example";
    dovecot.admit(user, warmfront_tests::binary::PASSWORD);
    let scene = read_by(&dovecot);
    scene.begin("news", 2);
    let daemon = Daemon::start(&scene.installation, &["run"], None);
    wait_until("both are sent", || scene.sink.accepted_count() == 2);
    let line = || scene.installation.ledger().remove(0);
    wait_until("one is settled", || line().message_id.is_some());
    let (from, id) = (line().rcpt.expect("one"), line().message_id.expect("one"));
    let reply = format!("From: {from}\r\nIn-Reply-To: {id}\r\nSubject: Re: Hi\r\n\r\nYes.\r\n");
    dovecot.deliver(user, Folder::Inbox, &reply);
    wait_until("the reply is counted", || {
        let status = scene.installation.run(&["campaign", "status", "news", "--json"]).done();
        status.json()["enrolments"]["replied"] == 1
    });
    daemon.terminate();
}

/// An installation of one mailbox that Dovecot keeps.
fn read_by(dovecot: &Dovecot) -> Scene {
    let scene = Scene::with(&Fleet::of(1));
    let config = std::fs::read_to_string(scene.installation.file("warmfront.toml")).expect("it");
    let imap = format!(
        "imap = {{ host = \"127.0.0.1\", port = {}, tls = \"starttls\", ca = \"imap.pem\" }}\n",
        dovecot.port(Tls::Starttls)
    );
    scene.installation.write("warmfront.toml", config.replace("override", &(imap + "override")));
    scene.installation.write("imap.pem", dovecot.ca_pem());
    scene
}
