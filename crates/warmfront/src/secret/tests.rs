//! Where secrets are found, and what is said where they are not.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use secrecy::ExposeSecret as _;

fn found(secret: &SecretRef) -> Result<String, String> {
    text(secret, "ann@x.example", &Keepers::new())
        .map(|secret| secret.expose_secret().to_owned())
        .map_err(|error| error.to_string())
}

fn file(dir: &Path, text: &[u8], mode: u32) -> SecretRef {
    let path = dir.join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    SecretRef::File(path)
}

#[test]
fn a_variable_is_read_or_named() {
    // Cargo sets it for every test it runs.
    assert_eq!(found(&SecretRef::Env("CARGO_PKG_NAME".into())).unwrap(), "warmfront");
    assert_eq!(
        found(&SecretRef::Env("WARMFRONT_UNSET".into())).unwrap_err(),
        "ann@x.example: the environment variable `WARMFRONT_UNSET` is not set; set it where \
         Warmfront is started, and start it again: it keeps the environment it began with"
    );
}

#[test]
fn a_file_is_read_only_where_nobody_else_can() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().join("secret").display().to_string();
    assert_eq!(found(&file(dir.path(), b"s3cret\r\n", 0o600)).unwrap(), "s3cret");
    assert_eq!(found(&file(dir.path(), b" inner blank ", 0o400)).unwrap(), " inner blank ");
    for mode in [0o640, 0o604, 0o660] {
        assert_eq!(
            found(&file(dir.path(), b"s3cret", mode)).unwrap_err(),
            format!(
                "ann@x.example: others may read the secret file {shown}; run `chmod 600 {shown}`"
            )
        );
    }
    assert_eq!(
        found(&file(dir.path(), b"\n", 0o600)).unwrap_err(),
        format!("ann@x.example: what stands in the secret file {shown} is empty")
    );
    assert_eq!(
        found(&file(dir.path(), b"one\ntwo\n", 0o600)).unwrap_err(),
        format!(
            "ann@x.example: what stands in the secret file {shown} is more than one line of \
             text; a secret is exactly one"
        )
    );
    assert!(found(&file(dir.path(), b"\xff", 0o600)).unwrap_err().contains("UTF-8"));
    let gone = SecretRef::File(dir.path().join("gone"));
    assert!(found(&gone).unwrap_err().contains("gone cannot be read: No such file"));
}

#[test]
fn what_a_disk_does_not_answer_is_asked_again_and_what_is_not_there_is_not() {
    let why = |kind| SecretError::Unreadable {
        whose: "ann@x.example".to_owned(),
        file: "secret".into(),
        why: io::Error::from(kind),
    };
    for kind in [io::ErrorKind::TimedOut, io::ErrorKind::StaleNetworkFileHandle] {
        assert!(matches!(why(kind).into_trouble(), Trouble::SecretAway(_)), "{kind}");
    }
    for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
        assert!(matches!(why(kind).into_trouble(), Trouble::NoSecret(_)), "{kind}");
    }
}

#[test]
fn a_command_is_run_by_the_shell() {
    assert_eq!(found(&SecretRef::Command("echo s3cret | tr s S".into())).unwrap(), "S3cret");
    assert_eq!(
        found(&SecretRef::Command("echo s3cret; echo why >&2; exit 3".into())).unwrap_err(),
        "ann@x.example: the command `echo s3cret; echo why >&2; exit 3` failed (exit status: 3); \
         run it by hand to see what it says"
    );
    assert!(found(&SecretRef::Command("true".into())).unwrap_err().ends_with("is empty"));
    // Whoever leaves a helper running lets go of the pipe, as helpers do.
    let helped = "echo s3cret; sleep 60 >/dev/null &";
    assert_eq!(found(&SecretRef::Command(helped.into())).unwrap(), "s3cret");
}

#[test]
fn a_secret_prints_as_nothing() {
    let secret = text(&SecretRef::Env("CARGO_PKG_NAME".into()), "ann", &Keepers::new()).unwrap();
    assert!(!format!("{secret:?}").contains("warmfront"));
}

#[test]
fn an_app_password_loses_the_blanks_it_is_shown_with() {
    #[track_caller]
    fn check(provider: &str, printed: &str, want: &str) {
        let text = format!(
            "[[mailbox]]\naddress = \"ann@x.example\"\nprovider = \"{provider}\"\n\
             smtp = {{ host = \"127.0.0.1\" }}\n\
             auth = {{ password = {{ command = \"echo '{printed}'\" }} }}\n"
        );
        let config = crate::config::parse(Path::new("w.toml"), &text).unwrap();
        let mailbox = &config.mailboxes[0];
        let Some(AuthRef::Password(secret)) = &mailbox.auth else { panic!("{provider}") };
        let password = password(secret, mailbox, &Keepers::new()).unwrap();
        assert_eq!(password.expose_secret(), want, "{provider}");
    }
    check("google", "abcd efgh ijkl mnop", "abcdefghijklmnop");
    check("icloud", "abcd-efgh-ijkl-mnop", "abcd-efgh-ijkl-mnop");
    check("yahoo", "abcd efgh ijkl mnop", "abcdefghijklmnop");
    check("smtp", "correct horse", "correct horse");
    check("microsoft365", "correct horse", "correct horse");
}
