//! `doctor`, and what it finds: told, written down, and held to by the daemon.

use sqlx::{Connection as _, SqliteConnection};
use warmfront_tests::binary::{Answer, Daemon, Fleet, Scene, wait_until};
use warmfront_tests::dns::NameServer;

const ILL: &str = "
    acme.com MX 0 .
    acme.com TXT hello";

const SOUND: &str = "
    acme.com MX 10 mail.acme.com
    acme.com TXT v=spf1 ip4:192.0.2.1 -all
    mail.acme.com A 192.0.2.1
    _dmarc.acme.com TXT v=DMARC1; p=none";

/// A mailbox at acme.com and one at a reserved name, which ask that server.
fn scene(server: &NameServer, more: &str) -> Scene {
    let mailboxes = vec![("ann@acme.com".to_owned(), 500), ("bea@acme.example".to_owned(), 500)];
    let scene = Scene::with(&Fleet { mailboxes, ..Fleet::of(0) });
    let config = scene.installation.file("warmfront.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let doctor = format!("[doctor]\nresolver = \"{}\"\n{more}\n", server.address());
    scene.installation.write("warmfront.toml", format!("{text}\n{doctor}"));
    scene
}

/// The command ends with `code` and says all of `words`, wherever its lines break.
#[track_caller]
fn told(scene: &Scene, command: &str, code: i32, words: &[&str]) -> Answer {
    let command: Vec<&str> = command.split(' ').collect();
    let answer = scene.installation.run(&command).said(code, &[]);
    let all = format!("{} {}", answer.out, answer.err);
    let all = all.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(all.contains(words), "nothing about {words:?}: {answer}");
    }
    answer
}

#[test]
fn a_letter_says_what_is_wrong_and_what_to_publish() {
    let server = NameServer::start(ILL);
    let scene = scene(&server, "");
    let letter = told(
        &scene,
        "doctor",
        3,
        &[
            "acme.com",
            "mx FAILS",
            "null MX",
            "spf MEND",
            "name _dmarc.acme.com",
            "type TXT",
            "value v=DMARC1; p=none",
            "acme.example",
            "reserved name: not asked",
            "2 domains: 1 that hold mail back",
            "more to mend; 1 not examined",
        ],
    );
    for line in letter.out.lines().filter(|line| !line.contains("  value  ")) {
        assert!(line.chars().count() <= 80, "wider than a terminal: {line}");
    }
    let reserved: Vec<_> = server.asked().into_iter().filter(|q| q.contains("example")).collect();
    assert!(reserved.is_empty(), "{reserved:?}");
    assert!(!scene.installation.file("warmfront.db").exists(), "looking makes no books");

    let nobody = told(&scene, "doctor example.com mail.example", 0, &["2 domains: not examined"]);
    assert!(!nobody.out.contains("well"), "{nobody}");

    let lines = told(&scene, "doctor --json ann@acme.com", 3, &[]);
    let lines = lines.json_lines();
    let mx = lines.iter().find(|line| line["check"] == "mx").expect("a line for each check");
    assert_eq!((mx["domain"].as_str(), mx["verdict"].as_str()), (Some("acme.com"), Some("fail")));
    let dmarc = lines.iter().find(|line| line["check"] == "dmarc").expect("a line for each check");
    assert_eq!(dmarc["records"][0]["name"], "_dmarc.acme.com");

    server.publish(SOUND);
    let _ = told(&scene, "doctor acme.com", 0, &["replies go to mail.acme.com"]);
    server.publish("acme.com ANY !SERVFAIL");
    let _ = told(&scene, "doctor acme.com", 1, &["not all could be asked"]);
    let _ = told(&scene, "doctor a..b", 2, &["is no domain"]);
}

/// As if everything was first seen four days earlier.
#[tokio::main(flavor = "current_thread")]
async fn age(scene: &Scene) {
    let books = format!("sqlite://{}", scene.installation.file("warmfront.db").display());
    let mut books = SqliteConnection::connect(&books).await.expect("books");
    let earlier = sqlx::query("UPDATE domain_checks SET since = since - 4 * 86400000");
    assert!(earlier.execute(&mut books).await.expect("it is allowed").rows_affected() > 0);
    books.close().await.expect("it closes");
}

#[test]
fn a_failing_domain_writes_to_nobody_new_until_it_is_mended() {
    let server = NameServer::start(ILL);
    let scene = scene(&server, "");
    scene.write_campaign_to(
        "spring",
        2,
        &warmfront_tests::binary::list("spring", 2),
        &["ann@acme.com".to_owned()],
    );
    scene.start("spring");
    let _ = told(&scene, "doctor", 3, &["it fails since", "if it still does after 3d"]);
    let _ = told(&scene, "status", 0, &["domain acme.com fails: a null MX"]);
    age(&scene);
    // What was seen twice, and days apart, holds mail back.
    let _ = told(&scene, "doctor", 3, &["so acme.com writes to nobody new"]);
    let _ = told(&scene, "run --until-idle", 0, &[]);
    assert_eq!(scene.sink.accepted_count(), 0);
    let _ = told(&scene, "status", 0, &["domain acme.com writes to nobody new"]);
    let plan = scene.installation.run(&["plan", "--json"]).done().json();
    assert_eq!(plan["shortfall"][0]["why"], "domain_fails", "{plan}");
    let short = plan["shortfall"][0]["cure"].as_str().expect("a cure");
    assert!(short.contains("warmfront doctor"), "{short}");
    let _ = told(&scene, "why spring", 0, &["sending domains that fail their checks"]);
    let _ = told(&scene, "why ann@acme.com", 0, &["writes to nobody new"]);

    // An outage mends nothing.
    server.publish("acme.com ANY !SERVFAIL");
    let _ = told(&scene, "doctor", 1, &["could not be asked"]);
    let _ = told(&scene, "status", 0, &["domain acme.com writes to nobody new"]);

    server.publish(SOUND);
    let _ = told(&scene, "doctor", 0, &["acme.com writes to new people again"]);
    let _ = told(&scene, "run --until-idle", 0, &["2 accepted today"]);
    assert_eq!(scene.sink.accepted_count(), 2);
}

#[test]
fn the_daemon_asks_by_itself_and_waits_for_nobody() {
    let server = NameServer::start("acme.com ANY !SILENT");
    let scene = scene(&server, "");
    scene.begin("spring", 4);
    let mut daemon = Daemon::start(&scene.installation, &["run"], None);
    wait_until("it asks", || !server.asked().is_empty());
    wait_until("and sends meanwhile", || scene.sink.accepted_count() == 4);
    daemon.terminate();
    daemon.ended_well("it was asked to");
    // Its mailboxes have no inbox, and that alone is told.
    let said = daemon.said();
    let warned = said.lines().filter(|line| line.contains("WARN") && !line.contains("inboxes"));
    assert_eq!(warned.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(
        server.asked().iter().all(|asked| asked.starts_with("acme.com ")),
        "{:?}",
        server.asked()
    );

    let off = NameServer::start(ILL);
    let scene = self::scene(&off, "enabled = false");
    scene.begin("spring", 4);
    let _ = told(&scene, "run --until-idle", 0, &["4 accepted today"]);
    assert!(off.asked().is_empty(), "{:?}", off.asked());
    let _ = told(&scene, "status", 0, &["sending domains are not looked at"]);
}

#[test]
fn a_configuration_that_makes_no_sense_is_told() {
    let server = NameServer::start(SOUND);
    let wrong = "grace = \"5m\"\nblocklists = [\"dbl\", \"zen\"]\n\
                 [domain.\"acme.com\"]\nregistered = \"soon\"";
    let scene = scene(&server, wrong);
    let _ = told(
        &scene,
        "doctor",
        1,
        &[
            "`grace` in [doctor]: 5m is too short",
            "`zen` in `blocklists` is none of dbl, surbl, uribl",
            "`registered`",
        ],
    );
    let keyed = "blocklists = [\"dbl\"]\ndqs_key = { env = \"NO_SUCH_KEY\" }";
    let scene = self::scene(&server, keyed);
    let _ = told(&scene, "check", 1, &["`dqs_key` in [doctor]", "NO_SUCH_KEY"]);
    // A key that nothing asks with is not missed.
    for idle in ["blocklists = [\"surbl\"]", "enabled = false\nblocklists = [\"dbl\"]"] {
        let scene = self::scene(&server, &format!("{idle}\ndqs_key = {{ env = \"NO_SUCH_KEY\" }}"));
        let _ = told(&scene, "check", 0, &[]);
        let _ = told(&scene, "run --until-idle", 0, &[]);
    }
}

#[test]
fn a_key_is_never_logged_however_much_is() {
    let server = NameServer::start(
        "acme.com MX 10 mail.acme.com
         mail.acme.com A 192.0.2.1
         dbltest.com.s3cretkey.dbl.dq.spamhaus.net A 127.0.1.2",
    );
    let keyed = "blocklists = [\"dbl\"]\ndqs_key = { env = \"DQS_KEY\" }";
    let scene = scene(&server, keyed);
    let mut command = scene.installation.command(&["doctor", "acme.com"]);
    command
        .env("DQS_KEY", "s3cretkey")
        .env("RUST_LOG", "trace,hickory_net=trace,hickory_resolver::name_server_pool=trace");
    let answer = Answer::from(command.output().expect("the program starts"));
    assert!(answer.out.contains("not listed by Spamhaus DBL"), "{answer}");
    let asked = server.asked();
    assert!(asked.iter().any(|name| name.contains("s3cretkey")), "{asked:?}");
    assert!(!format!("{answer}").contains("s3cretkey"), "{answer}");
}
