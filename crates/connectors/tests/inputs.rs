//! Inputs as they come: plain, gzip, zstd, several members, cut short, damaged.
#![allow(missing_docs)]

use std::io::{Cursor, Write};
use std::path::Path;

use connectors::{Lines, decompressed, open_input};
use flate2::Compression;
use flate2::write::GzEncoder;

fn line(number: u64) -> String {
    format!("line {number} {}", number * 7_919 % 10_007)
}

fn text(lines: u64) -> String {
    (1..=lines).map(|number| line(number) + "\n").collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd_of(text: &str) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// How many lines are delivered, all of them right, and what ends them.
fn read(bytes: Vec<u8>) -> (u64, Option<String>) {
    let mut count = 0;
    for found in Lines::new(decompressed(Cursor::new(bytes)).unwrap()) {
        match found {
            Ok(found) => {
                count += 1;
                assert_eq!((found.number, found.bytes), (count, line(count).into_bytes()));
            }
            Err(error) => return (count, Some(error.to_string())),
        }
    }
    (count, None)
}

#[test]
fn each_compression_gives_the_same_lines() {
    let plain = text(500);
    let (one, two) = plain.split_at(1_234);
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], zstd_of(&plain).as_slice()].concat();
    for bytes in [
        plain.clone().into_bytes(),
        gzip(&plain),
        [gzip(one), gzip(""), gzip(two)].concat(),
        zstd_of(&plain),
        [zstd_of(one), zstd_of(two)].concat(),
        skipped,
    ] {
        assert_eq!(read(bytes), (500, None));
    }
}

#[test]
fn short_inputs() {
    for bytes in [&b""[..], b"\x1f", b"\x28\xb5\x2f"] {
        let count = Lines::new(decompressed(Cursor::new(bytes.to_vec())).unwrap()).count();
        assert_eq!(count, usize::from(!bytes.is_empty()));
    }
    assert_eq!(read(gzip("")), (0, None));
}

#[test]
fn a_stream_cut_short_delivers_what_came_before_and_says_where() {
    let plain = text(20_000);
    for (name, whole) in [("gzip", gzip(&plain)), ("zstd", zstd_of(&plain))] {
        for cut in [whole.len() - 1, whole.len() * 9 / 10, 40] {
            let (count, told) = read(whole[..cut].to_vec());
            let told = told.unwrap_or_else(|| panic!("{name} cut at {cut} is taken for whole"));
            let expect = format!(
                "expected more input, it breaks off in line {}: the {name} stream ends early, of which {cut} bytes were read",
                count + 1
            );
            assert!(told.starts_with(&expect), "{told}\n{expect}");
            assert!(count < 20_000 || cut == whole.len() - 1);
        }
        let (half, _) = read(whole[..whole.len() * 9 / 10].to_vec());
        assert!(half > 5_000, "{name} delivers what it can: {half}");
    }
}

#[test]
fn a_damaged_stream_is_no_data() {
    let plain = text(20_000);
    for (name, mut bytes) in [("gzip", gzip(&plain)), ("zstd", zstd_of(&plain))] {
        let at = bytes.len() / 2;
        bytes[at..at + 64].fill(0xff);
        let mut lines = Lines::new(decompressed(Cursor::new(bytes)).unwrap());
        let told = lines.find_map(Result::err).unwrap().to_string();
        assert!(told.contains(&format!("the {name} stream")), "{told}");
        assert!(lines.next().is_none(), "after an error there is no more");
    }
    let (count, told) = read([gzip(&plain), b"garbage".to_vec()].concat());
    assert_eq!(count, 20_000);
    assert!(told.unwrap().contains("gzip stream"));
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.txt");
    std::fs::write(&path, gzip(&text(3))).unwrap();
    assert_eq!(Lines::new(open_input(&path).unwrap()).count(), 3, "the name does not matter");
    let told = |path: &Path| open_input(path).map(|_| ()).unwrap_err().to_string();
    assert!(told(&folder.path().join("none")).starts_with("expected an input that can be read: "));
    assert_eq!(told(folder.path()), "expected an input that can be read: it is a folder");
}
