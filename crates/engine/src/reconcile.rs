//! Brings books up to date that are an older copy of what has sent since.
//!
//! Every mailbox is read like at any other time, Sent folder first, and with each part of a reading
//! what the books do not have is taken up in the very transaction that takes in what answers it. So it
//! may end at any moment, and goes on from there. Nobody sends before all of it is done.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tracing::info;
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::health::PauseReason;
use warmfront_core::provider::SentCopy as Files;
use warmfront_core::reading::{Place, Reading, Role, SentCopy};
use warmfront_core::send_id::{Enrolled, Whose};
use warmfront_core::span::{MINUTE, Millis};
use warmfront_mail::inbox::Inbox;
use warmfront_store::{Found, MailboxRow, Read, ReadingLease, Stray, StrayRow, TakenUp, Today};

use crate::EngineError;
use crate::doubts::{campaign, settle_doubts};
use crate::office::{Office, Ways};
use crate::roster::Campaign;

/// What came of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Its address.
    pub address: String,
    /// How many messages were taken up.
    pub taken_up: u32,
    /// How it stands.
    pub standing: Standing,
}

/// How a mailbox stands after it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The books have all that it sent.
    Proven,
    /// Nothing shows what it sent: it waits for the operator.
    Unproven,
    /// It could not be read, so nothing is done yet.
    Unread(String),
}

/// Looks at every mailbox that is configured, and stops those of which nothing shows what they sent.
/// The books are up to date where none is unread.
pub async fn reconcile<O, I: Inbox>(
    office: &Office,
    ways: &Ways<O, I>,
) -> Result<Vec<Reconciled>, EngineError> {
    let since = office.store.first_moment().await?;
    let mut all = Vec::new();
    let rows = office.store.mailboxes().await?;
    for some in rows.chunks(SIDE_BY_SIDE) {
        let looks = some.iter().map(|row| look_at(office, ways, row, since));
        for looked in join_all(looks).await {
            all.extend(looked?);
        }
    }
    let now = office.clock.now();
    take_up_strays(office, now).await?;
    settle_doubts(office, &mut BTreeSet::new(), now).await?;
    stop_unproven(office, &rows, &all, now).await?;
    Ok(all)
}

async fn look_at<O, I: Inbox>(
    office: &Office,
    ways: &Ways<O, I>,
    row: &MailboxRow,
    since: Millis,
) -> Result<Option<Reconciled>, EngineError> {
    let Some(config) = office.fleet.mailboxes.get(row.address.as_str()) else { return Ok(None) };
    let address = row.address.clone();
    let Some(mut inbox) = (ways.inbox)(config) else {
        return Ok(Some(Reconciled { address, taken_up: 0, standing: Standing::Unproven }));
    };
    let mut look = Look { office, mailbox: row.id, since, taken_up: 0, has_sent: false };
    let ended = look.read(&mut inbox).await;
    inbox.close().await;
    let files_copies = look.has_sent
        && (config.provider.sent_copy == Files::Yes || office.store.files_copies(row.id).await?);
    let standing = match ended? {
        Some(why) => Standing::Unread(why),
        None if files_copies => Standing::Proven,
        None => Standing::Unproven,
    };
    info!(mailbox = row.id, taken_up = look.taken_up, "looked at what a mailbox has sent");
    Ok(Some(Reconciled { address, taken_up: look.taken_up, standing }))
}

/// One mailbox, looked at part by part.
struct Look<'a> {
    office: &'a Office,
    mailbox: i64,
    since: Millis,
    taken_up: u32,
    /// Whether it has a Sent folder.
    has_sent: bool,
}

impl Look<'_> {
    /// Reads all there is; says why that could not be done.
    async fn read(&mut self, inbox: &mut impl Inbox) -> Result<Option<String>, EngineError> {
        let Office { store, owner, clock, .. } = self.office;
        let leases = store.lease_readings(&[self.mailbox], owner, clock.now(), LEASE_TTL).await?;
        let Some(&lease) = leases.first() else {
            return Ok(Some("somebody else reads it; try again in ten minutes".to_owned()));
        };
        loop {
            let begun_at = clock.now();
            let mut known = store.bookmarks(&[self.mailbox]).await?;
            let mut bookmarks = known.remove(&self.mailbox).unwrap_or_default();
            // A folder with a mark is read from there; another from before anything was sent.
            bookmarks.unknown_since = Some(self.since);
            let read = inbox.read(&bookmarks, begun_at).await;
            let reading = read.unwrap_or_else(|unreadable| Reading {
                trouble: Some(unreadable.to_string()),
                ..Reading::default()
            });
            let (has_more, trouble) = (reading.has_more, reading.trouble.clone());
            self.record(Read { lease, begun_at, reading }).await?;
            if trouble.is_some() || !has_more {
                return Ok(trouble);
            }
        }
    }

    async fn record(&mut self, read: Read) -> Result<(), EngineError> {
        let Office { store, clock, .. } = self.office;
        let found = find(self.office, &read).await?;
        self.has_sent |= read.reading.marks.iter().any(|mark| mark.role == Role::Sent);
        let now = clock.now();
        let day = self.office.day(now);
        let since = calendar::day_span(&self.office.fleet.timezone, day).start();
        let today = Today { day: day.to_string(), since };
        let taken = store.record_reconciling(&read, &found, &today, now, LEASE_TTL).await?;
        self.taken_up += taken.unwrap_or_default();
        Ok(())
    }
}

/// What of a reading the books do not have.
async fn find(office: &Office, read: &Read) -> Result<Found, EngineError> {
    let ReadingLease { mailbox, .. } = read.lease;
    let mut copies = office.store.unknown_copies(mailbox, &read.reading.sent).await?;
    copies.sort_by_key(|copy| copy.sent_at);
    let mut found = Found::default();
    for copy in copies {
        match taken_up(office, mailbox, copy).await? {
            (Some(taken), stray) => found.taken.push((taken, stray)),
            (None, stray) => found.strays.push(stray),
        }
    }
    Ok(found)
}

/// What a copy of ours is, if the books have whose, and what it is else.
async fn taken_up(
    office: &Office,
    mailbox: i64,
    copy: &SentCopy,
) -> Result<(Option<TakenUp>, Stray), EngineError> {
    let store = &office.store;
    let people = store.enrolled(copy.to.iter().map(|to| to.as_str())).await?;
    let signet = store.signet().await?;
    let sent_at = copy.sent_at.min(office.clock.now());
    let day = office.day(sent_at).to_string();
    let whose = signet.whose(copy, &people);
    let send_id = match whose {
        Whose::Sent { send_id, .. } | Whose::Stray { send_id } => send_id,
        Whose::Theirs => "",
    };
    let rfc_id = message_id(copy, send_id);
    let stray = Stray { mailbox, copy: copy.clone(), rfc_id: rfc_id.clone(), day: day.clone() };
    let Whose::Sent { to, step, .. } = whose else { return Ok((None, stray)) };
    let campaign = campaign(office, to.campaign).await?;
    let Some(revision) = revision(&campaign, to, step) else { return Ok((None, stray)) };
    let zone = store.zone_of(to.enrolment).await?;
    let taken = TakenUp {
        mailbox,
        enrolment: to.enrolment,
        campaign: to.campaign,
        step,
        rfc_message_id: rfc_id,
        unsubscribe_token: copy.token.clone().unwrap_or_else(|| send_id.to_owned()),
        revision,
        subject: copy.subject.clone(),
        sent_at,
        day,
        next: campaign.next_step(step, sent_at, &zone),
    };
    Ok((Some(taken), stray))
}

/// The Message-ID that we gave it where the copy still bears it, else the one that it has now.
fn message_id(copy: &SentCopy, send_id: &str) -> String {
    let ours = copy.ids.iter().find(|id| id.contains(send_id));
    let known = ours.or_else(|| copy.ids.first()).cloned();
    known.unwrap_or_else(|| format!("<{send_id}@unknown.invalid>"))
}

/// The text that would be sent now: what was sent then the books do not have.
fn revision(campaign: &Campaign, to: &Enrolled, step: u32) -> Option<i64> {
    let address = Address::parse(&to.address).ok()?;
    let variant = campaign.renderer.variant_for(&to.slug, step, &address)?;
    campaign.revisions.get(&(step, variant.to_owned())).copied()
}

/// Takes up what earlier found nobody: a list may have brought its people back, or the step before
/// it has come to be known.
pub async fn take_up_strays(office: &Office, now: Millis) -> Result<(), EngineError> {
    loop {
        let mut any = false;
        for row in office.store.strays().await? {
            let (taken, _) = taken_up(office, row.mailbox_id, &copy_of(&row)).await?;
            if let Some(taken) = taken {
                any |= office.store.take_up_stray(row.id, &taken, now).await?;
            }
        }
        if !any {
            return Ok(());
        }
    }
}

fn copy_of(row: &StrayRow) -> SentCopy {
    let to = Address::parse(&row.address);
    SentCopy {
        place: Place { folder: String::new(), uidvalidity: 0, uid: 0 },
        key: String::new(),
        ids: vec![row.rfc_id.clone()],
        token: row.token.clone(),
        subject: row.subject.clone(),
        sent_at: row.sent_at,
        to: to.into_iter().collect(),
    }
}

async fn stop_unproven(
    office: &Office,
    rows: &[MailboxRow],
    all: &[Reconciled],
    now: Millis,
) -> Result<(), EngineError> {
    let ids: BTreeMap<&str, i64> = rows.iter().map(|row| (row.address.as_str(), row.id)).collect();
    let is_unproven = |one: &&Reconciled| one.standing == Standing::Unproven;
    let unproven: Vec<&str> =
        all.iter().filter(is_unproven).map(|one| one.address.as_str()).collect();
    if unproven.is_empty() {
        return Ok(());
    }
    let mut campaigns = BTreeSet::new();
    for row in office.store.campaigns().await? {
        let campaign = campaign(office, row.id).await?;
        let mut carriers = office.fleet.matching(&campaign.mailboxes, campaign.opt_in);
        if carriers.any(|mailbox| unproven.contains(&mailbox.address.as_str())) {
            campaigns.insert(row.id);
        }
    }
    let mailboxes: Vec<i64> =
        unproven.iter().filter_map(|address| ids.get(address).copied()).collect();
    let campaigns: Vec<i64> = campaigns.into_iter().collect();
    let because = PauseReason::Restored.to_string();
    Ok(office.store.stop_unproven(&mailboxes, &campaigns, &because, now).await?)
}

/// Mailboxes looked at side by side: each is a connection.
const SIDE_BY_SIDE: usize = 16;

/// How long the right to read a mailbox lasts, from part to part.
const LEASE_TTL: Millis = 10 * MINUTE;
