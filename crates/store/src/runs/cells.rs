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
const RECORD_BYTES: usize = 256 * 1024;
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

/// The cells of one decoded record.
type Decoded = Arc<Vec<(CellKey, Cell)>>;

/// A run opened for reading.
pub struct CellRun {
    reader: RunReader,
    footer: Footer,
    fact: RunFact,
    /// The record decoded last: queries come in the order of the run.
    latest: Mutex<Option<(usize, Decoded)>>,
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
        Ok(Self { reader, footer, fact: fact.clone(), latest: Mutex::new(None) })
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
            for (key, cell) in self.decoded(number)?.iter() {
                if key.meter.as_ref() == meter && account.is_none_or(|account| key.account == account) {
                    visit(key, cell);
                }
            }
        }
        Ok(())
    }

    /// Visits all cells in order.
    ///
    /// **Errors**: a checksum that differs.
    pub fn all(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) -> Result<(), StoreError> {
        let mut seen = 0;
        for number in 0..self.footer.records.len() {
            let decoded = self.decoded(number)?;
            seen += decoded.len() as u64;
            decoded.iter().for_each(|(key, cell)| visit(key, cell));
        }
        if seen != self.fact.entries {
            let what = format!("expected {} cells, found {seen}", self.fact.entries);
            return Err(self.reader.bad(self.fact.footer, &what));
        }
        Ok(())
    }

    fn decoded(&self, number: usize) -> Result<Decoded, StoreError> {
        let mut latest = self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((at, decoded)) = latest.as_ref()
            && *at == number
        {
            return Ok(Arc::clone(decoded));
        }
        let sector = self.footer.records[number].0;
        let (bytes, _) = self.reader.record(sector)?;
        let bad = |what: BadCoding| self.reader.bad(sector, what.0);
        let raw = decompress(&bytes).map_err(bad)?;
        let decoded = Arc::new(self.decode(&raw).map_err(bad)?);
        *latest = Some((number, Arc::clone(&decoded)));
        Ok(decoded)
    }

    fn decode(&self, raw: &[u8]) -> Result<Vec<(CellKey, Cell)>, BadCoding> {
        let mut reader = Reader::new(raw);
        let mut cells = Vec::new();
        let mut start = 0i64;
        while reader.remaining() > 0 {
            let meter = match take_index(&mut reader)? {
                0 => None,
                id => Some(self.footer.meters.get(id - 1).ok_or(BadCoding("no such meter"))?.clone()),
            };
            let (account, event_type, source) =
                (self.text(&mut reader)?, self.text(&mut reader)?, self.text(&mut reader)?);
            let tuple = self
                .footer
                .dimensions
                .get(take_index(&mut reader)?)
                .ok_or(BadCoding("no such dimensions"))?;
            let dimensions = tuple.iter().map(|id| self.dimension(*id)).collect::<Result<_, _>>()?;
            start = start.checked_add(reader.i64()?).ok_or(BadCoding("a time is out of range"))?;
            let at = start.checked_mul(CELL_NS).ok_or(BadCoding("a time is out of range"))?;
            let records = reader.u64()?;
            let units = take_sum(&mut reader)?;
            let unmeasured = reader.u64()?;
            let digest = take_digest(&mut reader)?;
            let key = CellKey { meter, account, event_type, source, dimensions, start: Instant(at) };
            cells.push((key, Cell { records, units, unmeasured, digest }));
        }
        Ok(cells)
    }

    fn dimension(&self, id: u32) -> Result<Option<String>, BadCoding> {
        match id {
            0 => Ok(None),
            id => match self.footer.strings.get(id as usize - 1) {
                Some(text) => Ok(Some(text.clone())),
                None => Err(BadCoding("no such string")),
            },
        }
    }

    fn text(&self, reader: &mut Reader<'_>) -> Result<String, BadCoding> {
        self.footer.strings.get(take_index(reader)?).cloned().ok_or(BadCoding("no such string"))
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
