//! Writing: blocks and rows, in the order that K and P ask for.

use metering::Instant;

use super::{Roots, State};
use crate::block::BlockDraft;
use crate::block_codec::{self, BlockPlace};
use crate::error::{ErrorKind, StoreError};
use crate::hash::Hash;
use crate::journal::{self, RowPlace};
use crate::row::{Row, RowDraft};
use crate::segment::Link;

/// Where a block went. It is durable once the log was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of its first record.
    pub position: u64,
    /// The position after its last.
    pub end: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Roots {
    /// Appends a block; no answer about its records may leave before [`Roots::sync_log`].
    ///
    /// **Errors**: a draft whose fates do not add up, that names a row which is not there, or whose time goes back
    /// ([`ErrorKind::Invalid`], nothing was written); those of the file layer; [`ErrorKind::Closed`].
    pub fn append_block(&mut self, draft: &BlockDraft) -> Result<Appended, StoreError> {
        self.check_writing()?;
        self.check_block(draft)?;
        let place = BlockPlace {
            position: self.log.end(),
            previous: self.log.hash(),
            durable_through: self.log.durable(),
            key_generation: self.keys.generation,
        };
        let (record, hash) = block_codec::encode(place, draft, &mut self.work)
            .map_err(|what| invalid("block_unwritable", what))?;
        let link =
            Link { first: place.position, count: u64::from(draft.records), previous: place.previous, hash };
        let end = link
            .first
            .checked_add(link.count)
            .ok_or_else(|| invalid("log_full", "the log has no position left".to_owned()))?;
        let journal_durable = self.journal.durable();
        let result = self.log.append(link, &record, journal_durable, draft.received_at);
        self.stop_on_error(result)?;
        self.last_known_at = draft.known_at;
        self.last_received_at = Some(draft.received_at);
        Ok(Appended { position: place.position, end, hash })
    }

    fn check_block(&self, draft: &BlockDraft) -> Result<(), StoreError> {
        block_codec::check_balance(draft).map_err(|what| invalid("block_unbalanced", what))?;
        let head = self.head();
        if draft.known_at > head.number || draft.known_at < self.last_known_at {
            return Err(invalid(
                "block_known_at",
                format!(
                    "expected a block known at a row from {} to {}, found `{}`",
                    self.last_known_at, head.number, draft.known_at
                ),
            ));
        }
        if draft.known_at == head.number && draft.known_hash != head.hash {
            return Err(invalid("block_known_at", format!("the hash of row `{}` differs", head.number)));
        }
        if self.last_received_at.is_some_and(|last| draft.received_at < last) {
            return Err(invalid(
                "block_received_at",
                format!("expected a block not received before the last one, found `{}`", draft.received_at),
            ));
        }
        Ok(())
    }

    /// Makes all blocks durable; answers the position below which all records are.
    ///
    /// **Errors**: those of the file layer, after which nothing is synced again but copied on the next open;
    /// [`ErrorKind::Closed`].
    pub fn sync_log(&mut self) -> Result<u64, StoreError> {
        self.check_writing()?;
        let result = self.log.sync();
        self.stop_on_error(result)
    }

    /// Appends a row and makes it durable.
    ///
    /// **Errors**: a row whose cut is not durable yet or that could not be read back ([`ErrorKind::Invalid`], nothing
    /// was written); those of the file layer; [`ErrorKind::Closed`].
    pub fn append_row(&mut self, draft: RowDraft, now: Instant) -> Result<Row, StoreError> {
        self.check_writing()?;
        if let Some(cut) = draft.cut.as_ref().filter(|cut| cut.position > self.log.durable()) {
            return Err(invalid(
                "cut_not_durable",
                format!("expected a cut below position {}, found `{}`", self.log.durable(), cut.position),
            ));
        }
        let place = RowPlace {
            number: self.journal.end(),
            previous: self.journal.hash(),
            recorded_at: now,
            log_durable_through: self.log.durable(),
            journal_durable_through: self.journal.durable() - 1,
        };
        let unwritable = |what: String| invalid("row_unwritable", what);
        let (record, row) = journal::encode(place, draft).map_err(|error| unwritable(error.to_string()))?;
        // A row that cannot be read back would close the journal for ever.
        journal::decode(&record).map_err(unwritable)?;
        let link = Link { first: row.number, count: 1, previous: row.previous, hash: row.hash };
        let log_durable = self.log.durable();
        let result = self.journal.append(link, &record, log_durable, now).and_then(|()| self.journal.sync());
        self.stop_on_error(result)?;
        Ok(row)
    }

    fn stop_on_error<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        // A request that is refused was refused before anything was written.
        if result.as_ref().is_err_and(|error| error.kind != ErrorKind::Invalid) {
            self.state = State::Failed;
        }
        result
    }
}

fn invalid(code: &'static str, message: String) -> StoreError {
    StoreError::new(ErrorKind::Invalid, code, message, "this is a mistake in the program that writes")
}
