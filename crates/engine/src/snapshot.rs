//! From the books to what a plan is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::civil::Date;
use warmfront_core::calendar;
use warmfront_core::health::PauseReason;
use warmfront_core::id::{CampaignId, EnrolmentId, MailboxId, MessageId, ProspectId};
use warmfront_core::plan::{self, Budget, Calendar, Place, Snapshot, Standing, Work};
use warmfront_core::span::{Millis, Span};
use warmfront_core::warmup::Warmth;
use warmfront_store::{Candidate, DayUse, MailboxRow, Settings, Store};

use crate::EngineError;
use crate::fleet::{self, Fleet};
use crate::planner::days_between;
use crate::roster::Roster;

/// How much of the work a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What the day may need.
    Day,
    /// Every live enrolment, for a forecast.
    All,
}

/// Takes a snapshot of the books for planning `day` from `now` on. Where that is a day to come,
/// the fleet is as it is today: nothing is supposed of the days between.
pub async fn snapshot(
    store: &Store,
    fleet: &Fleet,
    roster: &Roster,
    settings: &Settings,
    (day, now): (Date, Millis),
    extent: Extent,
) -> Result<Snapshot, EngineError> {
    let day_name = day.to_string();
    let day_use = store.day_use(&day_name).await?;
    let today = calendar::day_of(&fleet.timezone, now).min(day).to_string();
    let rows = store.mailboxes_as_of(&today, days_between, now).await?;
    let mut taking = Taking::new(fleet, roster, settings, day, now, &rows, &day_use);
    let day_span = calendar::day_span(&fleet.timezone, day);
    let until = if extent == Extent::All { Millis::MAX } else { day_span.end() };
    // Since the books were copied a mailbox may have written to anybody, and nothing shows to whom. Nor
    // is it known in which campaigns: patterns, tags and the fleet may have changed since.
    let anybody_may_be_new = rows.iter().all(|row| !row.unproven);
    for candidate in store.work_begun(&day_name, until).await? {
        if candidate.mailbox_id.is_some() || anybody_may_be_new {
            taking.add(candidate);
        }
    }
    for campaign in roster.by_slug().into_iter().filter(|_| anybody_may_be_new) {
        let place = taking.campaigns[&campaign.row.id];
        let row = &taking.snapshot.campaigns[place];
        let wanted = match extent {
            Extent::Day => row.daily_target.saturating_sub(row.used),
            Extent::All => u32::MAX,
        };
        let mut intake = Intake::new(wanted, day_span, now);
        if wanted > 0 {
            let taking = &mut taking;
            store.new_enrolments(campaign.row.id, wanted, |c| intake.offer(taking, c)).await?;
        }
        for candidate in intake.spare {
            taking.add(candidate);
        }
    }
    let all = taking.snapshot;
    Ok(all)
}

/// Picks, of new enrolments in their order, as many as a campaign wants today.
struct Intake {
    left: u32,
    day: Span,
    now: Millis,
    /// Of each calendar, whether it opens for the rest of the day.
    opens: BTreeMap<Place, bool>,
    /// Of each company, by its place, how many were picked.
    taken: Vec<u32>,
    /// People a company limit keeps out, so that the plan can say so.
    spare: Vec<Candidate>,
}

impl Intake {
    fn new(wanted: u32, day: Span, now: Millis) -> Self {
        let (opens, taken, spare) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { left: wanted, day, now, opens, taken, spare }
    }

    /// Whether more are wanted.
    fn offer(&mut self, taking: &mut Taking<'_>, candidate: Candidate) -> bool {
        let calendar = taking.calendar(candidate.campaign_id, &candidate.zone);
        let (day, now) = (self.day, self.now);
        let calendars = &taking.snapshot.calendars;
        let opens = *self.opens.entry(calendar).or_insert_with(|| {
            calendars[calendar].spans(day).last().is_some_and(|span| span.end() > now)
        });
        let forecast = self.left > Self::FORECAST;
        if !opens && !forecast {
            return true;
        }
        if let Some(company) = taking.company(candidate.company.as_deref()) {
            let used = taking.snapshot.companies[company];
            self.taken.resize(taking.snapshot.companies.len(), 0);
            let taken = &mut self.taken[company];
            if used + *taken >= taking.snapshot.company_per_day && !forecast {
                if self.spare.len() < usize::try_from(self.left).unwrap_or(usize::MAX) {
                    self.spare.push(candidate);
                }
                return true;
            }
            *taken += 1;
        }
        taking.add(candidate);
        self.left -= 1;
        self.spare.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left > 0
    }

    /// A want as large as this asks for everybody, open today or not.
    const FORECAST: u32 = u32::MAX / 2;
}

/// A snapshot in the making.
struct Taking<'a> {
    snapshot: Snapshot,
    roster: &'a Roster,
    mailboxes: BTreeMap<i64, usize>,
    campaigns: BTreeMap<i64, usize>,
    companies: BTreeMap<CompanyHash, Place>,
    /// The calendars of each campaign, by zone.
    calendars: BTreeMap<i64, BTreeMap<String, Place>>,
    people: BTreeSet<i64>,
}

impl<'a> Taking<'a> {
    fn new(
        fleet: &Fleet,
        roster: &'a Roster,
        settings: &Settings,
        day: Date,
        now: Millis,
        rows: &[MailboxRow],
        day_use: &DayUse,
    ) -> Self {
        let (domains, tenants) = budgets(fleet, rows, day_use);
        let (mailboxes, calendars) = mailboxes(fleet, rows, day_use, &domains, &tenants);
        let places: BTreeMap<&str, usize> =
            rows.iter().map(|row| row.address.as_str()).zip(0..).collect();
        let used: BTreeMap<i64, u32> = day_use.campaigns.iter().copied().collect();
        let campaigns = roster
            .by_slug()
            .into_iter()
            .map(|campaign| {
                let matching = fleet.matching(&campaign.mailboxes, campaign.opt_in);
                let mut mailboxes: Vec<usize> =
                    matching.filter_map(|m| places.get(m.address.as_str()).copied()).collect();
                mailboxes.sort_unstable();
                plan::Campaign {
                    id: CampaignId(campaign.row.id),
                    slug: campaign.row.slug.clone(),
                    daily_target: campaign.row.daily_target,
                    used: used.get(&campaign.row.id).copied().unwrap_or_default(),
                    mailboxes,
                }
            })
            .collect::<Vec<_>>();
        let place = |ids: Vec<i64>| ids.into_iter().zip(0..).collect::<BTreeMap<i64, usize>>();
        let companies = day_use.companies.iter();
        Self {
            mailboxes: place(rows.iter().map(|row| row.id).collect()),
            campaigns: place(campaigns.iter().map(|c| c.id.0).collect()),
            companies: companies
                .clone()
                .zip(0..)
                .map(|(c, index)| (company_hash(&c.company), Place::at(index)))
                .collect(),
            calendars: BTreeMap::new(),
            people: day_use.people.iter().copied().collect(),
            roster,
            snapshot: Snapshot {
                day,
                zone: fleet.timezone.clone(),
                now,
                seed: settings.seed.unsigned_abs(),
                company_per_day: settings.company_per_day,
                person_gap: settings.person_gap_ms,
                mailboxes,
                domains,
                tenants,
                companies: companies.map(|c| c.used).collect(),
                campaigns,
                calendars,
                work: Vec::new(),
            },
        }
    }

    fn add(&mut self, candidate: Candidate) {
        let Some(&campaign) = self.campaigns.get(&candidate.campaign_id) else { return };
        // Somebody with a message still to come today is not planned another.
        if self.people.contains(&candidate.prospect_id) {
            return;
        }
        let calendar = self.calendar(candidate.campaign_id, &candidate.zone);
        let company = self.company(candidate.company.as_deref());
        let person_gap = self.snapshot.person_gap;
        self.snapshot.work.push(Work {
            enrolment: EnrolmentId(candidate.enrolment_id),
            prospect: ProspectId(candidate.prospect_id),
            campaign: Place::at(campaign),
            step: candidate.step,
            message: candidate.message_id.map(MessageId),
            mailbox: candidate
                .mailbox_id
                .and_then(|id| self.mailboxes.get(&id).copied().map(Place::at)),
            ready_at: candidate.ready_at,
            person_free_at: candidate.person_attempt_at.map_or(0, |at| at + person_gap),
            company,
            calendar,
        });
    }

    fn calendar(&mut self, campaign: i64, zone: &str) -> Place {
        let known = self.calendars.entry(campaign).or_default();
        if let Some(&place) = known.get(zone) {
            return place;
        }
        let place = Place::at(self.snapshot.calendars.len());
        if let Some(campaign) = self.roster.get(campaign) {
            self.snapshot.calendars.push(campaign.calendar(zone));
        }
        known.insert(zone.to_owned(), place);
        place
    }

    fn company(&mut self, company: Option<&str>) -> Option<Place> {
        let companies = &mut self.snapshot.companies;
        Some(*self.companies.entry(company_hash(company?)).or_insert_with(|| {
            companies.push(0);
            Place::at(companies.len() - 1)
        }))
    }
}

/// What tells a company from others. Of a million names the text would be most of what a snapshot
/// holds. That two of them have the same hash is one chance in forty million, and they would wait for
/// one another as one company does: nobody gets more than he may.
type CompanyHash = u64;

fn company_hash(company: &str) -> CompanyHash {
    let mut hasher = DefaultHasher::new();
    company.hash(&mut hasher);
    hasher.finish()
}

/// The budgets that mailboxes share, in order of name.
fn budgets(fleet: &Fleet, rows: &[MailboxRow], day_use: &DayUse) -> (Vec<Budget>, Vec<Budget>) {
    let budgets = |names: BTreeSet<&str>, used: &[(String, u32)], ceiling: &dyn Fn(&str) -> u32| {
        let used: BTreeMap<&str, u32> = used.iter().map(|(n, used)| (n.as_str(), *used)).collect();
        let budget = |name: &str| Budget {
            name: name.to_owned(),
            ceiling: ceiling(name),
            used: used.get(name).copied().unwrap_or_default(),
        };
        names.into_iter().map(budget).collect()
    };
    let domains = rows.iter().map(|row| row.domain.as_str()).collect();
    let tenants = rows.iter().filter_map(|row| row.tenant.as_deref()).collect();
    // A tenant that is gone from the configuration sends nothing.
    let of_tenant = |name: &str| fleet.tenants.get(name).copied().unwrap_or(0);
    (
        budgets(domains, &day_use.domains, &|_| fleet.domain_per_day),
        budgets(tenants, &day_use.tenants, &of_tenant),
    )
}

/// The fleet, and the windows its mailboxes have of their own.
fn mailboxes(
    fleet: &Fleet,
    rows: &[MailboxRow],
    day_use: &DayUse,
    domains: &[Budget],
    tenants: &[Budget],
) -> (Vec<plan::Mailbox>, Vec<Calendar>) {
    let counts: BTreeMap<i64, (u32, u32)> = day_use
        .mailboxes
        .iter()
        .map(|&(id, attempted, manual)| (id, (attempted, manual)))
        .collect();
    let mut booked: BTreeMap<i64, Vec<Millis>> = BTreeMap::new();
    for &(id, at) in &day_use.booked {
        booked.entry(id).or_default().push(at);
    }
    let place =
        |all: &[Budget], name: &str| all.binary_search_by(|b| b.name.as_str().cmp(name)).ok();
    let mut calendars = Vec::new();
    let mailbox = |row: &MailboxRow| {
        let configured = fleet.mailboxes.get(row.address.as_str());
        let (attempted, manual) = counts.get(&row.id).copied().unwrap_or_default();
        plan::Mailbox {
            id: MailboxId(row.id),
            address: row.address.clone(),
            domain: place(domains, &row.domain).unwrap_or_default(),
            tenant: row.tenant.as_deref().and_then(|tenant| place(tenants, tenant)),
            standing: standing(row, configured.is_some()),
            warmth: Warmth { warm_days: row.warm_days, idle_days: row.idle_days },
            curve: configured.map(|m| m.curve.clone()).unwrap_or_default(),
            cap: row.cap,
            ease_percent: row.ease_percent,
            probe: row.probe,
            attempted,
            manual,
            booked: booked.remove(&row.id).unwrap_or_default(),
            last_attempt_at: row.last_attempt_at,
            gap: row.gap_ms,
            pace: configured.map_or(plan::Pace::Even, |m| m.pace),
            inbox_is_read: configured.is_some_and(|m| m.inbox_is_read),
            domain_fails: row.domain_fails.is_some(),
            calendar: configured.and_then(|mailbox| own_calendar(mailbox, &mut calendars)),
        }
    };
    let mailboxes = rows.iter().map(mailbox).collect();
    (mailboxes, calendars)
}

/// The place of a mailbox's own window, which it may share: a fleet has few different ones.
fn own_calendar(mailbox: &fleet::Mailbox, calendars: &mut Vec<Calendar>) -> Option<usize> {
    let (windows, zone) = (mailbox.window.as_ref()?, &mailbox.timezone);
    let known = calendars.iter().position(|c| c.windows == *windows && c.fallback == *zone);
    Some(known.unwrap_or_else(|| {
        calendars.push(Calendar {
            windows: windows.clone(),
            zones: vec![zone.clone()],
            fallback: zone.clone(),
            holidays: Default::default(),
        });
        calendars.len() - 1
    }))
}

fn standing(row: &MailboxRow, is_configured: bool) -> Standing {
    match row.state.as_str() {
        "active" if is_configured => Standing::Active,
        "paused" if is_configured => {
            let reason = row.paused_reason.as_deref().and_then(PauseReason::from_word);
            Standing::Paused {
                // A word that nobody knows is taken for a grave one.
                reason: reason.unwrap_or(PauseReason::Spam),
                since: row.paused_at.unwrap_or_default(),
                until: row.paused_until,
            }
        }
        _ => Standing::Disabled,
    }
}
