//! When each message of the day is due.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::choose::Chosen;
use super::shortfall::{Ledger, Limit};
use super::{Pace, Place, Planned, Snapshot, Work};
use crate::pacing::{self, Timeline};
use crate::rng;
use crate::span::{self, Millis, Span};

/// When each calendar, and each calendar together with a mailbox's own, is open today.
pub(super) struct Hours {
    /// For each mailbox, the kind of its own hours. Those that open and close together are one.
    kinds: Vec<usize>,
    /// For each calendar that some work has, and each kind, when both are open.
    both: Vec<Vec<Vec<Span>>>,
    from: Millis,
}

impl Hours {
    pub(super) fn new(snapshot: &Snapshot, day: Span) -> Self {
        let open: Vec<Vec<Span>> = snapshot.calendars.iter().map(|c| c.spans(day)).collect();
        let mut own: Vec<&[Span]> = Vec::new();
        let mut known = BTreeMap::new();
        let mut kind_of = |calendar: usize| {
            *known.entry(open[calendar].as_slice()).or_insert_with_key(|spans| {
                own.push(*spans);
                own.len()
            })
        };
        let kinds = snapshot.mailboxes.iter();
        let kinds = kinds.map(|m| m.calendar.map_or(ANY_TIME, &mut kind_of)).collect();
        let mut both = vec![Vec::new(); open.len()];
        for work in &snapshot.work {
            let calendar = work.calendar.index();
            if let (Some(spans), Some(kinds)) = (open.get(calendar), both.get_mut(calendar))
                && kinds.is_empty()
            {
                kinds.push(spans.clone());
                kinds.extend(own.iter().map(|own| span::intersection(spans, own)));
            }
        }
        Self { kinds, both, from: snapshot.now }
    }

    /// When `work` may leave from `mailbox` today; `None` where it may not. The first moment is
    /// where its hours are clipped; the spans are whole.
    pub(super) fn open(&self, work: &Work, mailbox: Option<usize>) -> Option<(Millis, &[Span])> {
        self.open_to_kind(work, mailbox.map_or(ANY_TIME, |mailbox| self.kind(mailbox)))
    }

    /// The kind of a mailbox's own hours.
    pub(super) fn kind(&self, mailbox: usize) -> usize {
        self.kinds[mailbox]
    }

    /// When `work` may leave from a mailbox with hours of that kind.
    pub(super) fn open_to_kind(&self, work: &Work, kind: usize) -> Option<(Millis, &[Span])> {
        let spans = self.both.get(work.calendar.index())?.get(kind)?;
        let from = self.from.max(work.ready_at).max(work.person_free_at);
        spans.last().filter(|last| from < last.end()).map(|_| (from, spans.as_slice()))
    }
}

/// The kind of hours of a mailbox that has no window of its own.
const ANY_TIME: usize = 0;

/// Gives every chosen work its moment. What the windows cannot hold is noted as shortfall.
pub(super) fn place(
    snapshot: &Snapshot,
    hours: &Hours,
    chosen: Chosen,
    ledger: &mut Ledger,
) -> Vec<Planned> {
    let mut messages = Vec::with_capacity(chosen.iter().map(Vec::len).sum());
    for (mailbox, work) in chosen.into_iter().enumerate().filter(|(_, work)| !work.is_empty()) {
        let day = MailboxDay::new(snapshot, hours, mailbox, &work);
        let even = day.evenly();
        let moments = if even.iter().all(Option::is_some) {
            even
        } else {
            // Chance left holes too small to use; packed, more may fit.
            let packed = day.packed();
            let placed = |moments: &[Option<Millis>]| moments.iter().flatten().count();
            if placed(&packed) > placed(&even) { packed } else { even }
        };
        for (place, (&index, moment)) in work.iter().zip(moments).enumerate() {
            let row = &snapshot.work[index];
            match moment.and_then(|moment| day.with_its_end(place, moment)) {
                Some((due_at, closes_at)) => messages.push(Planned {
                    work: Place::at(index),
                    mailbox: Place::at(mailbox),
                    enrolment: row.enrolment,
                    due_at,
                    closes_at,
                }),
                None => ledger.dropped(row.campaign, Limit::WindowFull),
            }
        }
    }
    messages
}

/// Work with the same hours: where its calendar is, and the first moment it may go.
type Group = (Place, Millis);

/// One mailbox's work with the hours of each piece.
struct MailboxDay<'a> {
    snapshot: &'a Snapshot,
    mailbox: usize,
    /// For each piece of work: its group, and its hours, clipped.
    hours: Vec<(Group, Cow<'a, [Span]>)>,
}

impl<'a> MailboxDay<'a> {
    fn new(snapshot: &'a Snapshot, hours: &'a Hours, mailbox: usize, work: &[usize]) -> Self {
        let hours = work
            .iter()
            .map(|&index| {
                let row = &snapshot.work[index];
                let Some((from, spans)) = hours.open(row, Some(mailbox)) else {
                    return ((row.calendar, Millis::MAX), Cow::Borrowed([].as_slice()));
                };
                let clipped = if spans.first().is_some_and(|first| from <= first.start()) {
                    Cow::Borrowed(spans)
                } else {
                    let rest = Span::new(from, Millis::MAX).map_or(Vec::new(), |rest| vec![rest]);
                    Cow::Owned(span::intersection(spans, &rest))
                };
                // Work that may go from the beginning shares one set of cells.
                let start = clipped.first().map_or(Millis::MAX, |first| first.start());
                ((row.calendar, start), clipped)
            })
            .collect();
        Self { snapshot, mailbox, hours }
    }

    fn timeline(&self) -> Timeline {
        let row = &self.snapshot.mailboxes[self.mailbox];
        let mut timeline = Timeline::new(row.gap, row.last_attempt_at);
        row.booked.iter().for_each(|&moment| timeline.take(moment));
        timeline
    }

    /// Work with the same hours gets one random moment in each of as many equal cells; then all of
    /// it is fitted into one timeline.
    fn evenly(&self) -> Vec<Option<Millis>> {
        let row = &self.snapshot.mailboxes[self.mailbox];
        if row.pace == Pace::AsSoonAsPossible {
            return self.hours.iter().map(|(_, open)| open.first().map(|s| s.start())).collect();
        }
        let day = u64::try_from(self.snapshot.day.at(0, 0, 0, 0).duration_since(EPOCH).as_hours());
        let id = u64::try_from(row.id.0).unwrap_or_default();
        let mut rng = rng::stream(self.snapshot.seed, &[PURPOSE, day.unwrap_or_default(), id]);
        let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
        for (index, (group, _)) in self.hours.iter().enumerate() {
            groups.entry(*group).or_default().push(index);
        }
        let mut wanted = Vec::with_capacity(self.hours.len());
        for members in groups.values() {
            let open = &self.hours[members[0]].1;
            let drawn = pacing::moments(open, members.len(), row.gap, &mut rng);
            wanted.extend(drawn.into_iter().zip(members.iter().copied()));
        }
        wanted.sort_unstable();
        self.fitted(wanted)
    }

    /// A moment with the end of the hours it lies in.
    fn with_its_end(&self, place: usize, moment: Millis) -> Option<(Millis, Millis)> {
        let hours = self.hours[place].1.iter().find(|span| span.contains(moment))?;
        Some((moment, hours.end()))
    }

    /// Everything as early as it may go, what closes first before what closes later.
    fn packed(&self) -> Vec<Option<Millis>> {
        let mut order: Vec<usize> = (0..self.hours.len()).collect();
        order.sort_by_key(|&i| (self.hours[i].1.last().map(|s| s.end()), i));
        self.fitted(order.into_iter().map(|i| (self.hours[i].0.1, i)).collect())
    }

    fn fitted(&self, wanted: Vec<(Millis, usize)>) -> Vec<Option<Millis>> {
        let mut timeline = self.timeline();
        let mut moments = vec![None; self.hours.len()];
        for (moment, index) in wanted {
            moments[index] = timeline.place(moment, &self.hours[index].1);
        }
        moments
    }
}

/// Tells this stream of chance from those of other purposes.
const PURPOSE: u64 = 0x7061_6365;

const EPOCH: jiff::civil::DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
