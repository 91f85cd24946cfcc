//! How somebody logs in for a mailbox, and that whatever they then have works.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;
use warmfront_tests::binary::{Answer, wait_until};

use super::world::{ANN, Waiting, World, browse};

const HOUR: Duration = Duration::from_secs(3_600);

const LOGIN: [&str; 4] = ["mailbox", "login", ANN, "--json"];

/// The mailbox sends, and is read.
#[track_caller]
fn works(world: &World, answer: Answer) {
    let answer = answer.done();
    let want = ["address", "flow", "resumed", "state", "void", "why"];
    let told = answer.json();
    assert_eq!(told.as_object().expect("an object").keys().collect::<Vec<_>>(), want);
    assert_eq!((&told["address"], &told["state"]), (&json!(ANN), &json!("active")));
    world.begin("spring", 2);
    let ran = world.installation.run(&["run", "--until-idle"]).done();
    assert_eq!(world.count("accepted"), 2, "{ran}");
    let list = world.installation.run(&["mailbox", "list", "--json"]).done().json();
    assert!(list["inbox_read_at"].is_string() && list["inbox_trouble"].is_null(), "{list}");
    world.keeps_secrets(&[&answer, &ran]);
    let key = world.installation.file("warmfront.key").metadata().expect("a key was made");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn by_a_code_on_another_device() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    let mut login = Waiting::begin(&world.installation, &LOGIN);
    let said = login.says("type the code ");
    let code = said.split(',').next().expect("a code");
    world.identity.type_code(code, ANN);
    works(&world, login.ended());
    assert!(world.identity.asked().grants["urn:ietf:params:oauth:grant-type:device_code"] >= 1);
}

#[test]
fn by_a_browser_that_comes_back() {
    let world = World::of(HOUR, "google", "code", &[ANN]);
    world.identity.at_browser(ANN);
    let mut login = Waiting::begin(&world.installation, &LOGIN);
    let url = format!("{}{}", world.identity.url("/authorize"), login.says("/authorize"));
    for part in ["code_challenge_method=S256", "access_type=offline", "login_hint=ann%40sender"] {
        assert!(url.contains(part), "{url}");
    }
    let back = browse(&url).expect("it is sent back");
    // Somebody else with a code of their own is turned away.
    let (host, _) = back.split_once('?').expect("a question");
    assert_eq!(browse(&format!("{host}?code=theirs&state=theirs")), None);
    assert_eq!(browse(&back), None);
    works(&world, login.ended());
}

#[test]
fn by_a_browser_elsewhere_whose_last_address_is_pasted() {
    let world = World::of(HOUR, "google", "code", &[ANN]);
    world.identity.at_browser(ANN);
    let mut login = Waiting::begin(&world.installation, &LOGIN);
    let url = format!("{}{}", world.identity.url("/authorize"), login.says("/authorize"));
    let back = browse(&url).expect("it is sent back");
    login.types("http://127.0.0.1/?code=x&state=x");
    let _ = login.says("that is not where the browser was sent");
    login.types(&back);
    works(&world, login.ended());
}

#[test]
fn an_application_asks_for_itself() {
    let world = World::of(HOUR, "microsoft", "app", &[ANN]);
    world.identity.at_browser(ANN);
    works(&world, world.installation.run(&LOGIN));
    assert_eq!(world.identity.asked().grants.keys().collect::<Vec<_>>(), ["client_credentials"]);
}

#[test]
fn an_application_that_asks_for_itself_needs_nobody_to_log_in() {
    let world = World::of(HOUR, "microsoft", "app", &[ANN]);
    world.identity.at_browser(ANN);
    world.begin("spring", 2);
    let _ = world.installation.run(&["run", "--until-idle"]).done();
    assert_eq!(world.count("accepted"), 2);
}

#[test]
fn a_service_account_signs_for_each_mailbox() {
    let world = World::of(HOUR, "google", "app", &[ANN]);
    let account = include_str!("../../../crates/mail/src/oauth/test_account.json");
    world.installation.write("account.json", account);
    let token_url = world.identity.url("/token");
    world.configure(&format!(
        "auth = {{ oauth = \"google\", flow = \"app\", token_url = \"{token_url}\", \
         secret = {{ file = \"account.json\" }} }}"
    ));
    let _ = world.installation.run(&LOGIN).said(1, &["others may read", "account.json"]);
    world.close_to_others("account.json");
    works(&world, world.installation.run(&LOGIN));
    let asked = world.identity.asked();
    assert!(asked.grants.keys().all(|grant| grant.ends_with("jwt-bearer")), "{asked:?}");
}

#[test]
fn a_refresh_token_from_elsewhere_is_taken_over_and_tried() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    world.installation.write("refresh", world.identity.consent(ANN));
    let words = ["mailbox", "login", ANN, "--json", "--refresh-token", "refresh"];
    let open = world.installation.file("refresh");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("our file");
    let _ = world.installation.run(&words).said(1, &["others may read", "chmod 600"]);
    world.close_to_others("refresh");
    works(&world, world.installation.run(&words));
    // It was good for one use, and that was it.
    let again = world.installation.run(&words);
    let again = again.said(1, &["the identity provider refused", "used before", "bad_token"]);
    assert!(!again.err.contains("Trace ID"), "{again}");

    let mut login = Waiting::begin(
        &world.installation,
        &["mailbox", "login", ANN, "--json", "--refresh-token", "-"],
    );
    login.types(&world.identity.consent(ANN));
    let told = login.ended().done().json();
    assert_eq!((&told["state"], &told["resumed"]), (&json!("active"), &json!(false)));
}

#[test]
fn what_is_meant_for_this_machine_goes_through_no_proxy() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    world.installation.write("refresh", world.identity.consent(ANN));
    world.close_to_others("refresh");
    let words = ["mailbox", "login", ANN, "--json", "--refresh-token", "refresh"];
    let mut command = world.installation.command(&words);
    // Nobody is there; who listened would read the application's secret.
    command.env("HTTP_PROXY", "http://127.0.0.1:9").env("http_proxy", "http://127.0.0.1:9");
    works(&world, Answer::from(command.output().expect("it starts")));
}

#[test]
fn whoever_says_no_is_not_logged_in() {
    let world = World::of(HOUR, "google", "code", &[ANN]);
    let mut login = Waiting::begin(&world.installation, &LOGIN);
    let url = format!("{}{}", world.identity.url("/authorize"), login.says("/authorize"));
    let back = browse(&url).expect("it is sent back");
    assert_eq!(browse(&back), None);
    let _ = login.ended().said(1, &[ANN, "access_denied"]);
    assert_eq!(world.standing(ANN).0, "active");
}

#[test]
fn what_is_missing_is_told_by_whoever_needs_it_and_a_bare_log_in_loads() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    let missing = ["client_id", "SMTP.Send", "entra.microsoft.com", "docs/login.md"];
    world.configure("auth = { oauth = \"microsoft\" }");
    let _ = world.installation.run(&["status"]).done();
    for words in [&["check"][..], &["mailbox", "login", ANN], &["run", "--until-idle"]] {
        let _ = world.installation.run(words).said(1, &missing);
    }
    world.configure("auth = { oauth = \"google\", flow = \"app\" }");
    let _ = world.installation.run(&["check"]).said(1, &["`secret` is missing", "google"]);
    world.configure("auth = { oauth = \"google\", flow = \"device\", client_id = \"c\" }");
    let _ = world.installation.run(&["check"]).said(1, &["gives no mail to devices"]);
    world.configure(
        "auth = { oauth = \"microsoft\", client_id = \"c\", token_url = \"http://x.example\" }",
    );
    let _ = world.installation.run(&["check"]).said(1, &["must begin with https://"]);
    world.configure("auth = { password = { keyring = \"warmfront/ann\" } }");
    let mut command = world.installation.command(&["check"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere").env_remove("DISPLAY");
    let _ = Answer::from(command.output().expect("it starts")).said(1, &["no keyring"]);
}

#[test]
fn check_names_mailboxes_for_which_nobody_has_logged_in_and_makes_no_books() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN, "bob@sender.example"]);
    let check = || world.installation.run(&["check"]).done();
    let told = check();
    assert!(!told.err.contains("mailbox login"), "{told}");
    assert!(!world.installation.file("warmfront.db").exists(), "looking makes no books");
    let _ = world.installation.run(&["status"]).done();
    let told = check();
    for address in [ANN, "bob@sender.example"] {
        let todo = format!(
            "{address}: nobody has logged in for it yet: `warmfront mailbox login {address}`"
        );
        assert!(told.err.contains(&todo), "{told}");
    }
    assert!(told.out.ends_with("2 mailboxes, 0 campaigns: no error, 3 warnings\n"), "{told}");
    world.log_in(ANN);
    let told = check();
    assert!(!told.err.contains(ANN) && told.err.contains("bob@sender.example"), "{told}");
}

#[test]
fn a_token_that_is_refused_is_mended_by_a_log_in_and_no_password() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    world.installation.write("refresh", world.identity.consent("bob@sender.example"));
    world.close_to_others("refresh");
    // Whoever consented was somebody else.
    let words = ["mailbox", "login", ANN, "--refresh-token", "refresh"];
    let _ = world.installation.run(&words).done();
    let told = world.installation.run(&["mailbox", "verify"]).said(3, &[]);
    let text = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let todo = format!("Log in again as that very mailbox: `warmfront mailbox login {ANN}`.");
    assert_eq!(text.matches(&todo).count(), 1, "{told}");
    assert!(!text.to_lowercase().contains("password"), "{told}");
}

#[test]
fn a_key_that_is_gone_or_another_is_told_and_nothing_is_lost_by_bringing_it_back() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    world.log_in(ANN);
    world.begin("spring", 1);
    let key = world.installation.file("warmfront.key");
    let kept = std::fs::read(&key).expect("the key");
    std::fs::remove_file(&key).expect("the key");
    // Nothing begins without it, and nobody is paused: another machine may have it.
    let run = || world.installation.run(&["run", "--until-idle"]);
    let _ = run().said(3, &["sealed by a key that is not here", "warmfront.key", "--new-key"]);
    // Another mailbox's log-in would have made another.
    world.installation.write("warmfront.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    world.close_to_others("warmfront.key");
    let _ = run().said(3, &["sealed by another key", "--new-key"]);
    assert_eq!(world.standing(ANN).0, "active");
    world.installation.write("warmfront.key", kept);
    let _ = run().done();
    wait_until("it is sent", || world.count("accepted") == 1);
}
