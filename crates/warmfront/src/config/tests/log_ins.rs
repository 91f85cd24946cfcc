//! How mailboxes log in.

use super::*;
use warmfront_core::identity::{Flow, Identity};

use crate::config::auth::OAuthRef;

#[test]
fn secrets_stand_in_no_file_and_in_no_message() {
    const REFUSED: &str = "must say where the secret is, never the secret itself; secrets only by reference: `auth = { password = { env = \"ANN_PASSWORD\" } }`, or { file = … }, { command = … }, { keyring = … }";
    for (auth, key, place) in [
        ("{ password = \"hunter2\" }", "password", "mailbox[1].auth"),
        ("\"hunter2\"", "auth", "mailbox[1]"),
        ("{ oauth = \"google\", secret = \"hunter2\" }", "secret", "mailbox[1].auth"),
    ] {
        let want = format!("w.toml:4: `{key}` in {place} {REFUSED}");
        check_provider(&format!("provider = \"gmail\"\nauth = {auth}"), &[&want]);
    }
    check_provider(
        "provider = \"gmail\"\npassword = \"hunter2\"",
        &[
            "w.toml:1: `auth` is missing in mailbox[1]; write auth = { password = { env = \"…\" } }",
            "w.toml:4: unknown key `password` in mailbox[1]; known are address, auth, cap, gap, imap, name, override, pace, provider, smtp, tags, tenant, timezone, username, warm_days, warmup, window",
        ],
    );
    check_provider(
        "provider = \"gmail\"\nauth = { passwd = \"hunter2\" }",
        &[
            "w.toml:4: say `password` or `oauth` in mailbox[1].auth, one of them",
            "w.toml:4: unknown key `passwd` in mailbox[1].auth; did you mean `password`?",
        ],
    );
    for references in ["{}", "{ env = \"\" }", "{ env = \"P\", file = \"p\" }"] {
        check_provider(
            &format!("provider = \"gmail\"\nauth = {{ password = {references} }}"),
            &[
                "w.toml:4: say where `password` in mailbox[1].auth is: one of `env`, `file`, `command` or `keyring`",
            ],
        );
    }
}

/// An OAuth log-in of which nothing more is said.
fn bare(provider: Identity, flow: Flow) -> OAuthRef {
    OAuthRef {
        provider,
        flow,
        client_id: None,
        tenant: None,
        secret: None,
        authorize_url: None,
        token_url: None,
        device_url: None,
        scopes: None,
        ca: None,
    }
}

#[test]
fn log_ins() {
    check_provider(
        "provider = \"gmail\"\nauth = { oauth = \"google\", password = { env = \"P\" } }",
        &["w.toml:4: say `password` or `oauth` in mailbox[1].auth, one of them"],
    );
    check_provider(
        "provider = \"gmail\"\nauth = { oauth = \"gogle\" }",
        &["w.toml:4: `oauth` in mailbox[1].auth: `gogle` is neither \"microsoft\" nor \"google\""],
    );
    check_provider(
        "provider = \"gmail\"\nauth = { oauth = \"google\", flow = \"magic\" }",
        &["w.toml:4: `flow` in mailbox[1].auth: `magic` is none of \"device\", \"code\", \"app\""],
    );
    check_provider(
        "provider = \"outlook-consumer\"\nauth = { password = { env = \"P\" } }",
        &["w.toml:4: `auth` in mailbox[1]: `outlook-consumer` takes OAuth only"],
    );
    check_provider(
        "provider = \"yahoo\"\nauth = { oauth = \"google\" }",
        &["w.toml:4: `auth` in mailbox[1]: `yahoo` takes a password only"],
    );
    let auth_at = |provider: &str, auth: &str| {
        let text = ann("").replace("{ password = { env = \"P\" } }", auth);
        loaded(&text.replace("gmail", provider)).mailboxes[0].auth.clone().unwrap()
    };
    let auth = |auth: &str| auth_at("gmail", auth);
    assert_eq!(
        auth_at("microsoft365", "{ oauth = \"microsoft\" }"),
        AuthRef::OAuth(Box::new(bare(Identity::Microsoft, Flow::Device)))
    );
    assert_eq!(
        auth(
            "{ oauth = \"google\", flow = \"app\", client_id = \"c\", tenant = \"t\", secret = { file = \"s\" } }"
        ),
        AuthRef::OAuth(Box::new(OAuthRef {
            client_id: Some("c".into()),
            tenant: Some("t".into()),
            secret: Some(SecretRef::File("s".into())),
            ..bare(Identity::Google, Flow::App)
        }))
    );
    let command = auth("{ password = { command = \"pass mail\" } }");
    assert_eq!(command, AuthRef::Password(SecretRef::Command("pass mail".into())));
}

#[test]
fn tokens_are_of_whom_the_provider_believes() {
    #[track_caller]
    fn check(provider: &str, auth: &str, want: &str) {
        let lines = format!("provider = \"{provider}\"\nauth = {{ {auth} }}");
        check_provider(&lines, &[&format!("w.toml:4: `oauth` in mailbox[1].auth: {want}")]);
    }
    let google = "`microsoft365` takes no tokens of \"google\"; write oauth = \"microsoft\"";
    check("microsoft365", "oauth = \"google\"", google);
    let gmail = "`gmail` takes no tokens of \"microsoft\"; write oauth = \"google\"";
    check("gmail", "oauth = \"microsoft\", client_id = \"c\"", gmail);
    check(
        "fastmail",
        "oauth = \"google\"",
        "`fastmail` takes no tokens of \"google\", only its own; write its `authorize_url`, \
         `token_url` and `scopes` beside it, or log in by a password",
    );
    let quiet = [
        "provider = \"fastmail\"\nauth = { oauth = \"google\", token_url = \"https://api.x.example/t\" }",
        "provider = \"smtp\"\nsmtp = { host = \"h\" }\nimap = { host = \"h\" }\nauth = { oauth = \"google\" }",
        "provider = \"gmail\"\nsmtp = { host = \"h\" }\nimap = { host = \"h\" }\nauth = { oauth = \"microsoft\" }",
    ];
    for lines in quiet {
        check_provider(lines, &[]);
    }
}

#[test]
fn a_log_in_that_cannot_work_says_what_it_lacks() {
    #[track_caller]
    fn check(auth: &str, want: &str) {
        let text = format!("provider = \"smtp\"\nsmtp = {{ host = \"h\" }}\nauth = {{ {auth} }}");
        let config = loaded(&format!("[[mailbox]]\naddress = \"ann@x.example\"\n{text}\n"));
        let Some(AuthRef::OAuth(oauth)) = &config.mailboxes[0].auth else { panic!("{auth}") };
        let got = oauth.problem().unwrap_or_default();
        assert!(if want.is_empty() { got.is_empty() } else { got.contains(want) }, "{auth}: {got}");
    }
    let (microsoft, google) = ("oauth = \"microsoft\"", "oauth = \"google\"");
    let secret = "secret = { env = \"S\" }";
    check(&format!("{microsoft}, client_id = \"c\""), "");
    check(&format!("{google}, client_id = \"c\", {secret}"), "");
    check(&format!("{google}, flow = \"app\", {secret}"), "");
    check(&format!("{microsoft}, client_id = \" \""), "`client_id` is empty in its `auth`");
    check(&format!("{google}, client_id = \"\", {secret}"), "https://mail.google.com/");
    for example in ["…", "...", "<client-id>", "YOUR_CLIENT_ID", "changeme"] {
        let want = format!("`client_id` in its `auth` is still the `{example}` of an example");
        check(&format!("{microsoft}, client_id = \"{example}\""), &want);
    }
    let tenant = |tenant: &str| format!("{microsoft}, client_id = \"c\", tenant = \"{tenant}\"");
    check(&tenant(""), "`tenant` in its `auth` is empty");
    check(&tenant("…"), "`tenant` in its `auth` is still the `…` of an example");
    check(&tenant("contoso.onmicrosoft.com"), "");
    let lacks =
        "`secret` is missing in its `auth`: google's flow \"code\" does not work without it";
    check(&format!("{google}, client_id = \"c\""), lacks);
    check(&format!("{google}, flow = \"device\", client_id = \"c\""), "gives no mail to devices");
    // Half of a log-in elsewhere.
    let url = |flow: &str, url: &str| {
        format!(
            "{microsoft}, flow = \"{flow}\", client_id = \"c\", {url} = \"https://i.x.example/\""
        )
    };
    check(&url("device", "token_url"), "`device_url` is missing in its `auth` beside `token_url`");
    check(&url("device", "device_url"), "`token_url` is missing in its `auth` beside `device_url`");
    check(&url("code", "token_url"), "would go to microsoft's own servers; write both, or neither");
    check(&url("code", "authorize_url"), "`token_url` is missing");
    check(&url("device", "authorize_url"), "");
    let own = "authorize_url = \"https://i.x.example/a\", token_url = \"https://i.x.example/t\"";
    check(&format!("{google}, client_id = \"c\", {own}"), "");
}
