//! Every target on stable: its seeds, and 2,000 mutations of them, the same in every run.
//!
//! `COUNTERFOIL_FUZZ=100000` makes as many; `COUNTERFOIL_FUZZ_SEEDS=fuzz/corpus` also writes the seeds for libFuzzer.

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
        (self.next() % count.max(1) as u64) as usize
    }
}

/// What formats are made of, put where chance says.
const TOKENS: [&[u8]; 24] = [
    b"\n",
    b"\r\n",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b";",
    b"null",
    b"true",
    b"-0",
    b"1e400",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\xef\xbb\xbf",
    b"PAR1",
    b"\"id\":",
    b"\"\"",
    b"999999999999999999999",
];

fn mutate(chance: &mut Chance, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].clone();
    for _ in 0..1 + chance.below(4) {
        let at = chance.below(bytes.len());
        let end = (at + chance.below(24)).min(bytes.len());
        match chance.below(9) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            2 if !bytes.is_empty() => bytes[at] = chance.next() as u8,
            3 => drop(bytes.splice(at..at, TOKENS[chance.below(TOKENS.len())].iter().copied())),
            4 => drop(bytes.splice(at..end, TOKENS[chance.below(TOKENS.len())].iter().copied())),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
            7 if chance.below(4) == 0 => bytes.truncate(at),
            8 => {
                let other = &seeds[chance.below(seeds.len())];
                let from = chance.below(other.len());
                let to = (from + chance.below(200)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            _ => {}
        }
    }
    bytes
}

/// Calls a target; what it panics on is printed, so that it can be kept.
#[track_caller]
fn smoke(run: fn(&[u8]), seeds: &[Vec<u8>]) {
    let count = std::env::var("COUNTERFOIL_FUZZ").map_or(2_000, |text| text.parse().expect("a count"));
    if let Ok(folder) = std::env::var("COUNTERFOIL_FUZZ_SEEDS") {
        // Tests run in the folder of their crate; the name is of the folder above, as in the command.
        let target = std::thread::current().name().expect("a test has a name").to_owned();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).expect("a file");
        }
    }
    let mut chance = Chance(seeds.len() as u64);
    let call = |number: usize, bytes: &[u8]| {
        if let Err(panic) = std::panic::catch_unwind(|| run(bytes)) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("input {number}, {} bytes: {hex}", bytes.len());
            std::panic::resume_unwind(panic);
        }
    };
    call(0, b"");
    seeds.iter().for_each(|seed| call(0, seed));
    (1..=count).for_each(|number| call(number, &mutate(&mut chance, seeds)));
}

fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

#[test]
fn cloud_events() {
    let line = |n: u32, more: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"e-{n}","source":"gate","type":"call","subject":"a-{}","time":"2026-08-01T00:00:0{}.5Z","data":{{"quantity":{n}.50,"region":"eu"{more}}}}}"#,
            n % 3,
            n % 10
        ) + "\n"
    };
    let same: String = (0..12).map(|n| line(n, "")).collect();
    let mixed: String = (0..12)
        .map(|n| line(n, [r#","l":[1,{"a":null}]"#, r#","t":"é\n\u00e9""#, ""][n as usize % 3]))
        .collect();
    smoke(fuzz::cloud_events::run, &texts(&[&same, &mixed, "{}\n\n \r\n[]"]));
}

#[test]
fn csv() {
    smoke(
        fuzz::csv::run,
        &texts(&[
            "\0account,time\na-1,2026-08-01T00:00:00Z\n\"a\"\"2\",2026-08-01T00:00:00+02:00\r\n\n,\n",
            "\u{1}id;source;type;account;time;q\n1;s;call;a;1785542400;1.5\n2;s;call;a;1785542400.25;NaN\n",
            "\u{2}id,time,q,note\n1,2026-08-01 10:00:00.5,1e3,\"two\nlines\"\n2,2026-10-25 02:30:00,1,\n",
            "\u{3}source,account,time\ns,a,1785542400000\n\"s\" ,a,0\ns,\"a",
        ]),
    );
}

#[test]
fn sentry() {
    smoke(
        fuzz::sentry::run,
        &texts(&[
            r#"{"timestamp":"2026-09-01T10:00:00.000000Z","org_id":3,"project_id":5,"key_id":9,"outcome":2,"reason":"key_quota","source":"relay-a","category":1,"quantity":11}
{"timestamp":"2026-09-01T10:01:00Z","org_id":3,"outcome":0,"category":99,"quantity":640,"event_id":"0123456789abcdef0123456789abcdef","remote_addr":"203.0.113.9"}
{"timestamp":1785542400,"org_id":"3","outcome":7,"category":null}
"#,
        ]),
    );
}

#[test]
fn parquet() {
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::ByteArray;
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use parquet::file::writer::SerializedFileWriter;

    let write = |version, compression, has_dictionary| {
        let schema = "message e { required byte_array id (STRING); optional byte_array source (STRING); required byte_array type (STRING); \
             required byte_array subject (STRING); required int64 time (TIMESTAMP(MILLIS,true)); optional int64 quantity; }";
        let schema = parquet::schema::parser::parse_message_type(schema).expect("a schema");
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(compression)
            .set_dictionary_enabled(has_dictionary);
        let mut writer = SerializedFileWriter::new(Vec::new(), schema.into(), properties.build().into())
            .expect("a writer");
        for _ in 0..2 {
            let mut group = writer.next_row_group().expect("a group");
            while let Some(mut column) = group.next_column().expect("a column") {
                let levels: Vec<i16> = (0..20).map(|row| i16::from(row % 4 > 0)).collect();
                match column.untyped() {
                    ColumnWriter::ByteArrayColumnWriter(writer) => {
                        let values: Vec<ByteArray> = (0..20)
                            .map(|row| ByteArray::from(format!("v{}", row % 7).into_bytes()))
                            .collect();
                        // Levels are read where the column may be null.
                        let result = writer.write_batch(&values, None, None);
                        if result.is_err() {
                            writer.write_batch(&values[..15], Some(&levels), None).expect("memory");
                        }
                    }
                    ColumnWriter::Int64ColumnWriter(writer) => {
                        let values: Vec<i64> = (0..20).map(|row| 1_785_542_400_000 + row * 977).collect();
                        let result = writer.write_batch(&values, None, None);
                        if result.is_err() {
                            writer.write_batch(&values[..15], Some(&levels), None).expect("memory");
                        }
                    }
                    _ => panic!("a writer of another type"),
                }
                column.close().expect("memory");
            }
            group.close().expect("memory");
        }
        writer.into_inner().expect("memory")
    };
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).expect("a level"));
    let seeds = [
        write(WriterVersion::PARQUET_1_0, Compression::UNCOMPRESSED, true),
        write(WriterVersion::PARQUET_2_0, Compression::SNAPPY, true),
        write(WriterVersion::PARQUET_2_0, zstd, false),
        write(WriterVersion::PARQUET_2_0, Compression::UNCOMPRESSED, false),
    ];
    let feed = connectors::Feed { name: "f".to_owned(), source: "f".to_owned() };
    // They are read to their ends, so that a mutation can meet what reads them.
    for seed in &seeds {
        let mut chunks =
            connectors::Chunks::parquet(std::io::Cursor::new(seed.clone())).expect("a file of events");
        let raw = chunks.next(1_000).expect("rows").expect("rows");
        let chunk = connectors::Decoder::parquet().decode_chunk(&feed, raw, 1);
        assert_eq!((chunk.records, chunk.refused.len()), (40, 10), "those without a source");
    }
    smoke(fuzz::parquet::run, &seeds);
}

/// Damage by chance, under first bytes of all kinds.
fn damage(pieces: usize) -> Vec<Vec<u8>> {
    let mut chance = Chance(7);
    (0..64u8)
        .map(|first| std::iter::once(first).chain((0..pieces * 5).map(|_| chance.next() as u8)).collect())
        .collect()
}

#[test]
fn block() {
    smoke(fuzz::block::run, &[damage(0), damage(1), damage(8), damage(40)].concat());
}

#[test]
fn runs() {
    smoke(fuzz::runs::run, &[damage(0), damage(1), damage(3), damage(20)].concat());
}

#[test]
fn recovery() {
    smoke(fuzz::recovery::run, &[damage(0), damage(1), damage(1), damage(6)].concat());
}
