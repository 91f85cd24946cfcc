//! The one writer of the send path: whatever waits is written in one transaction.
//!
//! A commit costs one fsync however much is in it, so the claims, dots and settlements of several
//! mailboxes share one. Should one of them fail, the group is undone and each is written alone:
//! a refused claim undoes nobody else's.
//!
//! Runs as a task of its own, so a caller that is dropped in mid-wait cannot cancel a commit.

use sea_orm::DatabaseTransaction;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;
use crate::db::Db;
use crate::{Claim, Settlement, claim, settle};

/// One thing to write.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Claim(Box<Claim>),
    Dot { message: i64, epoch: i64, now: i64 },
    Settle(Box<Settlement>),
}

/// What came of it: whether the row was still in the state that the entry supposes.
type Written = Result<bool, StoreError>;

struct Request {
    entry: Entry,
    reply: oneshot::Sender<Written>,
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Scribe {
    requests: mpsc::Sender<Request>,
}

impl Scribe {
    pub(crate) fn start(db: Db) -> Self {
        let (requests, inbox) = mpsc::channel(GROUP_MAX);
        tokio::spawn(write_groups(db, inbox));
        Self { requests }
    }

    /// Writes an entry durably; comes back once it is.
    pub(crate) async fn write(&self, entry: Entry) -> Written {
        let (reply, written) = oneshot::channel();
        let request = Request { entry, reply };
        self.requests.send(request).await.map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }
}

async fn write_groups(db: Db, mut inbox: mpsc::Receiver<Request>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while inbox.recv_many(&mut group, GROUP_MAX).await > 0 {
        let entries: Vec<&Entry> = group.iter().map(|request| &request.entry).collect();
        let written: Vec<Written> = match write_together(&db, &entries).await {
            Ok(written) => written.into_iter().map(Ok).collect(),
            Err(error) if group.len() == 1 => vec![Err(error)],
            Err(_) => {
                let mut alone = Vec::with_capacity(group.len());
                for entry in entries {
                    let written = write_together(&db, &[entry]).await;
                    alone.push(written.map(|mut one| one.pop().unwrap_or(false)));
                }
                alone
            }
        };
        for (request, written) in group.drain(..).zip(written) {
            // Nobody waits for it any more: the entry stands all the same, and whoever next leases
            // the mailbox finds it.
            let _ = request.reply.send(written);
        }
    }
}

async fn write_together(db: &Db, entries: &[&Entry]) -> Result<Vec<bool>, StoreError> {
    let transaction = db.begin().await?;
    let mut written = Vec::with_capacity(entries.len());
    for entry in entries {
        written.push(write_one(&transaction, entry).await?);
    }
    transaction.commit().await?;
    Ok(written)
}

async fn write_one(transaction: &DatabaseTransaction, entry: &Entry) -> Written {
    match entry {
        Entry::Claim(claim) => claim::claim(transaction, claim).await,
        Entry::Dot { message, epoch, now } => {
            claim::mark_dot(transaction, *message, *epoch, *now).await
        }
        Entry::Settle(settlement) => settle::settle(transaction, settlement).await,
    }
}

/// The most entries of one commit.
const GROUP_MAX: usize = 256;
