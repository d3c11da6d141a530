//! Sentry outcomes.

use std::io::Cursor;

use connectors::Decoder;

/// Any bytes as lines.
pub fn run(data: &[u8]) {
    let decoder = Decoder::sentry_outcomes();
    crate::decoded::check(&decoder, decoder.chunks(Box::new(Cursor::new(data.to_vec()))), 5);
}
