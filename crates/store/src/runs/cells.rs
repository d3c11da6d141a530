//! Cell runs: usage cells over a range of the log, ordered by meter, account, type, source, dimensions, time.

use std::sync::{Arc, Mutex};

use metering::{CELL_NS, Cell, CellKey, Instant};
use serde::{Deserialize, Serialize};

use super::coding::{put_sum, take_digest, take_index, take_sum};
use super::file::{RunReader, RunWriter};
use super::manifest::RunFact;
use super::table::{CellTable, Sorted};
use crate::coding::{BadCoding, Reader, put_i64, put_u64};
use crate::disk::Disk;
use crate::error::StoreError;

const FORMAT: u32 = 1;
const RECORD_BYTES: usize = 64 * 1024;
/// Unpacked records that a run keeps at hand: queries come in about the order of the run.
const RECORDS_KEPT: usize = 16;
const RECORD_BYTES_MAX: usize = 16 << 20;
const ZSTD_LEVEL: i32 = 1;

/// The last record of a run: its dictionary and where its other records are.
#[derive(Serialize, Deserialize)]
struct Footer {
    format: u32,
    from: u64,
    to: u64,
    /// Every string of the run, sorted, so that ids compare as the strings do.
    strings: Vec<String>,
    /// Every meter version of the run, sorted; id 0 is the base cell, id n the n-th of these.
    meters: Vec<(String, u32)>,
    /// Every tuple of dimension values, sorted; 0 is "none", n the n-th string + 1.
    dimensions: Vec<Vec<u32>>,
    /// The first sector, first meter id and first account id of each record.
    records: Vec<(u64, usize, usize)>,
}

/// Writes a run over [from, to).
///
/// **Errors**: those of the file layer.
pub fn write_cells(
    disk: &dyn Disk,
    name: &str,
    from: u64,
    to: u64,
    cells: &CellTable,
) -> Result<RunFact, StoreError> {
    let Sorted { strings, meters, dimensions, cells } = cells.sorted();
    let mut writer = RunWriter::create(disk, name)?;
    let mut records = Vec::new();
    let mut raw = Vec::with_capacity(RECORD_BYTES + 256);
    let (mut first, mut last_start) = (None, 0i64);
    for (key, cell) in &cells {
        if first.is_none() {
            first = Some((key.meter as usize, key.account as usize));
            last_start = 0;
        }
        for id in [key.meter, key.account, key.event_type, key.source, key.dimensions] {
            put_u64(&mut raw, u64::from(id));
        }
        put_i64(&mut raw, key.start - last_start);
        last_start = key.start;
        put_u64(&mut raw, cell.records);
        put_sum(&mut raw, cell.units);
        put_u64(&mut raw, cell.unmeasured);
        raw.extend_from_slice(&cell.digest.0.to_le_bytes());
        if raw.len() >= RECORD_BYTES {
            flush(&mut writer, &mut raw, &mut first, &mut records)?;
        }
    }
    flush(&mut writer, &mut raw, &mut first, &mut records)?;
    let footer = Footer { format: FORMAT, from, to, strings, meters, dimensions, records };
    let bytes = serde_json::to_vec(&footer)
        .map_err(|error| StoreError::corrupt(name, "its footer", format!("cannot be written ({error})")))?;
    let footer = writer.append(&compress(name, &bytes)?)?;
    let (length, hash) = writer.finish()?;
    Ok(RunFact { name: name.to_owned(), from, to, entries: cells.len() as u64, footer, length, hash })
}

fn flush(
    writer: &mut RunWriter<'_>,
    raw: &mut Vec<u8>,
    first: &mut Option<(usize, usize)>,
    records: &mut Vec<(u64, usize, usize)>,
) -> Result<(), StoreError> {
    if let Some((meter, account)) = first.take() {
        let sector = writer.append(&compress("a cell run", raw)?)?;
        records.push((sector, meter, account));
        raw.clear();
    }
    Ok(())
}

fn compress(name: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL)
        .map_err(|error| StoreError::io(format!("compress a record of `{name}`"), &error))
}

/// The bytes of one unpacked record.
type Unpacked = Arc<Vec<u8>>;

/// A run opened for reading.
pub struct CellRun {
    reader: RunReader,
    footer: Footer,
    fact: RunFact,
    /// Records unpacked lately, the last one last.
    latest: Mutex<Vec<(usize, Unpacked)>>,
}

/// A cell as it stands in a record.
struct Row {
    meter: usize,
    account: usize,
    event_type: usize,
    source: usize,
    dimensions: usize,
    start: i64,
    cell: Cell,
}

/// Reads the rows of an unpacked record one by one.
struct Rows<'a> {
    reader: Reader<'a>,
    start: i64,
}

impl<'a> Rows<'a> {
    fn new(raw: &'a [u8]) -> Self {
        Self { reader: Reader::new(raw), start: 0 }
    }

    fn next(&mut self) -> Result<Option<Row>, BadCoding> {
        if self.reader.remaining() == 0 {
            return Ok(None);
        }
        let reader = &mut self.reader;
        let meter = take_index(reader)?;
        let account = take_index(reader)?;
        let event_type = take_index(reader)?;
        let source = take_index(reader)?;
        let dimensions = take_index(reader)?;
        self.start = self.start.checked_add(reader.i64()?).ok_or(BadCoding("a time is out of range"))?;
        let records = reader.u64()?;
        let units = take_sum(reader)?;
        let unmeasured = reader.u64()?;
        let digest = take_digest(reader)?;
        let cell = Cell { records, units, unmeasured, digest };
        Ok(Some(Row { meter, account, event_type, source, dimensions, start: self.start, cell }))
    }
}

impl CellRun {
    /// Opens a run.
    ///
    /// **Errors**: a checksum that differs, a newer format.
    pub fn open(disk: &dyn Disk, fact: &RunFact) -> Result<Self, StoreError> {
        let reader = RunReader::open(disk, &fact.name)?;
        let (bytes, end) = reader.record(fact.footer)?;
        if end != reader.end() {
            return Err(reader.bad(end, "bytes after the footer"));
        }
        let footer: Footer = decompress(&bytes)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| reader.bad(fact.footer, "not a footer"))?;
        if footer.format > FORMAT || (footer.from, footer.to) != (fact.from, fact.to) {
            return Err(reader.bad(fact.footer, "another run's footer"));
        }
        Ok(Self { reader, footer, fact: fact.clone(), latest: Mutex::new(Vec::new()) })
    }

    /// What the checkpoint says of it.
    pub fn fact(&self) -> &RunFact {
        &self.fact
    }

    /// Visits the cells of a meter version (`None`: base cells) and, where given, of one account, in order.
    ///
    /// **Errors**: a checksum that differs.
    pub fn scan(
        &self,
        meter: Option<&(String, u32)>,
        account: Option<&str>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) -> Result<(), StoreError> {
        let meter_id = match meter {
            None => 0,
            Some(meter) => match self.footer.meters.binary_search(meter) {
                Ok(index) => index + 1,
                Err(_) => return Ok(()),
            },
        };
        let account_id = match account {
            None => None,
            Some(account) => match self.footer.strings.binary_search_by(|s| s.as_str().cmp(account)) {
                Ok(index) => Some(index),
                Err(_) => return Ok(()),
            },
        };
        let records = &self.footer.records;
        let low = (meter_id, account_id.unwrap_or(0));
        let high = (meter_id, account_id.unwrap_or(usize::MAX));
        let begin = records.partition_point(|&(_, m, a)| (m, a) < low).saturating_sub(1);
        for (number, _) in records.iter().enumerate().skip(begin).take_while(|(_, r)| (r.1, r.2) <= high) {
            self.rows(number, &mut |row| {
                if row.meter == meter_id && account_id.is_none_or(|account| row.account == account) {
                    visit(&self.key(&row)?, &row.cell);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Visits all cells in order.
    ///
    /// **Errors**: a checksum that differs.
    pub fn all(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) -> Result<(), StoreError> {
        let mut seen = 0;
        for number in 0..self.footer.records.len() {
            self.rows(number, &mut |row| {
                seen += 1;
                visit(&self.key(&row)?, &row.cell);
                Ok(())
            })?;
        }
        if seen != self.fact.entries {
            let what = format!("expected {} cells, found {seen}", self.fact.entries);
            return Err(self.reader.bad(self.fact.footer, &what));
        }
        Ok(())
    }

    /// Reads the rows of a record.
    fn rows(
        &self,
        number: usize,
        take: &mut dyn FnMut(Row) -> Result<(), BadCoding>,
    ) -> Result<(), StoreError> {
        let raw = self.unpacked(number)?;
        let mut rows = Rows::new(&raw);
        let mut read = || {
            while let Some(row) = rows.next()? {
                take(row)?;
            }
            Ok(())
        };
        read().map_err(|bad: BadCoding| self.reader.bad(self.footer.records[number].0, bad.0))
    }

    fn unpacked(&self, number: usize) -> Result<Unpacked, StoreError> {
        let mut latest = self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, raw)) = latest.iter().find(|(at, _)| *at == number) {
            return Ok(Arc::clone(raw));
        }
        let sector = self.footer.records[number].0;
        let (bytes, _) = self.reader.record(sector)?;
        let raw = Arc::new(decompress(&bytes).map_err(|bad| self.reader.bad(sector, bad.0))?);
        if latest.len() == RECORDS_KEPT {
            latest.remove(0);
        }
        latest.push((number, Arc::clone(&raw)));
        Ok(raw)
    }

    fn key(&self, row: &Row) -> Result<CellKey, BadCoding> {
        let meters = &self.footer.meters;
        let tuple = self.footer.dimensions.get(row.dimensions).ok_or(BadCoding("no such dimensions"))?;
        Ok(CellKey {
            meter: match row.meter {
                0 => None,
                id => Some(meters.get(id - 1).ok_or(BadCoding("no such meter"))?.clone()),
            },
            account: self.text(row.account)?,
            event_type: self.text(row.event_type)?,
            source: self.text(row.source)?,
            dimensions: tuple.iter().map(|id| self.dimension(*id)).collect::<Result<_, _>>()?,
            start: Instant(row.start.checked_mul(CELL_NS).ok_or(BadCoding("a time is out of range"))?),
        })
    }

    fn dimension(&self, id: u32) -> Result<Option<String>, BadCoding> {
        match id {
            0 => Ok(None),
            id => self.text(id as usize - 1).map(Some),
        }
    }

    fn text(&self, id: usize) -> Result<String, BadCoding> {
        self.footer.strings.get(id).cloned().ok_or(BadCoding("no such string"))
    }
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, BadCoding> {
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().unwrap_or(u64::MAX);
    // A footer with a large dictionary may be larger than a record of cells.
    let limit = usize::try_from(size).map_err(|_| BadCoding("a record is too long"))?;
    if limit > RECORD_BYTES_MAX.max(1 << 30) {
        return Err(BadCoding("a record is too long"));
    }
    zstd::bulk::decompress(bytes, limit).map_err(|_| BadCoding("a record cannot be unpacked"))
}
