//! Reading a cell run.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use metering::{CELL_NS, Cell, CellKey, Instant};

use super::super::file::RunReader;
use super::super::manifest::RunFact;
use super::super::table::{CellScan, replace, start_of};
use super::dictionary::{Dictionary, RowKey};
use super::footer::{Footer, PAGE_BYTES_MAX, RecordPlace, read_pages};
use super::record::{RECORD_BYTES_MAX, Rows};
use super::totals::{RunTotals, Totalling};
use crate::coding::{BadCoding, Reader};
use crate::disk::Disk;
use crate::error::StoreError;

/// Unpacked records that a run keeps at hand: queries come in about the order of the run.
const RECORDS_KEPT: usize = 8;

/// A record whose columns are unpacked.
struct Unpacked {
    columns: Vec<u8>,
    /// The record as it stands in the file; its digests are the last of it.
    record: Vec<u8>,
    digests_at: usize,
}

/// A run opened for reading. Its dictionary and directory are in memory; cells are read when they are asked for.
pub struct CellRun {
    reader: RunReader,
    dictionary: Dictionary,
    records: Vec<RecordPlace>,
    totals: Option<RunTotals>,
    fact: RunFact,
    /// Records unpacked lately, the last one last.
    latest: Mutex<Vec<(usize, Arc<Unpacked>)>>,
}

impl CellRun {
    /// Opens a run.
    ///
    /// **Errors**: a checksum that differs, another format.
    pub fn open(disk: &dyn Disk, fact: &RunFact) -> Result<Self, StoreError> {
        let reader = RunReader::open(disk, &fact.name)?;
        let (bytes, end) = reader.record(fact.footer)?;
        if end != reader.end() {
            return Err(reader.bad(end, "bytes after the footer"));
        }
        let footer = Footer::decode(&bytes).map_err(|bad| reader.bad(fact.footer, bad.0))?;
        if (footer.from, footer.to, footer.entries) != (fact.from, fact.to, fact.entries) {
            return Err(reader.bad(fact.footer, "another run's footer"));
        }
        let records = footer.to.saturating_sub(footer.from);
        let fit = |totals: &RunTotals| totals.fit(records, footer.names, footer.meters.len());
        if !footer.totals.as_ref().is_none_or(fit) {
            return Err(reader.bad(fact.footer, "totals that no cells of such a run have"));
        }
        let mut sector = footer.pages;
        let pages = read_pages(&footer, &mut |read| {
            if sector >= fact.footer {
                return Err(reader.bad(fact.footer, "the footer says more than the pages"));
            }
            let (bytes, next) = reader.record(sector)?;
            let found = unpack(&bytes, PAGE_BYTES_MAX).and_then(|raw| read(&raw));
            let found = found.map_err(|bad| reader.bad(sector, bad.0))?;
            sector = next;
            Ok(found)
        })?;
        if sector != fact.footer {
            return Err(reader.bad(sector, "pages that the footer does not name"));
        }
        Ok(Self {
            reader,
            dictionary: pages.dictionary,
            records: pages.records,
            totals: footer.totals,
            fact: fact.clone(),
            latest: Mutex::new(Vec::new()),
        })
    }

    /// What the checkpoint says of it.
    pub fn fact(&self) -> &RunFact {
        &self.fact
    }

    /// Whether the dimensions of a meter version had too many values to be kept.
    pub fn is_overflowed(&self, meter: &(String, u32)) -> bool {
        self.meter_number(meter).is_some_and(|number| self.dictionary.is_overflowed(number))
    }

    /// The meter versions whose dimensions had too many values to be kept.
    pub fn overflowed(&self) -> BTreeSet<(String, u32)> {
        let meters = self.dictionary.meters.iter().filter(|meter| meter.overflowed);
        meters.map(|meter| meter.name.clone()).collect()
    }

    fn meter_number(&self, meter: &(String, u32)) -> Option<u32> {
        let found = self.dictionary.meters.binary_search_by(|known| known.name.cmp(meter));
        found.ok().map(|at| at as u32 + 1)
    }

    /// Visits some cells, in order.
    ///
    /// **Errors**: a checksum that differs.
    pub fn scan(
        &self,
        scan: &CellScan<'_>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) -> Result<(), StoreError> {
        let Some(meter) = scan.stored().map_or(Some(0), |meter| self.meter_number(meter)) else {
            return Ok(());
        };
        if let Some(totals) = self.totals_within(scan) {
            return self.scan_totals(totals, meter, scan, visit);
        }
        let (mut low, mut high) = ((meter, 0, 0), (meter, u32::MAX, u32::MAX));
        if let Some(account) = scan.account {
            let Some(account) = self.dictionary.accounts.find(account) else { return Ok(()) };
            (low.1, high.1) = (account, account);
        }
        let types = scan.types.map(|types| {
            let mut found: Vec<u32> =
                types.iter().filter_map(|text| self.dictionary.names.find(text)).collect();
            found.sort_unstable();
            found.dedup();
            found
        });
        if let (Some(types), Some(_)) = (&types, scan.account) {
            let (Some(first), Some(last)) = (types.first(), types.last()) else { return Ok(()) };
            (low.2, high.2) = (*first, *last);
        }
        let mut shown = Shown { run: self, key: scan.key(), last: None, with_meter: false };
        let begin = self.records.partition_point(|record| record.first() < low).saturating_sub(1);
        for number in begin..self.records.len() {
            let first = self.records[number].first();
            if first > high {
                break;
            }
            let next = self.records.get(number + 1).map(RecordPlace::first);
            if !may_hold(first, next, scan.account.and(types.as_deref())) {
                continue;
            }
            self.rows(number, &mut |key, cell| {
                let at = (key.meter, key.account, key.event_type);
                if at > high {
                    return Ok(ControlFlow::Break(()));
                }
                if at >= low && types.as_ref().is_none_or(|types| types.binary_search(&at.2).is_ok()) {
                    scan.show(shown.key(&key)?, &cell, visit);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }

    /// The totals, where they answer a scan as well as all cells do.
    fn totals_within(&self, scan: &CellScan<'_>) -> Option<&RunTotals> {
        let ((start, end), totals) = (scan.totals_of?, self.totals.as_ref()?);
        let is_inside = start_of(totals.first) >= start && start_of(totals.last.saturating_add(1)) <= end;
        (scan.account.is_none() && is_inside).then_some(totals)
    }

    fn scan_totals(
        &self,
        totals: &RunTotals,
        meter: u32,
        scan: &CellScan<'_>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) -> Result<(), StoreError> {
        let name = |number: u32| {
            let name = self.dictionary.names.get(number);
            name.ok_or_else(|| self.reader.bad(self.fact.footer, "a total of a name that is not there"))
        };
        for ((_, event_type, source), cell) in totals.sums.range((meter, 0, 0)..=(meter, u32::MAX, u32::MAX))
        {
            let mut key = scan.key();
            replace(&mut key.event_type, name(*event_type)?);
            replace(&mut key.source, name(*source)?);
            key.start = start_of(totals.first);
            if scan.types.is_none_or(|types| types.contains(&key.event_type)) {
                scan.show(&key, cell, visit);
            }
        }
        Ok(())
    }

    /// Visits all cells in order.
    ///
    /// **Errors**: a checksum that differs, cells out of order or of a wrong number.
    pub fn all(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) -> Result<(), StoreError> {
        let key = CellScan::default().key();
        let mut shown = Shown { run: self, key, last: None, with_meter: true };
        self.all_rows(&mut |key, cell| {
            visit(shown.key(&key)?, &cell);
            Ok(())
        })
    }

    fn all_rows(
        &self,
        visit: &mut dyn FnMut(RowKey, Cell) -> Result<(), BadCoding>,
    ) -> Result<(), StoreError> {
        let mut order = OrderCheck::default();
        let mut totalling = Totalling::new(&self.dictionary);
        for number in 0..self.records.len() {
            self.rows(number, &mut |key, cell| {
                order.check(&key)?;
                totalling.add(&key, &cell);
                visit(key, cell)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if self.totals.is_some() && totalling.end() != self.totals {
            return Err(self.reader.bad(self.fact.footer, "its totals are not the sums of its cells"));
        }
        self.check_count(order.seen)
    }

    pub(super) fn check_count(&self, seen: u64) -> Result<(), StoreError> {
        if seen == self.fact.entries {
            return Ok(());
        }
        let what = format!("expected {} cells, found {seen}", self.fact.entries);
        Err(self.reader.bad(self.fact.footer, &what))
    }

    /// Hands its dictionary over; what it reads from then on are numbers.
    pub(super) fn take_dictionary(&mut self) -> Dictionary {
        std::mem::take(&mut self.dictionary)
    }

    pub(super) fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Reads a record in order and does not keep it.
    pub(super) fn read_record(
        &self,
        number: usize,
        take: &mut dyn FnMut(RowKey, Cell) -> Result<(), BadCoding>,
    ) -> Result<(), StoreError> {
        let record = self.unpack_record(number)?;
        self.rows_of(number, &record, &mut |key, cell| {
            take(key, cell)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn rows(
        &self,
        number: usize,
        take: &mut dyn FnMut(RowKey, Cell) -> Result<ControlFlow<()>, BadCoding>,
    ) -> Result<(), StoreError> {
        let record = self.unpacked(number)?;
        self.rows_of(number, &record, take)
    }

    fn rows_of(
        &self,
        number: usize,
        record: &Unpacked,
        take: &mut dyn FnMut(RowKey, Cell) -> Result<ControlFlow<()>, BadCoding>,
    ) -> Result<(), StoreError> {
        let mut read = || {
            let records_max = self.fact.to.saturating_sub(self.fact.from);
            let mut rows = Rows::new(&record.columns, &record.record[record.digests_at..], records_max)?;
            while let Some((key, cell)) = rows.next()? {
                if take(key, cell)?.is_break() {
                    return Ok(());
                }
            }
            rows.finish()
        };
        read().map_err(|bad: BadCoding| self.reader.bad(self.records[number].sector, bad.0))
    }

    fn unpacked(&self, number: usize) -> Result<Arc<Unpacked>, StoreError> {
        let held = || self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, record)) = held().iter().find(|(at, _)| *at == number) {
            return Ok(Arc::clone(record));
        }
        // Others may read meanwhile.
        let record = Arc::new(self.unpack_record(number)?);
        let mut latest = held();
        if latest.len() >= RECORDS_KEPT {
            latest.remove(0);
        }
        latest.push((number, Arc::clone(&record)));
        Ok(record)
    }

    fn unpack_record(&self, number: usize) -> Result<Unpacked, StoreError> {
        let sector = self.records[number].sector;
        let (record, _) = self.reader.record(sector)?;
        let mut reader = Reader::new(&record);
        let packed = reader.bytes().and_then(|packed| unpack(packed, RECORD_BYTES_MAX));
        let columns = packed.map_err(|bad| self.reader.bad(sector, bad.0))?;
        let digests_at = record.len() - reader.remaining();
        Ok(Unpacked { columns, record, digests_at })
    }
}

/// Whether a record that begins at `first`, the next one at `next`, can hold one of some types of an account.
fn may_hold(first: (u32, u32, u32), next: Option<(u32, u32, u32)>, types: Option<&[u32]>) -> bool {
    let (Some(types), Some(next)) = (types, next) else { return true };
    // Only where all of the record is of one account do its types say anything.
    if (first.0, first.1) != (next.0, next.1) {
        return true;
    }
    let at = types.partition_point(|of_type| *of_type < first.2);
    types.get(at).is_some_and(|of_type| *of_type <= next.2)
}

/// Whether cells come in the order of their keys, and how many.
#[derive(Default)]
pub(super) struct OrderCheck {
    last: Option<RowKey>,
    pub seen: u64,
}

impl OrderCheck {
    pub fn check(&mut self, key: &RowKey) -> Result<(), BadCoding> {
        if self.last.replace(*key).is_some_and(|last| last >= *key) {
            return Err(BadCoding("cells are out of order"));
        }
        self.seen += 1;
        Ok(())
    }
}

/// A key whose texts are made anew only where they change.
struct Shown<'a> {
    run: &'a CellRun,
    key: CellKey,
    last: Option<RowKey>,
    /// Whether the meter is that of the cell, and not the one asked for.
    with_meter: bool,
}

impl Shown<'_> {
    fn key(&mut self, row: &RowKey) -> Result<&CellKey, BadCoding> {
        let dictionary = &self.run.dictionary;
        let text = |found: Option<&'_ str>| found.map(str::to_owned).ok_or(BadCoding("no such text"));
        let set = |held: &mut String, found: Option<&str>| {
            replace(held, found.ok_or(BadCoding("no such text"))?);
            Ok(())
        };
        let last = self.last.replace(*row);
        let changed = |of: fn(&RowKey) -> u32| last.is_none_or(|last| of(&last) != of(row));
        let meter_changed = changed(|row| row.meter);
        if meter_changed && self.with_meter {
            self.key.meter = match row.meter.checked_sub(1) {
                None => None,
                Some(at) => {
                    let meter = dictionary.meters.get(at as usize).ok_or(BadCoding("no such meter"))?;
                    Some(meter.name.clone())
                }
            };
        }
        if changed(|row| row.account) {
            set(&mut self.key.account, dictionary.accounts.get(row.account))?;
        }
        if changed(|row| row.event_type) {
            set(&mut self.key.event_type, dictionary.names.get(row.event_type))?;
        }
        if changed(|row| row.source) {
            set(&mut self.key.source, dictionary.names.get(row.source))?;
        }
        if meter_changed || changed(|row| row.tuple) {
            self.key.dimensions.clear();
            if row.tuple > 0 {
                let meter = row.meter.checked_sub(1).and_then(|at| dictionary.meters.get(at as usize));
                let tuple = meter.and_then(|meter| meter.tuples.get(row.tuple));
                for value in tuple.ok_or(BadCoding("no such dimensions"))? {
                    let value = value.checked_sub(1).map(|value| text(dictionary.values.get(value)));
                    self.key.dimensions.push(value.transpose()?);
                }
            }
        }
        let start = i64::from(row.start).checked_mul(CELL_NS).ok_or(BadCoding("a time is out of range"))?;
        self.key.start = Instant(start);
        Ok(&self.key)
    }
}

/// Unpacks bytes that are no longer than a limit, whatever they say of themselves.
fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BadCoding> {
    let said = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let size = said.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= limit);
    let size = size.ok_or(BadCoding("a record is too long"))?;
    zstd::bulk::decompress(bytes, size).map_err(|_| BadCoding("a record cannot be unpacked"))
}
