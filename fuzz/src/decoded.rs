//! What must hold for what any decoder gives.

use connectors::{Chunk, Chunks, Decoder, Feed, decode_kept};
use metering::check_form;

pub fn feed() -> Feed {
    Feed { name: "f".to_owned(), source: "f".to_owned() }
}

/// Decodes everything in chunks of so many records. Each record comes out once; what is kept of it says the same.
pub fn check(decoder: &Decoder, mut chunks: Chunks, records: usize) {
    let mut last_line = 0;
    while let Ok(Some(raw)) = chunks.next(records) {
        let chunk = decoder.decode_chunk(&feed(), raw, 11);
        assert!(chunk.records as usize <= records);
        check_chunk(decoder, &chunk, &mut last_line);
    }
    assert!(!matches!(chunks.next(records), Ok(Some(_))), "more after the end");
}

fn check_chunk(decoder: &Decoder, chunk: &Chunk, last_line: &mut u64) {
    assert_eq!(chunk.records as usize, chunk.batch.len() + chunk.refused.len());
    assert_eq!(chunk.places.len(), chunk.batch.len());
    let mut lines: Vec<(u32, u64)> = chunk.places.iter().map(|place| (place.index, place.line)).collect();
    lines.extend(chunk.refused.iter().map(|refused| (refused.index, refused.line)));
    lines.sort_unstable();
    for (at, (index, line)) in lines.into_iter().enumerate() {
        assert_eq!(index as usize, at, "each index once");
        assert!(line > *last_line, "line {line} behind {last_line}");
        *last_line = line;
    }
    for (place, row) in chunk.places.iter().zip(chunk.batch.rows()) {
        let (format, body) = chunk.kept_body(decoder, &feed(), place, row);
        let again = decode_kept(&format, &body).map(check_form);
        assert_eq!(again, Ok(Ok(chunk.batch.event(row))), "kept as {format}");
    }
    for refused in &chunk.refused {
        let again = decode_kept(&refused.format, &refused.body);
        let is_refused = again.is_err() || again.is_ok_and(|draft| check_form(draft).is_err());
        assert!(is_refused, "refused with {} and kept as an event", refused.rejection);
    }
}
