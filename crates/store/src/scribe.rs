//! The one writer of the send path: whatever waits is written in one transaction.
//!
//! A commit costs one fsync however much is in it, so the claims, dots and settlements of several
//! mailboxes share one. Should one of them fail, the group is undone and each is written alone:
//! a refused claim undoes nobody else's.
//!
//! In PostgreSQL the groups of several daemons work beside one another (see [`crate::postgres`]).
//!
//! Runs as a task of its own, so a caller that is dropped in mid-wait cannot cancel a commit.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot};

use crate::db::Db;
use crate::group::{self, Entry};
use crate::{StoreError, postgres};

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
        while !group.is_empty() {
            let repeated = take_repeated(&mut group);
            write_group(&db, &group).await.into_iter().zip(group.drain(..)).for_each(
                // Where nobody waits for it any more the entry stands all the same, and whoever
                // next leases the mailbox finds it.
                |(written, request)| drop(request.reply.send(written)),
            );
            group = repeated;
        }
    }
}

/// Of several that want something of one message the first has its turn now; the others are taken
/// out for the next group.
fn take_repeated(group: &mut Vec<Request>) -> Vec<Request> {
    let mut seen = BTreeSet::new();
    group.extract_if(.., |request| !seen.insert(request.entry.message())).collect()
}

async fn write_group(db: &Db, group: &[Request]) -> Vec<Written> {
    let entries: Vec<&Entry> = group.iter().map(|request| &request.entry).collect();
    let told = |written: &BTreeSet<i64>, entry: &Entry| Ok(written.contains(&entry.message()));
    match group::write(db, &entries).await {
        Ok(written) => entries.iter().map(|entry| told(&written, entry)).collect(),
        // Each alone would be told the same, and much later.
        Err(error) if entries.len() == 1 || error.is_transient() => {
            vec![Err(error); entries.len()]
        }
        Err(_) => {
            let mut alone = Vec::with_capacity(entries.len());
            for entry in entries {
                let written = group::write(db, &[entry]).await;
                alone.push(written.and_then(|written| told(&written, entry)));
            }
            alone
        }
    }
}

/// The most entries of one commit.
const GROUP_MAX: usize = 256;
