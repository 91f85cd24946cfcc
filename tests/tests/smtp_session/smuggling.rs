//! A message inside a message stays there, or is not sent at all.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use warmfront_mail::submit::Submit;
use warmfront_tests::server::{Sink, SinkOptions};

use crate::{NOW, TAKEN, Witness, letter, pair, told};

/// A second message inside the first, behind what a careless server takes for the end of data.
fn smuggled() -> impl Iterator<Item = (String, bool)> {
    let breaks = ["\r\n", "\n", "\r", "\n\r", "\r\r\n", "\n\n", "\r\n\0"];
    breaks.into_iter().flat_map(move |before| {
        breaks.into_iter().map(move |after| {
            let inside = "MAIL FROM:<eve@x.example>\r\nRCPT TO:<v@y.example>\r\nDATA\r\nboo\r\n";
            let body = format!("Subject: x\r\n\r\nhello{before}.{after}{inside}");
            (body, before.ends_with("\r\n") && after.starts_with("\r\n"))
        })
    })
}

#[tokio::test]
async fn nothing_is_smuggled_behind_a_dot() {
    let mut refused = 0;
    for (body, _) in smuggled() {
        let (sink, mut smtp) = pair();
        let outcome = told(&smtp.submit(&letter(&body), NOW, &mut Witness::default()).await);
        let fit = !body.replace("\r\n", "").contains(['\r', '\n', '\0']);
        if fit {
            assert_eq!(outcome, TAKEN, "{body:?}");
            assert_eq!(sink.accepted().len(), 1);
            assert_eq!(sink.accepted()[0].bytes, body.as_bytes());
        } else {
            assert_eq!(outcome, "not sent, unsafe", "{body:?}");
            assert_eq!(sink.lines(), [], "{body:?}");
            refused += 1;
        }
    }
    assert_eq!(refused, 48, "all but CRLF.CRLF, which is a line with a dot in it");
}

#[tokio::test]
async fn the_sink_itself_ends_a_message_at_nothing_but_crlf_dot_crlf() {
    for (body, is_an_end) in smuggled() {
        if is_an_end {
            continue;
        }
        let sink = Sink::start(SinkOptions::default());
        let mut tcp = TcpStream::connect(sink.addr).await.unwrap();
        let before = "EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n";
        let all = format!("{before}{body}\r\n.\r\nQUIT\r\n");
        tcp.write_all(all.as_bytes()).await.unwrap();
        let mut answers = String::new();
        tcp.read_to_string(&mut answers).await.unwrap();
        let taken: Vec<_> = sink.accepted().into_iter().map(|message| message.from).collect();
        assert_eq!(taken, ["a@x.example"], "{body:?}");
        assert!(answers.contains("221 2.0.0 bye"), "{answers}");
    }
}
