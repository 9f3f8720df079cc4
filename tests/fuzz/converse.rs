//! See `bedrock_checks::converse`.
#![no_main]

#[allow(dead_code, reason = "each target runs one of them")]
mod bedrock_checks;
#[allow(dead_code, reason = "each target uses some of it")]
mod messages;
#[allow(dead_code, reason = "only its model is needed")]
mod checks;

extern crate aside;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bedrock_checks::converse(data, &checks::model()));
