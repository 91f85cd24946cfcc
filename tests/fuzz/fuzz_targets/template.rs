//! Fuzzes the reading of a step's text.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| warmfront_fuzz::endure::template(octets));
