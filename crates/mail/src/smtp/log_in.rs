//! How a session begins: the connection, TLS, and the log-in by a password or by a token.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use warmfront_core::answer::{Answer, Phase};

use super::session::{Hope, Session, astray};
use super::{Account, Tls, starttls};
use crate::bearer::{Mechanism, challenge, may_be_stale};
use crate::server::{Proof, blotted, dial};
use crate::submit::Trouble;
use crate::tls;

impl Session {
    /// Connects, makes it safe, and logs in. Where a token is refused, once more with another: it may
    /// have been revoked before its time.
    pub(super) async fn open(
        account: &Account,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, Trouble> {
        Self::open_watched(account, config, |_| {}).await
    }

    /// The same; who watches sees each session before its log-in.
    pub(super) async fn open_watched(
        account: &Account,
        config: &Arc<ClientConfig>,
        mut watch: impl FnMut(&Self) + Send,
    ) -> Result<Self, Trouble> {
        let Some(credentials) = &account.credentials else {
            return Self::begin(account, config, None, &mut watch).await;
        };
        // Before connecting: servers do not wait for long.
        let proof = credentials.proof(None).await?;
        match Self::begin(account, config, Some(&proof), &mut watch).await {
            Err(trouble) if proof.is_renewable() && may_be_stale(&trouble) => {
                let another = credentials.proof(Some(&proof)).await?;
                Self::begin(account, config, Some(&another), &mut watch).await
            }
            begun => begun,
        }
    }

    async fn begin(
        account: &Account,
        config: &Arc<ClientConfig>,
        proof: Option<&Proof>,
        watch: &mut (impl FnMut(&Self) + Send),
    ) -> Result<Self, Trouble> {
        let Account { host, port, tls, deadlines, .. } = account;
        let dialled = dial(host, *port, *tls, config, deadlines.connect).await?;
        let greeted = Self::greet(account, dialled).await;
        let mut session = match greeted {
            Err(Trouble::Lost { phase: Phase::Connect, .. }) if *tls != Tls::Implicit => {
                let first = tls::comes_first(config, host, *port, deadlines.connect).await;
                first.map_or(greeted, |why| Err(Trouble::Unsafe(why)))?
            }
            greeted => greeted?,
        };
        if *tls == Tls::Starttls {
            starttls::upgrade(&mut session, account, config).await?;
        }
        watch(&session);
        match proof {
            None => {}
            Some(Proof::Password(password)) => session.by_password(account, password).await?,
            Some(Proof::Token(token)) => session.by_token(account, token).await?,
        }
        Ok(session)
    }

    /// AUTH PLAIN (RFC 4616), or LOGIN where that is all there is.
    async fn by_password(
        &mut self,
        account: &Account,
        password: &SecretString,
    ) -> Result<(), Trouble> {
        let (user, said) = (account.username.as_str(), password.expose_secret());
        let plain = BASE64.encode(format!("\0{user}\0{said}"));
        let secret = BASE64.encode(said);
        let lines = if self.offers.plain {
            vec![(format!("AUTH PLAIN {plain}"), Hope::Done)]
        } else if self.offers.login {
            vec![
                ("AUTH LOGIN".to_owned(), Hope::GoOn),
                (BASE64.encode(user), Hope::GoOn),
                (secret.clone(), Hope::Done),
            ]
        } else {
            return Err(Trouble::Unsafe(format!(
                "{} offers neither AUTH PLAIN nor AUTH LOGIN, so a password does not serve there",
                account.host
            )));
        };
        let secrets = [&plain.clone().into(), &secret.clone().into(), password];
        for (line, hope) in lines {
            self.ask(Phase::Auth, &line, hope, self.deadlines.command)
                .await
                .map_err(|trouble| without(trouble, &secrets))?;
        }
        Ok(())
    }

    /// AUTH XOAUTH2, or OAUTHBEARER where that is all there is.
    async fn by_token(&mut self, account: &Account, token: &SecretString) -> Result<(), Trouble> {
        let Account { username, host, port, .. } = account;
        let offers = &self.offers;
        let is_offered = |name: &str| match name {
            "XOAUTH2" => offers.xoauth2,
            _ => offers.oauthbearer,
        };
        let Some(mechanism) = Mechanism::among(is_offered) else {
            return Err(Trouble::Unsafe(format!(
                "{host} offers neither AUTH XOAUTH2 nor OAUTHBEARER, so a token does not serve there"
            )));
        };
        let response = mechanism.response(username, host, *port, token);
        let said = self.show(mechanism, &response).await;
        said.map_err(|trouble| without(trouble, &[&response.into(), token]))
    }

    async fn show(&mut self, mechanism: Mechanism, response: &str) -> Result<(), Trouble> {
        let deadline = self.deadlines.command;
        let command = format!("AUTH {}", mechanism.as_str());
        let line = format!("{command} {response}");
        // RFC 4954, section 4: a command is no longer than any other, but an answer may be.
        let answer = if line.len() + CRLF <= COMMAND_MAX {
            self.exchange(Phase::Auth, &line, deadline).await?
        } else {
            self.ask(Phase::Auth, &command, Hope::GoOn, deadline).await?;
            self.exchange(Phase::Auth, response, deadline).await?
        };
        if answer.code / 100 == Hope::Done as u16 {
            return Ok(());
        }
        // It only says why it will refuse, and waits.
        let why = challenge(&answer.text);
        let refused = self.ask(Phase::Auth, mechanism.surrender(), Hope::Done, deadline).await;
        Err(match (refused, why) {
            (Err(Trouble::Refused(answer)), Some(why)) => {
                let text = format!("{} {why}", answer.text);
                Trouble::Refused(Answer { text, ..answer })
            }
            (Err(trouble), _) => trouble,
            (Ok(answer), _) => astray(Phase::Auth, &answer),
        })
    }
}

/// The same trouble with secrets blotted out.
fn without(trouble: Trouble, secrets: &[&SecretString]) -> Trouble {
    match trouble {
        Trouble::Refused(answer) => {
            Trouble::Refused(Answer { text: blotted(answer.text.clone(), secrets), ..answer })
        }
        Trouble::Lost { phase, why } => Trouble::Lost { phase, why: blotted(why, secrets) },
        Trouble::Unsafe(_)
        | Trouble::NeedsLogin(_)
        | Trouble::NoToken(_)
        | Trouble::NoSecret(_)
        | Trouble::SecretAway(_)
        | Trouble::Halted(_) => trouble,
    }
}

/// The longest command, with the line's end (RFC 5321, section 4.5.3.1.4).
const COMMAND_MAX: usize = 512;
const CRLF: usize = 2;

#[cfg(test)]
mod stalls;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_quotes_the_password_does_not_bring_it_into_the_log() {
        let refused = Answer::new(Phase::Auth, 535, "bad line: AUTH PLAIN aHVudGVyMg== hunter2");
        let secrets = ["aHVudGVyMg==", "hunter2", ""].map(SecretString::from);
        let cleaned = without(Trouble::Refused(refused), &secrets.each_ref());
        assert_eq!(cleaned.to_string(), "535 bad line: AUTH PLAIN [secret] [secret] (at auth)");
    }
}
