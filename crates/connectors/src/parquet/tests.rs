//! Files made by hand, byte by byte: what no writer writes.

use super::*;
use crate::chunk::{Chunk, Chunks};
use crate::decoder::Decoder;
use crate::record::Feed;

/// A struct of the compact protocol.
#[derive(Clone, Default)]
struct Thrift {
    bytes: Vec<u8>,
    last: u8,
}

fn varint_of(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

impl Thrift {
    fn field(mut self, number: u8, kind: u8, value: &[u8]) -> Self {
        self.bytes.push((number - self.last) << 4 | kind);
        self.bytes.extend_from_slice(value);
        self.last = number;
        self
    }

    fn int(self, number: u8, value: i64) -> Self {
        self.field(number, 6, &varint_of((value << 1 ^ value >> 63) as u64))
    }

    fn text(self, number: u8, text: &str) -> Self {
        self.field(number, 8, &[&varint_of(text.len() as u64), text.as_bytes()].concat())
    }

    fn structs(self, number: u8, items: &[Self]) -> Self {
        let mut bytes = vec![0xfc];
        bytes.extend(varint_of(items.len() as u64));
        items.iter().for_each(|item| bytes.extend(item.end()));
        self.field(number, 9, &bytes)
    }

    fn inner(self, number: u8, inner: &Self) -> Self {
        self.field(number, 12, &inner.end())
    }

    fn end(&self) -> Vec<u8> {
        [&self.bytes[..], &[0]].concat()
    }
}

/// The pages of one column of a group.
type Pages = Vec<Vec<u8>>;

/// What a test changes of a file.
struct Made {
    columns: Vec<(&'static str, i64, bool)>,
    codec: i64,
    rows: i64,
    pages: Vec<Pages>,
}

fn texts(values: &[&[u8]]) -> Vec<u8> {
    values.iter().flat_map(|value| [&(value.len() as u32).to_le_bytes()[..], value].concat()).collect()
}

fn data_page(values: i64, encoding: i64, uncompressed: usize, body: &[u8]) -> Vec<u8> {
    let data = Thrift::default().int(1, values).int(2, encoding).int(3, 3).int(4, 3);
    let header = Thrift::default().int(1, 0).int(2, uncompressed as i64).int(3, body.len() as i64);
    [header.inner(5, &data).end(), body.to_vec()].concat()
}

fn plain_page(values: i64, body: &[u8]) -> Vec<u8> {
    data_page(values, 0, body.len(), body)
}

fn dictionary_page(values: i64, body: &[u8]) -> Vec<u8> {
    let dictionary = Thrift::default().int(1, values).int(2, 2);
    let header = Thrift::default().int(1, 2).int(2, body.len() as i64).int(3, body.len() as i64);
    [header.inner(7, &dictionary).end(), body.to_vec()].concat()
}

impl Made {
    /// Two rows of one page in each column.
    fn new() -> Self {
        let page = |value: &str| vec![plain_page(2, &texts(&[value.as_bytes(), value.as_bytes()]))];
        let ids = vec![plain_page(2, &texts(&[b"i1", b"i2"]))];
        Self {
            columns: vec![
                ("id", 6, false),
                ("source", 6, false),
                ("type", 6, false),
                ("subject", 6, false),
                ("time", 6, false),
            ],
            codec: 0,
            rows: 2,
            pages: vec![ids, page("s"), page("t"), page("a"), page("2026-08-01T00:00:00Z")],
        }
    }

    fn with_ids(pages: Pages) -> Self {
        let mut made = Self::new();
        made.pages[0] = pages;
        made
    }

    /// Pages of ids that may be null.
    fn with_nullable_ids(pages: Pages) -> Self {
        let mut made = Self::with_ids(pages);
        made.columns[0].2 = true;
        made
    }

    fn file(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let mut chunks = Vec::new();
        for ((_, physical, _), pages) in self.columns.iter().zip(&self.pages) {
            let at = bytes.len();
            pages.iter().for_each(|page| bytes.extend_from_slice(page));
            let metadata = Thrift::default()
                .int(1, *physical)
                .int(4, self.codec)
                .int(5, self.rows)
                .int(7, (bytes.len() - at) as i64)
                .int(9, at as i64);
            chunks.push(Thrift::default().inner(3, &metadata));
        }
        let mut schema = vec![Thrift::default().text(4, "root").int(5, self.columns.len() as i64)];
        schema.extend(self.columns.iter().map(|(name, physical, is_optional)| {
            Thrift::default().int(1, *physical).int(3, i64::from(*is_optional)).text(4, name)
        }));
        let group = Thrift::default().structs(1, &chunks).int(3, self.rows);
        let footer = Thrift::default().int(1, 1).structs(2, &schema).int(3, self.rows).structs(4, &[group]);
        with_footer(bytes, &footer.end())
    }
}

fn with_footer(mut bytes: Vec<u8>, footer: &[u8]) -> Vec<u8> {
    bytes.extend_from_slice(footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(MAGIC);
    bytes
}

fn feed() -> Feed {
    Feed { name: "f".to_owned(), source: "f".to_owned() }
}

/// The ids of the events and the rows of the refused; and what ends them, if it is an error.
fn read(file: Vec<u8>, records: usize) -> (Vec<String>, Vec<u64>, Option<String>) {
    let (mut ids, mut refused) = (Vec::new(), Vec::new());
    let mut chunks = match Chunks::parquet(std::io::Cursor::new(file)) {
        Ok(chunks) => chunks,
        Err(error) => return (ids, refused, Some(error.to_string())),
    };
    loop {
        match chunks.next(records) {
            Ok(None) => return (ids, refused, None),
            Err(error) => {
                assert!(matches!(chunks.next(records), Ok(None)), "an error is the end");
                return (ids, refused, Some(error.to_string()));
            }
            Ok(Some(raw)) => {
                let Chunk { batch, refused: of_chunk, records: count, .. } =
                    Decoder::parquet().decode_chunk(&feed(), raw, 1);
                assert!(count as usize <= records);
                ids.extend(batch.rows().iter().map(|row| batch.text(row.id).to_owned()));
                refused.extend(of_chunk.iter().map(|refused| refused.line));
            }
        }
    }
}

#[track_caller]
fn ids(made: &Made, expect: &[&str]) {
    assert_eq!(read(made.file(), 100), (expect.iter().map(|id| (*id).to_owned()).collect(), vec![], None));
}

/// Nothing is delivered, and the error says this.
#[track_caller]
fn refused(made: &Made, expect: &str) {
    let (ids, refused, error) = read(made.file(), 100);
    assert_eq!((ids, refused), (vec![], vec![]));
    let error = error.unwrap();
    assert!(error.contains(expect), "{error}");
}

#[test]
fn a_file_made_by_hand_is_read() {
    ids(&Made::new(), &["i1", "i2"]);
    let split = vec![plain_page(1, &texts(&[b"i1"])), plain_page(0, b""), plain_page(1, &texts(&[b"i2"]))];
    ids(&Made::with_ids(split), &["i1", "i2"]);
    // One bit a number, in runs: 1, 0.
    let of_dictionary = vec![dictionary_page(2, &texts(&[b"x", b"y"])), data_page(2, 8, 5, &[1, 2, 1, 2, 0])];
    ids(&Made::with_ids(of_dictionary), &["y", "x"]);
    let level = [&[2, 0, 0, 0, 4, 1][..], &texts(&[b"i1", b"i2"])].concat();
    ids(&Made::with_nullable_ids(vec![plain_page(2, &level)]), &["i1", "i2"]);
}

#[test]
fn rows_before_a_broken_page_are_delivered() {
    let made = Made::with_ids(vec![plain_page(1, &texts(&[b"i1"])), plain_page(1, b"\x09\0\0\0x")]);
    let error = "expected more rows, the file breaks off in row 2: row group 0, column `id`, page 1: expected whole byte arrays, found a cut one";
    for records in [1, 100] {
        assert_eq!(read(made.file(), records), (vec!["i1".to_owned()], vec![], Some(error.to_owned())));
    }
}

#[test]
fn places_outside_of_the_dictionary() {
    let dictionary = dictionary_page(2, &texts(&[b"x", b"y"]));
    let places = data_page(2, 8, 5, &[2, 2, 1, 2, 2]);
    refused(&Made::with_ids(vec![dictionary.clone(), places]), "a dictionary of 2 values, found `2`");
    refused(&Made::with_ids(vec![data_page(2, 8, 3, &[1, 4, 0])]), "a dictionary of 0 values, found `0`");
    refused(&Made::with_ids(vec![dictionary.clone(), data_page(2, 8, 2, &[1, 3])]), "found fewer");
    refused(
        &Made::with_ids(vec![dictionary.clone(), data_page(2, 8, 3, &[33, 4, 0])]),
        "32 bits, found `33`",
    );
    refused(&Made::with_ids(vec![dictionary.clone(), dictionary.clone()]), "found a second");
    refused(&Made::with_ids(vec![dictionary_page(3, &texts(&[b"x", b"y"]))]), "3 texts, found `2`");
    refused(&Made::with_ids(vec![dictionary_page(i64::from(u32::MAX), &texts(&[b"x"]))]), "found `1`");
    refused(&Made::with_ids(vec![dictionary, data_page(3, 8, 3, &[1, 6, 0])]), "at most the 2 rows left");
}

#[test]
fn levels_that_do_not_add_up() {
    let with = |levels: &[u8], values: &[&[u8]]| {
        let body = [&(levels.len() as u32).to_le_bytes(), levels, &texts(values)].concat();
        Made::with_nullable_ids(vec![plain_page(2, &body)])
    };
    assert_eq!(read(with(&[2, 1, 2, 0], &[b"i1"]).file(), 9), (vec!["i1".to_owned()], vec![2], None));
    refused(&with(&[4, 1], &[b"i1"]), "expected 2 more values or bytes in the page, found `1`");
    refused(&with(&[2, 1, 2, 0], &[b"i1", b"i2"]), "found more");
    refused(&with(&[2, 1], &[b"i1", b"i2"]), "found fewer");
    refused(&with(&[4, 3], &[b"i1", b"i2"]), "the levels 0 and 1, found `3`");
    refused(&Made::with_nullable_ids(vec![plain_page(2, &[9, 0, 0, 0, 4, 1])]), "found its end");
    refused(&Made::with_nullable_ids(vec![plain_page(2, &[9, 0])]), "found its end");
}

#[test]
fn rows_that_do_not_add_up() {
    refused(&Made::with_ids(vec![plain_page(1, &texts(&[b"i1", b"i2"]))]), "at most 1 values in the page");
    let (ids, _, error) = read(Made::with_ids(vec![plain_page(1, &texts(&[b"i1"]))]).file(), 100);
    assert_eq!(ids, ["i1"]);
    assert!(error.unwrap().ends_with("expected more pages, found the end of the column"));
    let more = vec![plain_page(2, &texts(&[b"i1", b"i2"])), plain_page(1, &texts(&[b"i3"]))];
    let (ids, _, error) = read(Made::with_ids(more).file(), 100);
    assert_eq!(ids, ["i1", "i2"]);
    assert!(error.unwrap().ends_with("expected no rows behind the last, found `1`"));
    refused(&Made::with_ids(vec![plain_page(-1, &texts(&[b"i1"]))]), "a number of values, found `-1`");
    refused(&Made::with_ids(vec![plain_page(1 << 40, &texts(&[b"i1"]))]), "a number of values");
    let mut made = Made::new();
    made.rows = -2;
    refused(&made, "a number of rows, found `-2`");
}

#[test]
fn pages_that_lie_about_their_size() {
    let body = texts(&[b"i1", b"i2"]);
    refused(&Made::with_ids(vec![data_page(2, 0, PAGE_BYTES_MAX + 1, &body)]), "pages have at most");
    refused(&Made::with_ids(vec![data_page(2, 0, 99, &body)]), "99 bytes when decompressed");
    let bomb = zstd::bulk::compress(&vec![0; 1 << 20], 1).unwrap();
    for (codec, bomb) in [
        (6, bomb),
        (1, snap::raw::Encoder::new().compress_vec(&vec![0; 1 << 20]).unwrap()),
        (2, {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &vec![0; 1 << 20]).unwrap();
            encoder.finish().unwrap()
        }),
    ] {
        let mut made = Made::with_ids(vec![data_page(2, 0, 12, &bomb)]);
        made.codec = codec;
        refused(&made, "row group 0, column `id`, page 0: expected a page");
        made.pages[0] = vec![data_page(2, 0, 12, b"no such thing")];
        refused(&made, "row group 0, column `id`, page 0: expected a page");
    }
    for codec in [3, 4, 5, 7, 99] {
        let mut made = Made::new();
        made.codec = codec;
        refused(&made, "expected pages plain or compressed by zstd, snappy or gzip, found `");
    }
}

/// A small file must not make much memory: the bound over all columns stops it.
#[test]
fn many_columns_of_bombs_end_early() {
    let page = zstd::bulk::compress(&vec![0; 60 << 20], 1).unwrap();
    let mut made = Made::new();
    made.codec = 6;
    made.pages = vec![vec![dictionary_page(0, b"")]; 5];
    for name in ["a", "b", "c"] {
        made.columns.insert(0, (name, 2, false));
        made.pages.insert(0, vec![data_page(2, 0, 60 << 20, &page)]);
    }
    refused(&made, "bytes in all columns");
}

#[test]
fn encodings_that_are_not_read_are_named() {
    let body = texts(&[b"i1", b"i2"]);
    for (encoding, name) in
        [(4, "BIT_PACKED"), (5, "DELTA_BINARY_PACKED"), (9, "BYTE_STREAM_SPLIT"), (77, "unknown")]
    {
        refused(&Made::with_ids(vec![data_page(2, encoding, body.len(), &body)]), name);
    }
}

#[test]
fn a_checksum_is_checked() {
    let body = texts(&[b"i1", b"i2"]);
    let page = |crc: u32| {
        let data = Thrift::default().int(1, 2).int(2, 0).int(3, 3).int(4, 3);
        let length = body.len() as i64;
        let header = Thrift::default().int(1, 0).int(2, length).int(3, length).int(4, i64::from(crc as i32));
        vec![[header.inner(5, &data).end(), body.clone()].concat()]
    };
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    ids(&Made::with_ids(page(crc.sum())), &["i1", "i2"]);
    refused(&Made::with_ids(page(crc.sum() ^ 1)), "checksum");
}

#[test]
fn footers_that_cannot_be() {
    let file = Made::new().file();
    let told = |bytes: Vec<u8>| read(bytes, 9).2.unwrap();
    for cut in 0..file.len() {
        let error = told(file[..cut].to_vec());
        assert!(error.starts_with("expected a Parquet file of events: expected a file that begins and ends"));
    }
    let mut long = file.clone();
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(told(long).contains("expected a footer within the file"));
    let mut encrypted = file.clone();
    let at = encrypted.len() - 4;
    encrypted[at..].copy_from_slice(&MAGIC_ENCRYPTED);
    assert!(told(encrypted).contains("not encrypted"));
    // A schema of one group in another, very deep; and one that promises children that are not there.
    let deep = vec![Thrift::default().text(4, "g").int(5, 1); 100_000];
    let footer = Thrift::default().structs(2, &deep).end();
    assert!(told(with_footer(MAGIC.to_vec(), &footer)).contains("at most 1024 columns"));
    let many = [Thrift::default().text(4, "root").int(5, i64::from(i32::MAX))];
    let footer = Thrift::default().structs(2, &many).end();
    assert!(told(with_footer(MAGIC.to_vec(), &footer)).contains("a schema of 0 columns"));
    let footer = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!(told(with_footer(MAGIC.to_vec(), &footer)).contains("a whole footer"));
    assert!(told(with_footer(MAGIC.to_vec(), &[0])).contains("expected a schema, found none"));
}

/// Runs of one number can say a lot of rows in few bytes: the slices stay as short as they were asked for.
#[test]
fn a_billion_rows_in_a_few_bytes_come_in_slices() {
    let rows = 1 << 30;
    let mut run = vec![0];
    run.extend(varint_of(rows << 1));
    let mut made = Made::new();
    made.rows = rows as i64;
    made.pages = ["i", "s", "t", "a", "2026-08-01T00:00:00Z"]
        .iter()
        .map(|text| {
            vec![dictionary_page(1, &texts(&[text.as_bytes()])), data_page(rows as i64, 8, run.len(), &run)]
        })
        .collect();
    let mut chunks = Chunks::parquet(std::io::Cursor::new(made.file())).unwrap();
    for _ in 0..3 {
        let chunk = Decoder::parquet().decode_chunk(&feed(), chunks.next(1000).unwrap().unwrap(), 1);
        assert_eq!((chunk.batch.len(), chunk.records), (1000, 1000));
        assert!(chunk.batch.arena().len() < 100, "rows share the texts of a dictionary");
    }
}

/// Long texts in a dictionary do not multiply by the rows that use them.
#[test]
fn long_texts_make_short_slices() {
    let rows: u64 = 4000;
    let mut run = vec![0];
    run.extend(varint_of(rows << 1));
    let long = vec![b'x'; 3 << 20];
    let mut made = Made::new();
    made.rows = rows as i64;
    made.pages = [&long[..], b"s", b"t", b"a", b"2026-08-01T00:00:00Z"]
        .iter()
        .map(|text| vec![dictionary_page(1, &texts(&[text])), data_page(rows as i64, 8, run.len(), &run)])
        .collect();
    let mut chunks = Chunks::parquet(std::io::Cursor::new(made.file())).unwrap();
    let chunk = Decoder::parquet().decode_chunk(&feed(), chunks.next(16_384).unwrap().unwrap(), 1);
    assert_eq!((chunk.batch.len(), chunk.records), (0, 1));
    assert_eq!(chunk.refused[0].rejection.code.as_str(), "line_too_long");
    assert!(chunk.refused[0].body.len() <= 64 * 1024);
}
