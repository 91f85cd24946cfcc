//! Which work is done today, and by which mailbox.

use std::collections::BTreeSet;

use super::fleet::Rooms;
use super::place::Hours;
use super::ring::Ring;
use super::shortfall::{Ledger, Limit};
use super::{Place, Snapshot, Standing};
use crate::allot::{Taker, allot};
use crate::id::ProspectId;

/// For each mailbox, the work it is given, in the order it was chosen.
pub(super) type Chosen = Vec<Vec<usize>>;

/// Chooses the work of the day: what is bound to a mailbox first, oldest first; then new
/// enrolments.
pub(super) fn choose(
    snapshot: &Snapshot,
    hours: &Hours,
    rooms: &mut Rooms,
    ledger: &mut Ledger,
) -> Chosen {
    let mut people = People::of(snapshot);
    let mut chosen = vec![Vec::new(); snapshot.mailboxes.len()];
    let (mut bound, mut free): (Vec<usize>, Vec<usize>) = (0..snapshot.work.len())
        .filter(|&w| is_due(snapshot, hours, w, ledger))
        .partition(|&w| snapshot.work[w].mailbox.is_some());
    let oldest_first = |&w: &usize| (snapshot.work[w].ready_at, snapshot.work[w].enrolment);
    bound.sort_by_key(oldest_first);
    free.sort_by_key(oldest_first);

    for work in bound {
        choose_bound(snapshot, work, rooms, &mut people, ledger, &mut chosen);
    }
    choose_free(snapshot, hours, &free, rooms, &mut people, ledger, &mut chosen);
    chosen
}

/// Who has been written to, or will be, today.
struct People {
    companies: Vec<u32>,
    /// For each work, whose it is: a place in `today`.
    persons: Vec<usize>,
    today: Vec<bool>,
}

impl People {
    fn of(snapshot: &Snapshot) -> Self {
        let mut works: Vec<_> = snapshot.work.iter().map(|work| work.prospect).zip(0..).collect();
        works.sort_unstable();
        let mut persons = vec![0; works.len()];
        let mut count = 0;
        for same in works.chunk_by(|a, b| a.0 == b.0) {
            same.iter().for_each(|&(_, work): &(ProspectId, usize)| persons[work] = count);
            count += 1;
        }
        Self { companies: snapshot.companies.clone(), persons, today: vec![false; count] }
    }

    /// Why this person may not be written to today, if so.
    fn refuses(&self, snapshot: &Snapshot, index: usize) -> Option<Limit> {
        if self.today[self.persons[index]] {
            return Some(Limit::PersonGap);
        }
        let full = |company: Place| self.companies[company] >= snapshot.company_per_day;
        snapshot.work[index].company.is_some_and(full).then_some(Limit::CompanyDay)
    }

    fn note(&mut self, snapshot: &Snapshot, index: usize) {
        self.today[self.persons[index]] = true;
        if let Some(company) = snapshot.work[index].company {
            self.companies[company] += 1;
        }
    }
}

/// Whether the work may be done today at all. What may not is no shortfall: its day has not come.
fn is_due(snapshot: &Snapshot, hours: &Hours, index: usize, ledger: &mut Ledger) -> bool {
    let work = &snapshot.work[index];
    let open = hours.open(work, work.mailbox.map(Place::index)).is_some();
    if open {
        ledger.due(work.campaign);
    } else {
        ledger.closed(work.campaign);
    }
    open
}

fn choose_bound(
    snapshot: &Snapshot,
    index: usize,
    rooms: &mut Rooms,
    people: &mut People,
    ledger: &mut Ledger,
    chosen: &mut Chosen,
) {
    let work = &snapshot.work[index];
    let Some(mailbox) = work.mailbox.map(Place::index) else { return };
    if ledger.wanted(work.campaign) == 0 {
        return;
    }
    let row = &snapshot.mailboxes[mailbox];
    let limit = match row.standing {
        Standing::Paused { reason, .. } => Some(Limit::of_pause(reason)),
        Standing::Disabled => Some(Limit::Disabled),
        Standing::Active if work.step > 1 && !row.inbox_is_read => Some(Limit::InboxUnread),
        Standing::Active if work.step == 1 && row.domain_fails => Some(Limit::DomainFails),
        Standing::Active if rooms.own(mailbox) == 0 => Some(Limit::Allowance),
        Standing::Active if rooms.domains[row.domain] == 0 => Some(Limit::DomainDay),
        Standing::Active if row.tenant.is_some_and(|t| rooms.tenants[t] == 0) => {
            Some(Limit::TenantDay)
        }
        Standing::Active => people.refuses(snapshot, index),
    };
    if let Some(limit) = limit {
        ledger.blocked(work.campaign, limit);
        return;
    }
    people.note(snapshot, index);
    rooms.give(snapshot, mailbox);
    ledger.chose(work.campaign);
    chosen[mailbox].push(index);
}

fn choose_free(
    snapshot: &Snapshot,
    hours: &Hours,
    free: &[usize],
    rooms: &mut Rooms,
    people: &mut People,
    ledger: &mut Ledger,
    chosen: &mut Chosen,
) {
    let mut waiting = select(snapshot, free, people, ledger);
    // A campaign with few mailboxes chooses before one that may go elsewhere; ties by slug.
    let mut order: Vec<usize> = (0..snapshot.campaigns.len()).collect();
    order.sort_by_key(|&c| (snapshot.campaigns[c].mailboxes.len(), c));
    // A second round hands on what a campaign's own mailboxes could not carry.
    for _ in 0..ROUNDS {
        let grants = grants(snapshot, &waiting, &rooms.shared());
        for &campaign in &order {
            let quota = quotas(snapshot, campaign, grants[campaign], rooms);
            deal(snapshot, hours, quota, &mut waiting[campaign], rooms, ledger, chosen);
        }
    }
    for (campaign, left) in waiting.iter().enumerate() {
        let limit = binding_limit(snapshot, campaign, rooms);
        left.iter().for_each(|_| ledger.blocked(Place::at(campaign), limit));
    }
}

/// For each campaign, the new work it wants today, company and person limits kept.
fn select(
    snapshot: &Snapshot,
    free: &[usize],
    people: &mut People,
    ledger: &mut Ledger,
) -> Vec<Vec<usize>> {
    let mut selected: Vec<Vec<usize>> = vec![Vec::new(); snapshot.campaigns.len()];
    for &index in free {
        let work = &snapshot.work[index];
        let wanted = usize::try_from(ledger.wanted(work.campaign)).unwrap_or(usize::MAX);
        if selected[work.campaign].len() >= wanted {
            continue;
        }
        match people.refuses(snapshot, index) {
            Some(limit) => ledger.blocked(work.campaign, limit),
            None => {
                people.note(snapshot, index);
                selected[work.campaign].push(index);
            }
        }
    }
    selected
}

/// How many messages each campaign gets: all it wants, or where campaigns share mailboxes that
/// have less room than they want, a share by target.
fn grants(snapshot: &Snapshot, waiting: &[Vec<usize>], room: &[u32]) -> Vec<u32> {
    let count = |c: usize| u32::try_from(waiting[c].len()).unwrap_or(u32::MAX);
    let mut grants = vec![0; snapshot.campaigns.len()];
    for (campaigns, mailboxes) in neighbourhoods(snapshot) {
        let total: u32 = mailboxes.iter().map(|&m| room[m]).fold(0, u32::saturating_add);
        let takers: Vec<Taker> = campaigns
            .iter()
            .map(|&c| Taker { weight: snapshot.campaigns[c].daily_target, has: 0, most: count(c) })
            .collect();
        for (&campaign, grant) in campaigns.iter().zip(allot(total, &takers)) {
            grants[campaign] = grant;
        }
    }
    grants
}

/// Campaigns that compete for mailboxes, directly or through a third, with those mailboxes.
fn neighbourhoods(snapshot: &Snapshot) -> Vec<(Vec<usize>, BTreeSet<usize>)> {
    let mut groups: Vec<(Vec<usize>, BTreeSet<usize>)> = Vec::new();
    for (campaign, row) in snapshot.campaigns.iter().enumerate() {
        let mut mine = (vec![campaign], row.mailboxes.iter().copied().collect::<BTreeSet<_>>());
        groups.retain(|(campaigns, mailboxes)| {
            let apart = mailboxes.is_disjoint(&mine.1);
            if !apart {
                mine.0.extend(campaigns);
                mine.1.extend(mailboxes);
            }
            apart
        });
        mine.0.sort_unstable();
        groups.push(mine);
    }
    groups
}

/// How many new messages of a campaign each of its mailboxes gets, so that in all each carries the
/// same fraction of its allowance.
fn quotas(snapshot: &Snapshot, campaign: usize, grant: u32, rooms: &Rooms) -> Vec<(usize, u32)> {
    let room = rooms.shared();
    let pool = &snapshot.campaigns[campaign].mailboxes;
    let takers: Vec<Taker> = pool
        .iter()
        .map(|&m| Taker {
            weight: rooms.weight[m],
            has: rooms.load[m],
            most: rooms.load[m] + room[m],
        })
        .collect();
    let has: u32 = takers.iter().map(|t| t.has).fold(0, u32::saturating_add);
    let shares = allot(has.saturating_add(grant), &takers);
    let quota = |((&mailbox, share), taker): ((&usize, u32), &Taker)| (mailbox, share - taker.has);
    pool.iter().zip(shares).zip(&takers).map(quota).filter(|&(_, quota)| quota > 0).collect()
}

/// Deals work to mailboxes in turn, so that none gets only the first or the last of the list. What
/// falls to a paused mailbox, or to one of a failing domain, is not done today. Work that no mailbox
/// with quota left is open for stays where it is.
fn deal(
    snapshot: &Snapshot,
    hours: &Hours,
    quota: Vec<(usize, u32)>,
    waiting: &mut Vec<usize>,
    rooms: &mut Rooms,
    ledger: &mut Ledger,
    chosen: &mut Chosen,
) {
    let mut ring = Ring::new(quota, |mailbox| hours.kind(mailbox));
    waiting.retain(|&index| {
        let work = &snapshot.work[index];
        let Some(mailbox) = ring.deal(|kind| hours.open_to_kind(work, kind).is_some()) else {
            return true;
        };
        rooms.give(snapshot, mailbox);
        let row = &snapshot.mailboxes[mailbox];
        if let Standing::Paused { reason, .. } = row.standing {
            ledger.blocked(work.campaign, Limit::of_pause(reason));
        } else if row.domain_fails {
            ledger.blocked(work.campaign, Limit::DomainFails);
        } else {
            ledger.chose(work.campaign);
            chosen[mailbox].push(index);
        }
        false
    });
}

/// What keeps a campaign's new work out, when there is no room for it.
fn binding_limit(snapshot: &Snapshot, campaign: usize, rooms: &Rooms) -> Limit {
    let pool = &snapshot.campaigns[campaign].mailboxes;
    let rows = || pool.iter().map(|&m| &snapshot.mailboxes[m]);
    if !rows().any(|row| row.standing != Standing::Disabled) {
        return Limit::Disabled;
    }
    if pool.iter().all(|&m| rooms.own(m) == 0) {
        return Limit::Allowance;
    }
    let with_room = || pool.iter().filter(|&&m| rooms.own(m) > 0).map(|&m| &snapshot.mailboxes[m]);
    if with_room().all(|row| rooms.domains[row.domain] == 0) {
        Limit::DomainDay
    } else if with_room().all(|row| row.tenant.is_some_and(|t| rooms.tenants[t] == 0)) {
        Limit::TenantDay
    } else {
        Limit::WindowClosed
    }
}

/// Rounds of dealing. What one round leaves, a second hands on; a third never moved anything in
/// the property tests.
const ROUNDS: usize = 2;
