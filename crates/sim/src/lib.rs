//! What the tests believe instead of the engine: second implementations and hostile surroundings.
//!
//! # Owns
//! The oracle (every price model, proration, rounding and allocation once more, in unbounded integers; counting and
//! questions about usage as a loop over plain events), the reader of the manual's tables, and what else the tests of
//! the whole workspace share.
//!
//! # Does not own
//! Anything that a user runs. No crate of the product depends on this one.
//!
//! # Invariants
//! * The oracle shares no code with `money`, `metering`, `rating` and `engine`: it was written from the rules, and it
//!   does not link them. Its tests do, to compare.
//! * Everything random has a seed, and a failure prints it.
//!
//! # Times
//! None of its own.
//!
//! # Entry points
//! [`oracle_price`], [`oracle_number`], [`oracle_usage`], [`oracle_aggregate`], [`evaluator::evaluate`], [`spec_table::tables`].
#![forbid(unsafe_code)]

pub mod evaluator;
pub mod faulty_disk;
pub mod oracle_aggregate;
pub mod oracle_number;
pub mod oracle_price;
pub mod oracle_random;
pub mod oracle_usage;
pub mod spec_table;
