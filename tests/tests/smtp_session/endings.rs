//! How a letter ends, whatever the server does, and when the dot leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use warmfront_mail::smtp::{Account, Deadlines, Smtp, Tls};
use warmfront_mail::submit::{Halt, Outcome, Progress, Stage, Submit};
use warmfront_tests::server::{Fault, Sink, SinkOptions};

use crate::{
    ANN, BODY, NOW, TAKEN, Witness, account, address, letter, pair, submit, told, with_users,
};

#[tokio::test]
async fn every_fault_has_its_end() {
    async fn check(fault: Fault, want: &str, kept: usize) {
        let sink = Sink::start(SinkOptions::default());
        let final_dot = Duration::from_secs(1);
        let deadlines = Deadlines { final_dot, ..Deadlines::default() };
        let mut smtp = Smtp::new(Account { deadlines, ..sink.account(&address(ANN)) });
        sink.fault(fault, 1.0, 1);
        assert_eq!(submit(&mut smtp, NOW).await, want, "{fault:?}");
        assert_eq!(sink.accepted().len(), kept, "{fault:?}");
        // Whatever happened, the next letter goes its way.
        sink.fault(fault, 0.0, 1);
        assert_eq!(submit(&mut smtp, NOW).await, TAKEN, "after {fault:?}");
        assert_eq!(sink.accepted().len(), kept + 1, "after {fault:?}");
    }
    check(Fault::ConnDrop, "not sent, lost at connect", 0).await;
    let closing = "421 4.3.2 closing, come back later";
    check(Fault::Conn421, &format!("not sent, refused {closing} (at connect)"), 0).await;
    check(Fault::MailDrop, "not sent, lost at mail", 0).await;
    check(Fault::Mail421, &format!("answered {closing} (at mail)"), 0).await;
    check(Fault::RcptDrop, "not sent, lost at rcpt", 0).await;
    check(Fault::Rcpt550, "answered 550 5.1.1 no such user (at rcpt)", 0).await;
    check(Fault::Rcpt451, "answered 451 4.7.1 greylisted, try again (at rcpt)", 0).await;
    check(Fault::DataDrop, "not sent, lost at data", 0).await;
    check(Fault::Data421, "answered 421 4.3.2 shutting down (at data)", 0).await;
    check(Fault::DotDropLost, "in doubt", 0).await;
    check(Fault::DotDropKept, "in doubt", 1).await;
    check(Fault::DotHangKept, "in doubt", 1).await;
    check(Fault::Garbage, "in doubt", 1).await;
    check(Fault::Dot354, "in doubt", 1).await;
    check(Fault::Dot550, "answered 550 5.7.1 content refused (at eod)", 0).await;
    check(Fault::Dot451, "answered 451 4.3.0 try later (at eod)", 0).await;
    check(Fault::Dot421, "answered 421 4.3.2 shutting down (at eod)", 0).await;
    check(Fault::BareText, "answered 250 taken (at eod)", 1).await;
}

#[tokio::test]
async fn a_doubtful_server_keeps_about_half_and_the_same_half_for_a_seed() {
    async fn kept(seed: u64) -> Vec<usize> {
        let (sink, mut smtp) = pair();
        sink.fault(Fault::Doubtful, 1.0, seed);
        let mut after_each = Vec::new();
        for _ in 0..20 {
            assert_eq!(submit(&mut smtp, NOW).await, "in doubt");
            after_each.push(sink.accepted().len());
        }
        after_each
    }
    let first = kept(7).await;
    assert!((5..=15).contains(&first[19]), "{first:?}");
    assert_eq!(kept(7).await, first);
    assert_ne!(kept(8).await, first);
}

/// At [`Stage::BodyWritten`], waits for the server to have all there is to have.
struct Patient<'a> {
    sink: &'a Sink,
    body: &'a [u8],
}

impl Progress for Patient<'_> {
    async fn reached(&mut self, stage: Stage) -> Result<(), Halt> {
        if stage == Stage::BodyWritten {
            while self.sink.unfinished().len() < self.body.len() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Were the dot on its way too, it would have come by now.
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(self.sink.unfinished(), self.body);
            assert_eq!(self.sink.accepted(), []);
        }
        Ok(())
    }
}

#[tokio::test]
async fn no_byte_of_the_dot_leaves_before_the_books_allow_it() {
    let large = format!("Subject: x\r\n\r\n{}", ".0123456789\r\n".repeat(20_000));
    let large_on_the_wire = large.replace("\r\n.", "\r\n..");
    for tls in [Tls::None, Tls::Starttls, Tls::Implicit] {
        for (body, wire) in [
            ("Subject: x\r\n\r\nhello\r\n", "Subject: x\r\n\r\nhello"),
            ("Subject: x\r\n\r\nhello\r\n\r\n", "Subject: x\r\n\r\nhello\r\n"),
            ("Subject: x\r\n\r\n.\r\n", "Subject: x\r\n\r\n.."),
            (&large, large_on_the_wire.strip_suffix("\r\n").unwrap()),
        ] {
            let sink = Sink::start(with_users(tls));
            let mut smtp = Smtp::new(account(&sink));
            let mut patient = Patient { sink: &sink, body: wire.as_bytes() };
            let sent = letter(body);
            let waiting = smtp.submit(&sent, NOW, &mut patient);
            let outcome = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
            assert_eq!(told(&outcome), TAKEN);
            assert_eq!(sink.accepted()[0].bytes, body.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_halt_before_the_dot_is_surely_not_sent_and_after_it_in_doubt() {
    for (stage, want) in [
        (Stage::Mail, "not sent, halted: lease lost"),
        (Stage::Rcpt, "not sent, halted: lease lost"),
        (Stage::BodyWritten, "not sent, halted: lease lost"),
        (Stage::DotWritten, "in doubt"),
    ] {
        let (sink, mut smtp) = pair();
        let mut witness = Witness { halt_at: Some(stage), ..Witness::default() };
        let outcome = smtp.submit(&letter(BODY), NOW, &mut witness).await;
        assert_eq!((told(&outcome).as_str(), witness.seen.last()), (want, Some(&stage)));
        // The next letter has a connection of its own, which nothing of the first can disturb.
        assert_eq!(submit(&mut smtp, NOW).await, TAKEN);
        let accepted = sink.accepted();
        let last = accepted.last().unwrap();
        assert_eq!((last.connection, last.nth), (2, 1), "{stage:?}");
        assert!(stage == Stage::DotWritten || accepted.len() == 1, "{stage:?}");
    }
}

#[tokio::test]
async fn a_submission_dropped_half_way_takes_its_connection_along() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::BodyWritten] {
        let (sink, mut smtp) = pair();
        let hung = Arc::new(Notify::new());
        let hang_at = Some((stage, Arc::clone(&hung)));
        let mut witness = Witness { hang_at, ..Witness::default() };
        let first = letter(BODY);
        tokio::select! {
            _ = smtp.submit(&first, NOW, &mut witness) => unreachable!("the witness hangs"),
            () = hung.notified() => {}
        }
        assert_eq!(witness.seen.last(), Some(&stage));
        assert_eq!(submit(&mut smtp, NOW).await, TAKEN);
        let accepted = sink.accepted();
        assert_eq!((accepted.len(), accepted[0].connection), (1, 2), "{stage:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_its_deadline() {
    let sink = Sink::start(SinkOptions::default());
    let deadlines = Deadlines { command: Duration::from_secs(1), ..Deadlines::default() };
    let mut smtp = Smtp::new(Account { deadlines, ..sink.account(&address(ANN)) });
    sink.fault(Fault::MailHang, 1.0, 1);
    let outcome = smtp.submit(&letter(BODY), NOW, &mut Witness::default()).await;
    let Outcome::NotSent(trouble) = outcome else { panic!("{outcome:?}") };
    assert_eq!(trouble.to_string(), "the connection was lost at mail: no answer within 1s");
    sink.fault(Fault::MailHang, 0.0, 1);
    assert_eq!(submit(&mut smtp, NOW).await, TAKEN);
    assert_eq!(sink.accepted()[0].connection, 2);
}
