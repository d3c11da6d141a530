//! CSV under mappings of every kind.

use std::io::Cursor;
use std::sync::LazyLock;

use connectors::{Decoder, parse_mapping};

const MAPPINGS: [&str; 4] = [
    "{kind: csv_mapping, id: line, type: {constant: call}, account: {column: account}, time: {column: time}}",
    "{kind: csv_mapping, id: {column: id}, source: {column: source}, type: {column: type}, account: {column: account}, \
     time: {column: time, format: unix_seconds}, properties: {quantity: {column: q, as: number}}, delimiter: ';'}",
    "{kind: csv_mapping, id: {column: id}, type: {constant: call}, account: {constant: a}, \
     time: {column: time, format: '%Y-%m-%d %H:%M:%S%.f', zone: Europe/Berlin}, \
     properties: {q: {column: q, as: number}, note: {column: note, as: text}}}",
    "{kind: csv_mapping, id: line, source: {column: source}, type: {constant: call}, account: {column: account}, \
     time: {column: time, format: unix_milliseconds}, properties: {q: {constant: '1', as: number}}}",
];

static DECODERS: LazyLock<Vec<Decoder>> = LazyLock::new(|| {
    let parse = |text: &&str| parse_mapping("m.yaml", text).unwrap_or_else(|problems| panic!("{problems:?}"));
    MAPPINGS.iter().map(|text| Decoder::csv(parse(text))).collect()
});

/// The first byte chooses the mapping; the rest is the file.
pub fn run(data: &[u8]) {
    let Some((first, file)) = data.split_first() else { return };
    let decoder = &DECODERS[usize::from(*first) % DECODERS.len()];
    crate::decoded::check(decoder, decoder.chunks(Box::new(Cursor::new(file.to_vec()))), 4);
}
