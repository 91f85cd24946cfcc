//! Whole files.

use super::*;

#[test]
fn the_example_loads_without_a_word() {
    let config = loaded(EXAMPLE);
    assert_eq!(config.warnings, []);
    assert_eq!(config.mailboxes.len(), 1);
    assert!(config.sender.is_some() && config.web.is_some());
}

#[test]
fn the_other_tables() {
    check(
        "[store]\nurl = \"mysql://x:hunter2@y/z\"\n",
        &["w.toml:2: `url` in [store] must begin with `sqlite://` or `postgres://`"],
    );
    check("[store]\n", &["w.toml:1: `url` is missing in [store]"]);
    check(
        "[sender]\nlegal_name = \" \"\n",
        &[
            "w.toml:1: `postal_address` is missing in [sender]",
            "w.toml:2: `legal_name` in [sender]: it is empty",
        ],
    );
    check(
        "[web]\nlisten = \"8025\"\n",
        &[
            "w.toml:2: `listen` in [web]: `8025` is no address to listen at; write one such as \"127.0.0.1:8025\"",
        ],
    );
    check(
        "[web]\npublic_url = \"mail.example.com\"\n",
        &[
            "w.toml:2: `public_url` in [web]: `mail.example.com` is no base URL; write one such as \"https://mail.example.com\"",
        ],
    );
    check(
        "[defaults]\ncapp = 5\n[defautls]\n",
        &[
            "w.toml:2: unknown key `capp` in [defaults]; did you mean `cap`?",
            "w.toml:3: unknown key `defautls`; did you mean `defaults`?",
        ],
    );
    check("mailboxes = 7\n", &["w.toml:1: `mailboxes` must be a text in quotes, not the number 7"]);
    check(
        "mailboxes = \"/nowhere/m.csv\"\n",
        &["/nowhere/m.csv: cannot be read: No such file or directory (os error 2)"],
    );
    let broken = said("[store\n", &[Severity::Error]);
    assert!(
        broken.len() == 1 && broken[0].starts_with("w.toml:1: this is not TOML: "),
        "{broken:?}"
    );
    check_warns(
        "",
        &[
            "w.toml:1: warning: no `timezone` in [defaults]: days are counted in UTC",
            "w.toml:1: warning: no mailbox is declared, so nothing can be sent",
        ],
    );
    let local = "[defaults]\ntimezone = \"UTC\"\n[[mailbox]]\naddress = \"a@x.example\"\nprovider = \"gmail\"\nauth = { password = { env = \"P\" } }\n";
    check_warns(
        &format!("{local}[web]\npublic_url = \"http://mail.example.com\"\n"),
        &[
            "w.toml:8: warning: `public_url` in [web] is not https: whoever is between you and the console reads what you see and may press what you press",
        ],
    );
    check_warns(&format!("{local}[web]\npublic_url = \"http://127.0.0.1:8025/\"\n"), &[]);
    check_warns(
        &format!("{local}[store]\nurl = \"postgres://u:hunter2@h/db\"\n"),
        &[
            "w.toml:8: warning: a password stands in `url` in [store]; leave it out and set PGPASSWORD, or write it into ~/.pgpass",
        ],
    );
    check_warns(&format!("{local}[store]\nurl = \"postgres://u@h/db\"\n"), &[]);
}

#[test]
fn all_problems_are_found_in_one_run() {
    let text = format!(
        "[limits]\ncompany_per_day = 9\n{}[web]\nlisten = \"x\"\n",
        ann("cap = 80\ngap = \"1s\"\ncolour = 1")
    );
    let (mistakes, refusals) = (said(&text, &[Severity::Error]), said(&text, &[Severity::Refusal]));
    assert_eq!((mistakes.len(), refusals.len()), (2, 3), "{mistakes:?} {refusals:?}");
}

#[test]
fn a_relative_database_lies_beside_the_file_that_names_it() {
    #[track_caller]
    fn check(file: &str, url: &str, want: &str) {
        let text = format!("[store]\nurl = \"{url}\"\n");
        assert_eq!(parse(Path::new(file), &text).unwrap().store_url, want);
    }
    check("w.toml", "sqlite://warmfront.db", "sqlite://warmfront.db");
    check("/etc/wf/w.toml", "sqlite://warmfront.db", "sqlite:///etc/wf/warmfront.db");
    check("lab/w.toml", "sqlite:warmfront.db?mode=rwc", "sqlite://lab/warmfront.db?mode=rwc");
    check("/a?b/50%/w.toml", "sqlite://w.db", "sqlite:///a%3Fb/50%25/w.db");
    check("/etc/wf/w.toml", "sqlite:///var/lib/w.db", "sqlite:///var/lib/w.db");
    check("/etc/wf/w.toml", "sqlite::memory:", "sqlite::memory:");
    check("/etc/wf/w.toml", "postgres://u@h/db", "postgres://u@h/db");
    assert_eq!(parse(Path::new("/x/w.toml"), "").unwrap().store_url, "sqlite:///x/warmfront.db");
}

const WHOLE: &str = r#"
mailboxes = "mailboxes.csv"

[store]
url = "postgres://wf@db/warmfront"

[sender]
legal_name = "Example Ltd"
postal_address = "1 Main Street"

[web]
listen = "127.0.0.1:9000"
public_url = "https://mail.example.com/"

[defaults]
cap = 40
warmup = { start = 3, step = 1 }
gap = "5m"
timezone = "America/New_York"
window = { opens = "0 0 9 * * Mon-Fri", length = "8h" }

[limits]
company_per_day = 3
override = true

[tenant.acme]
kind = "microsoft365"
licences = 25

[[mailbox]]
address = "Ann@Example.com"
name = "Ann Lee"
provider = "microsoft365"
auth = { password = { file = "ann.secret" } }
smtp = { host = "127.0.0.1", port = 2587, tls = "starttls", ca = "lab-ca.pem" }
imap = { host = "127.0.0.1", port = 2993, tls = "implicit", ca = "lab-ca.pem" }
username = "ann"
tenant = "acme"
tags = ["spring", "us"]
timezone = "Europe/Berlin"
warm_days = 12

[[mailbox]]
address = "bob@example.com"
provider = "google"
auth = { oauth = "google" }
cap = 300
warmup = "off"
gap = "0s"
pace = "asap"
window = [{ opens = "0 9 * * *", length = "24h" }]
override = true
"#;

const FLEET: &str = "\
address,name,provider,auth.password.env,smtp.host,smtp.port,imap.host,cap,warmup,window.opens,window.length,tags,override
cat@example.com,\"Cat, the\",smtp,CAT,mail.example.com,465,mail.example.com,20,5 7 10,0 0 9 * * Mon-Fri,4h,\"spring; eu\",
dan@example.com,,gmail,DAN,,,,,,,,,true
";

#[test]
fn everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("warmfront.toml"), WHOLE).unwrap();
    std::fs::write(dir.path().join("mailboxes.csv"), FLEET).unwrap();
    let config = load(&dir.path().join("warmfront.toml")).unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.store_url, "postgres://wf@db/warmfront");
    assert_eq!(config.sender.unwrap().legal_name, "Example Ltd");
    let web = config.web.unwrap();
    assert_eq!(web.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(web.public_url.as_deref(), Some("https://mail.example.com"));
    assert_eq!(
        (config.timezone_name.as_str(), config.timezone_override),
        ("America/New_York", false)
    );
    assert_eq!(config.limits, Limits { company_per_day: 3, ..Limits::default() });
    assert_eq!(config.tenants["acme"].per_day(), 7_129);
    let [ann, bob, cat, dan] = &config.mailboxes[..] else { panic!("four mailboxes") };

    assert_eq!((ann.address.as_str(), ann.username.as_str()), ("ann@example.com", "ann"));
    assert_eq!(ann.auth, Some(AuthRef::Password(SecretRef::File(dir.path().join("ann.secret")))));
    let (smtp, imap) = (&ann.smtp, ann.imap.as_ref().unwrap());
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.tls), ("127.0.0.1", 2587, Tls::StartTls));
    assert_eq!((imap.host.as_str(), imap.port, imap.tls), ("127.0.0.1", 2993, Tls::Implicit));
    let (ca, of_imap) = (smtp.ca.as_ref().unwrap(), imap.ca.as_ref().unwrap());
    assert_eq!((&ca.path, &of_imap.path), (&dir.path().join("lab-ca.pem"), &ca.path));
    let unread = ca.problem().unwrap().to_string();
    assert!(unread.contains("warmfront.toml:") && unread.contains("cannot be read"), "{unread}");
    std::fs::write(&ca.path, "no certificate").unwrap();
    assert!(ca.problem().unwrap().what.contains("-----BEGIN CERTIFICATE-----"));
    assert_eq!((ann.cap, ann.gap, ann.warm_days), (40, 5 * MINUTE, 12));
    assert_eq!((ann.pace, ann.over_limits), (Pace::Even, false));
    assert_eq!(ann.curve, Curve::Linear { start: 3, step: 1 });
    assert_eq!(ann.tenant.as_deref(), Some("acme"));
    assert_eq!(ann.tags, BTreeSet::from(["spring".to_owned(), "us".to_owned()]));
    assert_eq!(ann.timezone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(ann.window.as_ref().unwrap()[0].length(), 8 * HOUR);

    assert_eq!(bob.provider.name, "google");
    assert_eq!((bob.cap, bob.gap, bob.curve.clone()), (300, 0, Curve::Off));
    assert_eq!((bob.pace, bob.over_limits), (Pace::AsSoonAsPossible, true));
    assert_eq!(bob.smtp.host, "smtp.gmail.com");
    assert_eq!(bob.imap.as_ref().unwrap().host, "imap.gmail.com");
    assert_eq!(bob.timezone.iana_name(), Some("America/New_York"));

    assert_eq!(cat.name.as_deref(), Some("Cat, the"));
    assert_eq!(cat.auth, Some(AuthRef::Password(SecretRef::Env("CAT".into()))));
    assert_eq!((cat.smtp.port, cat.smtp.tls), (465, Tls::Implicit));
    assert_eq!((cat.cap, cat.curve.clone()), (20, Curve::Table(vec![5, 7, 10])));
    assert_eq!(cat.tags, BTreeSet::from(["spring".to_owned(), "eu".to_owned()]));
    assert_eq!(cat.window.as_ref().unwrap()[0].length(), 4 * HOUR);
    assert_eq!((dan.cap, dan.username.as_str(), dan.over_limits), (40, "dan@example.com", true));
}

#[test]
fn every_bad_row_of_the_fleet_is_told_and_a_column_once() {
    #[track_caller]
    fn check(fleet: &[u8], want: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.toml");
        std::fs::write(&path, "mailboxes = \"m.csv\"\n[defaults]\ntimezone = \"UTC\"\n").unwrap();
        std::fs::write(dir.path().join("m.csv"), fleet).unwrap();
        let problems = load(&path).map_or_else(|problems| problems, |config| config.warnings);
        let said = problems.iter().filter(|problem| problem.severity != Severity::Warning);
        let said = said
            .map(|problem| problem.to_string().replace(&format!("{}/", dir.path().display()), ""));
        assert_eq!(said.collect::<Vec<_>>(), want);
    }
    check(
        b"address,provider,warmdays\nann@x.example,local-mta,3\nbob@x.example\n\"c\"d,local-mta,1\nee,local-mta,4\n",
        &[
            "m.csv:1: unknown column `warmdays`; did you mean `warm_days`?",
            "m.csv:3: has 1 cell, the heading has 3",
            "m.csv:4: cell 1 goes on behind its closing quote",
            "m.csv:5: `address`: `ee` is no e-mail address",
        ],
    );
    check(b"", &["m.csv: the file is empty; its first line names the columns, at least `address`"]);
    let heading = "address;provider\nann;local-mta\n";
    check(heading.as_bytes(), &["m.csv:2: `address`: `ann` is no e-mail address"]);
}

#[test]
fn a_row_of_the_fleet_is_named_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.toml");
    std::fs::write(&path, format!("mailboxes = \"m.csv\"\n{}", ann(""))).unwrap();
    let fleet = "address,provider,auth.password,cap,warmup\nann@x.example,local-mta,,,\nbob@x.example,gmail,hunter2,80,5 4\n";
    std::fs::write(dir.path().join("m.csv"), fleet).unwrap();
    let problems = load(&path).unwrap_err();
    let said: Vec<String> = problems
        .iter()
        .filter(|problem| problem.severity != Severity::Warning)
        .map(|problem| problem.to_string().replace(&format!("{}/", dir.path().display()), ""))
        .collect();
    assert_eq!(
        said,
        [
            "m.csv:2: ann@x.example is already declared at w.toml:2; leave one of them out",
            "m.csv:3: `password` in [auth] must say where the secret is, never the secret itself; secrets only by reference: `auth = { password = { env = \"ANN_PASSWORD\" } }`, or { file = … }, { command = … }, { keyring = … }",
            "m.csv:3: `warmup` must be a ramp { start = 5, step = 2 }, a table of whole numbers above 0 that never falls, such as [5, 7, 10], or \"off\", not the text \"5 4\"",
            "m.csv:3: `cap` is 80, above 10 % of the limit of `gmail`, 500 messages a day; write at most 50, or add `override = true`",
        ]
    );
}

#[test]
fn control_characters_in_the_sender_are_told_with_their_line() {
    let text = "[sender]\nlegal_name = \"Ex\\r\\nX: y\"\npostal_address = \"1 Main\\u001b\"\n";
    let problems = parse(Path::new("w.toml"), text).unwrap_err();
    let said: Vec<String> = problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "w.toml:2: `legal_name` in [sender]: it must be one line of text without control characters",
            "w.toml:3: `postal_address` in [sender]: it must be text without control characters",
        ]
    );
    let text =
        "[sender]\nlegal_name = \"Ex\"\npostal_address = \"\"\"\n1 Main Street\r\nTown\n\"\"\"\n";
    let config = parse(Path::new("w.toml"), text).unwrap();
    assert_eq!(config.sender.unwrap().postal_address, "1 Main Street\nTown");
}

#[test]
fn a_file_that_is_not_there_says_what_to_do() {
    let problems = load(Path::new("/nowhere/warmfront.toml")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "/nowhere/warmfront.toml: cannot be read: No such file or directory (os error 2); `warmfront init` writes one, `--config FILE` names another"
    );
}

/// What the manual shows: every key of a common configuration.
const SHOWN: &str = r#"
[store]
url = "sqlite://warmfront.db"                 # or postgres://user@host/db

[sender]                                      # who writes; a campaign does not load without it
legal_name = "Example Ltd"
postal_address = "1 Main Street, Springfield, IL 62701, USA"

[web]
listen = "127.0.0.1:8025"
public_url = "https://mail.example.com"       # where opt-out links point

[defaults]                                    # each may be set again on a mailbox
cap = 50                                      # messages a day, whatever the curve says
warmup = { start = 5, step = 2 }
gap = "4m"                                    # least time between two messages of one mailbox
timezone = "America/New_York"

[[mailbox]]
address = "ann@example.com"
name = "Ann Lee"
provider = "microsoft365"
auth = { oauth = "microsoft" }
smtp = { host = "127.0.0.1", port = 2587, tls = "starttls", ca = "lab-ca.pem" }
imap = { host = "127.0.0.1", port = 2993, tls = "implicit", ca = "lab-ca.pem" }
warm_days = 0
override = false
"#;

#[test]
fn the_configuration_of_the_manual_loads_without_a_word() {
    check_warns(SHOWN, &[]);
    let mailbox = &loaded(SHOWN).mailboxes[0];
    assert_eq!(
        (mailbox.cap, mailbox.gap, mailbox.curve.clone()),
        (50, 4 * MINUTE, Curve::default())
    );
}
