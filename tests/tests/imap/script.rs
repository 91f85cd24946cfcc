//! A server that says what it is told to, for what no good server says.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use warmfront_mail::imap::{Account, Deadlines, Imap};
use warmfront_mail::server::{Credentials, Tls};

use super::reader::PASSWORD;

/// What is said to whom: a greeting, and an answer to each command by how it begins.
pub(crate) struct Script {
    port: u16,
    said: JoinHandle<Vec<String>>,
}

/// What is answered to a command that begins so.
pub(crate) type Answers = &'static [(&'static str, &'static str)];

impl Script {
    /// Plays for one connection. `{tag}` in an answer stands for the command's own.
    pub(crate) async fn play(greeting: &'static str, answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a bound port").port();
        let said = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.expect("somebody");
            let (read, mut write) = tcp.split();
            let mut lines = BufReader::new(read).lines();
            let mut said = Vec::new();
            write.write_all(greeting.as_bytes()).await.expect("a greeting");
            while let Ok(Some(line)) = lines.next_line().await {
                let (tag, command) = line.split_once(' ').unwrap_or(("", &line));
                let answer = answers.iter().find(|(begin, _)| command.starts_with(begin));
                said.push(command.to_owned());
                if let Some((_, answer)) = answer {
                    let answer = answer.replace("{tag}", tag);
                    // Whoever hangs up hears it not.
                    let _ = write.write_all(answer.as_bytes()).await;
                }
            }
            said
        });
        Self { port, said }
    }

    /// Somebody who reads it, and waits as long as a busy machine needs.
    pub(crate) fn inbox(&self, tls: Tls) -> Imap {
        self.inbox_within(tls, Duration::from_secs(30))
    }

    /// The same, who waits so long for each answer.
    pub(crate) fn inbox_within(&self, tls: Tls, patience: Duration) -> Imap {
        Imap::new(Account {
            username: "ann@one.example".to_owned(),
            credentials: Some(Credentials::Password(PASSWORD.into())),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls,
            roots: None,
            deadlines: Deadlines {
                connect: patience,
                command: patience,
                fetch: patience,
                logout: patience,
            },
        })
    }

    /// All that was said to it.
    pub(crate) async fn said(self) -> Vec<String> {
        self.said.await.expect("no panic")
    }
}
