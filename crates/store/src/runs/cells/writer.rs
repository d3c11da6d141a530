//! Writing a cell run, cell by cell.

use metering::Cell;

use super::super::file::RunWriter;
use super::super::manifest::RunFact;
use super::super::table::CellTable;
use super::dictionary::{Dictionary, RowKey};
use super::footer::{Footer, RecordPlace, directory_pages, text_pages, tuple_pages};
use super::record::{RECORD_CELLS, encode_columns, put_digests};
use super::totals::Totalling;
use crate::coding::put_u64;
use crate::disk::Disk;
use crate::error::StoreError;

const ZSTD_LEVEL: i32 = 1;

/// Writes a run; cells come in the order of their keys.
pub struct CellRunWriter<'a> {
    file: RunWriter<'a>,
    packer: zstd::bulk::Compressor<'static>,
    name: String,
    from: u64,
    to: u64,
    rows: Vec<(RowKey, Cell)>,
    records: Vec<RecordPlace>,
    entries: u64,
    totals: Totalling,
}

impl<'a> CellRunWriter<'a> {
    /// A run whose cells are numbered by a dictionary.
    pub fn create(
        disk: &'a dyn Disk,
        name: &str,
        (from, to): (u64, u64),
        dictionary: &Dictionary,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            file: RunWriter::create(disk, name)?,
            packer: zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(|error| unpacked(name, &error))?,
            name: name.to_owned(),
            from,
            to,
            rows: Vec::with_capacity(RECORD_CELLS),
            records: Vec::new(),
            entries: 0,
            totals: Totalling::new(dictionary),
        })
    }

    /// Appends a cell behind all others.
    pub fn put(&mut self, key: &RowKey, cell: &Cell) -> Result<(), StoreError> {
        self.totals.add(key, cell);
        self.rows.push((*key, cell.clone()));
        self.entries += 1;
        if self.rows.len() == RECORD_CELLS { self.put_record() } else { Ok(()) }
    }

    fn put_record(&mut self) -> Result<(), StoreError> {
        let Some(first) = self.rows.first().map(|(key, _)| *key) else { return Ok(()) };
        let columns = encode_columns(&self.rows);
        let packed = self.packer.compress(&columns).map_err(|error| unpacked(&self.name, &error))?;
        let mut record = Vec::with_capacity(packed.len() + self.rows.len() * 16 + 8);
        put_u64(&mut record, packed.len() as u64);
        record.extend_from_slice(&packed);
        put_digests(&mut record, &self.rows);
        let sector = self.file.append(&record)?;
        self.records.push(RecordPlace::new(sector, &first));
        self.rows.clear();
        Ok(())
    }

    /// Ends the run with the dictionary that its cells were numbered by.
    pub fn finish(mut self, dictionary: &Dictionary) -> Result<RunFact, StoreError> {
        self.put_record()?;
        let records = std::mem::take(&mut self.records);
        let mut pages = None;
        let mut put = |raw: &[u8]| {
            let packed = self.packer.compress(raw).map_err(|error| unpacked(&self.name, &error))?;
            let sector = self.file.append(&packed)?;
            pages.get_or_insert(sector);
            Ok(())
        };
        for texts in [&dictionary.accounts, &dictionary.names, &dictionary.values] {
            text_pages(texts, &mut put)?;
        }
        tuple_pages(&dictionary.meters, &mut put)?;
        directory_pages(&records, &mut put)?;
        let meters = dictionary
            .meters
            .iter()
            .map(|meter| (meter.name.clone(), meter.overflowed, meter.tuples.len() as u64))
            .collect();
        let footer = Footer {
            from: self.from,
            to: self.to,
            entries: self.entries,
            // Without a page there is no cell: the footer is all.
            pages: pages.unwrap_or(0),
            accounts: dictionary.accounts.len() as u64,
            names: dictionary.names.len() as u64,
            values: dictionary.values.len() as u64,
            meters,
            records: records.len() as u64,
            totals: self.totals.end(),
        };
        let sector = self.file.append(&footer.encode())?;
        let (length, hash) = self.file.finish()?;
        let Self { name, from, to, entries, .. } = self;
        Ok(RunFact { name, from, to, entries, footer: sector, length, hash })
    }
}

fn unpacked(name: &str, error: &std::io::Error) -> StoreError {
    StoreError::io(format!("compress a record of `{name}`"), error)
}

/// Writes a run over [from, to).
///
/// **Errors**: those of the file layer; `cells_too_many` where its texts have 4 GiB.
pub fn write_cells(
    disk: &dyn Disk,
    name: &str,
    from: u64,
    to: u64,
    cells: &CellTable,
) -> Result<RunFact, StoreError> {
    let sorted = cells.sorted()?;
    let mut writer = CellRunWriter::create(disk, name, (from, to), &sorted.dictionary)?;
    sorted.each(&mut |key, cell| writer.put(key, cell))?;
    writer.finish(&sorted.dictionary)
}
