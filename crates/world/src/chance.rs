//! Luck, drawn from the seed and from what it is about, and from nothing else.
//!
//! No two draws share a stream, so no mailbox's story depends on when the others took their turns.

use rand::RngExt as _;
use rand::rngs::ChaCha12Rng;
use warmfront_core::rng;
use warmfront_core::span::Millis;

/// What rates are parts of: a rate of 100 is one in a hundred. Per mille would not do, as one
/// complaint in two thousand is ordinary.
pub const WHOLE: u32 = 10_000;

/// What luck is drawn for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// What sort of person an address is.
    Fate = 1,
    /// Whether a server makes a stranger wait.
    Greylist,
    /// One connection of a mailbox.
    Connection,
    /// One attempt of a mailbox to reach a person.
    Attempt,
    /// One reading of an inbox.
    Reading,
    /// The Message-ID a provider puts in the place of ours.
    FinalId,
}

/// One stream of luck.
pub(crate) struct Chance(ChaCha12Rng);

impl Chance {
    /// The stream for a purpose, for those it concerns, for the nth time.
    pub(crate) fn new(seed: u64, purpose: Purpose, whom: &[&str], nth: u64) -> Self {
        let about: Vec<u64> = std::iter::once(purpose as u64)
            .chain(whom.iter().map(|text| fingerprint(text)))
            .chain([nth])
            .collect();
        Self(rng::stream(seed, &about))
    }

    /// Whether something of this rate happens.
    pub(crate) fn hits(&mut self, rate: u32) -> bool {
        self.below(WHOLE) < rate
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    /// A stretch of time, both ends included.
    pub(crate) fn within(&mut self, least: Millis, most: Millis) -> Millis {
        self.0.random_range(least..=most)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0.random()
    }
}

/// FNV-1a, 64 bits: the same on every machine, which the standard library does not promise of its
/// own hashes.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
