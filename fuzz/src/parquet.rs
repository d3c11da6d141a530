//! Parquet files.

use std::io::Cursor;

use connectors::{Chunks, Decoder};

/// Any bytes as a file.
pub fn run(data: &[u8]) {
    for records in [7, 16_384] {
        if let Ok(chunks) = Chunks::parquet(Cursor::new(data.to_vec())) {
            crate::decoded::check(&Decoder::parquet(), chunks, records);
        }
    }
}
