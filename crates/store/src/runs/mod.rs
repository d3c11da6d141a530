//! Delta runs: immutable, sorted files of usage cells and of identities over a range of the log [P₀, P₁).
//!
//! A run is derived: it can be deleted and is made again from the log. The checkpoint names the runs that
//! hold together, with the length and hash of each. Runs never merge across a pinned position.

mod cells;
mod coding;
mod file;
mod index;
mod manifest;
mod table;

pub use cells::{CellRun, merge_cells, write_cells};
pub use index::{
    IndexEntries, IndexEntry, IndexRun, IndexWriter, KeptIdentity, KeptPayload, PageBuffer, merge_index,
    write_index,
};
pub use manifest::{
    CHECKPOINT, Checkpoint, MeterCover, RunFact, cell_run_name, read_checkpoint, write_checkpoint,
};
pub use table::{CellLimits, CellScan, CellTable, CellUpdate, Names, cell_number};
