//! The steps and texts of an import: written, kept, or taken over with what they withdraw.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait;

use crate::StoreError;
use crate::campaigns::{TEXTS, WITHDRAWN, texts};
use crate::db::sql;
use crate::import::{NewCampaign, StepText, TakenOver};
use crate::row::Row as _;

/// What became of a folder's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// The campaign's first.
    New,
    /// As the books have them.
    Same,
    /// Others than the books', which were kept.
    KeptOld,
    /// The books have the folder's now.
    TakenOver(TakenOver),
}

/// Brings the steps of a folder into the books, if they are new there or an update is asked for.
pub(crate) async fn write_steps(
    db: &impl ConnectionTrait,
    campaign: &NewCampaign,
    id: i64,
    is_new: bool,
) -> Result<Steps, StoreError> {
    let booked = by_name(texts(db, id, TEXTS).await?);
    let withdrawn = by_name(texts(db, id, WITHDRAWN).await?);
    let differs = |t: &&StepText| booked.get(&name(t)).is_none_or(|known| known.hash != t.hash);
    let changed: Vec<&StepText> = campaign.texts.iter().filter(differs).collect();
    let folder: BTreeSet<_> = campaign.texts.iter().map(name).collect();
    let gone: Vec<_> = booked.keys().filter(|name| !folder.contains(*name)).collect();
    if !is_new && !campaign.update {
        let same = changed.is_empty() && gone.is_empty() && waits(db, id).await? == campaign.waits;
        return Ok(if same { Steps::Same } else { Steps::KeptOld });
    }
    refuse_if_awaited(db, campaign, id).await?;
    write_waits(db, campaign, id).await?;
    for text in &changed {
        // One that was withdrawn may come back as it was.
        if withdrawn.get(&name(text)).is_none_or(|known| known.hash != text.hash) {
            write_text(db, id, text).await?;
        }
    }
    for (position, variant) in folder {
        let back = "DELETE FROM withdrawn_variants
                    WHERE campaign_id = $1 AND position = $2 AND variant = $3";
        db.execute_raw(sql(back, [id.into(), position.into(), variant.into()])).await?;
    }
    for (position, variant) in &gone {
        let withdraw = "INSERT INTO withdrawn_variants (campaign_id, position, variant)
                        VALUES ($1, $2, $3)";
        let values = [id.into(), (*position).into(), variant.as_str().into()];
        db.execute_raw(sql(withdraw, values)).await?;
    }
    let (changed, withdrawn) = (changed.len() as u64, gone.len() as u64);
    Ok(if is_new { Steps::New } else { Steps::TakenOver(TakenOver { changed, withdrawn }) })
}

/// What a text is called: its step and its variant.
fn name(text: &StepText) -> (u32, String) {
    (text.position, text.variant.clone())
}

fn by_name(texts: Vec<StepText>) -> BTreeMap<(u32, String), StepText> {
    texts.into_iter().map(|text| (name(&text), text)).collect()
}

async fn waits(db: &impl ConnectionTrait, id: i64) -> Result<Vec<Option<String>>, StoreError> {
    let query = "SELECT wait FROM steps WHERE campaign_id = $1 AND withdrawn = 0 ORDER BY position";
    let rows = db.query_all_raw(sql(query, [id.into()])).await?;
    rows.iter().map(|row| Ok(row.read("wait")?)).collect()
}

/// Nobody is left waiting for a step that is gone: whether they have had enough is not for an
/// import to say.
async fn refuse_if_awaited(
    db: &impl ConnectionTrait,
    campaign: &NewCampaign,
    id: i64,
) -> Result<(), StoreError> {
    let steps = campaign.waits.len() as u64;
    let row = db
        .query_one_raw(sql(
            "SELECT min(next_step) AS step, count(*) AS people FROM enrolments
             WHERE campaign_id = $1 AND next_step > $2 AND ended_at IS NULL",
            [id.into(), i64::try_from(steps).unwrap_or(i64::MAX).into()],
        ))
        .await?;
    let Some(row) = row else { return Ok(()) };
    let people: i64 = row.read("people")?;
    if people == 0 {
        return Ok(());
    }
    Err(StoreError::StepAwaited {
        slug: campaign.slug.clone(),
        people: people.unsigned_abs(),
        step: row.read("step")?,
        steps,
    })
}

async fn write_waits(
    db: &impl ConnectionTrait,
    campaign: &NewCampaign,
    id: i64,
) -> Result<(), StoreError> {
    db.execute_raw(sql("UPDATE steps SET withdrawn = 1 WHERE campaign_id = $1", [id.into()]))
        .await?;
    for (position, wait) in (1_i64..).zip(&campaign.waits) {
        db.execute_raw(sql(
            "INSERT INTO steps (campaign_id, position, wait) VALUES ($1, $2, $3)
             ON CONFLICT (campaign_id, position)
             DO UPDATE SET wait = excluded.wait, withdrawn = 0",
            [id.into(), position.into(), wait.as_deref().into()],
        ))
        .await?;
    }
    Ok(())
}

async fn write_text(db: &impl ConnectionTrait, id: i64, text: &StepText) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "INSERT INTO step_revisions
             (campaign_id, position, variant, revision, subject, text, html, hash)
         SELECT $1, $2, $3, coalesce(max(revision), 0) + 1, $4, $5, $6, $7
         FROM step_revisions WHERE campaign_id = $1 AND position = $2 AND variant = $3",
        [
            id.into(),
            text.position.into(),
            text.variant.as_str().into(),
            text.subject.as_deref().into(),
            text.text.as_str().into(),
            text.html.as_deref().into(),
            text.hash.as_str().into(),
        ],
    ))
    .await?;
    Ok(())
}
