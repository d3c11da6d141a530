//! What must hold for any bytes. Each target is a function `run`: it returns, or it panics and a defect is found.
//!
//! libFuzzer calls them through `fuzz_targets/`; `tests/smoke.rs` calls them on stable with seeds and mutations.
#![forbid(unsafe_code)]

mod base;
pub mod block;
pub mod cloud_events;
pub mod csv;
mod decoded;
mod edits;
pub mod parquet;
pub mod recovery;
pub mod runs;
pub mod sentry;
