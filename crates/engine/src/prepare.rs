//! The first half of an event's path, pure and parallel: decode, check form, hash.

use connectors::{Chunk, Decoder, Feed, RawChunk};
use metering::{Fingerprint, Keys, Meter, base_quantities};
use money::Quantity;

use crate::checked::Checked;
use crate::engine::TENANT;

/// Records of one feed that have been decoded and hashed, or found wanting.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) chunk: Chunk,
    /// The hashes of each row of the chunk's batch.
    pub(crate) prints: Vec<Fingerprint>,
    /// The property `quantity` of each row, where it is a number that can be held.
    pub(crate) units: Vec<Option<Quantity>>,
    /// What the terms say of the rows, where somebody knew them.
    pub(crate) checked: Option<Checked>,
}

impl Prepared {
    /// Hashes the events of a chunk.
    pub fn new(keys: &Keys, chunk: Chunk) -> Self {
        let mut prints = Vec::new();
        metering::fingerprint_batch(keys, TENANT, &chunk.batch, &mut prints);
        let units = base_quantities(&chunk.batch);
        Self { chunk, prints, units, checked: None }
    }

    /// Checks the events under the meters of a K: what is left to do in order is less then.
    pub(crate) fn check(&mut self, known_at: u64, meters: &[Meter]) {
        self.checked = Some(Checked::new(known_at, meters, &self.chunk.batch, &self.units));
    }

    /// How many records it holds.
    pub fn records(&self) -> u32 {
        self.chunk.records
    }
}

/// Decodes and hashes a chunk.
pub fn prepare(keys: &Keys, decoder: &Decoder, feed: &Feed, raw: RawChunk) -> Prepared {
    Prepared::new(keys, decoder.decode_chunk(feed, raw, seed(keys)))
}

/// What keeps hostile texts apart in tables of memory; it decides no result.
pub fn seed(keys: &Keys) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = keys.identity;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
