//! How a session begins: the greeting, TLS, and the log-in. No password leaves before it is safe.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use imap_proto::{Capability, Response, Status};
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};

use super::Account;
use super::session::{Session, WHY_MAX, ending, quoted, silence, within};
use super::wire::Wire;
use crate::bearer::Mechanism;
use crate::inbox::Unreadable;
use crate::server::{Proof, Tls, blotted, dial};
use crate::tls;

impl Session {
    /// Connects, makes it safe, and logs in. Where a token is refused, once more with another: it may
    /// have been revoked before its time.
    pub(super) async fn open(
        account: &Account,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, Unreadable> {
        let Some(credentials) = &account.credentials else {
            return Self::open_by(account, config, None).await;
        };
        // Before connecting: servers do not wait for long.
        let proof = credentials.proof(None).await?;
        match Self::open_by(account, config, Some(&proof)).await {
            Err(Unreadable::LogIn(_)) if proof.is_renewable() => {
                let another = credentials.proof(Some(&proof)).await?;
                Self::open_by(account, config, Some(&another)).await
            }
            opened => opened,
        }
    }

    async fn open_by(
        account: &Account,
        config: &Arc<ClientConfig>,
        proof: Option<&Proof>,
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
        match session.greeting(*tls).await {
            Err(Unreadable::Lost(why)) if *tls != Tls::Implicit => {
                // Providers count sessions: this one must be gone before there is another.
                drop(session);
                let first = tls::comes_first(config, host, *port, deadlines.connect).await;
                return Err(first.map_or(Unreadable::Lost(why), Unreadable::Unsafe));
            }
            greeted => greeted?,
        }
        session.capability().await?;
        if *tls == Tls::Starttls {
            session = session.starttls(config).await?;
        }
        if let Some(proof) = proof {
            session.log_in(account, proof).await?;
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

    /// By a token where there is one, else by the password.
    async fn log_in(&mut self, account: &Account, proof: &Proof) -> Result<(), Unreadable> {
        let (said, logged_in) = match proof {
            Proof::Password(password) => self.by_password(&account.username, password).await?,
            Proof::Token(token) => self.by_token(account, token).await?,
        };
        let secrets = [&said.into(), proof.secret()];
        logged_in.map_err(|trouble| match trouble {
            Unreadable::Refused { said, .. } => {
                let said = blotted(said, &secrets);
                if is_passing(&said) {
                    Unreadable::Refused { what: "the log-in this time".to_owned(), said }
                } else {
                    Unreadable::LogIn(said)
                }
            }
            Unreadable::Lost(why) => Unreadable::Lost(blotted(why, &secrets)),
            Unreadable::LogIn(_)
            | Unreadable::Unsafe(_)
            | Unreadable::NeedsLogin(_)
            | Unreadable::NoSecret(_) => trouble,
        })
    }

    /// AUTHENTICATE PLAIN (RFC 4616), or LOGIN where that is all there is. What was said is a secret
    /// too.
    async fn by_password(
        &mut self,
        user: &str,
        password: &SecretString,
    ) -> Result<(String, Result<(), Unreadable>), Unreadable> {
        let password = password.expose_secret();
        let plain = BASE64.encode(format!("\0{user}\0{password}"));
        let ended = if self.offers("AUTH=PLAIN") {
            self.authenticate("PLAIN", &plain, CANCEL).await
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
        Ok((plain, ended))
    }

    /// AUTHENTICATE XOAUTH2, or OAUTHBEARER where that is all there is.
    async fn by_token(
        &mut self,
        account: &Account,
        token: &SecretString,
    ) -> Result<(String, Result<(), Unreadable>), Unreadable> {
        let offers = |name: &str| self.offers(&format!("AUTH={name}"));
        let Some(mechanism) = Mechanism::among(offers) else {
            return Err(Unreadable::Unsafe(format!(
                "{} takes no token: it offers neither AUTH=XOAUTH2 nor AUTH=OAUTHBEARER",
                self.host
            )));
        };
        let response = mechanism.response(&account.username, &account.host, account.port, token);
        let (name, surrender) = (mechanism.as_str(), mechanism.surrender());
        let ended = self.authenticate(name, &response, surrender).await;
        Ok((response, ended))
    }

    /// `surrender` answers what else the server asks, which is to say why it refuses.
    async fn authenticate(
        &mut self,
        mechanism: &str,
        response: &str,
        surrender: &str,
    ) -> Result<(), Unreadable> {
        let deadline = self.deadlines.command;
        // RFC 4959: the answer to a challenge that is always empty may come with the command.
        let tag = if self.offers("SASL-IR") {
            self.begin(&format!("AUTHENTICATE {mechanism} {response}")).await?
        } else {
            let tag = self.begin(&format!("AUTHENTICATE {mechanism}")).await?;
            let challenge = within(deadline, self.wire.answer()).await?;
            if let Some(ended) = ending(&challenge, &tag, "AUTHENTICATE") {
                return ended;
            }
            self.write(response).await?;
            tag
        };
        for _ in 0..CHALLENGES_MAX {
            let answer = within(deadline, self.wire.answer()).await?;
            if let Some(ended) = ending(&answer, &tag, "AUTHENTICATE") {
                return ended;
            }
            if answer.starts_with(b"+") {
                self.write(surrender).await?;
            }
        }
        Err(Unreadable::Lost("the log-in does not end".to_owned()))
    }
}

/// Ends an exchange (RFC 3501, section 6.2.2).
const CANCEL: &str = "*";

/// Answers to one log-in: a challenge, the new capabilities, its end, and a few more.
const CHALLENGES_MAX: u32 = 10;

/// Whether a log-in was refused for the moment only (RFC 5530, section 3, and what large providers
/// say in its place).
fn is_passing(said: &str) -> bool {
    let said = said.to_ascii_uppercase();
    ["[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[THROTTLED]", "TOO MANY"]
        .iter()
        .any(|word| said.contains(word))
}

#[cfg(test)]
mod stalls;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowded_server_is_no_wrong_password() {
        assert!(is_passing("[UNAVAILABLE] Temporary authentication failure"));
        assert!(is_passing("[ALERT] Too many simultaneous connections. (Failure)"));
        assert!(!is_passing("[AUTHENTICATIONFAILED] Invalid credentials (Failure)"));
    }
}
