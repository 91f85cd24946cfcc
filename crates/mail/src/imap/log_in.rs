//! How a session begins: the greeting, TLS, and the log-in. No password leaves before it is safe.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use imap_proto::{Capability, Response, Status};
use rustls::ClientConfig;
use secrecy::ExposeSecret;

use super::Account;
use super::session::{Session, WHY_MAX, ending, quoted, silence, within};
use super::wire::Wire;
use crate::inbox::Unreadable;
use crate::server::{Credentials, Tls, dial};
use crate::tls;

impl Session {
    /// Connects, makes it safe, and logs in.
    pub(super) async fn open(
        account: &Account,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, Unreadable> {
        let Account { host, port, tls, deadlines, .. } = account;
        let dialled = dial(host, *port, *tls, config, deadlines.connect).await?;
        let mut session = Self {
            wire: Wire::new(dialled.io),
            host: host.clone(),
            deadlines: *deadlines,
            asked: 0,
            offers: BTreeSet::new(),
            shown: dialled.shown,
        };
        session.greeting(*tls).await?;
        session.capability().await?;
        if *tls == Tls::Starttls {
            session = session.starttls(config).await?;
        }
        if let Some(credentials) = &account.credentials {
            session.log_in(&account.username, credentials).await?;
            session.capability().await?;
        }
        Ok(session)
    }

    async fn greeting(&mut self, tls: Tls) -> Result<(), Unreadable> {
        let deadline = self.deadlines.command;
        let answer = within(deadline, self.wire.answer()).await?;
        match Response::parse(&answer) {
            Ok((_, Response::Data { status: Status::Ok, .. })) => Ok(()),
            // Whoever is on the path can say it too, and STARTTLS is refused from there on
            // (RFC 8314, section 3.2).
            Ok((_, Response::Data { status: Status::PreAuth, .. })) if tls != Tls::Starttls => {
                Ok(())
            }
            Ok((_, Response::Data { status: Status::PreAuth, .. })) => {
                Err(Unreadable::Unsafe(format!(
                    "{} says that we are logged in before TLS has begun; use `tls = \"implicit\"`",
                    self.host
                )))
            }
            _ => {
                let said = String::from_utf8_lossy(&answer).trim().chars().take(WHY_MAX).collect();
                Err(Unreadable::Refused { what: "the connection".to_owned(), said })
            }
        }
    }

    /// Asks what the server can do, forgetting what it said before.
    async fn capability(&mut self) -> Result<(), Unreadable> {
        let mut offers = BTreeSet::new();
        let deadline = self.deadlines.command;
        self.ask("CAPABILITY", deadline, |answer| {
            let Response::Capabilities(said) = answer else { return };
            offers.extend(said.iter().map(|one| match one {
                Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
                Capability::Auth(mechanism) => format!("AUTH={}", mechanism.to_ascii_uppercase()),
                Capability::Atom(word) => word.to_ascii_uppercase(),
            }));
        })
        .await?;
        self.offers = offers;
        Ok(())
    }

    /// From plain text to TLS (RFC 3501, section 6.2.1), and never back. What was offered before is
    /// forgotten, and what came behind the answer in plain text ends the connection.
    async fn starttls(mut self, config: &Arc<ClientConfig>) -> Result<Self, Unreadable> {
        let host = self.host.clone();
        if !self.offers("STARTTLS") {
            return Err(Unreadable::Unsafe(format!(
                "{host} offers no STARTTLS; use `tls = \"implicit\"` if it has a TLS port, and \
                 suspect the network between if it used to offer it"
            )));
        }
        let deadline = self.deadlines.command;
        self.ask("STARTTLS", deadline, |_| {}).await?;
        let (io, injected) = self.wire.take_apart();
        if injected > 0 {
            return Err(Unreadable::Unsafe(format!(
                "{host} sent {injected} octets of plain text behind its answer to STARTTLS; \
                 somebody on the path may be writing them"
            )));
        }
        let shaking = tls::handshake(config, &host, io);
        let io = tokio::time::timeout(self.deadlines.connect, shaking).await;
        let (io, shown) = io.map_err(|_| silence(self.deadlines.connect))??;
        let mut session = Self { wire: Wire::new(io), shown, ..self };
        session.capability().await?;
        Ok(session)
    }

    /// AUTHENTICATE PLAIN (RFC 4616), or LOGIN where that is all there is.
    async fn log_in(&mut self, user: &str, with: &Credentials) -> Result<(), Unreadable> {
        let Credentials::Password(password) = with;
        let password = password.expose_secret();
        let plain = BASE64.encode(format!("\0{user}\0{password}"));
        let logged_in = if self.offers("AUTH=PLAIN") {
            self.authenticate(&plain).await
        } else if self.offers("LOGINDISABLED") {
            return Err(Unreadable::Unsafe(format!(
                "{} takes no password: it offers neither AUTH=PLAIN nor LOGIN",
                self.host
            )));
        } else if let (Some(user), Some(password)) = (quoted(user), quoted(password)) {
            let deadline = self.deadlines.command;
            self.ask(&format!("LOGIN {user} {password}"), deadline, |_| {}).await
        } else {
            return Err(Unreadable::Unsafe(format!(
                "{} offers LOGIN alone, which takes names and passwords of plain ASCII only",
                self.host
            )));
        };
        logged_in.map_err(|trouble| match trouble {
            Unreadable::Refused { said, .. } => {
                let said = blotted(said, &[&plain, password]);
                if is_passing(&said) {
                    Unreadable::Refused { what: "the log-in this time".to_owned(), said }
                } else {
                    Unreadable::LogIn(said)
                }
            }
            Unreadable::Lost(why) => Unreadable::Lost(blotted(why, &[&plain, password])),
            Unreadable::LogIn(_) | Unreadable::Unsafe(_) => trouble,
        })
    }

    async fn authenticate(&mut self, plain: &str) -> Result<(), Unreadable> {
        let deadline = self.deadlines.command;
        // RFC 4959: the answer to a challenge that is always empty may come with the command.
        if self.offers("SASL-IR") {
            return self.ask(&format!("AUTHENTICATE PLAIN {plain}"), deadline, |_| {}).await;
        }
        let tag = self.begin("AUTHENTICATE PLAIN").await?;
        let challenge = within(deadline, self.wire.answer()).await?;
        if let Some(ended) = ending(&challenge, &tag, "AUTHENTICATE") {
            return ended;
        }
        self.write(plain).await?;
        self.conclude(&tag, "AUTHENTICATE", deadline, |_| {}).await
    }
}

/// Whether a log-in was refused for the moment only (RFC 5530, section 3, and what large providers
/// say in its place).
fn is_passing(said: &str) -> bool {
    let said = said.to_ascii_uppercase();
    ["[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[THROTTLED]", "TOO MANY"]
        .iter()
        .any(|word| said.contains(word))
}

/// Some servers quote the line that they refuse.
fn blotted(mut text: String, secrets: &[&str]) -> String {
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowded_server_is_no_wrong_password() {
        assert!(is_passing("[UNAVAILABLE] Temporary authentication failure"));
        assert!(is_passing("[ALERT] Too many simultaneous connections. (Failure)"));
        assert!(!is_passing("[AUTHENTICATIONFAILED] Invalid credentials (Failure)"));
    }

    #[test]
    fn a_quoted_secret_is_told_to_nobody() {
        let told = blotted("bad: LOGIN ann hunter2".to_owned(), &["", "hunter2"]);
        assert_eq!(told, "bad: LOGIN ann [secret]");
    }
}
