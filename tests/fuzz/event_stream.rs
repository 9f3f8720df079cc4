//! See `bedrock_checks::event_stream`.
#![no_main]

#[allow(dead_code, reason = "each target runs one of them")]
mod bedrock_checks;
#[allow(dead_code, reason = "each target uses some of it")]
mod messages;

extern crate aside;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bedrock_checks::event_stream(data));
