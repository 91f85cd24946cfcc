//! Messages in doubt, settled by what a Sent folder says of them: the books keep the evidence, and what
//! comes next for the person is asked of the campaign.

use tracing::info;
use warmfront_core::span::Millis;

use crate::EngineError;
use crate::office::Office;

/// Settles what a Sent folder has spoken of.
pub(crate) async fn settle_doubts(office: &Office, now: Millis) -> Result<(), EngineError> {
    for doubt in office.store.doubts_with_evidence().await? {
        let roster = office.roster();
        // What comes next only a running campaign says; the evidence can wait.
        let Some(campaign) = roster.get(doubt.campaign_id) else { continue };
        let next = campaign.next_step(doubt.position, doubt.sending_since, &doubt.zone);
        office.store.settle_doubt(&doubt, next, now).await?;
        info!(message = doubt.message, was_sent = doubt.was_sent, "a doubt is settled");
    }
    Ok(())
}
