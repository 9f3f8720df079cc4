//! See `checks::anthropic`.
#![no_main]

#[allow(dead_code, reason = "each target runs one of them")]
mod checks;

extern crate aside;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::anthropic(data));
