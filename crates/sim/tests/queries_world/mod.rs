//! The meters, the events and the times that random questions are about.

pub mod era;
pub mod events;
pub mod meters;

pub const SECOND: i64 = 1_000_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DAY: i64 = 24 * HOUR;
pub const CELL: i64 = 900 * SECOND;
