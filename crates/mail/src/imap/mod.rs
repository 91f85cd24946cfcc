//! The real inbox: IMAP (RFC 3501), one mailbox, one connection, kept while it is wanted.
//!
//! Reads INBOX and the folders for junk and sent mail, each from where the books say it was read to.
//! How far one reading goes is bounded, so that memory is; the next goes on from there. A message
//! that the server cannot show is asked for again, then passed: it holds up no other.

mod copy;
mod folders;
mod log_in;
mod look;
mod message;
mod session;
mod survey;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use warmfront_core::reading::{Bookmarks, Place, Reading};
use warmfront_core::span::Millis;

use crate::inbox::{Inbox, Unreadable};
use crate::server::{Credentials, Tls, is_loopback, not_loopback};
use crate::tls;
use folders::{Choice, Folder};
pub use look::{Found, FoundFolder, Look, Lookout, look};
use session::Session;
use survey::{Stumble, Survey};

/// A mailbox's way to its IMAP server.
#[derive(Clone, Debug)]
pub struct Account {
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
    /// How long each step may take.
    pub deadlines: Deadlines,
}

/// How long each step may take before the connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// TCP, and again TLS.
    pub connect: Duration,
    /// A command with all of its answer.
    pub command: Duration,
    /// The same for a FETCH of several messages.
    pub fetch: Duration,
    /// LOGOUT.
    pub logout: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(60),
            fetch: Duration::from_secs(3 * 60),
            logout: Duration::from_secs(2),
        }
    }
}

/// A mailbox's IMAP server, and the connection to it if there is one.
pub struct Imap {
    account: Account,
    /// Built once, so that TLS sessions are resumed.
    trust: Result<Arc<ClientConfig>, String>,
    open: Option<Open>,
    /// The messages over which readings failed. The server may be to blame, or they.
    stumbles: BTreeMap<Place, Stumble>,
    /// Whether messages are fetched one by one: the last fetch of several failed.
    is_careful: bool,
}

/// A connection. While it is in use it is out of [`Imap`], so that a future dropped half-way takes it
/// along.
struct Open {
    session: Session,
    folders: Vec<Folder>,
    /// What the server said the next message of INBOX would be numbered when it was read.
    inbox_next: Option<u32>,
}

impl Imap {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(account: Account) -> Self {
        let trust = tls::config(account.roots.as_deref());
        Self { account, trust, open: None, stumbles: BTreeMap::new(), is_careful: false }
    }

    /// Reads over an open connection, which is kept if it still serves.
    async fn survey(&mut self, mut open: Open, bookmarks: &Bookmarks, now: Millis) -> Surveyed {
        let mut survey = Survey {
            bookmarks,
            now,
            room: AT_ONCE,
            stumbles: &mut self.stumbles,
            is_careful: &mut self.is_careful,
            reading: Reading { is_whole: true, ..Reading::default() },
        };
        let ended = survey.read(&mut open).await;
        let mut reading = survey.reading;
        match ended {
            Ok(()) => {
                self.open = Some(open);
                Surveyed::Read(reading)
            }
            // What was read is not to be read again for what came behind it.
            Err(trouble) if !reading.marks.is_empty() => {
                (reading.is_whole, reading.trouble) = (false, Some(trouble.to_string()));
                Surveyed::Read(reading)
            }
            Err(trouble) => Surveyed::Nothing(trouble),
        }
    }
}

/// Opens a connection and looks which folders there are.
async fn connect(
    account: &Account,
    trust: &Result<Arc<ClientConfig>, String>,
) -> Result<Open, Unreadable> {
    let Account { host, tls, .. } = account;
    if *tls == Tls::None && !is_loopback(host) {
        return Err(not_loopback(host).into());
    }
    let trust =
        trust.as_ref().map_err(|why| Unreadable::Unsafe(format!("the `ca` of {host} {why}")))?;
    let mut session = Session::open(account, trust).await?;
    let mut choice = Choice::default();
    session.list(|folder| choice.consider(folder)).await?;
    Ok(Open { session, folders: choice.folders(), inbox_next: None })
}

/// What came of an attempt to read.
enum Surveyed {
    Read(Reading),
    Nothing(Unreadable),
}

impl Inbox for Imap {
    async fn read(&mut self, bookmarks: &Bookmarks, now: Millis) -> Result<Reading, Unreadable> {
        if let Some(open) = self.open.take() {
            match self.survey(open, bookmarks, now).await {
                Surveyed::Read(reading) => return Ok(reading),
                // A server may end a connection that was idle whenever it likes: one fresh try.
                Surveyed::Nothing(Unreadable::Lost(_)) => {}
                Surveyed::Nothing(trouble) => return Err(trouble),
            }
        }
        let open = connect(&self.account, &self.trust).await?;
        match self.survey(open, bookmarks, now).await {
            Surveyed::Read(reading) => Ok(reading),
            Surveyed::Nothing(trouble) => Err(trouble),
        }
    }

    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    async fn news(&mut self, within: Duration) -> bool {
        let Some(mut open) = self.open.take() else { return false };
        let Ok(inbox) = open.session.examine(&Folder::inbox()).await else { return false };
        // Whatever came between the reading and now is news already.
        if inbox.uid_next.is_some() && inbox.uid_next != open.inbox_next {
            self.open = Some(open);
            return true;
        }
        match open.session.idle(within).await {
            Ok(news) => {
                self.open = Some(open);
                news
            }
            Err(_) => false,
        }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.session.logout().await;
        }
    }
}

/// The most messages of one reading.
const AT_ONCE: usize = 200;
