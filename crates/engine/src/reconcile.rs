//! Brings books up to date that are an older copy of what has sent since.
//!
//! Every mailbox is read like at any other time, Sent folder first, and with each part of a reading
//! what the books do not have is taken up in the very transaction that takes in what answers it. So it
//! may end at any moment, and goes on from there. Nobody sends before all of it is done.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tracing::{info, warn};
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::health::PauseReason;
use warmfront_core::provider::SentCopy as Files;
use warmfront_core::reading::{Place, Reading, Role, SentCopy};
use warmfront_core::send_id::{Enrolled, Whose};
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_mail::inbox::Inbox;
use warmfront_store::{Found, MailboxRow, Read, ReadingLease, Stray, StrayRow, TakenUp, Today};

use crate::EngineError;
use crate::doubts::settle_doubts;
use crate::office::{Office, Ways};
use crate::roster::{Campaign, Roster};

/// What came of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Its address.
    pub address: String,
    /// How many messages were taken up.
    pub taken_up: u32,
    /// How it stands.
    pub standing: Standing,
    /// Messages that its server did not show, however often it was asked. One in its Sent folder may
    /// be anything, so that the mailbox waits for the operator; others the daemon asks for again.
    pub unshown: Vec<Place>,
}

impl Reconciled {
    fn unseen(address: String, standing: Standing) -> Self {
        Self { address, taken_up: 0, standing, unshown: Vec::new() }
    }
}

/// How a mailbox stands after it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The books have all that it sent.
    Proven,
    /// Nothing shows what it sent: it waits for the operator.
    Unproven,
    /// It is gone from the configuration, so that nobody can look: it waits for the operator too.
    Gone,
    /// It could not be read, so nothing is done yet.
    Unread(String),
}

/// Looks at every mailbox that the books have, and stops those of which nothing shows what they sent.
/// The books are up to date where none is unread.
pub async fn reconcile<O, I: Inbox>(
    office: &Office,
    ways: &Ways<O, I>,
) -> Result<Vec<Reconciled>, EngineError> {
    office.hang_up(Roster::whole(&office.store, &office.fleet.timezone).await?);
    let since = office.store.first_moment().await?;
    let mut all = Vec::new();
    let rows = office.store.mailboxes().await?;
    for some in rows.chunks(SIDE_BY_SIDE) {
        let looks = some.iter().map(|row| look_at(office, ways, row, since));
        for looked in join_all(looks).await {
            all.push(looked?);
        }
    }
    let now = office.clock.now();
    take_up_known(office, now).await?;
    settle_doubts(office, &mut BTreeSet::new(), now).await?;
    stop_unproven(office, &rows, &all, now).await?;
    Ok(all)
}

async fn look_at<O, I: Inbox>(
    office: &Office,
    ways: &Ways<O, I>,
    row: &MailboxRow,
    since: Millis,
) -> Result<Reconciled, EngineError> {
    let address = row.address.clone();
    let Some(config) = office.fleet.mailboxes.get(row.address.as_str()) else {
        return Ok(Reconciled::unseen(address, Standing::Gone));
    };
    let Some(mut inbox) = (ways.inbox)(config) else {
        return Ok(Reconciled::unseen(address, Standing::Unproven));
    };
    let mut look = Look {
        office,
        row,
        since,
        taken_up: 0,
        has_sent: false,
        knows_all_sent: true,
        unshown: Vec::new(),
    };
    let ended = look.read(&mut inbox).await;
    inbox.close().await;
    // Who waits for the operator since an earlier reconciliation still does.
    let files_copies = look.has_sent
        && !row.unproven
        && look.knows_all_sent
        && (config.provider.sent_copy == Files::Yes || office.store.files_copies(row.id).await?);
    let standing = match ended? {
        Some(why) => Standing::Unread(why),
        None if files_copies => Standing::Proven,
        None => Standing::Unproven,
    };
    info!(mailbox = row.id, taken_up = look.taken_up, "looked at what a mailbox has sent");
    Ok(Reconciled { address, taken_up: look.taken_up, standing, unshown: look.unshown })
}

/// One mailbox, looked at part by part.
struct Look<'a> {
    office: &'a Office,
    row: &'a MailboxRow,
    since: Millis,
    taken_up: u32,
    /// Whether it has a Sent folder.
    has_sent: bool,
    /// Whether nothing of it was passed.
    knows_all_sent: bool,
    /// What its server did not show.
    unshown: Vec<Place>,
}

impl Look<'_> {
    /// Reads all there is; says why that could not be done.
    async fn read(&mut self, inbox: &mut impl Inbox) -> Result<Option<String>, EngineError> {
        let Office { store, owner, clock, .. } = self.office;
        let mailbox = self.row.id;
        // No daemon works: whoever has the lease came to no end, a reconciliation that was killed, say.
        // Should it live after all, it learns with its next part that the lease is lost.
        let lease = store.take_reading_over(mailbox, owner, clock.now(), LEASE_TTL).await?;
        let (mut given_up, mut failures) = (BTreeSet::new(), 0);
        loop {
            let begun_at = clock.now();
            let mut known = store.bookmarks(&[mailbox]).await?;
            let mut bookmarks = known.remove(&mailbox).unwrap_or_default();
            // A folder with a mark is read from there; another from before anything was sent.
            bookmarks.unknown_since = Some(self.since);
            bookmarks.given_up.clone_from(&given_up);
            let read = inbox.read(&bookmarks, begun_at).await;
            let reading = read.unwrap_or_else(|unreadable| Reading {
                trouble: Some(unreadable.to_string()),
                ..Reading::default()
            });
            let read = Read { lease, begun_at, reading };
            if !self.record(&read).await? {
                return Ok(Some(self.lost().await?));
            }
            let Read { reading, .. } = read;
            if reading.has_more {
                // It got on, and the rest is read at once.
                failures = 0;
                continue;
            }
            let Some(trouble) = reading.trouble.clone() else { return Ok(None) };
            failures += 1;
            if !reading.marks.is_empty() && failures < TRIES {
                clock.wait_until(clock.now() + PAUSE).await;
                continue;
            }
            let in_sent = reading.unshown.iter().filter(|place| is_in_sent(&reading, place));
            let stuck: BTreeSet<Place> = in_sent.cloned().collect();
            if stuck.is_subset(&given_up) {
                return Ok(self.left(reading, begun_at).then_some(trouble));
            }
            // Before it is passed: whoever is interrupted behind it does not come by it again.
            stop(self.office, &[mailbox], clock.now()).await?;
            given_up.extend(stuck);
            failures = 0;
        }
    }

    /// Whether anything is left to be read before the mailbox is known. What its inbox does not show
    /// is left to the daemon, which asks for it again, and lets no follow-up leave meanwhile.
    fn left(&mut self, reading: Reading, begun_at: Millis) -> bool {
        let mut sent = reading.marks.iter().filter(|mark| mark.role == Role::Sent);
        if reading.unshown.is_empty() || sent.any(|mark| mark.read_at < begun_at) {
            return true;
        }
        self.unshown.extend(reading.unshown);
        false
    }

    /// Why nothing that is read here counts any more.
    async fn lost(&self) -> Result<String, EngineError> {
        let (address, other) = (&self.row.address, self.office.store.reader(self.row.id).await?);
        let other = other.unwrap_or_else(|| "somebody else".to_owned());
        Ok(format!("{other}, reads {address} meanwhile; wait until that is done"))
    }

    /// Writes a part down; `false`: somebody else has taken the reading over, and nothing is written.
    async fn record(&mut self, read: &Read) -> Result<bool, EngineError> {
        let Office { store, clock, .. } = self.office;
        let found = find(self.office, read).await?;
        let now = clock.now();
        let day = self.office.day(now);
        let since = calendar::day_span(&self.office.fleet.timezone, day).start();
        let today = Today { day: day.to_string(), since };
        let taken = store.record_reconciling(read, &found, &today, now, LEASE_TTL).await?;
        let Some(taken) = taken else { return Ok(false) };
        self.taken_up += taken;
        let reading = &read.reading;
        self.has_sent |= reading.marks.iter().any(|mark| mark.role == Role::Sent);
        for place in &reading.passed {
            let (mailbox, folder, uid) = (self.row.id, &place.folder, place.uid);
            warn!(mailbox, folder, uid, "the server cannot show a message; it is passed");
            self.knows_all_sent &= !is_in_sent(reading, place);
            self.unshown.push(place.clone());
        }
        Ok(true)
    }
}

fn is_in_sent(reading: &Reading, place: &Place) -> bool {
    reading.marks.iter().any(|mark| mark.role == Role::Sent && mark.folder == place.folder)
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
    // Of a campaign that does not load nothing can be told but that its people wait.
    let roster = office.roster();
    let Some(campaign) = roster.get(to.campaign) else { return Ok((None, stray)) };
    let Some(revision) = revision(campaign, to, step) else { return Ok((None, stray)) };
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
    office.hang_up(Roster::whole(&office.store, &office.fleet.timezone).await?);
    take_up_known(office, now).await
}

async fn take_up_known(office: &Office, now: Millis) -> Result<(), EngineError> {
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
    let waits = |one: &Reconciled| matches!(one.standing, Standing::Unproven | Standing::Gone);
    // Each was looked at in the order of its row.
    let waiting = rows.iter().zip(all).filter(|(_, one)| waits(one));
    let mailboxes: Vec<i64> = waiting.map(|(row, _)| row.id).collect();
    match mailboxes.is_empty() {
        true => Ok(()),
        false => stop(office, &mailboxes, now).await,
    }
}

async fn stop(office: &Office, mailboxes: &[i64], now: Millis) -> Result<(), EngineError> {
    let because = PauseReason::Restored.to_string();
    Ok(office.store.stop_unproven(mailboxes, &because, now).await?)
}

/// Mailboxes looked at side by side: each is a connection.
const SIDE_BY_SIDE: usize = 16;

/// How long the right to read a mailbox lasts, from part to part.
const LEASE_TTL: Millis = 10 * MINUTE;

/// How often a message is asked for that the server does not show, or a connection made that breaks
/// over one. As many as a daemon asks at least; it has an hour besides, and nobody in front of it. For
/// what is passed sooner here the operator answers, who is told which it is.
const TRIES: u32 = 8;

/// How long a server is left in peace between two of them.
const PAUSE: Millis = SECOND;
