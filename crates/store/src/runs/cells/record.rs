//! A record of a run: up to [`RECORD_CELLS`] cells, column by column.
//!
//! What changes seldom in the order of a run is written as runs of one value, so that a cell costs a byte or two
//! beside its digest. Digests are noise: they stand behind the packed columns as they are.

use metering::{Cell, Digest};
use money::Sum;

use super::super::coding::{put_sum, take_sum};
use super::super::table::{pico_of, sum_of};
use super::dictionary::RowKey;
use crate::coding::{BadCoding, Reader, put_i64, put_u64};

/// The most cells of a record.
pub const RECORD_CELLS: usize = 4096;
/// Unpacked columns are no longer than this: no cell takes more than 120 bytes.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
const DIGEST_BYTES: usize = 16;
const COLUMNS: usize = 9;
/// The scale of a sum that is written whole: those below it are powers of ten.
const WHOLE: u8 = 13;
/// The powers of ten that are tried, the greatest first.
const SCALES: [(u8, i128); 4] = [(12, 1_000_000_000_000), (9, 1_000_000_000), (6, 1_000_000), (3, 1_000)];

/// The columns of some cells, not packed yet.
pub fn encode_columns(rows: &[(RowKey, Cell)]) -> Vec<u8> {
    let mut columns: [Vec<u8>; COLUMNS] = Default::default();
    let [meters, accounts, types, sources, tuples, starts, records, units, unmeasured] = &mut columns;
    put_runs(meters, rows.iter().map(|(key, _)| i64::from(key.meter)));
    put_runs(accounts, rows.iter().map(|(key, _)| i64::from(key.account)));
    put_runs(types, rows.iter().map(|(key, _)| i64::from(key.event_type)));
    put_runs(sources, rows.iter().map(|(key, _)| i64::from(key.source)));
    put_runs(tuples, rows.iter().map(|(key, _)| i64::from(key.tuple)));
    let least = rows.iter().map(|(key, _)| key.start).min().unwrap_or(0);
    put_i64(starts, i64::from(least));
    let mut before: Option<RowKey> = None;
    for (key, _) in rows {
        // Within a series times only grow.
        let from = before.filter(|before| before.is_same_series(key)).map_or(least, |before| before.start);
        put_u64(starts, (i64::from(key.start) - i64::from(from)) as u64);
        before = Some(*key);
    }
    for (_, cell) in rows {
        put_u64(records, cell.records);
    }
    let (mut scales, mut mantissas) = (Vec::with_capacity(rows.len()), Vec::new());
    for (_, cell) in rows {
        scales.push(i64::from(put_units(&mut mantissas, cell.units)));
    }
    put_runs(units, scales.into_iter());
    units.extend_from_slice(&mantissas);
    put_runs(unmeasured, rows.iter().map(|(_, cell)| cell.unmeasured as i64));

    let mut out = Vec::with_capacity(columns.iter().map(Vec::len).sum::<usize>() + 32);
    put_u64(&mut out, rows.len() as u64);
    for column in &columns {
        put_u64(&mut out, column.len() as u64);
    }
    for column in &columns {
        out.extend_from_slice(column);
    }
    out
}

/// Digests as they stand in a record.
pub fn put_digests(out: &mut Vec<u8>, rows: &[(RowKey, Cell)]) {
    for (_, cell) in rows {
        out.extend_from_slice(&cell.digest.0.to_le_bytes());
    }
}

/// Values as (difference to the value before, how often more) pairs.
fn put_runs(out: &mut Vec<u8>, mut values: impl Iterator<Item = i64>) {
    let Some(mut held) = values.next() else { return };
    let (mut before, mut more) = (0_i64, 0_u64);
    for value in values {
        if value == held {
            more += 1;
        } else {
            put_i64(out, held.wrapping_sub(before));
            put_u64(out, more);
            (before, held, more) = (held, value, 0);
        }
    }
    put_i64(out, held.wrapping_sub(before));
    put_u64(out, more);
}

/// Appends what a scale leaves of a sum; answers the scale.
fn put_units(out: &mut Vec<u8>, units: Sum) -> u8 {
    let scaled = pico_of(units).and_then(|pico| match i64::try_from(pico) {
        // Sixty-four bits are divided in no time.
        Ok(0) => Some((12, 0)),
        Ok(pico) => {
            let scale = SCALES.iter().find(|(_, power)| pico % (*power as i64) == 0);
            Some(scale.map_or((0, pico), |(scale, power)| (*scale, pico / (*power as i64))))
        }
        Err(_) => {
            let (scale, power) = SCALES.iter().find(|(_, power)| pico % *power == 0)?;
            Some((*scale, i64::try_from(pico / power).ok()?))
        }
    });
    match scaled {
        Some((scale, mantissa)) => {
            put_i64(out, mantissa);
            scale
        }
        None => {
            put_sum(out, units);
            WHOLE
        }
    }
}

/// A column of runs.
struct Runs<'a> {
    reader: Reader<'a>,
    value: i64,
    more: u64,
}

impl<'a> Runs<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), value: 0, more: 0 }
    }

    #[inline]
    fn next(&mut self) -> Result<i64, BadCoding> {
        if self.more > 0 {
            self.more -= 1;
        } else {
            self.begin()?;
        }
        Ok(self.value)
    }

    /// Begins the next run; its first value is taken.
    fn begin(&mut self) -> Result<(), BadCoding> {
        self.value = self.value.wrapping_add(self.reader.i64()?);
        self.more = self.reader.u64()?;
        Ok(())
    }

    fn next_number(&mut self) -> Result<u32, BadCoding> {
        u32::try_from(self.next()?).map_err(|_| BadCoding("a number is not one of 32 bits"))
    }

    fn finish(self) -> Result<(), BadCoding> {
        if self.more > 0 { Err(BadCoding("a run of values is too long")) } else { self.reader.finish() }
    }
}

/// Reads the cells of a record one by one.
pub struct Rows<'a> {
    left: usize,
    keys: [Runs<'a>; 5],
    /// How many more cells are of the series before: their runs in `keys` are taken already.
    same_series: u64,
    starts: Reader<'a>,
    least: i32,
    records: Reader<'a>,
    scales: Runs<'a>,
    /// The power of ten of the run of scales; none for sums that are written whole.
    power: Option<i128>,
    mantissas: Reader<'a>,
    unmeasured: Runs<'a>,
    digests: &'a [u8],
    before: Option<RowKey>,
    /// A cell cannot hold more events than its run has positions.
    records_max: u64,
}

impl<'a> Rows<'a> {
    /// The cells of unpacked columns and the digests behind them.
    pub fn new(columns: &'a [u8], digests: &'a [u8], records_max: u64) -> Result<Self, BadCoding> {
        let mut reader = Reader::new(columns);
        let left = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        if left == 0 || left > RECORD_CELLS || digests.len() != left * DIGEST_BYTES {
            return Err(BadCoding("a record has an impossible number of cells"));
        }
        let mut lengths = [0; COLUMNS];
        for length in &mut lengths {
            *length = usize::try_from(reader.u64()?).map_err(|_| BadCoding("a length is too large"))?;
        }
        let mut column = |number: usize| reader.take(lengths[number]);
        let mut keys = || -> Result<_, BadCoding> {
            Ok([column(0)?, column(1)?, column(2)?, column(3)?, column(4)?].map(Runs::new))
        };
        let keys = keys()?;
        let (mut starts, records) = (Reader::new(column(5)?), Reader::new(column(6)?));
        let units = column(7)?;
        let unmeasured = Runs::new(column(8)?);
        reader.finish()?;
        let least = i32::try_from(starts.i64()?).map_err(|_| BadCoding("a time is out of range"))?;
        // The mantissas begin where the runs of scales end.
        let (mut mantissas, mut scaled) = (Reader::new(units), 0);
        while scaled < left as u64 {
            mantissas.i64()?;
            scaled =
                mantissas.u64()?.checked_add(1).and_then(|more| scaled.checked_add(more)).unwrap_or(u64::MAX);
        }
        if scaled != left as u64 {
            return Err(BadCoding("a run of scales is too long"));
        }
        let scales = Runs::new(&units[..units.len() - mantissas.remaining()]);
        Ok(Self {
            left,
            keys,
            same_series: 0,
            starts,
            least,
            records,
            scales,
            power: None,
            mantissas,
            unmeasured,
            digests,
            before: None,
            records_max,
        })
    }

    /// The next cell.
    pub fn next(&mut self) -> Result<Option<(RowKey, Cell)>, BadCoding> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let mut key = match self.before {
            Some(before) if self.same_series > 0 => {
                self.same_series -= 1;
                before
            }
            _ => self.next_series()?,
        };
        let start =
            i64::try_from(self.starts.u64()?).ok().and_then(|more| i64::from(key.start).checked_add(more));
        key.start =
            start.and_then(|start| i32::try_from(start).ok()).ok_or(BadCoding("a time is out of range"))?;
        self.before = Some(key);
        let records = self.records.u64()?;
        let unmeasured = self.unmeasured.next()? as u64;
        if records > self.records_max || unmeasured > self.records_max {
            return Err(BadCoding("a cell holds more events than its run"));
        }
        let units = self.units()?;
        let (digest, rest) = self.digests.split_first_chunk().ok_or(BadCoding("a digest is cut"))?;
        self.digests = rest;
        let digest = Digest(u128::from_le_bytes(*digest));
        Ok(Some((key, Cell { records, units, unmeasured, digest })))
    }

    /// The series of the next cell, with the time that its own is counted from; also how many more are of it.
    fn next_series(&mut self) -> Result<RowKey, BadCoding> {
        let [meter, account, event_type, source, tuple] = &mut self.keys;
        let mut key = RowKey {
            meter: meter.next_number()?,
            account: account.next_number()?,
            event_type: event_type.next_number()?,
            source: source.next_number()?,
            tuple: tuple.next_number()?,
            start: self.least,
        };
        if let Some(before) = self.before.filter(|before| before.is_same_series(&key)) {
            key.start = before.start;
        }
        self.same_series = self.keys.iter().map(|runs| runs.more).min().unwrap_or(0);
        for runs in &mut self.keys {
            runs.more -= self.same_series;
        }
        Ok(key)
    }

    fn units(&mut self) -> Result<Sum, BadCoding> {
        if self.scales.more > 0 {
            self.scales.more -= 1;
        } else {
            self.scales.begin()?;
            let is_it = |(scale, _): &&(u8, i128)| i64::from(*scale) == self.scales.value;
            self.power = match (self.scales.value, SCALES.iter().find(is_it)) {
                (0, _) => Some(1),
                (_, Some((_, power))) => Some(*power),
                (scale, None) if scale == i64::from(WHOLE) => None,
                _ => return Err(BadCoding("a scale is none that is written")),
            };
        }
        match self.power {
            Some(power) => Ok(sum_of(i128::from(self.mantissas.i64()?) * power)),
            None => take_sum(&mut self.mantissas),
        }
    }

    /// Refuses bytes that are left over, once all cells are read.
    pub fn finish(self) -> Result<(), BadCoding> {
        if self.same_series > 0 {
            return Err(BadCoding("a run of values is too long"));
        }
        self.keys.into_iter().try_for_each(Runs::finish)?;
        self.starts.finish()?;
        self.records.finish()?;
        self.scales.finish()?;
        self.mantissas.finish()?;
        self.unmeasured.finish()
    }
}

impl RowKey {
    /// Whether only the times of both may differ.
    pub fn is_same_series(&self, other: &Self) -> bool {
        RowKey { start: 0, ..*self } == RowKey { start: 0, ..*other }
    }
}

#[cfg(test)]
mod tests {
    use money::Quantity;

    use super::*;

    fn rows() -> Vec<(RowKey, Cell)> {
        let texts = [
            "0",
            "7",
            "-7",
            "0.5",
            "1000000",
            "0.000000000001",
            "99999999999999999999.5",
            "-12345678901234567890",
        ];
        let row = |n: u32| {
            let quantity = Quantity::parse(texts[n as usize % texts.len()]).expect("a quantity");
            let sum = Sum::ZERO.add(quantity);
            let units = if n.is_multiple_of(97) { (0..40).fold(sum, |sum, _| sum.merge(sum)) } else { sum };
            let key = RowKey {
                meter: n / 3_000,
                account: n % 3_000 / 40,
                event_type: n % 40 / 10,
                source: n % 10 / 2,
                tuple: 0,
                start: (n % 2) as i32 * 7 - 3,
            };
            let digest = Digest(u128::from(n) << 100 | u128::from(n));
            (key, Cell { records: u64::from(n), units, unmeasured: u64::from(n % 200 / 199), digest })
        };
        (0..RECORD_CELLS as u32).map(row).collect()
    }

    fn decode(columns: &[u8], digests: &[u8]) -> Result<Vec<(RowKey, Cell)>, BadCoding> {
        let mut rows = Rows::new(columns, digests, 5_000)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row);
        }
        rows.finish()?;
        Ok(found)
    }

    #[test]
    fn cells_come_back() {
        for count in [1, 2, RECORD_CELLS] {
            let rows = &rows()[..count];
            let mut digests = Vec::new();
            put_digests(&mut digests, rows);
            assert_eq!(decode(&encode_columns(rows), &digests).as_deref(), Ok(rows));
        }
    }

    #[test]
    fn hostile_columns_are_refused_or_read_and_never_panic() {
        let rows = &rows()[..300];
        let mut digests = Vec::new();
        put_digests(&mut digests, rows);
        let columns = encode_columns(rows);
        for at in 0..columns.len() {
            assert!(decode(&columns[..at], &digests).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = columns.clone();
                flipped[at] ^= 1 << bit;
                let _ = decode(&flipped, &digests);
            }
        }
        assert!(decode(&columns, &digests[1..]).is_err());
    }
}
