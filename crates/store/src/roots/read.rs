//! Reading: streams of blocks and rows, each checked against the one before.

use std::sync::Arc;

use metering::Instant;

use super::places::Found;
use super::{Head, Roots};
use crate::append_log::AppendLog;
use crate::block::Block;
use crate::block_codec::{self, BlockHeader, LOG};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::hash::Hash;
use crate::id::Id;
use crate::journal::{self, JOURNAL};
use crate::records::Records;
use crate::row::Row;
use crate::segment::LogKind;

/// Blocks in order. Ends after the first error.
pub struct Blocks(Records);

/// Headers of blocks in order, with their hashes; the sections are not looked at.
pub struct Headers(Records);

/// Blocks in order that may hold rows of a window.
pub struct BlocksWithin {
    from: u64,
    windows: Vec<(Instant, Instant)>,
    places: Result<Found, Option<StoreError>>,
    records: Option<Records>,
}

/// Blocks in order without their accepted rows: counters, first sights, what is kept of the refused.
pub struct Fates(Records);

/// Rows in order. Ends after the first error.
pub struct Rows(Records);

/// What an exported head says of this journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadCheck {
    /// The row has that hash: nothing up to it was changed.
    Agrees,
    /// The head is of another store.
    OtherStore,
    /// The journal ends before that row.
    RowMissing,
    /// The row has another hash: it, or a row before it, was changed.
    HashDiffers {
        /// The hash that the row has.
        found: Hash,
    },
}

impl Roots {
    /// All blocks that hold records at `from` or later. Nothing below the segment of `from` is read, and no more than one
    /// block is held.
    pub fn blocks(&self, from: u64) -> Blocks {
        Blocks(self.records(&LOG, from))
    }

    /// As [`Roots::blocks`], without those that hold no accepted row whose `occurred_at` lies in one of some windows
    /// [start, end), which are in order and apart from each other.
    pub fn blocks_within(&self, from: u64, windows: Vec<(Instant, Instant)>) -> BlocksWithin {
        let places = self.places(from, &windows).map_err(Some);
        BlocksWithin { from, windows, places, records: None }
    }

    /// As [`Roots::blocks`], without the accepted rows.
    pub fn fates(&self, from: u64) -> Fates {
        Fates(self.records(&LOG, from))
    }

    /// As [`Roots::blocks`], without the sections.
    pub fn headers(&self, from: u64) -> Headers {
        Headers(self.records(&LOG, from))
    }

    /// All rows from number `from` on.
    pub fn rows(&self, from: u64) -> Rows {
        Rows(self.records(&JOURNAL, from))
    }

    fn records(&self, kind: &'static LogKind, from: u64) -> Records {
        let (log, log_id): (&AppendLog, Id) = if kind.folder == JOURNAL.folder {
            (&self.journal, self.keys.journal_id)
        } else {
            (&self.log, self.keys.log_id)
        };
        let disk: Arc<dyn Disk> = self.disk.clone();
        match self.check_not_failed() {
            Ok(()) => {
                Records::new(disk, kind, self.keys.store_id, log_id, log.segments().to_vec(), from, log.end())
            }
            Err(error) => Records::failed(disk, kind, error),
        }
    }

    /// Checks the journal against a head that was exported before.
    ///
    /// **Errors**: corrupt rows from that one on; those of the file layer.
    pub fn check_head(&self, head: &Head) -> Result<HeadCheck, StoreError> {
        if head.store_id != self.keys.store_id {
            return Ok(HeadCheck::OtherStore);
        }
        if head.number == 0 {
            let agrees = head.hash == Hash::ZERO;
            return Ok(if agrees { HeadCheck::Agrees } else { HeadCheck::HashDiffers { found: Hash::ZERO } });
        }
        match self.rows(head.number).next() {
            None => Ok(HeadCheck::RowMissing),
            Some(Err(error)) => Err(error),
            Some(Ok(row)) if row.hash == head.hash => Ok(HeadCheck::Agrees),
            Some(Ok(row)) => Ok(HeadCheck::HashDiffers { found: row.hash }),
        }
    }
}

impl Iterator for Blocks {
    type Item = Result<Block, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(|record| block_codec::decode(&record.bytes))
    }
}

impl Iterator for BlocksWithin {
    type Item = Result<Block, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(records) = &mut self.records {
                let windows = &self.windows;
                match records.next_with(|record| block_codec::decode_within(&record.bytes, windows)) {
                    Some(Ok(Some(block))) if block.end() > self.from => return Some(Ok(block)),
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => {
                        self.places = Err(None);
                        self.records = None;
                        return Some(Err(error));
                    }
                    None => self.records = None,
                }
            }
            let opened = match &mut self.places {
                Ok(places) => places.next_records()?,
                Err(error) => Err(error.take()?),
            };
            match opened {
                Ok(records) => self.records = Some(records),
                Err(error) => {
                    self.places = Err(None);
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Iterator for Fates {
    type Item = Result<Block, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(|record| block_codec::decode_fates(&record.bytes))
    }
}

impl Iterator for Headers {
    type Item = Result<(BlockHeader, Hash), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(|record| block_codec::split(&record.bytes).map(|(header, hash, _)| (header, hash)))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(|record| journal::decode(&record.bytes))
    }
}
