//! Submission by SMTP (RFC 6409): one mailbox, one connection, used again while it is fresh.
//!
//! Decides how a connection is opened, kept, reset and given up. When a letter ended in doubt or
//! with a 421, or was stopped half-way, its connection is never used again: an answer still in
//! flight would be taken for the answer to the next command.

mod log_in;
mod look;
mod session;
mod starttls;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use warmfront_core::address::Address;
use warmfront_core::answer::Phase;
use warmfront_core::span::{MINUTE, Millis, SECOND};

pub use self::look::{Look, look};
pub use crate::server::{Credentials, Tls};
use crate::server::{is_loopback, not_loopback};
use crate::submit::{Letter, Outcome, Progress, Submit, Trouble};
use crate::tls;
use session::Session;

/// A mailbox's way to its submission server.
#[derive(Clone, Debug)]
pub struct Account {
    /// The mailbox, for messages to people.
    pub address: Address,
    /// The name to log in with.
    pub username: String,
    /// What to log in with; `None` where the server wants nothing.
    pub credentials: Option<Credentials>,
    /// The server's name, which its certificate must bear, or its IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where TLS begins.
    pub tls: Tls,
    /// CA certificates (PEM) to trust *instead of* the web's.
    pub roots: Option<Vec<u8>>,
    /// Our own name in EHLO; `None`: the address that this machine reaches the server from. It shows
    /// in `Received`.
    pub hello: Option<String>,
    /// When a connection is given up though it works.
    pub limits: ConnectionLimits,
    /// How long each step may take.
    pub deadlines: Deadlines,
}

/// When a connection is given up though it works: servers count what one connection brings, and
/// firewalls forget what is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The most messages over one connection. Yahoo ends it after 20.
    pub messages: u32,
    /// Its greatest age.
    pub age: Millis,
    /// The longest it may lie idle.
    pub idle: Millis,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { messages: 20, age: 15 * MINUTE, idle: 60 * SECOND }
    }
}

/// How long each step may take before the connection is given up.
///
/// The defaults are the least that RFC 5321, section 4.5.3.2 asks of a client; `connect`, `rset`
/// and `quit`, of which it does not speak, are Postfix's, Postfix's and a short goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// TCP, and again TLS.
    pub connect: Duration,
    /// Greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, each.
    pub command: Duration,
    /// DATA.
    pub data_init: Duration,
    /// One block of the body.
    pub block: Duration,
    /// The final dot: short ones make duplicates (RFC 1047).
    pub final_dot: Duration,
    /// RSET and NOOP.
    pub rset: Duration,
    /// QUIT.
    pub quit: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(5 * 60),
            data_init: Duration::from_secs(2 * 60),
            block: Duration::from_secs(3 * 60),
            final_dot: Duration::from_secs(10 * 60),
            rset: Duration::from_secs(20),
            quit: Duration::from_secs(2),
        }
    }
}

/// A mailbox's submission server, and the connection to it if there is one.
pub struct Smtp {
    account: Account,
    /// Built once, so that TLS sessions are resumed.
    trust: Result<Arc<ClientConfig>, String>,
    open: Option<Open>,
}

/// A connection and its past. While it is in use it is out of [`Smtp`], so that a future dropped
/// half-way takes it along.
struct Open {
    session: Session,
    opened_at: Millis,
    used_at: Millis,
    letters: u32,
    /// Whether the last letter was refused half-way, so that RSET is due.
    refused: bool,
}

impl Smtp {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(account: Account) -> Self {
        let trust = tls::config(account.roots.as_deref());
        Self { account, trust, open: None }
    }

    /// The connection there is, if it may and can be used, or a new one.
    async fn usable(&mut self, now: Millis) -> Result<Open, Trouble> {
        if let Some(mut open) = self.open.take() {
            if open.spent(&self.account.limits, now) {
                open.session.quit().await;
            } else if open.refresh(now).await.is_ok() {
                return Ok(open);
            }
        }
        self.connect(now).await
    }

    async fn connect(&self, now: Millis) -> Result<Open, Trouble> {
        self.account.check()?;
        let trust = self
            .trust
            .as_ref()
            .map_err(|why| Trouble::Unsafe(format!("the `ca` of {} {why}", self.account.host)))?;
        let session = Session::open(&self.account, trust).await?;
        Ok(Open { session, opened_at: now, used_at: now, letters: 0, refused: false })
    }
}

impl Submit for Smtp {
    fn is_open(&self, now: Millis) -> bool {
        self.open.as_ref().is_some_and(|open| !open.spent(&self.account.limits, now))
    }

    async fn ready(&mut self, now: Millis) -> Result<(), Trouble> {
        let open = self.usable(now).await?;
        self.open = Some(open);
        Ok(())
    }

    async fn submit<P: Progress>(
        &mut self,
        letter: &Letter,
        now: Millis,
        progress: &mut P,
    ) -> Outcome {
        if let Some(flaw) = stream::flaw(&letter.bytes) {
            let why = format!("the message holds {flaw}; it would not arrive as it was written");
            return Outcome::NotSent(Trouble::Unsafe(why));
        }
        let mut open = match self.usable(now).await {
            Ok(open) => open,
            Err(trouble) => return Outcome::NotSent(trouble),
        };
        let mut outcome = open.session.deliver(letter, progress).await;
        // A server may end a connection between two letters whenever it likes, by 421 or without a
        // word. That concerns the connection, not this letter: one fresh try.
        if open.letters > 0 && ended_before_mail(&outcome) {
            open = match self.connect(now).await {
                Ok(open) => open,
                Err(trouble) => return Outcome::NotSent(trouble),
            };
            outcome = open.session.deliver(letter, progress).await;
        }
        self.open = open.after(&outcome, now);
        outcome
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.session.quit().await;
        }
    }
}

impl Open {
    fn spent(&self, limits: &ConnectionLimits, now: Millis) -> bool {
        self.letters >= limits.messages
            || now - self.opened_at >= limits.age
            || now - self.used_at >= limits.idle
    }

    async fn refresh(&mut self, now: Millis) -> Result<(), Trouble> {
        if self.refused {
            self.session.reset().await?;
        } else if now - self.used_at > NOOP_AFTER {
            self.session.noop().await?;
        } else {
            return Ok(());
        }
        (self.refused, self.used_at) = (false, now);
        Ok(())
    }

    /// The connection after a letter, if it may carry another.
    fn after(self, outcome: &Outcome, now: Millis) -> Option<Self> {
        match outcome {
            Outcome::Answered(answer) if answer.code == CLOSING => None,
            Outcome::Answered(answer) => {
                let refused = answer.code / 100 != 2;
                Some(Self { used_at: now, letters: self.letters + 1, refused, ..self })
            }
            Outcome::NotSent(_) | Outcome::InDoubt { .. } => None,
        }
    }
}

impl Account {
    /// What can be seen to be wrong before anything is sent.
    fn check(&self) -> Result<(), Trouble> {
        if self.tls == Tls::None && !is_loopback(&self.host) {
            return Err(not_loopback(&self.host));
        }
        let is_name =
            |name: &&String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(hello) = self.hello.as_ref().filter(|name| !is_name(name)) {
            return Err(Trouble::Unsafe(format!(
                "`{}` is no name to greet {} with; write this machine's domain name",
                hello.escape_default(),
                self.host
            )));
        }
        Ok(())
    }
}

fn ended_before_mail(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => answer.phase == Phase::Mail && answer.code == CLOSING,
        Outcome::NotSent(Trouble::Lost { phase, .. }) => *phase == Phase::Mail,
        Outcome::NotSent(_) | Outcome::InDoubt { .. } => false,
    }
}

/// "Service closing transmission channel": in any phase, the connection is over (RFC 5321, 3.8).
const CLOSING: u16 = 421;

/// After so long a silence the connection is asked for a sign of life before it is relied on.
const NOOP_AFTER: Millis = 30 * SECOND;
