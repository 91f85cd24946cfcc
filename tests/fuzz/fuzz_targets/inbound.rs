//! Fuzzes the reading of a mail that came in.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| warmfront_fuzz::endure::inbound(octets));
