//! The first things anybody types.

use warmfront_tests::binary::Installation;

#[test]
fn the_demonstration_fits_a_terminal_and_adds_up() {
    let installation = Installation::empty();
    let mut demo = installation.command(&["demo", "--days", "3"]);
    let said = demo.env("COLUMNS", "80").output().expect("it starts");
    let text = String::from_utf8(said.stdout).expect("people read UTF-8");
    assert!(said.status.success(), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.contains("Sent twice: 0."), "{text}");
    assert!(text.contains("The books add up."), "{text}");

    let figures = installation.run(&["demo", "--days", "3", "--json"]).done().json();
    assert_eq!(figures["days"], 3, "{figures}");
    assert_eq!(figures["seed"], 7, "{figures}");
    assert!(std::fs::read_dir(installation.path()).expect("a folder").next().is_none());
}

#[test]
fn what_init_writes_is_right_and_is_never_written_over() {
    let mut installation = Installation::empty();
    let said = installation.run(&["init"]).done();
    for next in ["warmfront check", "mailbox login ADDRESS", "mailbox verify", "campaign start"] {
        assert!(said.out.contains(next), "{next}: {said}");
    }
    installation.secret("ANN_PASSWORD", "secret");
    let checked = installation.run(&["check"]).done();
    assert!(checked.out.ends_with("1 mailbox, 1 campaign: no error, 2 warnings\n"), "{checked}");
    for left in ["`legal_name` in [sender]", "ann@example.com", "smtp.example.com", "`list_source`"]
    {
        assert!(checked.err.contains(left), "{left}: {checked}");
    }
    let _ = installation.run(&["init"]).said(2, &["there already", "nothing was written"]);
    let _ = installation.run(&["campaign", "import", "campaigns/first"]).done();
    let _ = installation.run(&["campaign", "start", "first"]).done();
    let _ = installation.run(&["plan"]).done();
}

#[test]
fn wrong_use_is_exit_2_and_says_what_would_be_right() {
    let installation = Installation::empty();
    #[track_caller]
    fn check(installation: &Installation, words: &[&str], hint: &str) {
        let _ = installation.run(words).said(2, &[hint]);
    }
    check(&installation, &["pln"], "a similar subcommand exists: 'plan'");
    check(&installation, &["plan", "--date", "soon"], "--date");
    check(&installation, &["plan", "--days", "0"], "--days");
    let _ = installation.run(&["status"]).said(1, &["warmfront.toml", "warmfront init"]);
    let _ = installation.run(&["init"]).done();
    check(&installation, &["campaign", "start", "frist"], "there is no campaign `frist`");
    check(
        &installation,
        &["mailbox", "pause", "anne@example.com"],
        "did you mean `ann@example.com`?",
    );
    check(&installation, &["suppress", "add", "nonsense"], "neither an address nor a domain");
}
