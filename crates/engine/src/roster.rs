//! The running campaigns, loaded from the books: windows, waits, texts.
//!
//! The daemon never reads a campaign folder: what was imported is what is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tracing::warn;
use warmfront_campaigns::manifest::{MailboxPattern, Manifest};
use warmfront_campaigns::templates::{Footer, Renderer, StepSource};
use warmfront_core::calendar::{self, Window};
use warmfront_core::plan::Calendar;
use warmfront_core::send_id::Signet;
use warmfront_core::sequence::Wait;
use warmfront_core::span::Span;
use warmfront_store::{CampaignRow, StepText, Store};

use crate::EngineError;

/// A manifest as the books keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedManifest {
    mailboxes: Vec<String>,
    windows: Vec<(String, i64)>,
    holidays: BTreeSet<Date>,
    timezone: Option<String>,
    list_source: String,
    opt_in: bool,
    footer: Footer,
}

impl BookedManifest {
    /// What the books keep of a manifest.
    #[must_use]
    pub fn of(manifest: &Manifest, footer: &Footer) -> Self {
        let pattern = |pattern: &MailboxPattern| match pattern {
            MailboxPattern::Address(address) => address.clone(),
            MailboxPattern::Tag(tag) => format!("tag:{tag}"),
        };
        Self {
            mailboxes: manifest.mailboxes.iter().map(pattern).collect(),
            windows: manifest.windows.iter().map(|w| (w.opens().to_owned(), w.length())).collect(),
            holidays: manifest.holidays.clone(),
            timezone: manifest.timezone.clone(),
            list_source: manifest.list_source.clone(),
            opt_in: manifest.opt_in,
            footer: footer.clone(),
        }
    }

    /// The keys of the manifest in which another differs.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let keys = [
            ("mailboxes", self.mailboxes != other.mailboxes),
            ("window", self.windows != other.windows),
            ("holidays", self.holidays != other.holidays),
            ("timezone", self.timezone != other.timezone),
            ("list_source", self.list_source != other.list_source),
            ("opt_in", self.opt_in != other.opt_in),
            ("opt_out", self.footer.opt_out != other.footer.opt_out),
            ("legal_name", self.footer.legal_name != other.footer.legal_name),
            ("postal_address", self.footer.postal_address != other.footer.postal_address),
        ];
        keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// As text for the books.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and dates are always JSON")
    }
}

/// A campaign, ready to be planned and rendered.
pub struct Campaign {
    /// Its row.
    pub row: CampaignRow,
    /// The mailboxes it may use.
    pub mailboxes: Vec<MailboxPattern>,
    /// Whether everybody on its list has asked for it.
    pub opt_in: bool,
    /// The wait before step 2, 3, …
    pub waits: Vec<Wait>,
    /// What renders its latest texts.
    pub renderer: Renderer,
    /// The revision of each step and variant.
    pub revisions: BTreeMap<(u32, String), i64>,
    /// What the ids of its messages are sealed with.
    pub signet: Signet,
    windows: Vec<Window>,
    holidays: BTreeSet<Date>,
    /// The zone of people whose row tells none.
    zone: TimeZone,
    footer: Footer,
    /// When people of a zone may be written to on a day: the same for thousands of them.
    hours: Mutex<Hours>,
}

/// The hours of a day, as seen from a zone.
type Hours = BTreeMap<(Date, String), Arc<[Span]>>;

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Campaign({})", self.row.slug)
    }
}

impl Campaign {
    /// Loads a campaign from the books. `zone` is the counting zone, for a campaign without one of
    /// its own.
    pub async fn load(
        store: &Store,
        row: CampaignRow,
        zone: &TimeZone,
    ) -> Result<Self, EngineError> {
        let slug = row.slug.clone();
        let broken = |why: String| EngineError::Campaign { slug: slug.clone(), why };
        let booked: BookedManifest =
            serde_json::from_str(&row.manifest).map_err(|e| broken(e.to_string()))?;
        let windows = booked.windows.iter().map(|(opens, length)| {
            Window::parse(opens, &warmfront_core::span::length_text(*length))
        });
        let windows = windows.collect::<Result<_, _>>().map_err(&broken)?;
        let patterns = booked.mailboxes.iter().map(|text| MailboxPattern::parse(text));
        let mailboxes = patterns.collect::<Result<_, _>>().map_err(&broken)?;
        let waits = store.waits(row.id).await?;
        let waits = waits.iter().map(|text| Wait::parse(text)).collect::<Result<_, _>>();
        let waits = waits.map_err(&broken)?;
        let texts = store.texts(row.id).await?;
        let renderer = renderer(&texts, &booked.footer).map_err(&broken)?;
        let signet = store.signet().await?;
        let zone = match &booked.timezone {
            Some(name) => calendar::zone(name).map_err(&broken)?,
            None => zone.clone(),
        };
        Ok(Self {
            row,
            mailboxes,
            opt_in: booked.opt_in,
            waits,
            renderer,
            revisions: texts.into_iter().map(|t| ((t.position, t.variant), t.id)).collect(),
            signet,
            windows,
            holidays: booked.holidays,
            zone,
            footer: booked.footer,
            hours: Mutex::default(),
        })
    }

    /// When a prospect of that zone may be written to. `zone` is the enrolment's: an IANA name,
    /// `country:XX`, or nothing.
    #[must_use]
    pub fn calendar(&self, zone: &str) -> Calendar {
        let zones = match zone.strip_prefix("country:") {
            Some(code) => calendar::country(code).map(|c| c.time_zones()).unwrap_or_default(),
            None => calendar::zone(zone).map(|zone| vec![zone]).unwrap_or_default(),
        };
        Calendar {
            windows: self.windows.clone(),
            zones: if zones.is_empty() { vec![self.zone.clone()] } else { zones },
            fallback: self.zone.clone(),
            holidays: self.holidays.clone(),
        }
    }

    /// When a prospect of that zone may be written to within the counting day `day`, which lasts
    /// `within`.
    #[must_use]
    pub fn hours(&self, zone: &str, day: Date, within: Span) -> Arc<[Span]> {
        let mut known = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hours) = known.get(&(day, zone.to_owned())) {
            return Arc::clone(hours);
        }
        // Yesterday is not asked for again.
        known.retain(|(kept, _), _| *kept >= day);
        let hours: Arc<[Span]> = self.calendar(zone).spans(within).into();
        known.insert((day, zone.to_owned()), Arc::clone(&hours));
        hours
    }

    /// The step behind `step` and the first moment it may go, for a message accepted at
    /// `accepted_at`.
    #[must_use]
    pub fn next_step(&self, step: u32, accepted_at: i64, zone: &str) -> Option<(u32, i64)> {
        let wait = self.waits.get(usize::try_from(step).ok()?.checked_sub(1)?)?;
        let calendar = self.calendar(zone);
        Some((step + 1, wait.after(accepted_at, calendar.zone(), &calendar.holidays)))
    }

    /// What renders a text as it was when a message was first tried with it.
    pub fn renderer_of(&self, text: &StepText) -> Result<Renderer, EngineError> {
        renderer(std::slice::from_ref(text), &self.footer)
            .map_err(|why| EngineError::Campaign { slug: self.row.slug.clone(), why })
    }
}

fn renderer(texts: &[StepText], footer: &Footer) -> Result<Renderer, String> {
    let sources: Vec<StepSource> = texts
        .iter()
        .map(|text| StepSource {
            position: text.position,
            variant: text.variant.clone(),
            subject: text.subject.clone(),
            text: text.text.clone(),
            html: text.html.clone(),
        })
        .collect();
    Renderer::from_sources(&sources, footer.clone())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Campaigns by row: as a daemon has it those that run, loaded again when the books changed them.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    campaigns: BTreeMap<i64, Arc<Campaign>>,
    mark: i64,
}

impl Roster {
    /// Every campaign that loads, whether it runs or not, for whoever looks back. One that does not
    /// load keeps nobody from the others.
    pub async fn whole(store: &Store, zone: &TimeZone) -> Result<Self, EngineError> {
        let mut campaigns = BTreeMap::new();
        for row in store.campaigns().await? {
            let id = row.id;
            match Campaign::load(store, row, zone).await {
                Ok(campaign) => drop(campaigns.insert(id, Arc::new(campaign))),
                Err(error @ EngineError::Campaign { .. }) => warn!(campaign = id, "{error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(Self { campaigns, mark: 0 })
    }

    /// Loads what was imported, started or stopped since the last time.
    pub async fn refresh(&mut self, store: &Store, zone: &TimeZone) -> Result<(), EngineError> {
        let mark = store.planning_mark().await?;
        let mut rows = store.campaigns().await?;
        rows.sort_by_key(|row| row.id);
        let running = || rows.iter().filter(|row| row.state == "running");
        if mark == self.mark && running().map(|row| &row.id).eq(self.campaigns.keys()) {
            return Ok(());
        }
        let mut campaigns = BTreeMap::new();
        for row in running() {
            let campaign = Campaign::load(store, row.clone(), zone).await?;
            campaigns.insert(row.id, Arc::new(campaign));
        }
        *self = Self { campaigns, mark };
        Ok(())
    }

    /// The campaign of that row.
    #[must_use]
    pub fn get(&self, id: i64) -> Option<&Arc<Campaign>> {
        self.campaigns.get(&id)
    }

    /// The running campaigns, in order of slug.
    #[must_use]
    pub fn by_slug(&self) -> Vec<&Arc<Campaign>> {
        let mut all: Vec<_> = self.campaigns.values().collect();
        all.sort_by(|a, b| a.row.slug.cmp(&b.row.slug));
        all
    }
}
