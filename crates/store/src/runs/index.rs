//! Index runs: the identities that a range of the log holds, ordered by hash.

use metering::{Identity, PayloadHash};

use super::file::{RunReader, RunWriter};
use super::manifest::RunFact;
use crate::disk::Disk;
use crate::error::StoreError;

const ENTRY_BYTES: usize = 32;
const ENTRIES_A_RECORD: usize = 16_384;

/// An accepted record as the dedup index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Its identity.
    pub identity: Identity,
    /// The hash of its content.
    pub payload: PayloadHash,
    /// Its position in the log.
    pub position: u64,
}

/// Writes a run over [from, to), sorting its entries.
///
/// **Errors**: those of the file layer.
pub fn write_index(
    disk: &dyn Disk,
    from: u64,
    to: u64,
    entries: &mut [IndexEntry],
) -> Result<RunFact, StoreError> {
    entries.sort_unstable();
    let name = format!("index/{from:020}-{to:020}.run");
    let mut writer = RunWriter::create(disk, &name)?;
    for batch in entries.chunks(ENTRIES_A_RECORD) {
        let mut record = Vec::with_capacity(batch.len() * ENTRY_BYTES);
        for entry in batch {
            record.extend_from_slice(&entry.identity.0.to_be_bytes());
            record.extend_from_slice(&entry.payload.0.to_le_bytes());
            record.extend_from_slice(&entry.position.to_le_bytes());
        }
        writer.append(&record)?;
    }
    let (length, hash) = writer.finish()?;
    Ok(RunFact { name, from, to, entries: entries.len() as u64, footer: 0, length, hash })
}

/// Visits every entry of a run in the order of identities.
///
/// **Errors**: a checksum that differs, entries out of order or of a wrong number.
pub fn read_index(
    disk: &dyn Disk,
    fact: &RunFact,
    visit: &mut dyn FnMut(IndexEntry),
) -> Result<(), StoreError> {
    let reader = RunReader::open(disk, &fact.name)?;
    let (mut sector, mut seen, mut last) = (0, 0u64, None);
    while sector < reader.end() {
        let (record, next) = reader.record(sector)?;
        if record.len() % ENTRY_BYTES != 0 {
            return Err(reader.bad(sector, "an entry is cut"));
        }
        for bytes in record.chunks_exact(ENTRY_BYTES) {
            let entry = entry_of(bytes).ok_or_else(|| reader.bad(sector, "an entry is cut"))?;
            if last.is_some_and(|last| last >= entry) {
                return Err(reader.bad(sector, "entries are out of order"));
            }
            last = Some(entry);
            seen += 1;
            visit(entry);
        }
        sector = next;
    }
    if seen != fact.entries {
        return Err(reader.bad(sector, &format!("expected {} entries, found {seen}", fact.entries)));
    }
    Ok(())
}

fn entry_of(bytes: &[u8]) -> Option<IndexEntry> {
    let (identity, rest) = bytes.split_first_chunk::<16>()?;
    let (payload, rest) = rest.split_first_chunk::<8>()?;
    let position = rest.first_chunk::<8>()?;
    Some(IndexEntry {
        identity: Identity(u128::from_be_bytes(*identity)),
        payload: PayloadHash(u64::from_le_bytes(*payload)),
        position: u64::from_le_bytes(*position),
    })
}
