//! The events that go through the stages, as they stand at each of them.

use connectors::{Chunk, Chunks, Decoder, Feed, RawChunk};
use engine::Prepared;
use metering::{Digest, Fingerprint, Keys};

/// Records a batch, as `ingest` has it.
pub const BATCH: usize = 16_384;
const SEED: u64 = 7;

/// A file in memory.
pub struct Input {
    pub bytes: Vec<u8>,
    pub records: usize,
    pub decoder: Decoder,
    pub feed: Feed,
    pub keys: Keys,
}

impl Input {
    pub fn read(file: &str) -> Self {
        let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let records = bytes.iter().filter(|byte| **byte == b'\n').count();
        assert!(records > 0, "{file} has events");
        let feed = Feed { name: "stages".to_owned(), source: "stages".to_owned() };
        Self { bytes, records, decoder: Decoder::cloud_events(), feed, keys: crate::support::keys() }
    }

    pub fn chunks(&self) -> Chunks {
        self.decoder.chunks(Box::new(std::io::Cursor::new(self.bytes.clone())))
    }

    /// The file cut into batches.
    pub fn raws(&self) -> Vec<RawChunk> {
        cut(self.chunks())
    }

    pub fn decode(&self, decoder: &Decoder, raw: RawChunk) -> Chunk {
        decoder.decode_chunk(&self.feed, raw, SEED)
    }

    /// The file decoded.
    pub fn decoded(&self) -> Vec<Chunk> {
        self.raws().into_iter().map(|raw| self.decode(&self.decoder, raw)).collect()
    }

    pub fn prepared(&self) -> Vec<Prepared> {
        self.decoded().into_iter().map(|chunk| Prepared::new(&self.keys, chunk)).collect()
    }

    /// The hashes of the rows of a chunk.
    pub fn prints(&self, chunk: &Chunk) -> Vec<Fingerprint> {
        let mut prints = Vec::new();
        metering::fingerprint_batch(&self.keys, engine::TENANT, &chunk.batch, &mut prints);
        prints
    }
}

/// An input cut into batches to its end.
pub fn cut(mut chunks: Chunks) -> Vec<RawChunk> {
    let mut raws = Vec::new();
    while let Some(raw) = chunks.next(BATCH).expect("the input can be read") {
        raws.push(raw);
    }
    raws
}

/// Something of every digest, so that none is left out.
pub fn sum(prints: &[Fingerprint]) -> Digest {
    prints.iter().fold(Digest::ZERO, |sum, print| sum.add(print.digest))
}
