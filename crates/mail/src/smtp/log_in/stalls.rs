//! A server that stalls, wherever it does: nobody waits longer than the deadline of that step.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use warmfront_core::address::Address;

use super::*;
use crate::deadline::over_after;
use crate::server::Dialled;
use crate::smtp::{ConnectionLimits, Deadlines};
use crate::submit::{Halt, Letter, Outcome, Progress, Stage};

/// What a server says, one after another; then nothing any more.
const ANSWERS: [&str; 11] = [
    "220 mx ready",
    "250-mx\r\n250 AUTH PLAIN",
    "220 go ahead",
    "235 welcome",
    "250 sender ok",
    "250 recipient ok",
    "354 go on",
    "250 queued",
    "250 reset",
    "250 alive",
    "221 bye",
];

struct Onward;

impl Progress for Onward {
    async fn reached(&mut self, _: Stage) -> Result<(), Halt> {
        Ok(())
    }
}

/// Gives so many answers, each to one line of the client, the last of a letter to its dot.
async fn serve(io: DuplexStream, answers: usize, reads_on: bool) {
    let (read, mut write) = tokio::io::split(io);
    let mut lines = BufReader::new(read).lines();
    let mut in_letter = false;
    for answer in &ANSWERS[..answers] {
        write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        if answer.starts_with("354") && !reads_on {
            break;
        }
        in_letter |= answer.starts_with("354");
        while let Ok(Some(line)) = lines.next_line().await {
            if !in_letter || line == "." {
                break;
            }
        }
        in_letter = false;
    }
    // It neither hangs up nor says anything.
    std::future::pending::<()>().await;
}

fn account() -> Account {
    Account {
        address: Address::parse("ann@one.example").unwrap(),
        username: "ann".to_owned(),
        credentials: None,
        host: "mx.one.example".to_owned(),
        port: 587,
        tls: Tls::Starttls,
        roots: None,
        hello: Some("client.one.example".to_owned()),
        limits: ConnectionLimits::default(),
        deadlines: Deadlines::default(),
    }
}

/// The whole dialogue, but for the handshake that would follow STARTTLS; what ended it, in words.
async fn talk(client: DuplexStream, octets: usize) -> Result<(), String> {
    let (account, peer) = (account(), std::net::SocketAddr::from(([127, 0, 0, 1], 587)));
    let dialled = Dialled { io: Box::new(client), peer, local: peer, shown: None };
    let told = |trouble: Trouble| trouble.to_string();
    let mut session = Session::greet(&account, dialled).await.map_err(told)?;
    session.starttls().await.map_err(told)?;
    session.by_password(&account, &"secret".into()).await.map_err(told)?;
    let to = Address::parse("bob@two.example").unwrap();
    let bytes = vec![b'a'; octets];
    let letter = Letter { from: account.address.clone(), to, bytes };
    match session.deliver(&letter, &mut Onward).await {
        Outcome::Answered(_) => {}
        Outcome::NotSent(trouble) => return Err(format!("not sent: {trouble}")),
        Outcome::InDoubt { why } => return Err(format!("in doubt: {why}")),
    }
    session.reset().await.map_err(told)?;
    session.noop().await.map_err(told)?;
    session.quit().await;
    Ok(())
}

async fn check(answers: usize, reads_on: bool, octets: usize, want: Result<(), &str>, after: u64) {
    let (client, server) = tokio::io::duplex(1024);
    let serving = tokio::spawn(serve(server, answers, reads_on));
    let ended = over_after(Duration::from_secs(after), talk(client, octets)).await;
    serving.abort();
    assert_eq!(ended.as_ref().map_err(String::as_str), want.as_ref().map_err(|why| *why));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_deadline_of_a_step() {
    let lost = [
        ("the connection was lost at connect: no answer within 300s", 300),
        ("the connection was lost at ehlo: no answer within 300s", 300),
        ("the connection was lost at starttls: no answer within 300s", 300),
        ("the connection was lost at auth: no answer within 300s", 300),
        ("not sent: the connection was lost at mail: no answer within 300s", 300),
        ("not sent: the connection was lost at rcpt: no answer within 300s", 300),
        ("not sent: the connection was lost at data: no answer within 120s", 120),
        ("in doubt: the connection was lost at eod: no answer within 600s", 600),
        ("the connection was lost at mail: no answer within 20s", 20),
        ("the connection was lost at mail: no answer within 20s", 20),
    ];
    for (answers, (want, after)) in lost.into_iter().enumerate() {
        check(answers, true, 100, Err(want), after).await;
    }
    check(10, true, 100, Ok(()), 2).await; // QUIT is not waited for.
    check(11, true, 100, Ok(()), 0).await;
    let want = "not sent: the connection was lost at data: no answer within 180s";
    check(7, false, 100_000, Err(want), 180).await; // It does not read the letter.
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_is_given_up() {
    let (client, _server) = tokio::io::duplex(64 * 1024);
    let deadline = Deadlines::default().connect;
    let config = crate::tls::config(None).unwrap();
    let shaking = crate::tls::handshake(&config, "mx.one.example", Box::new(client));
    let ended = crate::server::in_time(Phase::StartTls, deadline, shaking).await.map(drop);
    let why = "the connection was lost at starttls: no answer within 30s";
    assert_eq!(ended.map_err(|trouble| trouble.to_string()), Err(why.to_owned()));
}
