//! Whatever reads octets from outside comes back, whatever they are: the corpora as they stand, and
//! thousands of their mutants, always the same. `tests/fuzz` goes on where this ends.

use std::path::{Path, PathBuf};

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng as _};
use warmfront_tests::endure::{TARGETS, Target};

/// Mutants of each file; more for the small corpora.
const MUTANTS: usize = 2_400;

#[test]
fn every_reader_takes_its_corpus_and_what_becomes_of_it() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 5, "{name} has {} files", seeds.len());
        for (file, octets) in &seeds {
            endure(name, file, target, octets);
            for nth in 0..MUTANTS / seeds.len() {
                let mutant = mutant(octets, &seeds, nth);
                endure(name, &format!("{file} mutated by seed {nth}"), target, &mutant);
            }
        }
    }
}

/// Tells which octets it was, if a reader panics.
#[track_caller]
fn endure(name: &str, what: &str, target: Target, octets: &[u8]) {
    let end = std::panic::catch_unwind(|| target(octets));
    assert!(end.is_ok(), "{name}: {what}: {:?}", String::from_utf8_lossy(octets));
}

/// The files of a corpus, in order.
fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut folders = vec![root];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).expect("a file"));
    files.into_iter().map(read).collect()
}

/// A file with a few octets turned, cut out, doubled, or put in from another.
fn mutant(octets: &[u8], seeds: &[(String, Vec<u8>)], nth: usize) -> Vec<u8> {
    let mut rng = ChaCha12Rng::seed_from_u64(nth as u64);
    let mut mutant = octets.to_vec();
    for _ in 0..rng.random_range(1..=8) {
        let at = rng.random_range(0..=mutant.len());
        let end = (at + rng.random_range(0..64_usize)).min(mutant.len());
        match rng.random_range(0..5) {
            0 => mutant[at..end].fill(rng.random()),
            1 => drop(mutant.drain(at..end)),
            2 => {
                let again = mutant[at..end].repeat(rng.random_range(1..40));
                mutant.splice(at..at, again);
            }
            3 => {
                let other = &seeds[rng.random_range(0..seeds.len())].1;
                let from = rng.random_range(0..=other.len());
                let to = (from + 200).min(other.len());
                mutant.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let word = WORDS[rng.random_range(0..WORDS.len())];
                mutant.splice(at..end, word.iter().copied());
            }
        }
    }
    mutant
}

/// What readers stumble over.
const WORDS: [&[u8]; 16] = [
    b"\n\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xe2\x80",
    b"--",
    b"\"",
    b"<",
    b"@",
    b"{{",
    b"{{#if x}}",
    b"=?utf-8?b?",
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    b"Content-Transfer-Encoding: base64\n\n",
    b"5.1.1",
];
