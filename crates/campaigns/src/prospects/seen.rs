//! Which addresses a list has named already.

use std::hash::{DefaultHasher, Hash, Hasher};

use warmfront_core::address::Address;

/// 128 bits for an address: a million whole ones would not fit the memory a list may take, and the
/// chance that any two of a million share them is below 10^-26.
///
/// Kept in many short sorted runs, which grow by little: a hash table of a million takes twice the
/// memory, and three times as much while it grows.
#[derive(Default)]
pub(super) struct Seen {
    runs: Vec<Vec<u128>>,
}

impl Seen {
    /// Remembers an address; whether it is new.
    pub(super) fn insert(&mut self, address: &Address) -> bool {
        let mark = fingerprint(address);
        self.runs.resize_with(RUNS, Vec::new);
        let run = &mut self.runs[(mark >> (u128::BITS - RUNS.ilog2())) as usize];
        let Err(at) = run.binary_search(&mark) else { return false };
        if run.len() == run.capacity() {
            run.reserve_exact(run.len() / 8 + 4);
        }
        run.insert(at, mark);
        true
    }
}

fn fingerprint(address: &Address) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, address).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// Of a million addresses each run has 250.
const RUNS: usize = 1 << 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_new_once() {
        let mut seen = Seen::default();
        let address = |n: u32| Address::parse(&format!("p{n}@acme.example")).unwrap();
        for n in 0..20_000 {
            assert!(seen.insert(&address(n)), "{n}");
        }
        for n in 0..20_000 {
            assert!(!seen.insert(&address(n)), "{n}");
        }
        assert!(seen.insert(&address(20_000)));
    }
}
