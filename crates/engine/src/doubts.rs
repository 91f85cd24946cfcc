//! Messages in doubt, settled by what a Sent folder or an answer says of them: the books keep the
//! evidence, and what comes next for the person is asked of the campaign.

use tracing::info;
use warmfront_core::span::Millis;

use crate::EngineError;
use crate::office::Office;

/// Settles whatever there is evidence for, what came in while its message was on its way included.
pub(crate) async fn settle_doubts(office: &Office, now: Millis) -> Result<(), EngineError> {
    office.store.look_again(now).await?;
    for doubt in office.store.doubts_with_evidence().await? {
        let roster = office.roster();
        let next = match roster.get(doubt.campaign_id) {
            _ if doubt.is_over => None,
            Some(campaign) => campaign.next_step(doubt.position, doubt.sending_since, &doubt.zone),
            // What comes next only a running campaign says; the evidence can wait.
            None => continue,
        };
        office.store.settle_doubt(&doubt, next, now).await?;
        info!(message = doubt.message, was_sent = doubt.was_sent, "a doubt is settled");
    }
    Ok(())
}
