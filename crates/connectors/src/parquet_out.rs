//! Tables written as Parquet: rows come one by one, and leave in groups of bounded size.

use std::io::Write;
use std::sync::Arc;

use money::Sum;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use thiserror::Error;

/// Rows of a group.
const GROUP_ROWS: usize = 100_000;
/// Bytes of values at which a group ends, before encoding: what a table holds in memory.
const GROUP_BYTES: usize = 64 << 20;
/// Digits of a decimal: the most that readers know.
const PRECISION: u32 = 38;
/// Decimals of a quantity.
const SCALE: i32 = 12;
/// The bytes that 38 digits with a sign need.
const DECIMAL_BYTES: usize = 16;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A whole number: `INT64`, without an annotation, as every reader knows it.
    Count,
    /// A moment: `TIMESTAMP` in nanoseconds, UTC.
    Time,
    /// Text: `STRING`.
    Text,
    /// Text of which hardly a value comes twice: `STRING`, without a dictionary.
    UniqueText,
    /// An exact number: `DECIMAL(38, 12)`.
    Decimal,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: ColumnType,
    /// Whether a value may be absent.
    pub nullable: bool,
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datum<'a> {
    /// No value.
    Absent,
    /// A whole number, not negative.
    Count(u64),
    /// Nanoseconds since 1970 UTC.
    Time(i64),
    /// A text.
    Text(&'a str),
    /// An exact number.
    Decimal(Sum),
}

/// Why a table was not written. Nothing more can be written to it.
#[derive(Debug, Error)]
pub enum TableError {
    /// A value that its column does not hold without giving up digits.
    #[error("column `{column}` holds {holds}, found `{value}`")]
    OutOfRange {
        /// The column.
        column: String,
        /// What it holds.
        holds: &'static str,
        /// The value.
        value: String,
    },
    /// A row that is not of the table's columns.
    #[error("expected a row of the table's columns, found another at column `{column}`")]
    OtherRow {
        /// The first column that differs, or the last.
        column: String,
    },
    /// The file could not be written.
    #[error("{0}")]
    Unwritable(#[from] ParquetError),
}

/// Writes a table. It holds one group of rows: 100,000, or 64 MiB of values if that is less, and what encoding
/// one column of that takes.
pub struct TableWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<(Column, Held)>,
    group_rows: usize,
    group_bytes: usize,
    rows: u64,
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a file of these columns.
    ///
    /// **Errors**: [`TableError::Unwritable`].
    pub fn new(out: W, columns: Vec<Column>) -> Result<Self, TableError> {
        let fields: Result<Vec<_>, ParquetError> =
            columns.iter().map(|column| field(column).map(Arc::new)).collect();
        let schema = Type::group_type_builder("schema").with_fields(fields?).build()?;
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties(&columns)?))?;
        let columns = columns.into_iter().map(|column| {
            let held = Held::of(column.holds);
            (column, held)
        });
        Ok(Self { writer, columns: columns.collect(), group_rows: 0, group_bytes: 0, rows: 0 })
    }

    /// Adds a row: a value for each column, in their order.
    ///
    /// **Errors**: [`TableError`]; the table then cannot be finished.
    pub fn push(&mut self, row: &[Datum<'_>]) -> Result<(), TableError> {
        if row.len() != self.columns.len() {
            let column = self.columns.last().map_or_else(String::new, |(column, _)| column.name.clone());
            return Err(TableError::OtherRow { column });
        }
        for ((column, held), datum) in self.columns.iter_mut().zip(row) {
            self.group_bytes += held.push(column, *datum)?;
        }
        self.group_rows += 1;
        self.rows += 1;
        if self.group_rows >= GROUP_ROWS || self.group_bytes >= GROUP_BYTES {
            self.end_group()
        } else {
            Ok(())
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the last group and the footer with what it says about the file; answers what was written to.
    ///
    /// **Errors**: [`TableError::Unwritable`].
    pub fn finish(mut self, about: &[(&str, String)]) -> Result<W, TableError> {
        self.end_group()?;
        for (key, value) in about {
            self.writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        Ok(self.writer.into_inner()?)
    }

    fn end_group(&mut self) -> Result<(), TableError> {
        if self.group_rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (column, held) in &mut self.columns {
            let other_row = || TableError::OtherRow { column: column.name.clone() };
            let mut next = group.next_column()?.ok_or_else(other_row)?;
            held.write(next.untyped(), column.nullable)?;
            next.close()?;
        }
        group.close()?;
        (self.group_rows, self.group_bytes) = (0, 0);
        Ok(())
    }
}

/// The values of a column in the group that grows.
struct Held {
    /// For each row 1, or 0 where it has no value.
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Whole(Vec<i64>),
    /// All bytes, and where each text ends.
    Texts(Vec<u8>, Vec<usize>),
    /// All bytes, [`DECIMAL_BYTES`] a value.
    Decimals(Vec<u8>),
}

impl Held {
    fn of(holds: ColumnType) -> Self {
        let values = match holds {
            ColumnType::Count | ColumnType::Time => Values::Whole(Vec::new()),
            ColumnType::Text | ColumnType::UniqueText => Values::Texts(Vec::new(), Vec::new()),
            ColumnType::Decimal => Values::Decimals(Vec::new()),
        };
        Self { levels: Vec::new(), values }
    }

    /// Adds a value; answers its bytes.
    fn push(&mut self, column: &Column, datum: Datum<'_>) -> Result<usize, TableError> {
        let out_of_range =
            |holds, value: String| TableError::OutOfRange { column: column.name.clone(), holds, value };
        let bytes = match (&mut self.values, column.holds, datum) {
            (_, _, Datum::Absent) if column.nullable => 0,
            (Values::Whole(held), ColumnType::Count, Datum::Count(count)) => {
                held.push(
                    i64::try_from(count)
                        .map_err(|_| out_of_range("whole numbers below 2^63", count.to_string()))?,
                );
                size_of::<i64>()
            }
            (Values::Whole(held), ColumnType::Time, Datum::Time(nanoseconds)) => {
                held.push(nanoseconds);
                size_of::<i64>()
            }
            (Values::Texts(held, ends), _, Datum::Text(text)) => {
                held.extend_from_slice(text.as_bytes());
                ends.push(held.len());
                text.len() + size_of::<usize>()
            }
            (Values::Decimals(held), _, Datum::Decimal(sum)) => {
                let unscaled = unscaled(sum).ok_or_else(|| {
                    out_of_range("decimals of 26 digits before the point and 12 behind it", sum.to_string())
                })?;
                held.extend_from_slice(&unscaled.to_be_bytes());
                DECIMAL_BYTES
            }
            _ => return Err(TableError::OtherRow { column: column.name.clone() }),
        };
        self.levels.push(i16::from(datum != Datum::Absent));
        Ok(bytes)
    }

    /// Writes what is held, and is empty then.
    fn write(&mut self, writer: &mut ColumnWriter<'_>, nullable: bool) -> Result<(), ParquetError> {
        let levels = nullable.then_some(self.levels.as_slice());
        match (&mut self.values, writer) {
            (Values::Whole(held), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(held, levels, None)?;
                held.clear();
            }
            (Values::Texts(held, ends), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let bytes = ByteArray::from(std::mem::take(held));
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let texts: Vec<ByteArray> =
                    starts.zip(ends.iter()).map(|(start, end)| bytes.slice(start, end - start)).collect();
                writer.write_batch(&texts, levels, None)?;
                ends.clear();
            }
            (Values::Decimals(held), ColumnWriter::FixedLenByteArrayColumnWriter(writer)) => {
                let bytes = ByteArray::from(std::mem::take(held));
                let decimals: Vec<FixedLenByteArray> = (0..bytes.len())
                    .step_by(DECIMAL_BYTES)
                    .map(|start| bytes.slice(start, DECIMAL_BYTES).into())
                    .collect();
                writer.write_batch(&decimals, levels, None)?;
            }
            _ => return Err(ParquetError::General("a column is written as another type".to_owned())),
        }
        self.levels.clear();
        Ok(())
    }
}

/// A sum in units of 10^-12, where 38 digits hold it.
fn unscaled(sum: Sum) -> Option<i128> {
    let bytes = sum.to_le_bytes();
    let (low, high) = bytes.split_first_chunk::<DECIMAL_BYTES>()?;
    let low = i128::from_le_bytes(*low);
    let sign = if low < 0 { 0xff } else { 0 };
    let is_whole = high.iter().all(|byte| *byte == sign);
    (is_whole && low.unsigned_abs() < 10u128.pow(PRECISION)).then_some(low)
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.holds {
        ColumnType::Count => (Physical::INT64, None),
        ColumnType::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        ColumnType::Text | ColumnType::UniqueText => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Decimal => {
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(SCALE, PRECISION as i32)))
        }
    };
    let repetition = if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let builder = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical);
    match column.holds {
        ColumnType::Decimal => builder
            .with_length(DECIMAL_BYTES as i32)
            .with_precision(PRECISION as i32)
            .with_scale(SCALE)
            .build(),
        _ => builder.build(),
    }
}

/// Bounds are kept per group, not per page: those of all pages would stay in memory to the end.
fn properties(columns: &[Column]) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("counterfoil version {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for column in columns {
        if matches!(column.holds, ColumnType::UniqueText) {
            let path = ColumnPath::from(column.name.clone());
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    Ok(properties.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    fn column(name: &str, holds: ColumnType, nullable: bool) -> Column {
        Column { name: name.to_owned(), holds, nullable }
    }

    fn sum(text: &str) -> Sum {
        Sum::parse(text).unwrap()
    }

    #[test]
    fn sums_of_38_digits_fit_and_longer_ones_do_not() {
        let nines = "99999999999999999999999999.999999999999";
        for (text, expect) in [
            ("0", Some(0)),
            ("-0.000000000001", Some(-1)),
            ("170141183460469231731687303", None),
            (nines, Some(10i128.pow(38) - 1)),
            (&format!("-{nines}"), Some(1 - 10i128.pow(38))),
            ("100000000000000000000000000", None),
            ("-100000000000000000000000000", None),
            // 2^128 units: the low half alone is zero.
            ("340282366920938463463374607.431768211456", None),
            ("-340282366920938463463374607.431768211456", None),
        ] {
            assert_eq!(unscaled(sum(text)), expect, "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let columns = vec![column("n", ColumnType::Count, false), column("sum", ColumnType::Decimal, false)];
        let refused = |row: &[Datum<'_>]| {
            let mut table = TableWriter::new(Vec::new(), columns.clone()).unwrap();
            table.push(row).unwrap_err().to_string()
        };
        let one = Datum::Decimal(sum("1"));
        assert_eq!(
            refused(&[Datum::Count(1 << 63), one]),
            "column `n` holds whole numbers below 2^63, found `9223372036854775808`"
        );
        let large = Datum::Decimal(sum("100000000000000000000000000.5"));
        assert_eq!(
            refused(&[Datum::Count(1), large]),
            "column `sum` holds decimals of 26 digits before the point and 12 behind it, found \
             `100000000000000000000000000.5`"
        );
        for row in [vec![Datum::Count(1)], vec![Datum::Absent, one], vec![Datum::Time(1), one]] {
            assert!(refused(&row).starts_with("expected a row of the table's columns"), "{row:?}");
        }
    }

    #[test]
    fn rows_come_back_over_several_groups() {
        let columns = vec![
            column("n", ColumnType::Count, false),
            column("text", ColumnType::UniqueText, true),
            column("sum", ColumnType::Decimal, true),
        ];
        let mut table = TableWriter::new(Vec::new(), columns).unwrap();
        let rows = GROUP_ROWS as u64 * 2 + 1;
        for n in 0..rows {
            let text = format!("ü{n}");
            let text = if n % 3 == 0 { Datum::Absent } else { Datum::Text(&text) };
            let value = if n % 5 == 0 { Datum::Absent } else { Datum::Decimal(sum("-1.5")) };
            table.push(&[Datum::Count(n), text, value]).unwrap();
        }
        assert_eq!(table.rows(), rows);
        let bytes = table.finish(&[("about", "this".to_owned())]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.num_row_groups(), 3);
        let about = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert_eq!((about[0].key.as_str(), about[0].value.as_deref()), ("about", Some("this")));
        let mut seen = 0;
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
            assert_eq!(*fields[0], Field::Long(i64::try_from(seen).unwrap()));
            let text = if seen % 3 == 0 { Field::Null } else { Field::Str(format!("ü{seen}")) };
            assert_eq!(*fields[1], text);
            assert_eq!(matches!(fields[2], Field::Null), seen % 5 == 0, "{seen}");
            seen += 1;
        }
        assert_eq!(seen, rows);
    }

    #[test]
    fn many_bytes_end_a_group_too() {
        let columns = vec![column("text", ColumnType::Text, false)];
        let mut table = TableWriter::new(Vec::new(), columns).unwrap();
        let long = "x".repeat(GROUP_BYTES / 4);
        for _ in 0..5 {
            table.push(&[Datum::Text(&long)]).unwrap();
        }
        assert_eq!((table.writer.flushed_row_groups().len(), table.group_rows), (1, 1));
    }
}
