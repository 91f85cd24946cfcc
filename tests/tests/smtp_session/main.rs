//! The real submission client against a server that keeps to RFC 5321, and against one that does
//! not: every way a letter can end, and what is on the wire when it does.

mod endings;
mod reuse;
mod safety;
mod smuggling;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::sync::Notify;
use warmfront_core::address::Address;
use warmfront_core::span::Millis;
use warmfront_mail::smtp::{Account, Credentials, Smtp, Tls};
use warmfront_mail::submit::{Halt, Letter, Outcome, Progress, Stage, Submit, Trouble};
use warmfront_tests::server::{Fault, Sink, SinkOptions};

const NOW: Millis = 1_772_443_800_000;
const ANN: &str = "ann@example.com";
const PASSWORD: &str = "correct horse battery staple";
const BODY: &str =
    "From: ann@example.com\r\nMessage-ID: <1@example.com>\r\n\r\n.dot\r\n.\r\nend\r\n";

fn address(text: &str) -> Address {
    Address::parse(text).expect("a good address")
}

fn letter(body: &str) -> Letter {
    Letter { from: address(ANN), to: address("bob@acme.example"), bytes: body.into() }
}

fn with_users(tls: Tls) -> SinkOptions {
    let users = BTreeMap::from([(ANN.to_owned(), PASSWORD.to_owned())]);
    SinkOptions { tls, users, ..SinkOptions::default() }
}

fn account(sink: &Sink) -> Account {
    let credentials = Some(Credentials::Password(PASSWORD.into()));
    Account { credentials, ..sink.account(&address(ANN)) }
}

/// A plain server that wants no log-in, and a client for it.
fn pair() -> (Sink, Smtp) {
    let sink = Sink::start(SinkOptions::default());
    let smtp = Smtp::new(sink.account(&address(ANN)));
    (sink, smtp)
}

/// Watches a letter's way, and stops it where told.
#[derive(Default)]
struct Witness {
    seen: Vec<Stage>,
    halt_at: Option<Stage>,
    /// Hangs there for ever, and says so.
    hang_at: Option<(Stage, Arc<Notify>)>,
}

impl Progress for Witness {
    async fn reached(&mut self, stage: Stage) -> Result<(), Halt> {
        self.seen.push(stage);
        if let Some((at, hung)) = &self.hang_at
            && *at == stage
        {
            hung.notify_one();
            pending::<()>().await;
        }
        if self.halt_at == Some(stage) { Err(Halt("lease lost".to_owned())) } else { Ok(()) }
    }
}

async fn submit(smtp: &mut Smtp, now: Millis) -> String {
    told(&smtp.submit(&letter(BODY), now, &mut Witness::default()).await)
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answer) => format!("answered {answer}"),
        Outcome::NotSent(trouble) => format!("not sent, {}", trouble_told(trouble)),
        Outcome::InDoubt { .. } => "in doubt".to_owned(),
    }
}

fn trouble_told(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Refused(answer) => format!("refused {answer}"),
        Trouble::Lost { phase, .. } => format!("lost at {}", phase.as_str()),
        Trouble::Unsafe(_) | Trouble::NoSecret(_) | Trouble::SecretAway(_) => "unsafe".to_owned(),
        Trouble::NeedsLogin(why) | Trouble::NoToken(why) => format!("no token: {why}"),
        Trouble::Halted(why) => format!("halted: {why}"),
    }
}

const TAKEN: &str = "answered 250 2.0.0 taken (at eod)";

#[tokio::test]
async fn a_letter_arrives_as_it_was_written_however_safely() {
    for tls in [Tls::None, Tls::Starttls, Tls::Implicit] {
        for mechanisms in ["PLAIN", "LOGIN", "XOAUTH2 LOGIN PLAIN"] {
            let sink = Sink::start(SinkOptions { mechanisms, ..with_users(tls) });
            let mut smtp = Smtp::new(account(&sink));
            let mut witness = Witness::default();
            assert_eq!(smtp.ready(NOW).await, Ok(()), "{tls:?} {mechanisms}");
            let outcome = smtp.submit(&letter(BODY), NOW, &mut witness).await;
            assert_eq!(told(&outcome), TAKEN);
            smtp.close().await;

            use Stage::*;
            assert_eq!(witness.seen, [Mail, Rcpt, BodyWritten, DotWritten]);
            let accepted = sink.accepted();
            assert_eq!(accepted.len(), 1);
            assert_eq!(String::from_utf8_lossy(&accepted[0].bytes), BODY);
            assert_eq!(accepted[0].message_id.as_deref(), Some("<1@example.com>"));
            assert_eq!((accepted[0].from.as_str(), accepted[0].user.as_deref()), (ANN, Some(ANN)));
            assert_eq!(accepted[0].rcpt, "bob@acme.example");
            assert_eq!(accepted[0].tls, tls != Tls::None);
        }
    }
}

#[tokio::test]
async fn what_goes_over_the_wire_is_one_command_at_a_time() {
    let sink = Sink::start(with_users(Tls::Starttls));
    let host = "localhost".to_owned();
    let mut smtp = Smtp::new(Account { host, ..account(&sink) });
    assert_eq!(submit(&mut smtp, NOW).await, TAKEN);
    smtp.close().await;
    let lines: Vec<_> = sink.lines().into_iter().map(|line| (line.tls, line.text)).collect();
    let login = format!("AUTH PLAIN {}", BASE64.encode(format!("\0{ANN}\0{PASSWORD}")));
    let mail = format!("MAIL FROM:<{ANN}> SIZE={}", BODY.len());
    let want = [
        (false, "EHLO client.example.com"),
        (false, "STARTTLS"),
        (true, "EHLO client.example.com"),
        (true, &login),
        (true, &mail),
        (true, "RCPT TO:<bob@acme.example>"),
        (true, "DATA"),
        (true, "QUIT"),
    ];
    assert_eq!(lines, want.map(|(tls, text)| (tls, text.to_owned())));
}

#[tokio::test]
async fn the_journal_knows_a_message_before_the_client_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let sink = Sink::start(SinkOptions { journal: Some(path.clone()), ..SinkOptions::default() });
    let mut smtp = Smtp::new(sink.account(&address(ANN)));
    sink.fault(Fault::DotDropKept, 1.0, 1);
    assert_eq!(submit(&mut smtp, NOW).await, "in doubt");
    let journal = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        journal,
        "{\"rcpt\":\"bob@acme.example\",\"from\":\"ann@example.com\",\
         \"message_id\":\"<1@example.com>\",\"user\":null,\"tls\":false,\"size\":68,\
         \"connection\":1,\"nth\":1}\n"
    );
}
