//! Cell runs: usage cells over a range of the log, ordered by meter, account, type, source, dimensions, time.
//!
//! **Source**: `docs/format.md` §7.

mod dictionary;
mod footer;
mod merge;
mod record;
mod run;
mod totals;
mod writer;

pub use merge::merge_cells;
pub use run::CellRun;
pub use writer::write_cells;

pub(super) use dictionary::{Dictionary, MeterTuples, RowKey, Texts, Tuples};
