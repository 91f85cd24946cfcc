//! The one writer of the send path: whatever waits is written in one transaction.
//!
//! A commit costs one fsync however much is in it, so the claims, dots and settlements of several
//! mailboxes share one. Should one of them fail, the group is undone and each is written alone:
//! a refused claim undoes nobody else's.
//!
//! In PostgreSQL the groups of several daemons work beside one another (see [`crate::postgres`]).
//!
//! Runs as a task of its own, so a caller that is dropped in mid-wait cannot cancel a commit.

use tokio::sync::{mpsc, oneshot};

use crate::db::{Db, Transaction};
use crate::{Claim, Settlement, StoreError, claim, postgres, settle};

/// One thing to write.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Claim(Box<Claim>),
    Dot { message: i64, epoch: i64, now: i64 },
    Settle(Box<Settlement>),
}

impl Entry {
    /// The message whose budgets, person or campaign it moves. A dot moves none.
    fn counts_on(&self) -> Option<i64> {
        match self {
            Self::Claim(claim) => Some(claim.message),
            Self::Dot { .. } => None,
            Self::Settle(settlement) => Some(settlement.message),
        }
    }
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
    let at_most = if db.is_shared() { postgres::GROUP_MAX } else { GROUP_MAX };
    let mut group = Vec::with_capacity(at_most);
    while inbox.recv_many(&mut group, at_most).await > 0 {
        let entries: Vec<&Entry> = group.iter().map(|request| &request.entry).collect();
        let written: Vec<Written> = match write_together(&db, &entries).await {
            Ok(written) => written.into_iter().map(Ok).collect(),
            // Each alone would be told the same, and much later.
            Err(error) if group.len() == 1 || matches!(error, StoreError::Unreachable) => {
                vec![Err(error); group.len()]
            }
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

/// Settlements come last: a campaign, which all of its mailboxes share, is then held for the
/// shortest time.
async fn write_together(db: &Db, entries: &[&Entry]) -> Result<Vec<bool>, StoreError> {
    let (settling, others): (Vec<usize>, Vec<usize>) =
        (0..entries.len()).partition(|&n| matches!(entries[n], Entry::Settle(_)));
    let messages = |of: &[usize]| of.iter().filter_map(|&n| entries[n].counts_on()).collect();
    let transaction = db.begin_unlocked().await?;
    if db.is_shared() {
        let all: Vec<i64> = messages(&[others.as_slice(), settling.as_slice()].concat());
        postgres::wait_beside(&transaction, &all).await?;
    }
    let mut written = vec![false; entries.len()];
    for n in others {
        written[n] = write_one(&transaction, entries[n]).await?;
    }
    if db.is_shared() {
        let settled: Vec<i64> = messages(&settling);
        postgres::wait_for_campaigns(&transaction, &settled).await?;
    }
    for n in settling {
        written[n] = write_one(&transaction, entries[n]).await?;
    }
    transaction.commit().await?;
    Ok(written)
}

async fn write_one(transaction: &Transaction, entry: &Entry) -> Written {
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
