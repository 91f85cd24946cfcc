//! Where no password may go, and what is said instead.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use warmfront_mail::smtp::{Account, Deadlines, Smtp, Tls};
use warmfront_mail::submit::{Submit, Trouble};
use warmfront_tests::server::{Certificate, Fault, Sink, SinkOptions};

use crate::{ANN, NOW, PASSWORD, account, trouble_told, with_users};

/// No password, in any spelling, and no attempt to send one.
#[track_caller]
fn assert_no_secret_left(sink: &Sink) {
    let wire = String::from_utf8_lossy(&sink.wire()).into_owned();
    let plain = BASE64.encode(format!("\0{ANN}\0{PASSWORD}"));
    for secret in [PASSWORD, &BASE64.encode(PASSWORD), &plain, "AUTH", "MAIL FROM"] {
        assert!(!wire.contains(secret), "{secret} in {wire}");
    }
    let lines = sink.lines();
    assert!(lines.iter().all(|l| l.text.starts_with("EHLO") || l.text == "STARTTLS"), "{lines:?}");
}

#[tokio::test]
async fn an_unsafe_connection_gets_no_password() {
    #[track_caller]
    fn check(sink: &Sink, got: Result<(), Trouble>, want: &str) {
        let Err(Trouble::Unsafe(why)) = got else { panic!("{want}: {got:?}") };
        assert!(why.contains(want), "{why}");
        assert_no_secret_left(sink);
    }
    for (fault, want) in [
        (Fault::NoStarttls, "127.0.0.1 offers no STARTTLS"),
        (Fault::StarttlsInjection, "octets of plain text behind its answer to STARTTLS"),
        (Fault::Tls10, "127.0.0.1 is not to be trusted: peer is incompatible"),
    ] {
        let sink = Sink::start(with_users(Tls::Starttls));
        sink.fault(fault, 1.0, 1);
        check(&sink, Smtp::new(account(&sink)).ready(NOW).await, want);
    }
    for (certificate, want) in [
        (Certificate::OtherName, "not valid for name \"127.0.0.1\""),
        (Certificate::OtherCa, "UnknownIssuer"),
        (Certificate::SelfSigned, "is not to be trusted: invalid peer certificate"),
        (Certificate::Expired, "certificate expired"),
    ] {
        for tls in [Tls::Starttls, Tls::Implicit] {
            let sink = Sink::start(SinkOptions { certificate, ..with_users(tls) });
            check(&sink, Smtp::new(account(&sink)).ready(NOW).await, want);
        }
    }
    let sink = Sink::start(with_users(Tls::Starttls));
    let of_the_web = Account { roots: None, ..account(&sink) };
    check(&sink, Smtp::new(of_the_web).ready(NOW).await, "UnknownIssuer");
    let no_ca = Account { roots: Some(b"no PEM at all".to_vec()), ..account(&sink) };
    check(&sink, Smtp::new(no_ca).ready(NOW).await, "holds no certificate");
    let rude = Account { hello: Some("a\r\nMAIL".to_owned()), ..account(&sink) };
    check(&sink, Smtp::new(rude).ready(NOW).await, "`a\\r\\nMAIL` is no name to greet");
    let far = Account { host: "192.0.2.1".to_owned(), tls: Tls::None, ..account(&sink) };
    check(&sink, Smtp::new(far).ready(NOW).await, "192.0.2.1 is not on this machine");
    let sink = Sink::start(SinkOptions { mechanisms: "XOAUTH2", ..with_users(Tls::Implicit) });
    check(&sink, Smtp::new(account(&sink)).ready(NOW).await, "neither AUTH PLAIN nor AUTH LOGIN");
}

#[tokio::test]
async fn a_port_that_speaks_tls_otherwise_is_told_with_the_setting_it_wants() {
    #[track_caller]
    fn check(got: Result<(), Trouble>, want: &str) {
        let Err(Trouble::Unsafe(why)) = got else { panic!("{want}: {got:?}") };
        assert!(why.contains(want), "{why}");
    }
    let soon = Deadlines { command: Duration::from_millis(200), ..Deadlines::default() };
    for tls in [Tls::Starttls, Tls::None] {
        let sink = Sink::start(with_users(tls));
        let implicit = Account { tls: Tls::Implicit, ..account(&sink) };
        check(Smtp::new(implicit).ready(NOW).await, "write `tls = \"starttls\"`");
        // Whoever cannot be trusted speaks TLS all the same.
        for certificate in [Certificate::Good, Certificate::Expired] {
            let sink = Sink::start(SinkOptions { certificate, ..with_users(Tls::Implicit) });
            let plain = Account { tls, deadlines: soon, ..account(&sink) };
            check(Smtp::new(plain).ready(NOW).await, "write `tls = \"implicit\"`");
            assert_no_secret_left(&sink);
        }
    }
    // Nobody says anything there, in whatever way.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = Sink::start(with_users(Tls::Starttls));
    let port = silent.local_addr().unwrap().port();
    let deadlines = Deadlines { connect: soon.command, ..soon };
    let nobody = Account { port, deadlines, ..account(&sink) };
    let trouble = Smtp::new(nobody).ready(NOW).await.unwrap_err();
    assert_eq!(trouble_told(&trouble), "lost at connect");
}

#[tokio::test]
async fn a_refused_log_in_says_so_without_the_password() {
    for mechanisms in ["PLAIN", "LOGIN"] {
        let sink = Sink::start(SinkOptions { mechanisms, ..with_users(Tls::Implicit) });
        sink.fault(Fault::Auth535, 1.0, 1);
        let mut smtp = Smtp::new(account(&sink));
        let trouble = smtp.ready(NOW).await.unwrap_err();
        assert_eq!(trouble_told(&trouble), "refused 535 5.7.8 bad credentials (at auth)");
        assert!(!format!("{:?}", account(&sink)).contains(PASSWORD));
        sink.fault(Fault::Auth535, 0.0, 1);
        assert_eq!(smtp.ready(NOW).await, Ok(()));
    }
}
