//! Messages in doubt, settled by what is found out about them: the books keep the evidence, and what
//! comes next for the person is asked of the campaign, whether it runs or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{info, warn};
use warmfront_core::span::Millis;
use warmfront_store::{Doubt, SettledDoubt, Verdict};

use crate::EngineError;
use crate::office::Office;
use crate::roster::Campaign;

/// Settles whatever there is evidence for, what came in while its message was on its way included.
/// One that cannot be settled holds up no other; whom nobody was `told` of yet is told of once.
pub(crate) async fn settle_doubts(
    office: &Office,
    told: &mut BTreeSet<i64>,
    now: Millis,
) -> Result<(), EngineError> {
    let early = office.store.look_again(now).await;
    for doubt in office.store.doubts_with_evidence().await? {
        match settle_one(office, &doubt, now).await {
            Ok(()) => {
                told.remove(&doubt.message);
                info!(message = doubt.message, was_sent = doubt.was_sent, "a doubt is settled");
            }
            // They would all be told the same.
            Err(EngineError::Store(error)) if error.is_transient() => return Err(error.into()),
            // The evidence can wait.
            Err(error) if told.insert(doubt.message) => {
                warn!(
                    message = doubt.message, %error,
                    "a doubt cannot be settled; `warmfront reconcile` lists it, and takes your word"
                );
            }
            Err(_) => {}
        }
    }
    Ok(early?)
}

async fn settle_one(office: &Office, doubt: &SettledDoubt, now: Millis) -> Result<(), EngineError> {
    let campaign = campaign(office, doubt.campaign_id).await?;
    let next = campaign.next_step(doubt.position, doubt.sending_since, &doubt.zone);
    Ok(office.store.settle_doubt(doubt, next, now).await?)
}

/// Settles doubts at the operator's word, all of them or none: of the first that was settled meanwhile
/// it gives the row, and nothing is settled then.
pub async fn settle_by_operator(
    office: &Office,
    doubts: &[&Doubt],
    verdict: Verdict,
    now: Millis,
) -> Result<Option<i64>, EngineError> {
    let mut settled = Vec::new();
    for doubt in doubts {
        let next = match verdict {
            Verdict::Accepted => {
                let campaign = campaign(office, doubt.campaign_id).await?;
                campaign.next_step(doubt.step, doubt.sending_since, &doubt.zone)
            }
            // It is the same step again.
            Verdict::Planned => None,
        };
        settled.push((doubt.id, next));
    }
    Ok(office.store.settle_by_operator(&settled, verdict, now).await?)
}

/// A campaign, from the books where it does not run.
async fn campaign(office: &Office, id: i64) -> Result<Arc<Campaign>, EngineError> {
    if let Some(campaign) = office.roster().get(id) {
        return Ok(Arc::clone(campaign));
    }
    let store = &office.store;
    let row = store.campaigns().await?.into_iter().find(|row| row.id == id);
    let row = row.ok_or(EngineError::Broken("list of campaigns"))?;
    Ok(Arc::new(Campaign::load(store, row, &office.fleet.timezone).await?))
}
