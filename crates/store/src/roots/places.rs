//! Where in the log what was used when stands, so that a question about an hour does not read all of it.
//!
//! It is made of the headers of the blocks when it is first asked for, and from then on of the new ones. What is kept is
//! of stretches of many blocks: some 100 bytes for 256 KiB of log, whatever the size of a block.

use std::sync::{Arc, Mutex, PoisonError};

use metering::Instant;

use super::Roots;
use crate::block_codec::{self, LOG, may_hold};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::framed::bad_sector;
use crate::hash::Hash;
use crate::id::Id;
use crate::records::Records;
use crate::segment::SegmentName;
use crate::survey::{check_link, read_header};
use crate::walk::{SegmentReader, Step};

/// A stretch ends behind so many sectors, or with its segment.
const PLACE_SECTORS: u64 = 512;

/// A stretch of blocks in one segment.
#[derive(Clone, Debug)]
struct Place {
    /// The number of the segment.
    segment: usize,
    sector: u64,
    /// The sector behind it.
    next: u64,
    /// The position of the first record, and the hash of the block before.
    first: (u64, Hash),
    /// The position behind the last record, and the hash of the last block.
    end: (u64, Hash),
    /// The earliest and the latest `occurred_at` of accepted rows.
    occurred: Option<(i64, i64)>,
}

/// The places of the log, as far as they were asked for.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Vec<Place>>);

/// What opens a place.
pub(super) struct Source {
    disk: Arc<dyn Disk>,
    ids: (Id, Id),
}

/// Places in order, and how to read them.
pub(super) struct Found {
    source: Source,
    places: std::vec::IntoIter<(SegmentName, Place)>,
}

impl Found {
    /// The blocks of the next place.
    pub(super) fn next_records(&mut self) -> Option<Result<Records, StoreError>> {
        let (segment, place) = self.places.next()?;
        let Source { disk, ids } = &self.source;
        Some(Records::within(disk.clone(), &LOG, *ids, &segment, place.sector, place.first, place.end.0))
    }
}

impl Roots {
    /// The places that hold records from `from` on and may hold accepted rows in one of some windows.
    pub(super) fn places(&self, from: u64, windows: &[(Instant, Instant)]) -> Result<Found, StoreError> {
        self.check_not_failed()?;
        let source = Source { disk: self.disk.clone(), ids: (self.keys.store_id, self.keys.log_id) };
        let segments = self.log.segments();
        let mut places = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        source.extend(&mut places, segments, self.log.end())?;
        let begin = places.partition_point(|place| place.end.0 <= from);
        let found = places[begin..].iter().filter(|place| may_hold(place.occurred, windows));
        let found: Vec<_> = found.map(|place| (segments[place.segment].clone(), place.clone())).collect();
        Ok(Found { source, places: found.into_iter() })
    }
}

impl Source {
    /// Reads the headers of the blocks below `end` that no place has.
    fn extend(&self, places: &mut Vec<Place>, segments: &[SegmentName], end: u64) -> Result<(), StoreError> {
        let (store_id, log_id) = self.ids;
        while places.last().map_or(0, |place| place.end.0) < end {
            let last = places.last();
            // A segment that has another behind it ends where that one begins.
            let (number, sector, mut expected) = match last {
                None => (0, 0, (0, Hash::ZERO)),
                Some(place) => match segments.get(place.segment + 1) {
                    Some(next) if next.first == place.end.0 => (place.segment + 1, 0, place.end),
                    _ => (place.segment, place.next, place.end),
                },
            };
            let Some(name) = segments.get(number) else {
                let what = format!("a block is missing: records end before {end}");
                return Err(StoreError::corrupt(LOG.folder, "the last segment", what));
            };
            let mut reader = SegmentReader::open(&*self.disk, &name.path(&LOG), log_id)?;
            if sector == 0 {
                let header = read_header(&mut reader, name, store_id, log_id)?.header;
                if (header.first, header.previous) != expected {
                    return Err(reader.corrupt(0, "the segment does not follow the one before"));
                }
            } else {
                reader.seek(sector);
            }
            let stop = segments.get(number + 1).map_or(end, |next| next.first.min(end));
            if expected.0 >= stop {
                return Err(reader.corrupt(sector, "the next segment begins before the last block ends"));
            }
            while expected.0 < stop {
                let record = match reader.step_head(block_codec::head_bytes)? {
                    Step::Record(record) => record,
                    Step::Bad(bad) => return Err(bad_sector(reader.name(), bad)),
                    Step::End => {
                        let what = format!("a block is missing: records end before {stop}");
                        return Err(reader.corrupt(reader.sector(), what));
                    }
                };
                let link = check_link(&LOG, &reader, &record, expected.0, expected.1)?;
                let bad = |what| reader.corrupt(record.sector, what);
                let (header, ..) = block_codec::split(&record.bytes).map_err(bad)?;
                let block = Place {
                    segment: number,
                    sector: record.sector,
                    next: record.next,
                    first: expected,
                    end: (link.end(), link.hash),
                    occurred: header.occurred_range(),
                };
                expected = block.end;
                match places.last_mut() {
                    Some(place) if place.takes(&block) => place.add(&block),
                    _ => places.push(block),
                }
            }
        }
        Ok(())
    }
}

impl Place {
    fn takes(&self, block: &Self) -> bool {
        self.segment == block.segment && block.next - self.sector <= PLACE_SECTORS
    }

    fn add(&mut self, block: &Self) {
        (self.next, self.end) = (block.next, block.end);
        self.occurred = match (self.occurred, block.occurred) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}
