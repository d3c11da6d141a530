//! Events from Parquet files that another implementation writes.
#![allow(missing_docs)]

use std::io::Cursor;
use std::sync::Arc;

use connectors::{Chunks, Decoder, Feed, InputError, RefusedRecord, decode_kept};
use metering::{Event, Value, check_form};
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// A column to write: its line in the schema, and a value or null a row.
#[derive(Clone)]
struct Column {
    schema: String,
    values: Values,
}

#[derive(Clone)]
enum Values {
    Texts(Vec<Option<Vec<u8>>>),
    Longs(Vec<Option<i64>>),
    Ints(Vec<Option<i32>>),
    Bools(Vec<Option<bool>>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Texts(values) => values.len(),
            Self::Longs(values) => values.len(),
            Self::Ints(values) => values.len(),
            Self::Bools(values) => values.len(),
        }
    }
}

fn text<T: AsRef<[u8]>>(name: &str, values: impl IntoIterator<Item = Option<T>>) -> Column {
    let values = values.into_iter().map(|value| value.map(|value| value.as_ref().to_vec())).collect();
    Column { schema: format!("optional byte_array {name} (STRING)"), values: Values::Texts(values) }
}

fn long(schema: &str, values: impl IntoIterator<Item = Option<i64>>) -> Column {
    Column { schema: schema.to_owned(), values: Values::Longs(values.into_iter().collect()) }
}

fn levels<T: Clone>(values: &[Option<T>]) -> (Vec<T>, Vec<i16>) {
    (
        values.iter().flatten().cloned().collect(),
        values.iter().map(|value| i16::from(value.is_some())).collect(),
    )
}

/// A file with groups of so many rows.
fn write(columns: &[Column], group_rows: usize, properties: WriterProperties) -> Vec<u8> {
    let end = |column: &Column| if column.schema.ends_with('}') { "" } else { ";" };
    let fields: String = columns.iter().map(|column| format!("{}{} ", column.schema, end(column))).collect();
    let schema = format!("message events {{ {fields} }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let rows = columns[0].values.len();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for from in (0..rows).step_by(group_rows) {
        let to = rows.min(from + group_rows);
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut column_writer = group.next_column().unwrap().unwrap();
            let is_optional = column.schema.starts_with("optional");
            macro_rules! write {
                ($writer:expr, $values:expr) => {{
                    let (values, levels) = levels(&$values[from..to]);
                    $writer.write_batch(&values, is_optional.then_some(&levels[..]), None).unwrap();
                }};
            }
            match (column_writer.untyped(), &column.values) {
                (ColumnWriter::ByteArrayColumnWriter(writer), Values::Texts(values)) => {
                    let values: Vec<Option<ByteArray>> =
                        values.iter().map(|value| value.clone().map(ByteArray::from)).collect();
                    write!(writer, values)
                }
                (ColumnWriter::Int64ColumnWriter(writer), Values::Longs(values)) => write!(writer, values),
                (ColumnWriter::Int32ColumnWriter(writer), Values::Ints(values)) => write!(writer, values),
                (ColumnWriter::BoolColumnWriter(writer), Values::Bools(values)) => write!(writer, values),
                _ => panic!("a writer of another type"),
            }
            column_writer.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn feed() -> Feed {
    Feed { name: "f".to_owned(), source: "f".to_owned() }
}

/// Everything that chunks give: events with the row each stands on, and refused records; and what ends them.
#[derive(Default)]
struct Found {
    events: Vec<(u64, Event)>,
    refused: Vec<RefusedRecord>,
    error: Option<InputError>,
}

fn read_chunks(decoder: &Decoder, mut chunks: Chunks, records: usize) -> Found {
    let mut found = Found::default();
    loop {
        let raw = match chunks.next(records) {
            Ok(Some(raw)) => raw,
            Ok(None) => return found,
            Err(error) => return Found { error: Some(error), ..found },
        };
        let chunk = decoder.decode_chunk(&feed(), raw, 11);
        assert_eq!(chunk.records as usize, chunk.batch.len() + chunk.refused.len());
        assert!(chunk.records as usize <= records);
        assert_eq!(chunk.places.len(), chunk.batch.len());
        for (place, row) in chunk.places.iter().zip(chunk.batch.rows()) {
            let event = chunk.batch.event(row);
            // What is kept of a row that is refused later is the same event.
            let (format, body) = chunk.kept_body(decoder, &feed(), place, row);
            assert_eq!(check_form(decode_kept(&format, &body).unwrap()).unwrap(), event);
            found.events.push((place.line, event));
        }
        found.refused.extend(chunk.refused);
    }
}

fn read(file: Vec<u8>, records: usize) -> Found {
    match Chunks::parquet(Cursor::new(file)) {
        Ok(chunks) => read_chunks(&Decoder::parquet(), chunks, records),
        Err(error) => Found { error: Some(error), ..Found::default() },
    }
}

fn read_json(lines: &str) -> Found {
    let decoder = Decoder::cloud_events();
    let chunks = decoder.chunks(Box::new(Cursor::new(lines.to_owned().into_bytes())));
    read_chunks(&decoder, chunks, 1000)
}

/// The time of a row in milliseconds.
fn time_ms(row: usize) -> i64 {
    1_785_542_400_000 + row as i64 * 977
}

/// The columns of some events, and the lines that say the same.
fn events(rows: usize, schema_of_time: &str, unit_ns: i64) -> (Vec<Column>, String) {
    let some = |of: fn(usize) -> String| (0..rows).map(move |row| Some(of(row)));
    let id = |row: usize| format!("{:032x}", (row as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060));
    let subject = |row: usize| format!("org-{}", row * row % 211);
    let project = |row: usize| (row % 7 != 3).then(|| format!("p-é\"{}", row % 50));
    let quantity = |row: usize| row as i64 * row as i64 % 1009 - 4;
    let attempt = |row: usize| (!row.is_multiple_of(5)).then_some(row as i32 - 3);
    let is_cached = |row: usize| (row % 11 > 1).then_some(row.is_multiple_of(3));
    let columns = vec![
        text("id", some(id)),
        text("source", some(|row| format!("relay-{}", row % 3))),
        text("subject", some(subject)),
        text("type", some(|row| if row % 2 == 0 { "call".to_owned() } else { "spän".to_owned() })),
        text("project", (0..rows).map(project)),
        long(schema_of_time, (0..rows).map(|row| Some(time_ms(row) * (1_000_000 / unit_ns)))),
        long("required int64 quantity", (0..rows).map(|row| Some(quantity(row)))),
        Column {
            schema: "optional int32 attempt".to_owned(),
            values: Values::Ints((0..rows).map(attempt).collect()),
        },
        Column {
            schema: "optional boolean is_cached".to_owned(),
            values: Values::Bools((0..rows).map(is_cached).collect()),
        },
    ];
    let line = |row: usize| {
        let ms = time_ms(row);
        let time = metering::Instant(ms * 1_000_000);
        let mut data = vec![format!(r#""quantity":{}"#, quantity(row))];
        data.extend(
            project(row).map(|project| format!(r#""project":{}"#, Value::Text(project).to_canonical_json())),
        );
        data.extend(attempt(row).map(|attempt| format!(r#""attempt":{attempt}"#)));
        data.extend(is_cached(row).map(|is_cached| format!(r#""is_cached":{is_cached}"#)));
        format!(
            r#"{{"specversion":"1.0","id":"{}","source":"relay-{}","type":"{}","subject":"{}","time":"{time}","data":{{{}}}}}"#,
            id(row),
            row % 3,
            if row.is_multiple_of(2) { "call" } else { "spän" },
            subject(row),
            data.join(",")
        ) + "\n"
    };
    (columns, (0..rows).map(line).collect())
}

const TIME_MS: &str = "required int64 time (TIMESTAMP(MILLIS,true))";

#[test]
fn every_way_to_write_gives_the_events_of_json() {
    const ROWS: usize = 2_500;
    let (columns, json) = events(ROWS, TIME_MS, 1_000_000);
    let expected = read_json(&json);
    assert_eq!((expected.events.len(), expected.refused.len()), (ROWS, 0));
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::try_new(4).unwrap()),
        Compression::ZSTD(ZstdLevel::try_new(3).unwrap()),
    ];
    let encodings = [None, Some(Encoding::PLAIN), Some(Encoding::DELTA_BINARY_PACKED)];
    let texts = [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
    let mut met = 0;
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (which, compression) in compressions.into_iter().enumerate() {
            // A dictionary; one that grows too long, so that plain pages follow; or none.
            for (how, encoding) in encodings.into_iter().enumerate() {
                let page_rows = [100, 333, 1_000_000][which % 3];
                let mut properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(compression)
                    .set_dictionary_enabled(encoding.is_none())
                    .set_dictionary_page_size_limit(if which == 1 { 2_000 } else { 1 << 20 })
                    .set_data_page_row_count_limit(page_rows)
                    .set_write_batch_size(50)
                    .set_statistics_enabled(EnabledStatistics::Page);
                if let Some(numbers) = encoding {
                    for name in ["id", "source", "subject", "type", "project"] {
                        properties = properties.set_column_encoding(name.into(), texts[(how + which) % 3]);
                    }
                    for name in ["time", "quantity", "attempt"] {
                        properties = properties.set_column_encoding(name.into(), numbers);
                    }
                }
                let file = write(&columns, [ROWS, 777, 1000, 13][which], properties.build());
                for records in [1, 64, 16_384] {
                    let found = read(file.clone(), records);
                    assert!(found.error.is_none(), "{:?}", found.error);
                    assert_eq!((found.events.len(), found.refused.len()), (ROWS, 0));
                    assert!(found.events == expected.events, "{version:?} {compression:?} {encoding:?}");
                    met += 1;
                }
            }
        }
    }
    assert_eq!(met, 72);
}

#[test]
fn times_of_every_unit() {
    let units = [
        ("required int64 time (TIMESTAMP(MILLIS,false))", 1_000_000),
        ("optional int64 time (TIMESTAMP(MICROS,true))", 1_000),
        ("optional int64 time (TIMESTAMP(NANOS,false))", 1),
        ("optional int64 time (TIMESTAMP_MILLIS)", 1_000_000),
        ("optional int64 time (TIMESTAMP_MICROS)", 1_000),
    ];
    for (schema, unit_ns) in units {
        let (columns, json) = events(20, schema, unit_ns);
        let found = read(write(&columns, 9, WriterProperties::default()), 100);
        assert!(found.error.is_none() && found.events == read_json(&json).events, "{schema}");
    }
    let (mut columns, json) = events(20, TIME_MS, 1_000_000);
    let time = |row| metering::Instant(time_ms(row) * 1_000_000).to_string();
    columns[5] = text("time", (0..20).map(|row| Some(time(row))));
    let found = read(write(&columns, 9, WriterProperties::default()), 100);
    assert!(found.error.is_none() && found.events == read_json(&json).events);
}

#[test]
fn integers_of_every_kind() {
    let (mut columns, _) = events(3, TIME_MS, 1_000_000);
    columns.truncate(6);
    columns.push(long("optional int64 u64 (INTEGER(64,false))", [Some(-1), None, Some(i64::MAX)]));
    columns.push(long("optional int64 i64 (INTEGER(64,true))", [Some(-1), None, Some(i64::MIN)]));
    columns.push(long("required int64 old (UINT_64)", [Some(-2), Some(0), Some(1)]));
    columns.push(Column {
        schema: "required int32 u8 (INTEGER(8,false))".to_owned(),
        values: Values::Ints(vec![Some(255), Some(0), Some(-1)]),
    });
    for has_dictionary in [false, true] {
        let properties = WriterProperties::builder().set_dictionary_enabled(has_dictionary).build();
        let found = read(write(&columns, 9, properties), 100);
        let told: Vec<String> =
            found.events.iter().map(|(_, event)| event.properties.to_canonical_json()).collect();
        assert_eq!(
            told,
            [
                r#"{"i64":-1,"old":18446744073709551614,"project":"p-é\"0","u64":18446744073709551615,"u8":255}"#,
                r#"{"old":0,"project":"p-é\"1","u8":0}"#,
                r#"{"i64":-9223372036854775808,"old":1,"project":"p-é\"2","u64":9223372036854775807,"u8":4294967295}"#,
            ]
        );
    }
}

/// What is wrong with one row: the column, its value, the code.
const WRONG: [(usize, Option<&[u8]>, &str); 16] = [
    (0, None, "missing_id"),
    (0, Some(b""), "missing_id"),
    (0, Some(&[b'x'; 257]), "field_too_long"),
    (0, Some(b"\xff"), "invalid_utf8"),
    (1, None, "missing_source"),
    (1, Some(b""), "missing_source"),
    (2, None, "missing_account"),
    (2, Some(b"org\xc3"), "invalid_utf8"),
    (2, Some(&[b'x'; 300]), "field_too_long"),
    (3, None, "missing_type"),
    (3, Some(b"\xa9"), "invalid_utf8"),
    (4, Some(b"\x80p"), "invalid_utf8"),
    (4, Some(&[b'p'; 70_000]), "field_too_long"),
    (4, Some(&[b'p'; 1_100_000]), "line_too_long"),
    (5, None, "missing_time"),
    (5, Some(b"yesterday"), "time_unparseable"),
];

#[test]
fn rows_that_are_no_events_are_refused_as_in_json() {
    // Every third row is wrong, in one way each.
    let rows = WRONG.len() * 3;
    let (mut columns, json) = events(rows, TIME_MS, 1_000_000);
    columns[5] =
        text("time", (0..rows).map(|row| Some(metering::Instant(time_ms(row) * 1_000_000).to_string())));
    for (number, (column, value, _)) in WRONG.iter().enumerate() {
        let Values::Texts(values) = &mut columns[*column].values else { panic!("a column of texts") };
        values[number * 3 + 1] = value.map(<[u8]>::to_vec);
    }
    let expected = read_json(&json).events;
    for has_dictionary in [false, true] {
        let properties = WriterProperties::builder().set_dictionary_enabled(has_dictionary).build();
        let found = read(write(&columns, 1000, properties), 16);
        assert!(found.error.is_none(), "{:?}", found.error);
        let codes: Vec<&str> = found.refused.iter().map(|refused| refused.rejection.code.as_str()).collect();
        assert_eq!(codes, WRONG.map(|(_, _, code)| code));
        let lines: Vec<u64> = found.refused.iter().map(|refused| refused.line).collect();
        assert_eq!(lines, (0..WRONG.len() as u64).map(|number| number * 3 + 2).collect::<Vec<_>>());
        let others: Vec<_> = expected.iter().filter(|(line, _)| line % 3 != 2).cloned().collect();
        assert!(found.events == others);
        for refused in &found.refused {
            assert_eq!(refused.format, "cloudevents");
            // Decoded again it is refused for the same reason; the head of a row that is too long is none.
            let again =
                decode_kept(&refused.format, &refused.body).map_err(|undecodable| undecodable.rejection);
            let again = again.and_then(check_form).unwrap_err();
            if refused.rejection.code.as_str() == "line_too_long" {
                assert_eq!((again.code.as_str(), refused.body.len()), ("json_syntax", 64 * 1024));
            } else {
                assert_eq!(again, refused.rejection);
            }
        }
        // Nulls are absent in what is kept.
        let body = String::from_utf8(found.refused[0].body.clone()).unwrap();
        assert!(body.starts_with(r#"{"specversion":"1.0","source":"relay-1","type":"spän","subject":"org-1","time":"2026-08-01T"#), "{body}");
        assert!(body.ends_with(r#""data":{"attempt":-2,"project":"p-é\"1","quantity":-3}}"#), "{body}");
        assert_eq!(found.refused[0].source.as_deref(), Some("relay-1"));
    }
}

#[test]
fn a_time_outside_of_the_time_line() {
    let (mut columns, _) = events(3, TIME_MS, 1_000_000);
    columns[5] = long(TIME_MS, [Some(0), Some(i64::MAX), Some(9_223_372_036_854)]);
    let found = read(write(&columns, 9, WriterProperties::default()), 100);
    assert_eq!(found.events.len(), 1);
    let told: Vec<String> = found.refused.iter().map(|refused| refused.rejection.to_string()).collect();
    assert_eq!(
        told,
        [
            "time_unparseable: expected a time like 2026-08-01T00:00:00Z, found `9223372036854775807 ms since 1970-01-01T00:00:00Z`",
            "time_unparseable: expected a time like 2026-08-01T00:00:00Z, found `9223372036854 ms since 1970-01-01T00:00:00Z`",
        ]
    );
}

#[test]
fn files_whose_columns_are_not_those_of_events_are_refused() {
    let refused = |columns: &[Column], expect: &str| {
        let found = read(write(columns, 9, WriterProperties::default()), 100);
        assert!(found.events.is_empty() && found.refused.is_empty());
        let told = found.error.unwrap().to_string();
        assert_eq!(told.strip_prefix("expected a Parquet file of events: "), Some(expect));
    };
    // A schema is refused before a row is read.
    let (columns, _) = events(0, TIME_MS, 1_000_000);
    let mut without = columns.clone();
    without.remove(3);
    refused(
        &without,
        "expected the columns id, source, type, subject and time, found none of the name `type` among `id, source, subject, project, time, quantity, attempt, is_cached`",
    );
    let with = |column: Column| [columns.clone(), vec![column]].concat();
    let no_property =
        "expected a string, an integer or a boolean (no float, no decimal, no time) in the column";
    refused(
        &with(long("optional int64 price (DECIMAL(18,2))", [])),
        &format!("{no_property} price, found `DECIMAL (INT64)`"),
    );
    refused(
        &with(long("optional int64 seen_at (TIMESTAMP(MILLIS,true))", [])),
        &format!("{no_property} seen_at, found `TIMESTAMP (INT64)`"),
    );
    refused(
        &with(long("repeated int64 counts", [])),
        "expected columns with one value a row, found repeated `counts`",
    );
    refused(
        &with(long("optional group tokens { required int64 input; }", [])),
        "expected columns without columns in them, found a group `tokens`",
    );
    refused(
        &with(text::<&str>("data", [])),
        "expected a column for each property, and none of a name that CloudEvents keep for themselves, found `data`",
    );
    refused(&with(text::<&str>("id", [])), "expected each column once, found twice `id`");
    let mut other = columns.clone();
    other[0] = long("required int64 id", []);
    refused(&other, "expected a string in the column id, found `INT64`");
    other = columns.clone();
    other[5] = long("required int64 time", []);
    refused(&other, "expected a timestamp or a string in the column time, found `INT64`");
}

#[test]
fn what_is_no_parquet_file() {
    let told = |bytes: &[u8]| read(bytes.to_vec(), 1).error.unwrap().to_string();
    for bytes in [&b""[..], b"PAR1", b"{\"specversion\":\"1.0\"}\n", b"PAR1....PAR1PAR2"] {
        let expect = "expected a Parquet file of events: expected a file that begins and ends with PAR1";
        assert_eq!(told(bytes), expect);
    }
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing.parquet"), folder.path().to_owned(), "-".into()] {
        assert!(matches!(Chunks::open_parquet(&path), Err(InputError::Open { .. })));
    }
    let mut stream = Decoder::parquet().chunks(Box::new(Cursor::new(Vec::new())));
    assert!(
        stream.next(1).unwrap_err().to_string().ends_with("Parquet is read from a file, not from a stream")
    );
    assert!(matches!(stream.next(1), Ok(None)));
    let records: Vec<_> = Decoder::parquet().records(&b"PAR1"[..]).collect();
    assert!(matches!(records[..], [Err(InputError::Open { .. })]));
    assert_eq!(Decoder::parquet().name(), "parquet");
    let (columns, _) = events(3, TIME_MS, 1_000_000);
    let path = folder.path().join("events.parquet");
    std::fs::write(&path, write(&columns, 9, WriterProperties::default())).unwrap();
    let found = read_chunks(&Decoder::parquet(), Chunks::open_parquet(&path).unwrap(), 2);
    assert_eq!((found.events.len(), found.error.is_none()), (3, true));
}

#[test]
fn a_column_without_a_value() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for has_dictionary in [false, true] {
            let (mut columns, json) = events(9, TIME_MS, 1_000_000);
            columns.push(text::<&str>("nothing", [None; 9]));
            columns.push(long("optional int64 none", [None; 9]));
            columns.push(Column {
                schema: "optional boolean nil".to_owned(),
                values: Values::Bools(vec![None; 9]),
            });
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_dictionary_enabled(has_dictionary)
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()));
            let found = read(write(&columns, 9, properties.build()), 100);
            assert!(found.error.is_none(), "{:?}", found.error);
            assert!(found.events == read_json(&json).events);
        }
    }
}

#[test]
fn a_file_without_rows() {
    let (columns, _) = events(0, TIME_MS, 1_000_000);
    let found = read(write(&columns, 9, WriterProperties::default()), 100);
    assert!(found.events.is_empty() && found.error.is_none());
}

/// Bits flipped at random: an error or other rows, but no panic, and no more rows than there were.
#[test]
fn damaged_files() {
    const ROWS: usize = 60;
    const FLIPS: u64 = 500;
    let (columns, json) = events(ROWS, TIME_MS, 1_000_000);
    let expected = read_json(&json).events;
    let variants = [
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap())),
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_data_page_row_count_limit(9),
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_writer_version(WriterVersion::PARQUET_2_0),
        WriterProperties::builder().set_compression(Compression::GZIP(GzipLevel::try_new(4).unwrap())),
    ];
    let (mut broken, mut other, mut same) = (0, 0, 0);
    for (which, properties) in variants.into_iter().enumerate() {
        let file = write(&columns, 25, properties.set_write_batch_size(5).build());
        assert!(read(file.clone(), 16).events == expected);
        let mut state = 0x9e37_79b9_7f4a_7c15 ^ which as u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..FLIPS {
            let mut damaged = file.clone();
            for _ in 0..=random(3) {
                let at = random(damaged.len() as u64) as usize;
                damaged[at] ^= 1 << random(8);
            }
            let found = read(damaged, 16);
            assert!(found.events.len() + found.refused.len() <= ROWS || found.error.is_some());
            match found.error {
                Some(_) => broken += 1,
                None if found.events == expected => same += 1,
                None => other += 1,
            }
        }
        for cut in 0..file.len() {
            assert!(read(file[..cut].to_vec(), 16).error.is_some());
        }
    }
    assert!(broken > 500 && other > 100 && same > 20, "{broken} {other} {same}");
}
