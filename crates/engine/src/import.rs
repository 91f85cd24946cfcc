//! From a campaign folder to the books.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use warmfront_campaigns::folder::Campaign;
use warmfront_campaigns::prospects::{self, FileReport, Prospect, Rejects, Row};
use warmfront_campaigns::templates::{Mailbox, Renderer};
use warmfront_core::address::Address;
use warmfront_core::problem::Problem;
use warmfront_core::span::Millis;
use warmfront_store::{CampaignRow, ImportRow, Imported, NewCampaign, StepText, Store};

use crate::{BookedManifest, EngineError, person};

/// What an import is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The folder, loaded.
    pub campaign: &'a Campaign,
    /// The list's encoding, where it is neither UTF-8 nor marked.
    pub encoding: Option<&'a str>,
    /// Take over what changed since the last import.
    pub update: bool,
    /// Count, and write nothing.
    pub rehearse: bool,
}

/// A rejected row.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RejectedRow {
    /// Its line.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What an import came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was, or would be, written.
    pub imported: Imported,
    /// What the file held.
    pub report: FileReport,
    /// Every rejected row.
    pub rejected: Vec<RejectedRow>,
    /// The keys of the manifest that differed from the books: kept, or taken over by an update.
    pub changed: Vec<&'static str>,
    /// Where the rejected rows are, to be mended and imported again.
    pub rejected_file: Option<PathBuf>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The list cannot be trusted as a whole.
    #[error("the prospect list cannot be imported")]
    List(Vec<Problem>),
    /// The books.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Imports a campaign, whole or not at all.
pub async fn import(
    store: &Store,
    request: Request<'_>,
    now: Millis,
) -> Result<Outcome, ImportError> {
    let campaign = request.campaign;
    let new = new_campaign(campaign, request.update);
    let known = store.campaign(&new.slug).await.map_err(EngineError::from)?;
    let changed = known.as_ref().map_or_else(Vec::new, |known| changed(known, &new, campaign));
    let judge = Judge::of(store, campaign, known.filter(|_| !request.update)).await?;
    let (rows, received) = mpsc::channel(BATCHES_AHEAD);
    let path = campaign.prospects();
    let encoding = request.encoding.map(str::to_owned);
    let rejects = (!request.rehearse).then(|| campaign.dir.join(REJECTED));
    // The reader is not async; the channel holds it up while the books are busy.
    let reading = tokio::task::spawn_blocking(move || {
        read(&path, encoding.as_deref(), rejects.as_deref(), &judge, &rows)
    });
    let written = if request.rehearse {
        store.rehearse_import(&new, received, now).await
    } else {
        store.import(&new, received, now).await
    };
    let read = reading.await.map_err(|_| EngineError::ListBroken)?;
    let (report, rejected, rejected_file) = read.map_err(ImportError::List)?;
    let imported = written.map_err(EngineError::from)?.ok_or(EngineError::ListBroken)?;
    Ok(Outcome { imported, report, rejected, rejected_file, changed })
}

/// The keys of the manifest that differ from the books.
fn changed(known: &CampaignRow, new: &NewCampaign, campaign: &Campaign) -> Vec<&'static str> {
    let mut changed = Vec::new();
    changed.extend((known.name != new.name).then_some("name"));
    changed.extend((known.daily_target != new.daily_target).then_some("daily_target"));
    if let Ok(booked) = serde_json::from_str::<BookedManifest>(&known.manifest) {
        let manifest = BookedManifest::of(&campaign.manifest, &campaign.footer);
        changed.extend(booked.differences(&manifest));
    }
    changed
}

fn new_campaign(campaign: &Campaign, update: bool) -> NewCampaign {
    let variants = campaign.steps.iter().flat_map(|step| &step.variants);
    NewCampaign {
        slug: campaign.slug.clone(),
        name: campaign.manifest.name.clone(),
        daily_target: campaign.manifest.daily_target,
        manifest: BookedManifest::of(&campaign.manifest, &campaign.footer).to_json(),
        waits: campaign.steps.iter().map(|s| s.wait.map(|wait| wait.to_string())).collect(),
        texts: variants
            .map(|variant| StepText {
                id: 0,
                position: variant.source.position,
                variant: variant.source.variant.clone(),
                subject: variant.source.subject.clone(),
                text: variant.source.text.clone(),
                html: variant.source.html.clone(),
                hash: variant.hash.clone(),
            })
            .collect(),
        file: campaign.prospects().display().to_string(),
        update,
    }
}

type Read = (FileReport, Vec<RejectedRow>, Option<PathBuf>);
type Rows = mpsc::Sender<Option<Vec<ImportRow>>>;

/// Reads the list, hands its rows on in batches, and keeps the bad ones in a file of their own.
fn read(
    path: &Path,
    encoding: Option<&str>,
    rejects: Option<&Path>,
    judge: &Judge,
    rows: &Rows,
) -> Result<Read, Vec<Problem>> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut rejected = Vec::new();
    let mut bad_records = Vec::new();
    let report = prospects::read(path, encoding, |row| {
        if let Row::Rejected { line, reason, record } = &row {
            rejected.push(RejectedRow { line: *line as u64, reason: reason.clone() });
            bad_records.push((record.clone(), reason.clone()));
        }
        batch.push(import_row(row, judge));
        if batch.len() == BATCH {
            // Nobody receives any more: the books failed, and say so themselves.
            let _ = rows.blocking_send(Some(std::mem::take(&mut batch)));
        }
    })?;
    let rejected_file = match rejects {
        Some(file) if !bad_records.is_empty() => Some(write_rejects(file, &report, &bad_records)?),
        _ => None,
    };
    let _ = rows.blocking_send(Some(batch));
    let _ = rows.blocking_send(None);
    Ok((report, rejected, rejected_file))
}

/// Says of whom the campaign's texts cannot be written.
struct Judge {
    renderer: Renderer,
    slug: String,
    /// Each message's mailbox is found when it leaves; to every one there is a name and an address.
    from: Address,
}

impl Judge {
    /// By the texts that will be sent: the folder's, or those in the books that are `kept`.
    async fn of(
        store: &Store,
        campaign: &Campaign,
        kept: Option<CampaignRow>,
    ) -> Result<Self, ImportError> {
        let slug = campaign.slug.clone();
        let renderer = match kept {
            Some(row) => crate::Campaign::load(store, row, &TimeZone::UTC).await?.renderer,
            None => campaign.renderer().map_err(ImportError::List)?,
        };
        let from = Address::parse("sender@example.com").expect("an address");
        Ok(Self { renderer, slug, from })
    }

    fn blocked(&self, line: usize, prospect: &Prospect) -> Option<String> {
        let from = Mailbox { name: self.from.local(), address: &self.from };
        let why = self.renderer.unwritable(&self.slug, prospect, from)?;
        Some(format!("prospects.csv:{line}: {why}"))
    }
}

fn import_row(row: Row, judge: &Judge) -> ImportRow {
    match row {
        Row::Accepted { line, prospect } => ImportRow::Prospect {
            blocked: judge.blocked(line, &prospect),
            line: line as u64,
            domain: prospect.address.domain().to_owned(),
            company: prospect.address.company().map(str::to_owned),
            attributes: person::to_json(&prospect),
            zone: person::zone(&prospect),
            address: prospect.address.to_string(),
        },
        Row::Rejected { line, reason, .. } => ImportRow::Rejected { line: line as u64, reason },
        Row::Duplicate { line, .. } => ImportRow::Duplicate { line: line as u64 },
    }
}

fn write_rejects(
    file: &Path,
    report: &FileReport,
    records: &[(Vec<String>, String)],
) -> Result<PathBuf, Vec<Problem>> {
    let problem = |error: &dyn std::fmt::Display| {
        vec![Problem::error(
            file.display().to_string(),
            None,
            format!("cannot be written: {error}"),
        )]
    };
    let mut rejects = Rejects::begin(Vec::new(), &report.columns).map_err(|e| problem(&e))?;
    for (record, reason) in records {
        rejects.add(record, reason).map_err(|e| problem(&e))?;
    }
    let text = rejects.finish().map_err(|e| problem(&e))?;
    match fs::read(file) {
        Ok(there) if there == text => return Ok(file.to_owned()),
        // Somebody may be mending it: what stands there is kept.
        Ok(_) => fs::rename(file, free_name(file)).map_err(|e| problem(&e))?,
        Err(_) => {}
    }
    fs::write(file, text).map_err(|e| problem(&e))?;
    Ok(file.to_owned())
}

/// The first of `rejected.1.csv`, `rejected.2.csv` … that is not there.
fn free_name(file: &Path) -> PathBuf {
    let numbered = |n: u32| file.with_extension(format!("{n}.csv"));
    (1..u32::MAX).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| numbered(u32::MAX))
}

/// Rows handed on at once.
const BATCH: usize = 500;

/// Batches that may wait for the books.
const BATCHES_AHEAD: usize = 8;

/// Beside the list it comes from.
const REJECTED: &str = "rejected.csv";
