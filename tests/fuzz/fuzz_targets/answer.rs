//! Fuzzes the reading of a server's answer.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| warmfront_fuzz::endure::answer(octets));
