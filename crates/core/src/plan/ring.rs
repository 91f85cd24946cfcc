//! Mailboxes in a ring, dealt to in turn. What is dealt, and why, is left to `choose`.

use std::collections::{BTreeMap, BTreeSet};

/// Mailboxes with what each still gets. Whose turn it is goes round.
///
/// Asked a million times of twenty thousand mailboxes, it must not look at each: those whose hours
/// are the same stand in one list, so that an answer costs as many looks as there are kinds of hours.
pub(super) struct Ring {
    /// Each mailbox with what it still gets.
    seats: Vec<(usize, u32)>,
    /// Who still gets something.
    kinds: Vec<Kind>,
    /// Whose turn it is, counted on from one round to the next: the remainder is the seat.
    turn: usize,
}

/// Mailboxes whose hours are the same.
struct Kind {
    hours: usize,
    seats: BTreeSet<usize>,
    /// The first of them whose turn comes, counted as the turn is; to be looked up again once that
    /// is past.
    next: usize,
}

impl Ring {
    /// A ring of mailboxes and what each gets, at least one. `hours_of` tells the kind of a
    /// mailbox's hours.
    pub(super) fn new(quota: Vec<(usize, u32)>, hours_of: impl Fn(usize) -> usize) -> Self {
        let mut kinds: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (seat, &(mailbox, _)) in quota.iter().enumerate() {
            kinds.entry(hours_of(mailbox)).or_default().insert(seat);
        }
        let kind = |(hours, seats): (usize, BTreeSet<usize>)| {
            let next = seats.first().copied().unwrap_or_default();
            Kind { hours, seats, next }
        };
        Self { seats: quota, kinds: kinds.into_iter().map(kind).collect(), turn: 0 }
    }

    /// Deals one to the next mailbox whose hours will do; `None` where no such mailbox gets any more.
    pub(super) fn deal(&mut self, will_do: impl Fn(usize) -> bool) -> Option<usize> {
        let (turn, count) = (self.turn, self.seats.len());
        let mut first: Option<(usize, usize)> = None;
        for (place, kind) in self.kinds.iter_mut().enumerate() {
            if !will_do(kind.hours) {
                continue;
            }
            if kind.next < turn {
                let round = turn - turn % count;
                let behind = kind.seats.range(turn - round..).next().map(|seat| round + seat);
                kind.next = behind.or_else(|| kind.seats.first().map(|s| round + count + s))?;
            }
            if first.is_none_or(|(next, _)| kind.next < next) {
                first = Some((kind.next, place));
            }
        }
        let (next, place) = first?;
        self.turn = next + 1;
        let seat = next % count;
        let (mailbox, left) = &mut self.seats[seat];
        *left -= 1;
        if *left == 0 {
            let seats = &mut self.kinds[place].seats;
            seats.remove(&seat);
            if seats.is_empty() {
                self.kinds.swap_remove(place);
            }
        }
        Some(*mailbox)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;

    /// The same said plainly: who gets nothing more leaves the list, and each in turn is asked.
    struct List {
        quota: Vec<(usize, u32)>,
        turn: usize,
    }

    impl List {
        fn deal(&mut self, will_do: impl Fn(usize) -> bool) -> Option<usize> {
            let count = self.quota.len();
            let offset = (0..count).find(|o| will_do(self.quota[(self.turn + o) % count].0))?;
            let at = (self.turn + offset) % count;
            let mailbox = self.quota[at].0;
            self.quota[at].1 -= 1;
            if self.quota[at].1 == 0 {
                self.quota.remove(at);
                self.turn = at;
            } else {
                self.turn = at + 1;
            }
            Some(mailbox)
        }
    }

    #[test]
    fn a_ring_deals_as_a_list_would_whatever_the_hours() {
        for seed in 0..3_000 {
            let mut rng = crate::rng::stream(seed, &[]);
            let kinds = rng.random_range(1..6);
            let hours: Vec<usize> =
                (0..rng.random_range(0..40)).map(|_| rng.random_range(0..kinds)).collect();
            let quota: Vec<(usize, u32)> = (0..hours.len())
                .map(|mailbox| (mailbox, rng.random_range(0..8)))
                .filter(|(_, quota)| *quota > 0)
                .collect();
            let mut list = List { quota: quota.clone(), turn: 0 };
            let mut ring = Ring::new(quota, |mailbox| hours[mailbox]);
            for nr in 0..400 {
                let open: Vec<bool> = (0..kinds).map(|_| rng.random_bool(0.4)).collect();
                let want = list.deal(|mailbox| open[hours[mailbox]]);
                assert_eq!(ring.deal(|kind| open[kind]), want, "seed {seed}, work {nr}");
            }
        }
    }

    #[test]
    fn everybody_has_his_turn_and_nobody_more_than_his_quota() {
        let mut ring = Ring::new(vec![(7, 2), (8, 1), (9, 3)], |_| 0);
        let dealt: Vec<_> = (0..7).map(|_| ring.deal(|_| true)).collect();
        assert_eq!(
            dealt,
            [7, 8, 9, 7, 9, 9].map(Some).into_iter().chain([None]).collect::<Vec<_>>()
        );
    }
}
