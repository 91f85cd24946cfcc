//! Sharing a number of messages out, in proportion and within bounds.

/// One taker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Its weight: the allowance of a mailbox, the target of a campaign.
    pub weight: u32,
    /// What it has already; it gets no less in all.
    pub has: u32,
    /// The most it may have in all; at least `has`.
    pub most: u32,
}

/// What each taker has in all once `total`, including what they have already, is shared out: in
/// proportion to weight within each one's bounds, rounded by largest remainder, ties to the first.
///
/// So every mailbox carries the same fraction of what it may. The sum is `total`, or as near as the
/// bounds allow.
#[must_use]
pub fn allot(total: u32, takers: &[Taker]) -> Vec<u32> {
    // The level: what a weight of one carries, in units of 2^-32 messages. What all carry grows
    // with it, so the highest level that does not overspend is found by halving.
    let (mut low, mut high) = (0_u64, u64::from(u32::MAX) << LEVEL_BITS);
    let spent = |level| takers.iter().map(|t| carries(level, t)).sum::<u128>();
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if spent(middle) <= u128::from(total) << LEVEL_BITS {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    whole_messages(total, &takers.iter().map(|t| carries(low, t)).collect::<Vec<_>>())
}

/// What a taker carries at a level, within its bounds.
fn carries(level: u64, taker: &Taker) -> u128 {
    let share = u128::from(level) * u128::from(taker.weight);
    share.min(u128::from(taker.most) << LEVEL_BITS).max(u128::from(taker.has) << LEVEL_BITS)
}

/// Rounds down and hands what is left to the largest remainders. Whoever stands at a bound has no
/// remainder.
fn whole_messages(total: u32, carried: &[u128]) -> Vec<u32> {
    let whole = |carried: u128| u32::try_from(carried >> LEVEL_BITS).unwrap_or(u32::MAX);
    let remainder = |carried: u128| carried & ((1 << LEVEL_BITS) - 1);
    let mut shares: Vec<u32> = carried.iter().map(|&c| whole(c)).collect();
    let spent: u64 = shares.iter().map(|&share| u64::from(share)).sum();
    let left = usize::try_from(u64::from(total).saturating_sub(spent)).unwrap_or(usize::MAX);
    let mut order: Vec<usize> = (0..carried.len()).filter(|&i| remainder(carried[i]) > 0).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(remainder(carried[i]) >> NOISE_BITS), i));
    for i in order.into_iter().take(left) {
        shares[i] += 1;
    }
    shares
}

/// The fraction bits of a level.
const LEVEL_BITS: u32 = 32;

/// A level is rounded down, so equal remainders may differ by as much as the weights do.
const NOISE_BITS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(total: u32, takers: &[(u32, u32, u32)], want: &[u32]) {
        let takers: Vec<Taker> =
            takers.iter().map(|&(weight, has, most)| Taker { weight, has, most }).collect();
        assert_eq!(allot(total, &takers), want, "{total} over {takers:?}");
    }

    #[test]
    fn shares() {
        check(1000, &[(50, 0, 50); 20], &[50; 20]);
        check(600, &[(50, 0, 50); 20], &[30; 20]);
        check(10, &[(1, 0, 9), (1, 0, 9), (1, 0, 9)], &[4, 3, 3]);
        check(62, &[(5, 0, 5), (7, 0, 7), (50, 0, 50)], &[5, 7, 50]);
        check(31, &[(5, 0, 5), (7, 0, 7), (50, 0, 50)], &[3, 3, 25]);
        check(9, &[(50, 0, 50), (5, 0, 5)], &[8, 1]);
        // Whoever cannot take his share leaves it to the others.
        check(60, &[(50, 0, 10), (50, 0, 50)], &[10, 50]);
        // What a mailbox has already counts towards its share.
        check(40, &[(50, 30, 50), (50, 0, 50)], &[30, 10]);
        check(20, &[(50, 18, 50), (50, 1, 50), (50, 1, 50)], &[18, 1, 1]);
        check(23, &[(50, 18, 50), (50, 1, 50), (50, 1, 50)], &[18, 3, 2]);
        check(500, &[(50, 0, 50), (5, 0, 5)], &[50, 5]);
        check(7, &[], &[]);
        check(3, &[(0, 0, 0), (4, 0, 4)], &[0, 3]);
    }

    #[test]
    fn any_total_is_shared_within_the_bounds() {
        use rand::RngExt as _;
        for seed in 0..2_000 {
            let mut rng = crate::rng::stream(seed, &[]);
            let takers: Vec<Taker> = (0..rng.random_range(1..30))
                .map(|_| {
                    let weight = rng.random_range(0..60);
                    let has = rng.random_range(0..=weight);
                    Taker { weight, has, most: rng.random_range(has..=weight) }
                })
                .collect();
            let (has, most) = takers.iter().fold((0, 0), |(h, m), t| (h + t.has, m + t.most));
            let total = rng.random_range(0..1_500);
            let shares = allot(total, &takers);
            let sum: u32 = shares.iter().sum();
            assert_eq!(sum, total.clamp(has, most), "seed {seed}");
            for (share, taker) in shares.iter().zip(&takers) {
                assert!((taker.has..=taker.most).contains(share), "seed {seed}");
            }
        }
    }
}
