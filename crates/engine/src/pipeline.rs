//! The path behind the fates: cells → block → log → one sync for several blocks that wait, each on a thread of its own.
//!
//! ```text
//! inputs ─▶ this thread: identities, fates, in order ─▶ cells ─▶ writer: encode ▶ append ▶ sync
//!              ▲──────────────── counted, durable, failed ───────────────────────────────┘
//! ```
//!
//! Inputs and what comes back reach this thread by one channel. Nothing is told to anybody before it is durable; after a
//! failure nothing more is. Two things bring inputs: a feed ([`crate::stream`]) and the writers of a [`crate::Shard`].

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connectors::{Decoder, Feed};
use metering::Meter;
use store::runs::Checkpoint;
use store::tables::Tables;
use store::{Block, BlockDraft, Counter, Disk, Hash, Roots, StoreError};

use crate::admit::{Admission, Admitted, Standing};
use crate::cells::Cells;
use crate::checkpoint::{CellsHeld, Flush, FlushAt, Flusher, is_heavy};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::ingest::append;
use crate::merge::Merge;
use crate::prepare::Prepared;

/// Batches that may wait between two threads.
pub(crate) const IN_FLIGHT: usize = 6;
/// Blocks that one sync may cover, where they are large.
const BLOCKS_A_SYNC: usize = 4;
/// Small blocks are taken together up to so many records.
const RECORDS_A_SYNC: u32 = 32_768;
/// Blocks that one commit of the tables may cover: they may lag, but their transaction must not grow for ever.
const BLOCKS_A_COMMIT: usize = 256;

/// What reaches the thread that gives fates.
pub(crate) enum Event<I> {
    /// Something to be done.
    Input(I),
    /// A block was counted.
    Counted(CellsHeld),
    /// A block is on disk.
    Durable(Durable),
    /// A write failed; nothing more will be durable.
    Failed(StoreError),
}

/// A block that is on disk.
pub(crate) struct Durable {
    /// Where it ends.
    pub end: u64,
    /// How many records it has.
    pub records: u32,
    /// Its hash.
    hash: Hash,
    /// Its counters.
    pub counters: Vec<Counter>,
}

/// What a batch was given, to be told once it is durable.
pub(crate) struct Given {
    /// The position of its first record.
    pub position: u64,
    /// One fate a record.
    pub fates: Vec<metering::Fate>,
    /// Why records were refused.
    pub messages: std::collections::BTreeMap<u32, String>,
}

/// The thread that gives fates, and what it needs of an engine.
pub(crate) struct Line<'e, 'c, I> {
    heard: &'e Receiver<Event<I>>,
    /// What has come and was not done yet.
    pub inputs: VecDeque<I>,
    durable: &'e mut dyn FnMut(Durable),
    admitted: Option<SyncSender<Admitted>>,
    admission: Admission<'e>,
    clock: &'e dyn Clock,
    at: Standing,
    durable_to: u64,
    log_hash: Hash,
    held: CellsHeld,
    memory: Memory<'e, 'c>,
}

/// What flushes need.
struct Memory<'e, 'c> {
    disk: &'e Arc<dyn Disk>,
    checkpoint: &'e mut Checkpoint,
    cells: &'e Mutex<&'c mut Cells>,
    flush: &'e mut Option<Flush>,
    merge: &'e mut Option<Merge>,
    at: FlushAt,
    bytes: usize,
    in_background: bool,
}

impl Engine {
    /// Runs something that gives batches their fates while others count and write them. Whatever was admitted is durable
    /// when it returns without an error; after one the engine has failed.
    ///
    /// `durable` hears of each block that is on disk, in order.
    ///
    /// **Errors**: those of the file layer, and what `run` answers.
    pub(crate) fn with_line<I: Send, T>(
        &mut self,
        (events, heard): (&Sender<Event<I>>, &Receiver<Event<I>>),
        durable: &mut dyn FnMut(Durable),
        run: impl FnOnce(&mut Line<'_, '_, I>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.check_not_failed()?;
        // What memory claims and what the disk holds may differ after a failure, and after a panic of one of the threads,
        // which goes on from here.
        self.failed = true;
        let ran = self.with_threads((events, heard), durable, run);
        self.failed = ran.is_err();
        ran
    }

    fn with_threads<I: Send, T>(
        &mut self,
        (events, heard): (&Sender<Event<I>>, &Receiver<Event<I>>),
        durable: &mut dyn FnMut(Durable),
        run: impl FnOnce(&mut Line<'_, '_, I>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let head = self.roots.head();
        let (position, received_at) = (self.roots.end(), self.received_at());
        let at = self.flush_at(self.roots.log_hash());
        let (bytes, in_background) = (self.memory_bytes, self.in_background);
        let Self {
            disk,
            clock,
            roots,
            tables,
            checkpoint,
            cells,
            dedup,
            flush,
            merge,
            terms,
            uncommitted,
            ..
        } = self;
        let (meters, held) = (terms.meters().to_vec(), CellsHeld::of(cells));
        let (cells, meters) = (&Mutex::new(cells), &meters);
        std::thread::scope(|scope| {
            let (admitted, counted) = mpsc::sync_channel(IN_FLIGHT);
            let (blocks, written) = mpsc::sync_channel(IN_FLIGHT);
            let (of_cells, of_writer) = (events.clone(), events.clone());
            scope.spawn(move || count(cells, meters, position, &counted, &blocks, &of_cells));
            scope.spawn(move || write(roots, tables, uncommitted, &written, &of_writer));
            let mut line = Line {
                heard,
                inputs: VecDeque::new(),
                durable,
                admitted: Some(admitted),
                admission: Admission { dedup, terms },
                clock: clock.as_ref(),
                at: Standing { position, known_at: head.number, known_hash: head.hash, received_at },
                durable_to: position,
                log_hash: at.log_hash,
                held,
                memory: Memory { disk, checkpoint, cells, flush, merge, at, bytes, in_background },
            };
            let ran = run(&mut line)?;
            line.drain()?;
            Ok(ran)
        })
    }
}

impl<I> Line<'_, '_, I> {
    /// Waits for an event: an input is put to the others.
    ///
    /// **Errors**: a write that failed.
    pub fn hear(&mut self) -> Result<(), EngineError> {
        match self.heard.recv() {
            Ok(event) => self.take(event),
            Err(_) => Err(EngineError::stored("a feed", "its threads have ended early")),
        }
    }

    /// Takes what has come, and waits for nothing.
    ///
    /// **Errors**: a write that failed.
    pub fn listen(&mut self) -> Result<(), EngineError> {
        while let Ok(event) = self.heard.try_recv() {
            self.take(event)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<I>) -> Result<(), EngineError> {
        match event {
            Event::Input(input) => self.inputs.push_back(input),
            Event::Counted(held) => self.held = held,
            Event::Durable(durable) => {
                (self.durable_to, self.log_hash) = (durable.end, durable.hash);
                (self.durable)(durable);
            }
            Event::Failed(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Whether all that was admitted is durable.
    pub fn is_durable(&self) -> bool {
        self.durable_to >= self.at.position
    }

    /// The position of the next batch.
    pub fn position(&self) -> u64 {
        self.at.position
    }

    /// Gives a batch its fates and passes it on. It is durable once the engine's `durable` has heard of it. To be
    /// followed by [`Line::keep_memory`].
    ///
    /// **Errors**: those of the file layer; the engine must then stop.
    pub fn admit(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        prepared: Prepared,
    ) -> Result<Given, EngineError> {
        let position = self.at.position;
        self.at.received_at = self.at.received_at.max(self.clock.now());
        let records = prepared.records();
        let mut admitted = self.admission.admit(decoder, feed, prepared, self.at)?;
        self.at.position += u64::from(records);
        let given = Given {
            position,
            fates: std::mem::take(&mut admitted.fates),
            messages: std::mem::take(&mut admitted.messages),
        };
        // A writer that is gone has said why, or will.
        if let Some(next) = &self.admitted {
            let _ = next.send(admitted);
        }
        Ok(given)
    }

    /// Flushes where the tables have grown too large, and takes over what flushes and merges have written.
    ///
    /// **Errors**: those of the file layer; the engine must then stop.
    pub fn keep_memory(&mut self) -> Result<(), EngineError> {
        let is_due = is_heavy(self.admission.dedup, self.held, self.memory.bytes);
        if is_due {
            self.drain()?;
        } else if !self.memory.has_news() {
            return Ok(());
        }
        let Memory { disk, checkpoint, cells, flush, merge, at, in_background, .. } = &mut self.memory;
        let (dedup, cells) = (&mut *self.admission.dedup, &mut **lock(cells));
        let in_background = *in_background;
        let mut flusher = Flusher { disk, checkpoint, cells, dedup, flush, merge, in_background };
        match is_due {
            true => flusher.start(FlushAt { log_hash: self.log_hash, ..at.clone() })?,
            false => flusher.settle(false)?,
        }
        self.held = CellsHeld::of(cells);
        Ok(())
    }

    /// Waits until all that was admitted is durable; what comes meanwhile waits.
    ///
    /// **Errors**: a write that failed.
    pub fn drain(&mut self) -> Result<(), EngineError> {
        while !self.is_durable() {
            self.hear()?;
        }
        Ok(())
    }
}

impl Memory<'_, '_> {
    /// Whether a flush or a merge has ended.
    fn has_news(&self) -> bool {
        self.flush.as_ref().is_some_and(Flush::has_ended) || self.merge.as_ref().is_some_and(Merge::has_ended)
    }
}

/// Says that a thread has panicked, so that nobody waits for it for ever; the panic itself goes on when the threads
/// are joined.
pub(crate) struct Tells<'e, I>(pub &'e Sender<Event<I>>);

impl<I> Drop for Tells<'_, I> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = StoreError::corrupt(
                "a feed",
                "one of its threads",
                "it stopped at a mistake in this program",
            );
            let _ = self.0.send(Event::Failed(error));
        }
    }
}

fn lock<'l, 'c>(cells: &'l Mutex<&'c mut Cells>) -> MutexGuard<'l, &'c mut Cells> {
    cells.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what was accepted, and passes the blocks on.
fn count<I>(
    cells: &Mutex<&mut Cells>,
    meters: &[Meter],
    mut position: u64,
    admitted: &Receiver<Admitted>,
    blocks: &SyncSender<BlockDraft>,
    events: &Sender<Event<I>>,
) {
    let _tells = Tells(events);
    while let Ok(admitted) = admitted.recv() {
        position += u64::from(admitted.draft.records);
        let mut cells = lock(cells);
        cells.add_block(&admitted.counted(), meters, position);
        let held = CellsHeld::of(&cells);
        drop(cells);
        // Whoever is gone has said why, or will.
        let _ = events.send(Event::Counted(held));
        if blocks.send(admitted.draft).is_err() {
            return;
        }
    }
}

/// Writes blocks as they come, several under one sync.
fn write<I>(
    roots: &mut Roots,
    tables: &mut Tables,
    uncommitted: &mut usize,
    blocks: &Receiver<BlockDraft>,
    events: &Sender<Event<I>>,
) {
    let _tells = Tells(events);
    while let Ok(first) = blocks.recv() {
        let mut records = first.records;
        let mut drafts = vec![first];
        while (drafts.len() < BLOCKS_A_SYNC || records < RECORDS_A_SYNC)
            && let Ok(more) = blocks.try_recv()
        {
            records += more.records;
            drafts.push(more);
        }
        *uncommitted += drafts.len();
        let written = write_some(roots, tables, drafts).and_then(|written| {
            if *uncommitted >= BLOCKS_A_COMMIT {
                *uncommitted = 0;
                tables.commit()?;
            }
            Ok(written)
        });
        match written {
            Ok(written) => {
                for durable in written {
                    let _ = events.send(Event::Durable(durable));
                }
            }
            Err(error) => {
                let _ = events.send(Event::Failed(error));
                return;
            }
        }
    }
}

fn write_some(
    roots: &mut Roots,
    tables: &mut Tables,
    drafts: Vec<BlockDraft>,
) -> Result<Vec<Durable>, StoreError> {
    let mut blocks = Vec::with_capacity(drafts.len());
    for draft in drafts {
        blocks.push(append(roots, draft)?);
    }
    tables.begin()?;
    tables.apply_blocks(&blocks)?;
    roots.sync_log()?;
    let durable = |block: Block| Durable {
        end: block.end(),
        records: block.draft.records,
        hash: block.hash,
        counters: block.draft.counters,
    };
    Ok(blocks.into_iter().map(durable).collect())
}
