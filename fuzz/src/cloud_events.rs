//! CloudEvents: what was learned of earlier lines changes nothing.

use std::io::Cursor;

use connectors::{Chunk, Decoder, RawChunk};

use crate::decoded::{check, feed};

/// Any bytes as lines.
pub fn run(data: &[u8]) {
    let decoder = Decoder::cloud_events();
    let all = |decode: &dyn Fn(RawChunk) -> Chunk| -> Vec<Chunk> {
        let mut chunks = decoder.chunks(Box::new(Cursor::new(data.to_vec())));
        std::iter::from_fn(|| chunks.next(1_000_000).expect("memory breaks nowhere").map(decode)).collect()
    };
    let quick = all(&|raw| decoder.decode_chunk(&feed(), raw, 7));
    let general = all(&|raw| decoder.decode_chunk_general(&feed(), raw, 9));
    assert_eq!(quick.len(), general.len());
    let (mut left, mut right) = (String::new(), String::new());
    for (quick, general) in quick.iter().zip(&general) {
        assert_eq!(quick.refused, general.refused);
        assert_eq!((quick.records, quick.batch.len()), (general.records, general.batch.len()));
        assert_eq!(quick.places, general.places);
        for (row, reference) in quick.batch.rows().iter().zip(general.batch.rows()) {
            assert_eq!(quick.batch.event(row), general.batch.event(reference));
            left.clear();
            right.clear();
            quick.batch.write_canonical(row, &mut left);
            general.batch.write_canonical(reference, &mut right);
            assert_eq!(left, right);
        }
    }
    check(&decoder, decoder.chunks(Box::new(Cursor::new(data.to_vec()))), 3);
}
