//! What was learned of earlier lines changes nothing: the quick way and the general decoder agree on every line.
//!
//! `COUNTERFOIL_LINES` says how many lines are made (in release: 10 million in a few minutes).
#![allow(missing_docs)]

use connectors::{Chunk, Decoder, Feed};
use metering::{Event, check_form};

fn feed() -> Feed {
    Feed { name: "f".to_owned(), source: "f.ndjson".to_owned() }
}

fn chunks_of(input: &[u8], decode: impl Fn(&Decoder, connectors::RawChunk) -> Chunk) -> Vec<Chunk> {
    let decoder = Decoder::cloud_events();
    let mut chunks = decoder.chunks(Box::new(std::io::Cursor::new(input.to_vec())));
    std::iter::from_fn(|| chunks.next(1_000_000).unwrap().map(|raw| decode(&decoder, raw))).collect()
}

fn quick(input: &[u8]) -> Vec<Chunk> {
    chunks_of(input, |decoder, raw| decoder.decode_chunk(&feed(), raw, 7))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    records: u64,
    rows: u64,
    learned: u64,
}

/// Decodes both ways and compares everything that a chunk tells.
#[track_caller]
fn compare(input: &[u8], seed: u64) -> Counts {
    let (quick, general) =
        (quick(input), chunks_of(input, |decoder, raw| decoder.decode_chunk_general(&feed(), raw, 9)));
    assert_eq!(quick.len(), general.len(), "seed {seed}");
    let mut counts = Counts::default();
    let (mut left, mut right) = (String::new(), String::new());
    for (quick, general) in quick.iter().zip(&general) {
        assert_eq!(general.learned, 0);
        assert_eq!(quick.refused, general.refused, "seed {seed}");
        assert_eq!(quick.records, general.records, "seed {seed}");
        assert_eq!(quick.places.len(), quick.batch.len());
        assert_eq!(quick.batch.len(), general.batch.len(), "seed {seed}");
        let rows = quick.batch.rows().iter().zip(general.batch.rows());
        let places = quick.places.iter().zip(&general.places);
        for ((row, reference), (place, place_of_reference)) in rows.zip(places) {
            let context = || format!("seed {seed}, line {}", place.line);
            assert_eq!(place, place_of_reference, "{}", context());
            assert_eq!(quick.batch.event(row), general.batch.event(reference), "{}", context());
            left.clear();
            right.clear();
            quick.batch.write_canonical(row, &mut left);
            general.batch.write_canonical(reference, &mut right);
            assert_eq!(left, right, "{}", context());
            let decoder = Decoder::cloud_events();
            let kept = quick.kept_body(&decoder, &feed(), place, row);
            assert_eq!(kept, general.kept_body(&decoder, &feed(), place, reference), "{}", context());
        }
        counts.records += u64::from(quick.records);
        counts.rows += quick.batch.len() as u64;
        counts.learned += u64::from(quick.learned);
    }
    counts
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// An attribute, and the members of its value with what is open in them.
type Attribute = (String, Vec<(String, Option<Open>)>);

/// What stands in a value.
#[derive(Clone, Copy, Debug)]
enum Open {
    Name,
    Time,
    Text,
    Number,
    Word,
}

/// A system that writes its events in one way.
#[derive(Clone, Debug)]
struct Producer {
    /// Bytes and values in turn; the last has none.
    pieces: Vec<(String, Option<Open>)>,
    end: &'static str,
}

const KEYS: [&str; 12] = [
    "quantity",
    "project",
    "a",
    "",
    "region",
    "ce.region",
    "é",
    r"\u0071",
    r"tab\t",
    "tokens",
    "z z",
    r#"q\""#,
];

impl Producer {
    fn of(chance: &mut Chance) -> Self {
        let space = *chance.of(&["", "", "", " ", "  ", "\t"]);
        let mut attributes: Vec<Attribute> = vec![
            ("specversion".to_owned(), vec![(r#""1.0""#.to_owned(), None)]),
            ("id".to_owned(), vec![(String::new(), Some(Open::Name))]),
            ("source".to_owned(), vec![(String::new(), Some(Open::Name))]),
            ("type".to_owned(), vec![(String::new(), Some(Open::Name))]),
            ("subject".to_owned(), vec![(String::new(), Some(Open::Name))]),
            ("time".to_owned(), vec![(String::new(), Some(Open::Time))]),
            ("data".to_owned(), object(chance, space, 0)),
        ];
        if chance.one_in(4) {
            let content = *chance.of(&[r#""application/json""#, "null", r#""text/xml""#]);
            attributes.push(("datacontenttype".to_owned(), vec![(content.to_owned(), None)]));
        }
        for _ in 0..chance.below(3) {
            attributes.push((chance.of(&KEYS).to_string(), value(chance, space, 2)));
        }
        if chance.one_in(20) {
            attributes.remove(chance.below(attributes.len()));
        }
        for at in (1..attributes.len()).rev() {
            if chance.one_in(3) {
                attributes.swap(at, chance.below(at + 1));
            }
        }
        let mut pieces = Vec::new();
        write_object(&mut pieces, attributes, space);
        Self { pieces, end: *chance.of(&["\n", "\n", "\n", "\r\n"]) }
    }

    fn line(&self, chance: &mut Chance) -> String {
        let mut line = String::new();
        for (bytes, open) in &self.pieces {
            line.push_str(bytes);
            match open {
                None => {}
                Some(Open::Number) => line.push_str(&number(chance)),
                Some(Open::Word) => line.push_str(["true", "false", "null"][chance.below(3)]),
                Some(Open::Name) => quoted(&mut line, &name(chance)),
                Some(Open::Text) => quoted(&mut line, &text(chance)),
                Some(Open::Time) => quoted(&mut line, &time(chance)),
            }
        }
        line
    }
}

fn quoted(line: &mut String, text: &str) {
    line.push('"');
    line.push_str(text);
    line.push('"');
}

fn write_object(pieces: &mut Vec<(String, Option<Open>)>, members: Vec<Attribute>, space: &str) {
    pieces.push((format!("{{{space}"), None));
    for (at, (key, value)) in members.into_iter().enumerate() {
        let comma = if at == 0 { String::new() } else { format!(",{space}") };
        pieces.push((format!(r#"{comma}"{key}":{space}"#), None));
        pieces.extend(value);
    }
    pieces.push((format!("{space}}}"), None));
}

fn object(chance: &mut Chance, space: &str, depth: usize) -> Vec<(String, Option<Open>)> {
    let members = (0..chance.below(4))
        .map(|_| (chance.of(&KEYS).to_string(), value(chance, space, depth + 1)))
        .collect();
    let mut pieces = Vec::new();
    write_object(&mut pieces, members, space);
    pieces
}

fn value(chance: &mut Chance, space: &str, depth: usize) -> Vec<(String, Option<Open>)> {
    let open = |open| vec![(String::new(), Some(open))];
    match chance.below(20) {
        0 if depth < 8 => object(chance, space, depth),
        1 if depth < 3 => object(chance, space, depth),
        2 => vec![(chance.of(&["[1,2]", "[]", "true", "null", r#""é""#]).to_string(), None)],
        3 => open(Open::Word),
        4..=11 => open(Open::Number),
        _ => open(Open::Text),
    }
}

fn number(chance: &mut Chance) -> String {
    if !chance.one_in(8) {
        return (chance.next() >> chance.below(64)).to_string();
    }
    let digits = *chance.of(&[1, 2, 7, 8, 9, 15, 16, 17, 39, 40, 41, 42, 63, 64, 65, 100]);
    let many: String = (0..digits).map(|at| char::from(b'0' + ((at * 7 + 1) % 10) as u8)).collect();
    let edges = [
        "0",
        "-0",
        "00",
        "01",
        "-1",
        "1.0",
        "0.5",
        "-0.50",
        "1.50",
        "0.0",
        "1.",
        ".5",
        "1e2",
        "1E+02",
        "1e-40",
        "1e41",
        "1e999",
        "1e1000000000000000",
        "-",
        "+1",
        "1e",
        "0x1",
        "NaN",
        "12345678.87654321",
        "0.000000001",
    ];
    match chance.below(4) {
        0 => many,
        1 => format!("-{many}"),
        2 => format!("{}.{many}", chance.of(&["0", "7", "-12345678"])),
        _ => chance.of(&edges).to_string(),
    }
}

fn text(chance: &mut Chance) -> String {
    if !chance.one_in(12) {
        return name(chance);
    }
    let edges = [
        "",
        r#"\""#,
        r"\\",
        r"\n",
        r"\u00e9",
        r"\ud83d\ude00",
        r"\ud800",
        r"\x",
        "\u{7f}",
        "\t",
        "\u{1}",
        "é",
        "😀",
        "\u{2028}",
        r"ends with \\",
        "0123456789abcdef",
        "0123456789abcde",
        "null",
        " ",
        "{}",
        ",",
        "\":\"",
    ];
    format!("{}{}", &"xxxxxxxxxxxxxxxxx"[..chance.below(18)], chance.of(&edges))
}

fn name(chance: &mut Chance) -> String {
    match chance.below(400) {
        0 => String::new(),
        1 => "n".repeat(*chance.of(&[255, 256, 257])),
        2 => format!("é{}", "n".repeat(*chance.of(&[253, 254, 255]))),
        3 => text(chance),
        4..100 => format!("{:032x}", u128::from(chance.next()) << 64 | u128::from(chance.next())),
        100..200 => format!("org-{}", chance.below(100_000)),
        200..210 => format!("ünicode-{}", chance.below(10)),
        _ => (*chance.of(&["relay-1", "relay-12", "error", "attachment_byte", "0123456789abcdef", "x"]))
            .to_owned(),
    }
}

fn time(chance: &mut Chance) -> String {
    if chance.one_in(30) {
        let edges = [
            "2026-08-01T00:00:00Z",
            "2026-08-01t00:00:00z",
            "2026-08-01T00:00:00+02:00",
            "2026-08-01T00:00:00.1Z",
            "2026-08-01T00:00:00.123456789Z",
            "2026-08-01T00:00:00.1234567890Z",
            "2026-02-29T00:00:00.000Z",
            "2024-02-29T00:00:00.000Z",
            "2016-12-31T23:59:60.000Z",
            "1600-01-01T00:00:00.000Z",
            "2300-01-01T00:00:00.000Z",
            "1699-12-31T23:59:59.999Z",
            "2026-08-01 00:00:00.000Z",
            "2026-08-01T24:00:00.000Z",
            "",
            "now",
            "2026-08-01T00:00:00",
        ];
        return chance.of(&edges).to_string();
    }
    let (minute, second, millisecond) = (chance.below(3), chance.below(60), chance.below(1000));
    format!("2026-08-0{}T12:0{minute}:{second:02}.{millisecond:03}Z", 1 + chance.below(2))
}

/// Changes a byte or a few at a place, and keeps UTF-8.
fn mutate(line: &str, place: usize, chance: &mut Chance) -> String {
    const BYTES: &[u8] = b"\"\\{}[]:, \t\r\x01\x7f0123456789.eE+-TZtfnaz/x";
    let mut bytes = line.as_bytes().to_vec();
    let at = place % bytes.len().max(1);
    match chance.below(8) {
        0 => drop(bytes.remove(at)),
        1 => bytes.insert(at, *chance.of(BYTES)),
        2 => bytes.truncate(at),
        3 if at + 1 < bytes.len() => bytes.swap(at, at + 1),
        4 => {
            let end = (at + chance.below(40)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, copy));
        }
        _ => bytes[at] = *chance.of(BYTES),
    }
    match String::from_utf8(bytes) {
        Ok(line) => line,
        // A character was broken: it is replaced.
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

const LINES_A_BATCH: u64 = 4_000;

/// Lines of some producers, about a third of them changed; every place of a line is changed in turn.
fn batch_of_lines(seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    let producers: Vec<Producer> = (0..1 + chance.below(12)).map(|_| Producer::of(&mut chance)).collect();
    let mut place = chance.below(100);
    let mut out = Vec::new();
    for _ in 0..LINES_A_BATCH {
        // The first writes more than each of the others.
        let at = chance.below(producers.len()).min(chance.below(producers.len()));
        let mut line = producers[at].line(&mut chance);
        if chance.one_in(3) {
            line = mutate(&line, place, &mut chance);
            place += 1;
        }
        if chance.one_in(100) {
            out.extend_from_slice(chance.of(&["\n", " \t\r\n", "\r\n"]).as_bytes());
        }
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(producers[at].end.as_bytes());
    }
    match chance.below(60) {
        // Then the whole chunk is no text.
        0 => out.extend_from_slice(b"\xff\n"),
        1..20 => drop(out.pop()),
        20..23 => out.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        23..26 => out.push(b'\r'),
        _ => {}
    }
    out
}

#[test]
fn the_quick_way_and_the_general_way_agree_on_generated_and_changed_lines() {
    let lines: u64 = std::env::var("COUNTERFOIL_LINES").map_or(200_000, |lines| lines.parse().unwrap());
    let mut counts = Counts::default();
    for batch in 0..lines.div_ceil(LINES_A_BATCH) {
        let seed = 20_260_801 + batch;
        let found = compare(&batch_of_lines(seed), seed);
        counts.records += found.records;
        counts.rows += found.rows;
        counts.learned += found.learned;
    }
    println!("{counts:?}");
    assert!(counts.records * 100 >= lines * 99, "few lines are blank: {counts:?}");
    assert!(counts.learned * 10 >= counts.records * 3, "{counts:?}");
    assert!(counts.rows * 20 <= counts.records * 19, "some lines are refused: {counts:?}");
}

const PLAIN: &str = r#"{"specversion":"1.0","id":"53ee9d3f0e7f4c8e8f6d5a4b3c2d1e0f","source":"relay-3","type":"error","subject":"org-123","time":"2026-08-01T12:34:56.789Z","data":{"quantity":12,"project":"p-77"}}"#;
const NESTED: &str = r#"{ "id": "a", "region": "eu", "quantity": 3, "data": { "sdk": { "name": "rust", "version": {"major": 1, "minor": 2.5, "beta": true} }, "quantity": 1, "note": null }, "specversion": "1.0", "subject": "s", "type": "t", "source": "u", "time": "2026-08-01T12:34:56Z" }"#;

#[test]
fn every_byte_of_a_line_counts() {
    let with_uuid =
        PLAIN.replacen("53ee9d3f0e7f4c8e8f6d5a4b3c2d1e0f", "53ee9d3f-0e7f-4c8e-8f6d-5a4b3c2d1e0f", 1);
    for line in [PLAIN, &with_uuid, NESTED] {
        let mut counts = Counts::default();
        for at in 0..line.len() {
            // The line itself comes first, so that it is learned.
            let mut input = format!("{line}\n{line}\n").into_bytes();
            for byte in (0..128).filter(|byte| *byte != b'\n' && *byte != line.as_bytes()[at]) {
                let from = input.len();
                input.extend_from_slice(line.as_bytes());
                input[from + at] = byte;
                input.push(b'\n');
            }
            let found = compare(&input, at as u64);
            assert_eq!(found.records, 2 + 126);
            counts.rows += found.rows;
            counts.learned += found.learned;
        }
        assert!(counts.learned > 1_000 && counts.learned < counts.rows, "{counts:?}");
        for at in 0..line.len() {
            let mut input = format!("{line}\n{line}\n{}\n", &line[..at]);
            input.push_str(&format!("{}\n{line}", &line[at..]));
            compare(input.as_bytes(), at as u64);
        }
    }
}

/// How many of some lines behind lines of the same shape the quick way takes; both ways agree.
#[track_caller]
fn learned(lines: &[String]) -> u64 {
    let mut input = format!("{PLAIN}\n{NESTED}\n{PLAIN}\n{NESTED}\n");
    lines.iter().for_each(|line| input.push_str(line));
    // What is behind them is read as what is before them.
    input.push_str(&format!("{PLAIN}\n{NESTED}\n"));
    let counts = compare(input.as_bytes(), 0);
    counts.learned.checked_sub(4).expect("all but the first two lines are of a known shape")
}

#[track_caller]
fn check(line: &str, from: &str, to: &str, is_learned: bool) {
    assert!(line.contains(from));
    let changed = line.replacen(from, to, 1);
    assert_eq!(learned(&[format!("{changed}\n")]), u64::from(is_learned), "{changed}");
}

#[test]
fn what_the_quick_way_takes() {
    let names = ["53ee9d3f0e7f4c8e8f6d5a4b3c2d1e0f", "relay-3", "error", "org-123"];
    for name in names {
        for (to, is_learned) in [
            ("x", true),
            ("ü", true),
            ("0123456789abcde", true),
            ("0123456789abcdef", true),
            ("0123456789abcdef0", true),
            ("with space, {and} [more]:", true),
            ("\u{7f}", true),
            ("", false),
            (r"\u0041", false),
            (r#"\""#, false),
            ("a\tb", false),
            (&"n".repeat(256), true),
            (&"n".repeat(257), false),
            (&format!("ü{}", "n".repeat(254)), true),
            (&format!("ü{}", "n".repeat(255)), false),
        ] {
            check(PLAIN, &format!(r#""{name}""#), &format!(r#""{to}""#), is_learned);
        }
    }
    for (to, is_learned) in
        [("", true), (&"p".repeat(300), true), (r"\\", false), ("\u{1}", false), (&"p".repeat(16_000), true)]
    {
        check(PLAIN, "p-77", to, is_learned);
    }
    let longest = 16_384 - PLAIN.len() + "p-77".len();
    check(PLAIN, "p-77", &"p".repeat(longest), true);
    check(PLAIN, "p-77", &"p".repeat(longest + 1), false);
    check(PLAIN, "p-77", &"p".repeat(16_384), false);
    check(PLAIN, "p-77", &"p".repeat(65_000), false);
    check(PLAIN, "p-77", &"p".repeat(70_000), false);
}

#[test]
fn numbers_of_the_quick_way() {
    let nines = "9".repeat(40);
    for (to, is_learned) in [
        ("0", true),
        ("-1", true),
        ("-0", true),
        ("1.0", true),
        ("0.5", true),
        ("-0.25", true),
        ("0.50", true),
        ("1e2", true),
        ("1E+02", true),
        ("1e-40", true),
        ("1e999", true),
        (&nines, true),
        (&format!("{nines}9"), true),
        (&format!("{nines}99"), true),
        (&format!("0.{nines}"), true),
        (&format!("0.{}1", "0".repeat(39)), true),
        (&format!("0.{}1", "0".repeat(40)), true),
        (&"1".repeat(64), true),
        (&"1".repeat(65), false),
        (&"1".repeat(100_000), false),
        ("00", false),
        ("01", false),
        ("-", false),
        ("+1", false),
        ("1.", false),
        (".5", false),
        ("1e", false),
        ("1e1000000000000000", false),
        ("true", false),
        ("\"12\"", false),
        ("[12]", false),
        ("", false),
    ] {
        check(PLAIN, ":12,", &format!(":{to},"), is_learned);
        check(NESTED, "2.5,", &format!("{to},"), is_learned);
    }
}

#[test]
fn times_of_the_quick_way() {
    for (to, is_learned) in [
        ("2026-08-01T12:34:56Z", true),
        ("2026-08-01T12:34:56.1Z", true),
        ("2026-08-01T12:34:56.123456789Z", true),
        ("2024-02-29T00:00:00.000Z", true),
        ("1700-01-01T00:00:00Z", true),
        ("2026-02-29T00:00:00.000Z", false),
        ("2026-08-01T12:34:60.000Z", false),
        ("2026-08-01T24:00:00.000Z", false),
        ("2026-08-01T12:34:56.1234567890Z", false),
        ("2026-08-01T12:34:56.Z", false),
        ("2026-08-01t12:34:56.789z", false),
        ("2026-08-01T12:34:56.789+00:00", false),
        ("2026-08-01T12:34:56.789ZZ", false),
        ("1699-12-31T23:59:59.999Z", false),
        ("2200-01-01T00:00:00.000Z", false),
        ("2300-01-01T00:00:00.000Z", false),
        ("", false),
    ] {
        check(PLAIN, "2026-08-01T12:34:56.789Z", to, is_learned);
    }
}

#[test]
fn shapes_of_the_quick_way() {
    let twice = |line: &str| {
        let line = format!("{line}\n");
        learned(&[line.clone(), line])
    };
    let with = |from: &str, to: &str| {
        assert!(PLAIN.contains(from));
        PLAIN.replacen(from, to, 1)
    };
    let cases = [
        (with("", ""), 2),
        (with(r#""data""#, r#""region":"eu","data""#), 1),
        (with(r#""data""#, r#""quantity":7,"data""#), 1),
        (with(r#""data""#, r#""quantity":7,"ce.quantity":8,"data""#), 0),
        (with(r#""data""#, r#""trace":null,"datacontenttype":"application/json","data""#), 1),
        (with(r#""data""#, r#""datacontenttype":"text/xml","data""#), 0),
        (with(r#""data""#, r#""data_base64":null,"data""#), 0),
        (with(r#"{"quantity":12,"project":"p-77"}"#, "null"), 1),
        (with(r#"{"quantity":12,"project":"p-77"}"#, "{}"), 1),
        (with(r#"{"quantity":12,"project":"p-77"}"#, r#"{"a":true,"b":false,"c":null}"#), 1),
        (with(r#","data":{"quantity":12,"project":"p-77"}"#, ""), 1),
        (with(r#""project""#, r#""\u0070roject""#), 1),
        (with(r#""project""#, r#""\ud800""#), 0),
        (with(r#""project""#, r#""quantity""#), 0),
        (with(r#""project""#, r#""\u0071uantity""#), 0),
        (with(r#""id""#, r#""i\u0064""#), 1),
        (with(r#""1.0""#, r#""1\u002e0""#), 1),
        (with(r#""1.0""#, r#""1.1""#), 0),
        (with(r#""1.0""#, "null"), 0),
        (with(r#""relay-3""#, "null"), 0),
        (with("12,", "[12],"), 0),
        (with("12,", r#"{"a":{"b":{"c":1}}},"#), 1),
        (with("12,", r#"{"a":{"b":{"c":{"d":1}}}},"#), 0),
        (with("12,", r#"{"a":1,"a":1},"#), 0),
        (format!(" \t{PLAIN}\t "), 1),
        (format!("{PLAIN}\r"), 2),
        (format!("{PLAIN} \r"), 1),
        (format!("{PLAIN}\r\r"), 0),
        (format!("{PLAIN}}}"), 0),
        (format!("{PLAIN}{PLAIN}"), 0),
        ("{}".to_owned(), 0),
        (String::new(), 0),
    ];
    for (line, expected) in cases {
        assert_eq!(twice(&line), expected, "{line}");
    }
    let members: Vec<String> = (0..40).map(|at| format!(r#""m{at}":{at}"#)).collect();
    let objects: Vec<String> = (0..100).map(|at| format!(r#""m{at:02}":{{"a":{{}}}}"#)).collect();
    assert_eq!(twice(&with(r#""quantity":12,"project":"p-77""#, &objects.join(","))), 1);
    for (count, expected) in [(27, 1), (28, 0), (40, 0)] {
        let line = with(r#""quantity":12,"project":"p-77""#, &members[..count].join(","));
        assert_eq!(twice(&line), expected, "{count} members and 5 attributes");
    }
}

#[test]
fn ends_of_lines_and_of_the_input() {
    for end in ["\n", "\r\n", "\n\n", "\n \t\n", "\r\n\r\n"] {
        for last in ["", "\n", "\r", "\r\n", " ", "\r\r", "\0", "x", "\u{feff}"] {
            for count in 1..4 {
                let input = format!("{}{last}", vec![PLAIN; count].join(end));
                compare(input.as_bytes(), 0);
                compare(format!("\u{feff}{input}").as_bytes(), 0);
            }
        }
    }
}

#[test]
fn carriage_returns_before_the_end_of_a_line_are_kept() {
    let ends = [" \r\r\n", " \r\n", "\r\r\n", "\r\n", " \n", "\n", " \r\r\r\n"];
    for first in ends {
        for second in ends {
            for third in ends {
                compare(format!("{PLAIN}{first}{PLAIN}{second}{PLAIN}{third}{PLAIN}{first}").as_bytes(), 0);
            }
        }
    }
}

#[test]
fn the_quick_way_gives_what_single_records_give() {
    let input = batch_of_lines(1);
    let decoder = Decoder::cloud_events();
    let mut expected: Vec<(u64, Event)> = Vec::new();
    for record in decoder.records(input.as_slice()) {
        let record = record.unwrap();
        if let Ok(Ok(event)) = decoder.decode(&feed(), &record).map(check_form) {
            expected.push((record.line, event));
        }
    }
    let mut found = Vec::new();
    for chunk in quick(&input) {
        assert!(chunk.learned > 0);
        let rows = chunk.batch.rows().iter().zip(&chunk.places);
        found.extend(rows.map(|(row, place)| (place.line, chunk.batch.event(row))));
    }
    assert_eq!(found, expected);
}

#[test]
fn lines_of_ever_new_shapes_are_decoded_all_the_same() {
    let mut input = String::new();
    for at in 0..3_000 {
        input.push_str(&PLAIN.replacen("project", &format!("member-{at}"), 1));
        input.push('\n');
    }
    let before = compare(input.as_bytes(), 0);
    assert_eq!((before.rows, before.learned), (3_000, 0));
    for _ in 0..100 {
        input.push_str(PLAIN);
        input.push('\n');
    }
    assert_eq!(
        compare(input.as_bytes(), 0).learned,
        0,
        "nothing is learned after 64 lines that came but once"
    );
}

#[test]
fn many_shapes_in_turn_are_learned() {
    let mut input = String::new();
    for at in 0..1_600 {
        input.push_str(&PLAIN.replacen("project", &format!("member-{}", at % 16), 1));
        input.push('\n');
    }
    assert_eq!(compare(input.as_bytes(), 0), Counts { records: 1_600, rows: 1_600, learned: 1_584 });
}
