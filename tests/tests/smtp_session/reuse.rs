//! When a connection carries another letter, and when it is replaced.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use warmfront_core::answer::Phase;
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_mail::smtp::{Account, ConnectionLimits, Smtp};
use warmfront_mail::submit::{Outcome, Submit};
use warmfront_tests::server::{Fault, Sink, SinkOptions};

use crate::{ANN, NOW, TAKEN, Witness, address, letter, pair, submit};

/// The connections that letters at these moments travelled on.
async fn connections(smtp: &mut Smtp, sink: &Sink, moments: &[Millis]) -> Vec<u64> {
    for &moment in moments {
        assert_eq!(smtp.ready(NOW + moment).await, Ok(()));
        assert_eq!(submit(smtp, NOW + moment).await, TAKEN);
    }
    sink.accepted().iter().map(|message| message.connection).collect()
}

fn count(sink: &Sink, text: &str) -> usize {
    sink.lines().iter().filter(|line| line.text == text).count()
}

#[tokio::test]
async fn a_connection_is_used_again_while_it_is_fresh() {
    let (sink, mut smtp) = pair();
    let got = connections(&mut smtp, &sink, &[0; 21]).await;
    assert_eq!(got, [vec![1; 20], vec![2]].concat(), "twenty messages");
    assert_eq!(count(&sink, "QUIT"), 1);

    let (sink, mut smtp) = pair();
    let idle = [0, 30 * SECOND, 61 * SECOND, 121 * SECOND];
    assert_eq!(connections(&mut smtp, &sink, &idle).await, [1, 1, 1, 2], "a minute of idling");
    assert_eq!(count(&sink, "NOOP"), 1, "only after more than half a minute");

    let sink = Sink::start(SinkOptions::default());
    let account = sink.account(&address(ANN));
    let limits = ConnectionLimits { messages: 1_000, ..account.limits };
    let mut smtp = Smtp::new(Account { limits, ..account });
    let old: Vec<Millis> = (0..=30).map(|n| n * 30 * SECOND).collect();
    let got = connections(&mut smtp, &sink, &old).await;
    assert_eq!(old[30], 15 * MINUTE);
    assert_eq!(got, [vec![1; 30], vec![2]].concat(), "a quarter of an hour");
}

#[tokio::test]
async fn after_a_refusal_the_next_letter_goes_over_the_same_connection() {
    for fault in [Fault::Rcpt550, Fault::Rcpt451, Fault::Dot550, Fault::Dot451] {
        let (sink, mut smtp) = pair();
        sink.fault(fault, 1.0, 1);
        assert!(submit(&mut smtp, NOW).await.starts_with("answered"));
        assert_eq!(count(&sink, "RSET"), 0, "the answer is told at once");
        sink.fault(fault, 0.0, 1);
        assert_eq!(connections(&mut smtp, &sink, &[0]).await, [1], "{fault:?}");
        assert_eq!((count(&sink, "RSET"), count(&sink, "QUIT")), (1, 0), "{fault:?}");
    }
    let (sink, mut smtp) = pair();
    sink.fault(Fault::Rcpt550, 1.0, 1);
    submit(&mut smtp, NOW).await;
    sink.fault(Fault::Rcpt550, 0.0, 1);
    sink.fault(Fault::RsetDrop, 1.0, 1);
    assert_eq!(connections(&mut smtp, &sink, &[0]).await, [2], "a lost RSET");
}

#[tokio::test]
async fn a_used_connection_that_has_ended_is_replaced_once() {
    for fault in [Fault::CloseAfter, Fault::FarewellAfter] {
        let (sink, mut smtp) = pair();
        sink.fault(fault, 1.0, 1);
        assert_eq!(connections(&mut smtp, &sink, &[0, 0, 0]).await, [1, 2, 3], "{fault:?}");
        sink.fault(Fault::ConnDrop, 1.0, 1);
        assert_eq!(submit(&mut smtp, NOW).await, "not sent, lost at connect", "{fault:?}");
    }
    let (sink, mut smtp) = pair();
    assert_eq!(submit(&mut smtp, NOW).await, TAKEN);
    sink.fault(Fault::Mail421, 1.0, 1);
    let refused = "answered 421 4.3.2 closing, come back later (at mail)";
    assert_eq!(submit(&mut smtp, NOW).await, refused);
    let mails: Vec<u64> = sink
        .lines()
        .iter()
        .filter(|line| line.text.starts_with("MAIL"))
        .map(|line| line.connection)
        .collect();
    assert_eq!(mails, [1, 1, 2], "one try on the old connection, one on a new one");
    sink.fault(Fault::Mail421, 0.0, 1);
    sink.fault(Fault::QuitDrop, 1.0, 1);
    assert_eq!(submit(&mut smtp, NOW).await, TAKEN);
    smtp.close().await;
}

/// Providers count sessions, so a lane must not hold two even while it replaces one.
#[tokio::test]
async fn the_old_connection_is_gone_before_there_is_a_new_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let first = listener.accept().await.unwrap().0;
        // It says 421 to the second MAIL, and leaves the end of the connection to the client.
        let mut first = serve(first, &["250 ok", "250 ok", "354 go", "250 taken", "421 bye"]).await;
        let mut rest = String::new();
        let left = first.read_to_string(&mut rest).await;
        assert_eq!((left.ok(), rest.as_str()), (Some(0), ""), "the client has gone");
        let second = listener.accept().await.unwrap().0;
        drop(serve(second, &["250 ok", "250 ok", "354 go", "250 taken"]).await);
    });
    let sink = Sink::start(SinkOptions::default());
    let mut smtp = Smtp::new(Account { port, ..sink.account(&address(ANN)) });
    assert!(submit(&mut smtp, NOW).await.starts_with("answered 250"));
    assert!(submit(&mut smtp, NOW).await.starts_with("answered 250"));
    serving.await.unwrap();
}

/// Greets, answers EHLO, and then one line after another; of a letter only its dot.
async fn serve(tcp: TcpStream, answers: &[&str]) -> BufReader<TcpStream> {
    let mut tcp = BufReader::new(tcp);
    let greeting = ["220 mx ready", "250 mx"];
    for (nr, answer) in greeting.iter().chain(answers).enumerate() {
        let in_letter = nr > 0 && greeting.iter().chain(answers).nth(nr - 1) == Some(&"354 go");
        let mut line = String::new();
        while nr > 0
            && tcp.read_line(&mut line).await.expect("a line") > 0
            && in_letter
            && line != ".\r\n"
        {
            line.clear();
        }
        tcp.write_all(format!("{answer}\r\n").as_bytes()).await.expect("a client");
    }
    tcp
}

#[tokio::test]
async fn a_message_larger_than_the_server_takes_is_not_even_begun() {
    let (sink, mut smtp) = pair();
    let mut witness = Witness::default();
    // The sink says SIZE 10000000.
    let whole = smtp.submit(&letter(&"a".repeat(10_000_001)), NOW, &mut witness).await;
    let Outcome::Answered(answer) = whole else { panic!("{whole:?}") };
    assert_eq!((answer.phase, answer.code), (Phase::Mail, 552), "{answer}");
    assert_eq!(sink.lines().iter().filter(|line| line.text.starts_with("MAIL")).count(), 0);
    assert_eq!(submit(&mut smtp, NOW).await, TAKEN, "the connection stays good");
}
