//! Fuzzes the reading of a prospect list.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| warmfront_fuzz::endure::csv(octets));
