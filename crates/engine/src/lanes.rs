//! The lanes of one daemon, each a task of its own.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use warmfront_core::span::{MINUTE, Millis};
use warmfront_mail::submit::Submit;
use warmfront_store::Lease;

use crate::EngineError;
use crate::lane::{Lane, Next};
use crate::office::Office;

/// Lanes at work.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    tasks: JoinSet<Result<(), EngineError>>,
    leases: HashMap<Id, Lease>,
    /// Ends the present ones.
    stop: Option<CancellationToken>,
}

/// How a lane ended that should not have.
#[derive(Debug)]
pub(crate) enum LaneEnd {
    /// The books or the office failed it.
    Failed(EngineError),
    /// It panicked.
    Panicked(String),
}

impl Lanes {
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Lets a lane work until `stop`, or until it has nothing to do for a while.
    pub(crate) fn add<O: Submit + 'static>(
        &mut self,
        lane: Lane<O>,
        office: &Office,
        stop: &CancellationToken,
    ) {
        let stop = self.stop.get_or_insert_with(|| stop.child_token()).clone();
        let lease = lane.lease();
        let task = self.tasks.spawn(drive(lane, office.clone(), stop));
        self.leases.insert(task.id(), lease);
    }

    /// The next lane that ends; nothing where there is none.
    pub(crate) async fn next(&mut self) -> Option<(Lease, Result<(), LaneEnd>)> {
        loop {
            let (id, ended) = match self.tasks.join_next_with_id().await? {
                Ok((id, ended)) => (id, ended.map_err(LaneEnd::Failed)),
                Err(error) => (error.id(), Err(LaneEnd::Panicked(error.to_string()))),
            };
            if let Some(lease) = self.leases.remove(&id) {
                return Some((lease, ended));
            }
        }
    }

    /// Tells every lane to end once what is in flight is finished.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.cancel();
        }
    }
}

/// One lane until it has nothing to do for a while.
async fn drive<O: Submit>(
    mut lane: Lane<O>,
    office: Office,
    stop: CancellationToken,
) -> Result<(), EngineError> {
    while !stop.is_cancelled() {
        let now = office.clock.now();
        let wake = match lane.tick(now).await {
            Ok(Next::At(at)) if at - now <= LINGERS_FOR => at,
            // The lane stays, so that it remembers how often it has failed.
            Ok(Next::NotBefore(at)) => at,
            Ok(Next::At(_) | Next::Done) => break,
            Err(error) => {
                lane.close().await;
                return Err(error);
            }
        };
        // The clock lets nobody sleep long; whoever it wakes early goes back to sleep.
        while office.clock.now() < wake && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = office.clock.wait_until(wake) => {}
            }
        }
    }
    lane.close().await;
    Ok(())
}

/// A lane keeps its connection and its lease while its next message is this near.
const LINGERS_FOR: Millis = MINUTE;
