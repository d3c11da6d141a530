//! See `fuzz::cloud_events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cloud_events::run(data));
