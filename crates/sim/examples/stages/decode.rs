//! From bytes to hashed batches.

use std::io::Cursor;
use std::sync::Arc;

use connectors::{Chunk, Chunks, Decoder, RawRecord};
use metering::{Batch, Event, Value, base_quantities, check_form};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::input::{Input, cut, sum};
use crate::measure::Stages;

pub fn measure(stages: &mut Stages, input: &Input) {
    let records = input.records;
    stages.stage("cut lines", "event", || input.chunks(), |chunks| (records, cut(chunks)));
    stages.stage(
        "decode JSON, learned shape",
        "event",
        || input.raws(),
        |raws| {
            let chunks: Vec<Chunk> = raws.into_iter().map(|raw| input.decode(&input.decoder, raw)).collect();
            (records, chunks)
        },
    );
    stages.stage(
        "decode JSON, general",
        "event",
        || lines(input),
        |lines| {
            let mut batch = Batch::new(7);
            for line in &lines {
                let draft = input.decoder.decode(&input.feed, line).expect("an event");
                batch.push_event(&check_form(draft).expect("a well-formed event"));
            }
            (records, (lines, batch))
        },
    );
    let file = parquet_file(input);
    let open = || Chunks::parquet(Cursor::new(file.clone())).expect("a Parquet file");
    let parquet = Decoder::parquet();
    stages.stage("read Parquet pages", "event", open, |chunks| (records, cut(chunks)));
    stages.stage(
        "decode Parquet rows",
        "event",
        || cut(open()),
        |raws| {
            let chunks: Vec<Chunk> = raws.into_iter().map(|raw| input.decode(&parquet, raw)).collect();
            (records, chunks)
        },
    );
    stages.stage(
        "hash a batch",
        "event",
        || input.decoded(),
        |chunks| {
            let sums: Vec<_> = chunks.iter().map(|chunk| sum(&input.prints(chunk))).collect();
            (records, (chunks, sums))
        },
    );
    stages.stage(
        "read quantities",
        "event",
        || input.decoded(),
        |chunks| {
            let units: Vec<_> = chunks.iter().map(|chunk| base_quantities(&chunk.batch)).collect();
            (records, (chunks, units))
        },
    );
}

fn lines(input: &Input) -> Vec<RawRecord> {
    let lines = input.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (1..).zip(lines).map(|(number, line)| RawRecord::new(number, line.to_vec())).collect()
}

/// The events in columns, as the Parquet file of `cargo xtask bench` has them.
fn parquet_file(input: &Input) -> Vec<u8> {
    let chunks = input.decoded();
    let rows = || chunks.iter().flat_map(|chunk| chunk.batch.rows().iter().map(|row| chunk.batch.event(row)));
    let texts = ["id", "source", "type", "subject", "project"];
    let fields: String = texts.iter().map(|name| format!("required byte_array {name} (STRING); ")).collect();
    let schema = format!(
        "message events {{ {fields} required int64 time (TIMESTAMP(MILLIS,true)); required int64 quantity; }}"
    );
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::default());
    let properties = Arc::new(WriterProperties::builder().set_compression(zstd).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("memory");
    for name in texts.iter().chain(&["time", "quantity"]) {
        let mut column = group.next_column().expect("memory").expect("a column a name");
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let text = |event: Event| match *name {
                    "id" => event.id,
                    "source" => event.source,
                    "type" => event.event_type,
                    "subject" => event.account,
                    name => match property(event, name) {
                        Some(Value::Text(text)) => text,
                        other => panic!("a text, found {other:?}"),
                    },
                };
                let values: Vec<ByteArray> = rows().map(|event| text(event).into_bytes().into()).collect();
                writer.write_batch(&values, None, None).expect("memory");
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                let number = |event: Event| match *name {
                    "time" => event.occurred_at.0 / 1_000_000,
                    name => match property(event, name) {
                        Some(Value::Number(number)) => number.parse().expect("a whole number"),
                        other => panic!("a number, found {other:?}"),
                    },
                };
                writer.write_batch(&rows().map(number).collect::<Vec<i64>>(), None, None).expect("memory");
            }
            _ => panic!("texts and numbers"),
        }
        column.close().expect("memory");
    }
    group.close().expect("memory");
    writer.into_inner().expect("memory")
}

fn property(event: Event, name: &str) -> Option<Value> {
    let Value::Object(members) = event.properties else { return None };
    members.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
