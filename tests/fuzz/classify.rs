//! See `door_checks::classify`.
#![no_main]

#[allow(dead_code, reason = "each target runs one of them")]
mod door_checks;

extern crate aside;

libfuzzer_sys::fuzz_target!(|data: &[u8]| door_checks::classify(data));
