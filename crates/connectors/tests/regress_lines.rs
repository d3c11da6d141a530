//! Lines that were read wrong once.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

use std::io::{Cursor, Read};

use connectors::{Chunk, Decoder, Feed};

fn line(id: u32, time: &[u8]) -> Vec<u8> {
    let (before, after) = (
        format!(r#"{{"specversion":"1.0","id":"n-{id}","source":"s","type":"call","subject":"a-1","time":""#),
        r#"","data":{"quantity":1}}"#,
    );
    [before.as_bytes(), time, after.as_bytes(), b"\n"].concat()
}

fn decoded(input: &[u8]) -> Vec<Chunk> {
    let (decoder, feed) = (Decoder::cloud_events(), Feed { name: "f".to_owned(), source: "f".to_owned() });
    let mut chunks = decoder.chunks(Box::new(Cursor::new(input.to_vec())));
    std::iter::from_fn(|| chunks.next(1_000).expect("it is read"))
        .map(|raw| decoder.decode_chunk(&feed, raw, 7))
        .collect()
}

/// Sixteen zero bytes passed for the minute that a chunk begins with: the first line that a learned shape took.
#[test]
fn regress_zero_bytes_are_no_time() {
    let zeros = [&[0u8; 16][..], b":56.789Z"].concat();
    // How many lines a shape is learned from is not for this test to know.
    for before in 0..6 {
        let mut input: Vec<u8> = (0..before).flat_map(|n| line(n, b"2026-08-01T12:34:56Z")).collect();
        input.extend(line(90, &zeros));
        input.extend(line(91, b"2026-08-01T12:34:56.789Z"));
        let chunks = decoded(&input);
        let events: usize = chunks.iter().map(|chunk| chunk.batch.len()).sum();
        let refused: Vec<u64> =
            chunks.iter().flat_map(|chunk| &chunk.refused).map(|refused| refused.line).collect();
        assert_eq!(
            (events, refused),
            (before as usize + 1, vec![u64::from(before) + 1]),
            "{before} before it"
        );
    }
}

/// Gives its bytes in pieces of a length.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

/// A byte order mark that came in pieces was taken for a part of the first line, which was refused.
#[test]
fn regress_a_byte_order_mark_may_come_in_pieces() {
    let decoder = Decoder::cloud_events();
    let feed = Feed { name: "f".to_owned(), source: "f".to_owned() };
    for mark in [&b""[..], b"\xef\xbb\xbf"] {
        for length in [1, 2, 3, 4, 5, 7, 100, 10_000] {
            let lines: Vec<u8> = (0..5).flat_map(|n| line(n, b"2026-08-01T12:34:56Z")).collect();
            let input = Pieces(Cursor::new([mark, &lines].concat()), length);
            let mut chunks = decoder.chunks(Box::new(std::io::BufReader::with_capacity(length, input)));
            let mut found = (0, 0);
            while let Some(raw) = chunks.next(2).expect("it is read") {
                let chunk = decoder.decode_chunk(&feed, raw, 7);
                found = (found.0 + chunk.batch.len(), found.1 + chunk.refused.len());
            }
            assert_eq!(found, (5, 0), "pieces of {length}, mark {mark:?}");
        }
    }
}
