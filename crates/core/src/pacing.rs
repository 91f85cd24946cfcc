//! Spreading a mailbox's share over its windows.

use std::collections::BTreeSet;

use rand::{Rng, RngExt as _};

use crate::span::{Millis, Span};

/// The moments one mailbox sends at today, with the room it needs around each.
#[derive(Clone, Debug)]
pub struct Timeline {
    gap: Millis,
    /// No moment lies before this one: the gap also holds from the last attempt.
    free_from: Millis,
    taken: BTreeSet<Millis>,
}

impl Timeline {
    /// An empty day of a mailbox that keeps `gap` between two messages and last tried at
    /// `last_attempt_at`.
    #[must_use]
    pub fn new(gap: Millis, last_attempt_at: Option<Millis>) -> Self {
        let free_from = last_attempt_at.map_or(Millis::MIN, |at| at + gap);
        Self { gap, free_from, taken: BTreeSet::new() }
    }

    /// Marks a moment planned earlier.
    pub fn take(&mut self, moment: Millis) {
        self.taken.insert(moment);
    }

    /// The free moment nearest to `wanted` within `spans`: the first at or behind it, else the last
    /// before it. Takes it.
    pub fn place(&mut self, wanted: Millis, spans: &[Span]) -> Option<Millis> {
        let moment = self.at_or_after(wanted, spans).or_else(|| self.before(wanted, spans))?;
        self.taken.insert(moment);
        Some(moment)
    }

    fn at_or_after(&self, wanted: Millis, spans: &[Span]) -> Option<Millis> {
        let mut moment = wanted.max(self.free_from);
        loop {
            let span = spans.iter().find(|span| moment < span.end())?;
            moment = moment.max(span.start());
            match self.in_the_way(moment).max() {
                Some(taken) => moment = taken + self.gap.max(1),
                None => return Some(moment),
            }
        }
    }

    fn before(&self, wanted: Millis, spans: &[Span]) -> Option<Millis> {
        let mut moment = wanted;
        loop {
            let span = spans.iter().rev().find(|span| span.start() <= moment)?;
            moment = moment.min(span.end() - 1);
            if moment < self.free_from {
                return None;
            }
            match self.in_the_way(moment).min() {
                Some(taken) => moment = taken - self.gap.max(1),
                None => return Some(moment),
            }
        }
    }

    /// Moments less than a gap away. With no gap at all, two messages may share a moment.
    fn in_the_way(&self, moment: Millis) -> impl Iterator<Item = Millis> {
        let (from, to) = (moment - self.gap + 1, moment + self.gap);
        let range = if self.gap > 0 { Some(self.taken.range(from..to)) } else { None };
        range.into_iter().flatten().copied()
    }
}

/// `count` moments within `spans`, in order: the time is cut into `count` equal cells and each
/// moment drawn inside its own, at least `gap` from its neighbours. Even over the day, uneven from
/// one to the next. Where there is not time enough, fewer come back.
#[must_use]
pub fn moments(spans: &[Span], count: usize, gap: Millis, rng: &mut impl Rng) -> Vec<Millis> {
    let open: Millis = spans.iter().map(|span| span.length()).sum();
    let fits = if gap > 0 { (open - 1).div_euclid(gap) + 1 } else { Millis::MAX };
    let count = Millis::try_from(count).unwrap_or(Millis::MAX).min(fits);
    if count <= 0 || open <= 0 {
        return Vec::new();
    }
    let mut earliest = 0;
    (0..count)
        .map(|cell| {
            let cell_start = open * cell / count;
            let cell_end = open * (cell + 1) / count;
            // Leaves the gap before the next cell, and where a cell is no longer than the gap,
            // room for all that follow.
            let latest =
                (cell_end - gap.max(1)).max(cell_start).min(open - 1 - gap * (count - 1 - cell));
            let from = cell_start.max(earliest).min(latest.max(earliest));
            let at = rng.random_range(from..=latest.max(from));
            earliest = at + gap;
            moment_at(spans, at)
        })
        .collect()
}

/// The moment `offset` into the open time. Breaks between spans only lengthen gaps.
fn moment_at(spans: &[Span], offset: Millis) -> Millis {
    let mut left = offset;
    for span in spans {
        if left < span.length() {
            return span.start() + left;
        }
        left -= span.length();
    }
    spans.last().map_or(offset, |span| span.end() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;
    use crate::span::MINUTE;

    fn spans(list: &[(i64, i64)]) -> Vec<Span> {
        list.iter().filter_map(|&(a, b)| Span::new(a * MINUTE, b * MINUTE)).collect()
    }

    #[test]
    fn every_seed_keeps_the_windows_the_count_and_the_gap() {
        for seed in 0..3_000 {
            let mut rng = stream(seed, &[]);
            let first = rng.random_range(1..600);
            let second = first + rng.random_range(1..60);
            let open = spans(&[(0, first), (second, second + rng.random_range(1..600))]);
            let gap = rng.random_range(1..6) * MINUTE;
            let count = rng.random_range(0..200_usize);
            let got = moments(&open, count, gap, &mut rng);

            let total: i64 = open.iter().map(|s| s.length()).sum();
            let fits = usize::try_from((total - 1) / gap + 1).unwrap();
            assert_eq!(got.len(), count.min(fits), "seed {seed}");
            assert!(got.iter().all(|&m| open.iter().any(|s| s.contains(m))), "seed {seed}");
            assert!(got.windows(2).all(|w| w[1] - w[0] >= gap), "seed {seed} {got:?}");
        }
    }

    #[test]
    fn a_day_is_filled_evenly_but_never_by_the_clock() {
        let open = spans(&[(0, 480)]);
        let got = moments(&open, 16, 4 * MINUTE, &mut stream(7, &[]));
        for (cell, moment) in got.iter().enumerate() {
            let cell = i64::try_from(cell).unwrap() * 30 * MINUTE;
            assert!((cell..cell + 30 * MINUTE).contains(moment));
        }
        let gaps: BTreeSet<i64> = got.windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(gaps.len(), 15, "{gaps:?}");
    }

    #[test]
    fn a_timeline_finds_the_nearest_free_moment() {
        let open = spans(&[(0, 10), (60, 70)]);
        let mut day = Timeline::new(4 * MINUTE, None);
        day.take(5 * MINUTE);
        assert_eq!(day.place(5 * MINUTE, &open), Some(9 * MINUTE));
        assert_eq!(day.place(9 * MINUTE, &open), Some(60 * MINUTE));
        assert_eq!(day.place(69 * MINUTE, &open), Some(69 * MINUTE));
        assert_eq!(day.place(68 * MINUTE, &open), Some(65 * MINUTE));
        assert_eq!(day.place(68 * MINUTE, &open), Some(MINUTE));
        assert_eq!(day.place(68 * MINUTE, &open), None);
    }

    #[test]
    fn after_an_outage_the_gap_holds_from_the_last_attempt() {
        let open = spans(&[(0, 10)]);
        let mut day = Timeline::new(4 * MINUTE, Some(3 * MINUTE));
        assert_eq!(day.place(0, &open), Some(7 * MINUTE));
        assert_eq!(day.place(0, &open), None);
    }

    #[test]
    fn without_a_gap_messages_may_share_a_moment() {
        let open = spans(&[(0, 10)]);
        let mut day = Timeline::new(0, None);
        assert_eq!((day.place(0, &open), day.place(0, &open)), (Some(0), Some(0)));
    }
}
