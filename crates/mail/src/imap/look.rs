//! A look at a mailbox's inbox without reading its mail, and a lookout for one message that is to
//! arrive. Nothing is marked, as ever.

use warmfront_core::reading::Role;
use warmfront_core::span::Millis;

use super::folders::Folder;
use super::message::What;
use super::session::Session;
use super::{Account, Open, connect};
use crate::inbox::Unreadable;
use crate::tls::{self, Handshake};

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What TLS showed.
    pub handshake: Option<Handshake>,
    /// Whether the server tells of news by itself (IDLE, RFC 2177).
    pub idles: bool,
    /// The folders that are read; each could be opened.
    pub folders: Vec<FoundFolder>,
}

/// A folder that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFolder {
    /// What it is for.
    pub role: Role,
    /// As the server writes it.
    pub name: String,
    /// Whether the server says what it is for (RFC 6154), and not its name alone.
    pub is_said: bool,
}

/// Logs in, lists the folders, opens each that is read, and takes leave.
pub async fn look(account: &Account) -> Result<Look, Unreadable> {
    let mut open = connect(account, &tls::config(account.roots.as_deref())).await?;
    let seen = open.look().await;
    open.session.logout().await;
    seen
}

impl Open {
    async fn look(&mut self) -> Result<Look, Unreadable> {
        for folder in &self.folders {
            self.session.examine(folder).await?;
        }
        let told = |Folder { role, name, is_said }: &Folder| FoundFolder {
            role: *role,
            name: name.clone(),
            is_said: *is_said,
        };
        Ok(Look {
            handshake: self.session.shown.clone(),
            idles: self.session.offers("IDLE"),
            folders: self.folders.iter().map(told).collect(),
        })
    }
}

/// Waits for one message, behind all that was there when it began.
pub struct Lookout {
    session: Session,
    /// Each folder, and the first number that was not given yet.
    folders: Vec<(Folder, u32)>,
}

/// A message that was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub role: Role,
    /// When the server took it, where it says so.
    pub received_at: Option<Millis>,
    /// The message, or its beginning.
    pub octets: Vec<u8>,
}

impl Lookout {
    /// Logs in and notes how far the folders for `roles` go.
    pub async fn begin(account: &Account, roles: &[Role]) -> Result<Self, Unreadable> {
        let Open { mut session, folders, .. } =
            connect(account, &tls::config(account.roots.as_deref())).await?;
        let mut noted = Vec::new();
        for folder in folders.into_iter().filter(|folder| roles.contains(&folder.role)) {
            let opened = session.examine(&folder).await?;
            noted.push((folder, next_number(&mut session, opened.uid_next).await?));
        }
        Ok(Self { session, folders: noted })
    }

    /// The message that holds `mark`, if it has come. What is not it is passed, and not kept.
    pub async fn find(&mut self, mark: &str) -> Result<Option<Found>, Unreadable> {
        for (folder, next) in &mut self.folders {
            self.session.examine(folder).await?;
            let mut uids = self.session.search(&format!("UID {next}:*")).await?;
            // `*` is the last message there is, however low its number.
            uids.retain(|uid| uid >= next);
            uids.truncate(AT_ONCE);
            if uids.is_empty() {
                continue;
            }
            let mut found = None;
            self.session
                .fetch(&uids, What::Whole, |fetched| {
                    if holds(fetched.octets, mark) {
                        found = Some(Found {
                            role: folder.role,
                            received_at: fetched.received_at,
                            octets: fetched.octets.to_vec(),
                        });
                    }
                })
                .await?;
            if found.is_some() {
                return Ok(found);
            }
            *next = uids.last().map_or(*next, |last| last + 1);
        }
        Ok(None)
    }

    /// Takes leave.
    pub async fn end(self) {
        self.session.logout().await;
    }
}

async fn next_number(session: &mut Session, told: Option<u32>) -> Result<u32, Unreadable> {
    match told {
        Some(next) => Ok(next),
        None => Ok(session.search("UID *").await?.last().map_or(1, |last| last + 1)),
    }
}

fn holds(octets: &[u8], mark: &str) -> bool {
    octets.windows(mark.len().max(1)).any(|window| window == mark.as_bytes())
}

/// The most messages of one glance: an inbox in which more arrive within seconds is looked at again.
const AT_ONCE: usize = 25;
