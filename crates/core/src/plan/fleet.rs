//! What each mailbox may still do today, and what its domain and tenant leave of that.

use super::{MailboxDay, Planned, Snapshot, Standing};
use crate::allot::{Taker, allot};
use crate::plan::snapshot::Mailbox;
use crate::span::Millis;

/// The room left in every budget, counted down while work is chosen.
pub(super) struct Rooms {
    /// Today's most of each mailbox, after warmup and easing.
    pub(super) allowance: Vec<u32>,
    /// What each mailbox's share is reckoned by: its allowance, or what a paused one's would be,
    /// so that a pause takes its part away instead of moving it to the others.
    pub(super) weight: Vec<u32>,
    /// What each mailbox has done, booked or been given; of a paused one, what was kept out for it.
    pub(super) load: Vec<u32>,
    pub(super) domains: Vec<u32>,
    pub(super) tenants: Vec<u32>,
    /// The mailboxes of each domain and of each tenant.
    of_domain: Vec<Vec<usize>>,
    of_tenant: Vec<Vec<usize>>,
}

/// Today's most of a mailbox: min(curve, cap), eased. At least 1 while it is active, or an eased
/// mailbox at the foot of its curve could never show that it is well; one message more than it has
/// tried while it is probing.
#[must_use]
pub(super) fn allowance(mailbox: &Mailbox) -> u32 {
    match mailbox.standing {
        Standing::Active if mailbox.probe => {
            (mailbox.attempted + mailbox.manual).saturating_add(1).min(would_be_allowance(mailbox))
        }
        Standing::Active => would_be_allowance(mailbox),
        Standing::Paused { .. } | Standing::Disabled => 0,
    }
}

/// What a mailbox's share of the day is reckoned by.
fn weight(mailbox: &Mailbox) -> u32 {
    match mailbox.standing {
        Standing::Active => allowance(mailbox),
        Standing::Paused { .. } => would_be_allowance(mailbox),
        Standing::Disabled => 0,
    }
}

/// What it would be allowed were it active.
fn would_be_allowance(mailbox: &Mailbox) -> u32 {
    let curve = mailbox.curve.allowance(mailbox.warmth.warm_days, mailbox.cap);
    (curve * mailbox.ease_percent / 100).max(curve.min(1))
}

/// What counts against a mailbox's day before this plan.
pub(super) fn used(mailbox: &Mailbox) -> u32 {
    let booked = u32::try_from(mailbox.booked.len()).unwrap_or(u32::MAX);
    mailbox.attempted.saturating_add(mailbox.manual).saturating_add(booked)
}

impl Rooms {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let left = |budgets: &[super::Budget]| {
            budgets.iter().map(|b| b.ceiling.saturating_sub(b.used)).collect()
        };
        Self {
            allowance: snapshot.mailboxes.iter().map(allowance).collect(),
            weight: snapshot.mailboxes.iter().map(weight).collect(),
            load: snapshot.mailboxes.iter().map(used).collect(),
            domains: left(&snapshot.domains),
            tenants: left(&snapshot.tenants),
            of_domain: members(snapshot, snapshot.domains.len(), |m| Some(m.domain)),
            of_tenant: members(snapshot, snapshot.tenants.len(), |m| m.tenant),
        }
    }

    /// What is left of a mailbox's own day.
    pub(super) fn own(&self, mailbox: usize) -> u32 {
        self.allowance[mailbox].saturating_sub(self.load[mailbox])
    }

    /// Gives a mailbox one message more.
    pub(super) fn give(&mut self, snapshot: &Snapshot, mailbox: usize) {
        self.load[mailbox] += 1;
        let row = &snapshot.mailboxes[mailbox];
        self.domains[row.domain] = self.domains[row.domain].saturating_sub(1);
        if let Some(tenant) = row.tenant {
            self.tenants[tenant] = self.tenants[tenant].saturating_sub(1);
        }
    }

    /// The room of every mailbox, paused ones included, once its domain's and its tenant's room are
    /// shared out among their mailboxes.
    pub(super) fn shared(&self) -> Vec<u32> {
        let left = |(weight, load): (&u32, &u32)| weight.saturating_sub(*load);
        let mut room: Vec<u32> = self.weight.iter().zip(&self.load).map(left).collect();
        let domains = self.domains.iter().zip(&self.of_domain);
        for (&left, members) in domains.chain(self.tenants.iter().zip(&self.of_tenant)) {
            self.squeeze(left, members, &mut room);
        }
        room
    }

    fn squeeze(&self, left: u32, members: &[usize], room: &mut [u32]) {
        let wanted: u64 = members.iter().map(|&m| u64::from(room[m])).sum();
        if wanted <= u64::from(left) {
            return;
        }
        let takers: Vec<Taker> = members
            .iter()
            .map(|&m| Taker { weight: self.weight[m], has: 0, most: room[m] })
            .collect();
        for (&member, share) in members.iter().zip(allot(left, &takers)) {
            room[member] = share;
        }
    }
}

/// For each of `count` budgets, the mailboxes that share it.
fn members(
    snapshot: &Snapshot,
    count: usize,
    budget: impl Fn(&Mailbox) -> Option<usize>,
) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); count];
    for (mailbox, row) in snapshot.mailboxes.iter().enumerate() {
        if let Some(budget) = budget(row) {
            members[budget].push(mailbox);
        }
    }
    members
}

/// The fleet's day as it is printed and saved.
pub(super) fn mailbox_days(
    snapshot: &Snapshot,
    rooms: &Rooms,
    messages: &[Planned],
) -> Vec<MailboxDay> {
    let mut moments: Vec<Vec<Millis>> =
        snapshot.mailboxes.iter().map(|m| m.booked.clone()).collect();
    for message in messages {
        moments[message.mailbox].push(message.due_at);
    }
    let day = |(index, mailbox): (usize, &Mailbox)| {
        let to_come = u32::try_from(moments[index].len()).unwrap_or(u32::MAX);
        MailboxDay {
            id: mailbox.id,
            address: mailbox.address.clone(),
            warm_days: mailbox.warmth.warm_days,
            allowance: rooms.allowance[index],
            ceiling: rooms.allowance[index].saturating_sub(mailbox.manual),
            allotted: mailbox.attempted.saturating_add(to_come),
            first_at: moments[index].iter().min().copied(),
            last_at: moments[index].iter().max().copied(),
        }
    };
    snapshot.mailboxes.iter().enumerate().map(day).collect()
}
