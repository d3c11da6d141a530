//! The engine over one folder: open, catch up, checkpoint, close.

use std::sync::Arc;

use metering::{Digest, EventView, Instant, Keys};
use serde_json::{Value, json};
use store::runs::Checkpoint;
use store::tables::Tables;
use store::{Class, Disk, Head, Reference, Roots, Row, RowDraft, SegmentSizes};

use crate::cells::Cells;
use crate::checkpoint::Flush;
use crate::clock::Clock;
use crate::dedup::Dedup;
use crate::error::{EngineError, ErrorKind};
use crate::merge::Merge;
use crate::terms::TermSet;

/// The one tenant of an embedded store; formats carry the field from the start.
pub const TENANT: &str = "default";

/// Who asks, and why: stands in every journal row that the command writes.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who asks.
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// A repeated command with the same key answers the first result again.
    pub idempotency_key: Option<String>,
}

/// Fills bytes with chance.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// What the engine is given to open a folder.
pub struct Options {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for fresh keys.
    pub random: Random,
    /// Keys for a folder that is not there yet; fresh ones where absent.
    pub keys: Option<Keys>,
    /// Who opens it.
    pub actor: String,
    /// When segments roll.
    pub sizes: SegmentSizes,
    /// Bytes of memory for the tables of what no run holds yet and the filter over the identities in runs.
    pub memory_bytes: usize,
    /// Whether runs are written beside the path of events, by a thread of their own.
    pub in_background: bool,
}

/// The engine over one folder. See the crate's documentation for the path of an event.
pub struct Engine {
    // First, so that it is let go first: a flush is waited for before the lock on the folder, which `roots` holds.
    pub(crate) flush: Option<Flush>,
    pub(crate) merge: Option<Merge>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) roots: Roots,
    pub(crate) tables: Tables,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) cells: Cells,
    pub(crate) dedup: Dedup,
    pub(crate) memory_bytes: usize,
    pub(crate) in_background: bool,
    pub(crate) terms: TermSet,
    pub(crate) notes: Vec<String>,
    pub(crate) read_only: bool,
    pub(crate) failed: bool,
    /// Blocks that the tables hold in a transaction that is open.
    pub(crate) uncommitted: usize,
}

impl Engine {
    /// Reads the terms again, as known at the journal's head.
    pub(crate) fn reload_terms(&mut self) -> Result<(), EngineError> {
        self.terms = TermSet::load(&self.tables, self.roots.head().number)?;
        Ok(())
    }

    /// The keyed digest of an event.
    pub fn digest<'e>(&self, event: impl Into<EventView<'e>>) -> Digest {
        metering::fingerprint_of(self.roots.keys(), TENANT, event).digest
    }

    /// After a failure nothing more is written, and nothing answered of what memory holds.
    pub(crate) fn check_not_failed(&self) -> Result<(), EngineError> {
        if self.failed {
            return Err(EngineError::new(
                ErrorKind::Closed,
                "store_closed",
                "the store stopped after a write that failed",
                "open it again: run the command again once the disk is in order",
            ));
        }
        Ok(())
    }

    /// Appends a row, applies it to the tables, answers it.
    pub(crate) fn record(&mut self, draft: RowDraft) -> Result<Row, EngineError> {
        self.check_not_failed()?;
        // The journal is the durable copy: the tables join it at the next commit, or catch up at the next open.
        self.tables.begin()?;
        let row = self.roots.append_row(draft, self.clock.now())?;
        let applied = self.tables.apply_row(&row);
        // The row is durable. Tables that lack it must not answer any more: a retry would be done twice.
        self.failed |= applied.is_err();
        applied?;
        Ok(row)
    }

    /// Journals that a command was refused, then answers the refusal. Errors of the disk are not journalled:
    /// the store stops instead.
    pub(crate) fn journal_failure<T>(
        &mut self,
        caller: &Caller,
        class: Class,
        command: &str,
        input: Value,
        result: Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let Err(error) = result else { return result };
        if matches!(error.kind, ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict) {
            self.record(RowDraft {
                class,
                actor: caller.actor.clone(),
                reason: caller.reason.clone(),
                idempotency_key: None,
                command: command.to_owned(),
                command_version: 1,
                input,
                result: json!({ "code": error.code, "message": error.message }),
                effects: Vec::new(),
                cut: None,
                references: Vec::new(),
            })?;
        }
        Err(error)
    }

    /// Checkpoints, then writes the close record. A folder opened for reading is just let go.
    ///
    /// **Errors**: those of the file layer; the folder then recovers at the next open.
    pub fn close(mut self) -> Result<(), EngineError> {
        if self.read_only {
            return Ok(());
        }
        // Whatever else went wrong, no flush outlives the lock on the folder.
        self.settle_flush(true)?;
        self.merge = None;
        self.check_not_failed()?;
        if self.has_long_tail() || self.checkpoint.meters != self.covers(self.checkpoint.position) {
            self.checkpoint_now(false)?;
        }
        // That checkpoint may have begun another.
        self.merge = None;
        self.tables.commit()?;
        self.tables.close()?;
        let runs = self.checkpoint.cells.iter().chain(&self.checkpoint.index);
        let known: Vec<Reference> = runs
            .map(|run| Reference { name: run.name.clone(), length: run.length, hash: run.hash })
            .collect();
        self.roots.close(self.clock.now(), &known)?;
        Ok(())
    }

    /// How many cell runs and index runs there are.
    pub fn runs(&self) -> (usize, usize) {
        (self.checkpoint.cells.len(), self.checkpoint.index.len())
    }

    /// What opening had to do beyond the usual: recovered, rebuilt.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The journal's head.
    pub fn head(&self) -> Head {
        self.roots.head()
    }

    /// The end of the log: how many records were ever received.
    pub fn end(&self) -> u64 {
        self.roots.end()
    }

    /// The store's id.
    pub fn store_id(&self) -> String {
        self.roots.store_id().to_string()
    }

    /// The time now, by the engine's clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The tables, for reading.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The terms as known now.
    pub fn terms(&self) -> &TermSet {
        &self.terms
    }

    /// The secret keys, for digests and hashes of personal fields.
    pub fn keys(&self) -> &Keys {
        self.roots.keys()
    }
}
