//! CSV with a mapping file.

mod columns;
pub(crate) mod draft;
mod header;
mod mapping;
mod records;
mod row;

pub use columns::{ColumnsError, read_columns};
pub(crate) use header::Header;
pub use mapping::{Mapping, parse_mapping, read_mapping};
pub(crate) use records::CsvRecords;
