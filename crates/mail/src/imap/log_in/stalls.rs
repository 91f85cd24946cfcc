//! A server that stalls, wherever it does: nobody waits longer than the deadline of that step.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::super::folders::Folder;
use super::super::message::What;
use super::super::{Account, Deadlines};
use super::*;
use crate::deadline::over_after;
use crate::server::Credentials;

/// Greets, if it does, and answers the first so many commands; then says nothing any more.
async fn serve(io: DuplexStream, greets: bool, commands: usize) {
    let (read, mut write) = tokio::io::split(io);
    let mut lines = BufReader::new(read).lines();
    if greets {
        write.write_all(b"* OK ready\r\n").await.unwrap();
        for _ in 0..commands {
            let Ok(Some(line)) = lines.next_line().await else { break };
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let told = match command {
                "CAPABILITY" => "* CAPABILITY IMAP4rev1 IDLE STARTTLS AUTH=PLAIN SASL-IR\r\n",
                command if command.starts_with("EXAMINE") => "* OK [UIDVALIDITY 7] one\r\n",
                command if command.starts_with("UID SEARCH") => "* SEARCH 1 2\r\n",
                "IDLE" => {
                    write.write_all(b"+ idling\r\n").await.unwrap();
                    let _ = lines.next_line().await;
                    ""
                }
                _ => "",
            };
            write.write_all(format!("{told}{tag} OK done\r\n").as_bytes()).await.unwrap();
        }
    }
    // It neither hangs up nor says anything.
    std::future::pending::<()>().await;
}

/// What a reading asks, one after another.
async fn talk(client: DuplexStream) -> Result<bool, Unreadable> {
    let account = Account {
        username: "ann".to_owned(),
        credentials: Some(Credentials::Password("secret".into())),
        host: "imap.one.example".to_owned(),
        port: 993,
        tls: Tls::Implicit,
        roots: None,
        deadlines: Deadlines::default(),
    };
    let mut session = Session {
        wire: Wire::new(Box::new(client)),
        host: account.host.clone(),
        deadlines: account.deadlines,
        asked: 0,
        offers: BTreeSet::new(),
        shown: None,
    };
    session.greeting(Tls::Implicit).await?;
    session.capability().await?;
    session.log_in(&account, &Proof::Password("secret".into())).await?;
    session.list(|_| {}).await?;
    session.examine(&Folder::inbox()).await?;
    session.search("UID 1:*").await?;
    session.fetch(&[1, 2], What::Whole, |_| {}).await?;
    let news = session.idle(Duration::from_secs(600)).await;
    session.logout().await;
    news
}

async fn check(greets: bool, commands: usize, want: Result<bool, &str>, after: u64) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(serve(server, greets, commands));
    let ended = over_after(Duration::from_secs(after), talk(client)).await;
    let ended = ended.map_err(|trouble| trouble.to_string());
    serving.abort();
    assert_eq!(ended.as_ref().map_err(String::as_str), want.as_ref().map_err(|why| *why));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_deadline_of_a_step() {
    let minute = "the connection was lost: no answer within 60s";
    check(false, 0, Err(minute), 60).await;
    // CAPABILITY, AUTHENTICATE, LIST, EXAMINE, UID SEARCH.
    for commands in 0..5 {
        check(true, commands, Err(minute), 60).await;
    }
    check(true, 5, Err("the connection was lost: no answer within 180s"), 180).await;
    // IDLE ends by itself after ten minutes; that it is over must be answered, and the log-out not.
    check(true, 6, Err(minute), 662).await;
    check(true, 7, Ok(false), 602).await;
    check(true, 8, Ok(false), 600).await;
}

/// A server that reads nothing stalls whoever writes, too.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_even_read_is_given_up() {
    let (client, _server) = tokio::io::duplex(8);
    let mut session = Session {
        wire: Wire::new(Box::new(client)),
        host: "imap.one.example".to_owned(),
        deadlines: Deadlines::default(),
        asked: 0,
        offers: BTreeSet::new(),
        shown: None,
    };
    let ended = over_after(Duration::from_secs(60), session.list(|_| {})).await;
    let ended = ended.map_err(|trouble| trouble.to_string());
    assert_eq!(ended, Err("the connection was lost: no answer within 60s".to_owned()));
    over_after(Duration::from_secs(2), session.logout()).await;
}
