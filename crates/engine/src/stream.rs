//! A feed streamed through the path of events: decoded on all cores, given fates in order, written in order.
//!
//! ```text
//! workers: read (one at a time) ▶ decode ▶ check form ▶ hash ─┐ any order
//! this thread: identities, fates, in order ◀──────────────────┘ ─▶ cells ─▶ writer: encode ▶ append ▶ sync, one
//!              ▲─────────────────── durable ───────────────────────────────── for several blocks that wait
//! ```
//!
//! At most [`IN_FLIGHT`] chunks are anywhere between reading and the sync, which bounds the memory. What is reported
//! to the caller is durable.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use connectors::{Chunks, Decoder, Feed, InputError, RawChunk};
use metering::{Instant, Meter};
use store::tables::Tables;
use store::{Block, BlockDraft, Counter, Hash, Roots, StoreError};

use crate::admit::{Admission, Admitted, Standing};
use crate::cells::{Cells, Counted};
use crate::checkpoint::{CellsHeld, Flush, FlushAt, Flusher, is_heavy};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::feeds::FeedOptions;
use crate::ingest::append;
use crate::merge::Merge;
use crate::prepare::{Prepared, prepare};

/// Chunks that may be under way at a time beside those that the workers hold.
const IN_FLIGHT: usize = 6;
/// Blocks that one sync may cover.
const BLOCKS_A_SYNC: usize = 4;

/// Blocks that one commit of the tables may cover: they may lag, but their transaction must not grow for ever.
const BLOCKS_A_COMMIT: usize = 256;

/// What reaches the thread that gives fates.
enum Event {
    /// A chunk of the input, by its number.
    Prepared(u64, Box<Prepared>),
    /// How many chunks there are, and why there are no more.
    End(u64, Option<InputError>),
    /// A block was counted.
    Counted(CellsHeld),
    /// A block is durable: where it ends, its hash and its counters.
    Durable { end: u64, hash: Hash, counters: Vec<Counter> },
    /// A write failed; nothing more will be durable.
    Failed(StoreError),
}

/// The input, read by one worker at a time.
struct Source {
    chunks: Chunks,
    next: u64,
    /// Chunks that were read and are not durable yet.
    in_flight: usize,
    has_ended: bool,
}

struct Gate {
    source: Mutex<Source>,
    room: Condvar,
    in_flight_max: usize,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self) {
        self.lock().in_flight -= 1;
        self.room.notify_one();
    }

    fn end(&self) {
        self.lock().has_ended = true;
        self.room.notify_all();
    }
}

/// Ends the input when the thread that gives fates leaves, whatever the reason, so that no worker waits for ever.
struct EndsInput<'g>(&'g Gate);

impl Drop for EndsInput<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Engine {
    /// Streams an input through; answers why it broke off, if it did. `durable` hears of each block that is on disk.
    ///
    /// **Errors**: those of the file layer; the engine then stops.
    pub(crate) fn stream(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        input: Chunks,
        options: FeedOptions,
        durable: &mut dyn FnMut(u64, Vec<Counter>),
    ) -> Result<Option<InputError>, EngineError> {
        self.check_not_failed()?;
        // What memory claims and what the disk holds may differ after a failure, and after a panic of one of the threads,
        // which goes on from here.
        self.failed = true;
        let streamed = self.stream_until_failure(decoder, feed, input, options, durable);
        self.failed = streamed.is_err();
        streamed
    }

    fn stream_until_failure(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        input: Chunks,
        options: FeedOptions,
        durable: &mut dyn FnMut(u64, Vec<Counter>),
    ) -> Result<Option<InputError>, EngineError> {
        let workers = options.threads.max(1);
        let gate = Gate {
            source: Mutex::new(Source { chunks: input, next: 0, in_flight: 0, has_ended: false }),
            room: Condvar::new(),
            in_flight_max: IN_FLIGHT + workers,
        };
        let keys = self.keys().clone();
        let head = self.roots.head();
        let (position, last) = (self.roots.end(), self.roots.last_received_at());
        let at = self.flush_at(self.roots.log_hash());
        let Self { disk, clock, roots, tables, checkpoint, cells, dedup, flush, merge, terms, .. } = self;
        let (memory_bytes, in_background) = (self.memory_bytes, self.in_background);
        let (meters, held) = (terms.meters().to_vec(), CellsHeld::of(cells));
        let (cells, meters) = (&Mutex::new(cells), &meters);
        std::thread::scope(|scope| {
            let ends_input = EndsInput(&gate);
            let (events, heard) = mpsc::channel();
            let (admitted, counted) = mpsc::sync_channel(IN_FLIGHT);
            let (blocks, written) = mpsc::sync_channel(IN_FLIGHT);
            for _ in 0..workers {
                let (events, gate, keys) = (events.clone(), &gate, &keys);
                let prepare = move |raw| {
                    let mut prepared = prepare(keys, decoder, feed, raw);
                    prepared.check(head.number, meters);
                    prepared
                };
                scope.spawn(move || work(gate, prepare, options.batch_records, &events));
            }
            let heard_of = events.clone();
            scope.spawn(move || count(cells, meters, position, &counted, &blocks, &heard_of));
            scope.spawn(move || write(roots, tables, &written, &events));
            let mut line = Line {
                admission: Admission { dedup, terms },
                decoder,
                feed,
                admitted: Some(admitted),
                held,
                gate: &gate,
                waiting: BTreeMap::new(),
                next: 0,
                end: None,
                at: Standing {
                    position,
                    known_at: head.number,
                    known_hash: head.hash,
                    received_at: clock.now(),
                },
                durable_to: position,
                log_hash: at.log_hash,
            };
            line.at.received_at = last.map_or(line.at.received_at, |last| last.max(line.at.received_at));
            loop {
                // What has come is given its fate before anything is waited for: it may hold all the room there is.
                while line.admit_one(clock.now())? {
                    if is_heavy(line.admission.dedup, line.held, memory_bytes) {
                        line.drain(&heard, durable)?;
                        let at = FlushAt { log_hash: line.log_hash, ..at.clone() };
                        let (dedup, cells) = (&mut *line.admission.dedup, &mut **lock(cells));
                        Flusher { disk, checkpoint, cells, dedup, flush, merge, in_background }.start(at)?;
                        line.held = CellsHeld::of(cells);
                    } else if flush.as_ref().is_some_and(Flush::has_ended)
                        || merge.as_ref().is_some_and(Merge::has_ended)
                    {
                        let (dedup, cells) = (&mut *line.admission.dedup, &mut **lock(cells));
                        Flusher { disk, checkpoint, cells, dedup, flush, merge, in_background }
                            .settle(false)?;
                        line.held = CellsHeld::of(cells);
                    }
                }
                if let Some(end) = line.ended() {
                    drop(ends_input);
                    return Ok(end);
                }
                match heard.recv() {
                    Ok(event) => line.take(event, durable)?,
                    Err(_) => return Err(EngineError::stored("a feed", "its threads have ended early")),
                }
            }
        })
    }
}

/// The thread that gives fates.
struct Line<'e> {
    admission: Admission<'e>,
    decoder: &'e Decoder,
    feed: &'e Feed,
    admitted: Option<SyncSender<Admitted>>,
    held: CellsHeld,
    gate: &'e Gate,
    /// Chunks that came before the one that is next.
    waiting: BTreeMap<u64, Box<Prepared>>,
    next: u64,
    /// How many chunks there are, and why there are no more.
    end: Option<(u64, Option<InputError>)>,
    at: Standing,
    durable_to: u64,
    log_hash: Hash,
}

impl Line<'_> {
    fn take(&mut self, event: Event, durable: &mut dyn FnMut(u64, Vec<Counter>)) -> Result<(), EngineError> {
        match event {
            Event::Prepared(number, prepared) => {
                self.waiting.insert(number, prepared);
            }
            Event::End(count, error) => self.end = Some((count, error)),
            Event::Durable { end, hash, counters } => {
                let records = end - self.durable_to;
                (self.durable_to, self.log_hash) = (end, hash);
                self.gate.release();
                durable(records, counters);
            }
            Event::Counted(held) => self.held = held,
            Event::Failed(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Gives fates to the chunk that is next, if it has come.
    fn admit_one(&mut self, now: Instant) -> Result<bool, EngineError> {
        let Some(prepared) = self.waiting.remove(&self.next) else { return Ok(false) };
        self.next += 1;
        let records = prepared.records();
        if records == 0 {
            self.gate.release();
            return Ok(true);
        }
        self.at.received_at = self.at.received_at.max(now);
        let admitted = self.admission.admit(self.decoder, self.feed, *prepared, self.at)?;
        self.at.position += u64::from(records);
        // A writer that is gone has said why, or will.
        if let Some(next) = &self.admitted {
            let _ = next.send(admitted);
        }
        Ok(true)
    }

    /// Why the input ended, once all of it is durable.
    fn ended(&mut self) -> Option<Option<InputError>> {
        let (count, _) = self.end.as_ref()?;
        if self.next < *count {
            return None;
        }
        // Nothing more is written: the writer syncs what it has and leaves.
        self.admitted = None;
        if self.durable_to < self.at.position {
            return None;
        }
        self.end.take().map(|(_, error)| error)
    }

    /// Waits until all blocks are durable; what is read meanwhile waits.
    fn drain(
        &mut self,
        heard: &Receiver<Event>,
        durable: &mut dyn FnMut(u64, Vec<Counter>),
    ) -> Result<(), EngineError> {
        while self.durable_to < self.at.position {
            match heard.recv() {
                Ok(event) => self.take(event, durable)?,
                Err(_) => return Err(EngineError::stored("a feed", "its threads have ended early")),
            }
        }
        Ok(())
    }
}

/// Reads chunks and prepares them until the input ends.
fn work(gate: &Gate, prepare: impl Fn(RawChunk) -> Prepared, records: usize, events: &Sender<Event>) {
    let _tells = Tells(events);
    loop {
        let mut source = gate.lock();
        while source.in_flight >= gate.in_flight_max && !source.has_ended {
            source = gate.room.wait(source).unwrap_or_else(PoisonError::into_inner);
        }
        if source.has_ended {
            return;
        }
        let (number, read) = (source.next, source.chunks.next(records));
        match read {
            Ok(Some(raw)) => {
                source.next += 1;
                source.in_flight += 1;
                drop(source);
                // The other side is gone when it failed: it has ended the input too.
                let _ = events.send(Event::Prepared(number, Box::new(prepare(raw))));
            }
            ended => {
                source.has_ended = true;
                drop(source);
                gate.room.notify_all();
                let _ = events.send(Event::End(number, ended.err()));
                return;
            }
        }
    }
}

/// Says that a thread has panicked, so that nobody waits for it for ever; the panic itself goes on when the threads
/// are joined.
struct Tells<'e>(&'e Sender<Event>);

impl Drop for Tells<'_> {
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
fn count(
    cells: &Mutex<&mut Cells>,
    meters: &[Meter],
    mut position: u64,
    admitted: &Receiver<Admitted>,
    blocks: &SyncSender<BlockDraft>,
    events: &Sender<Event>,
) {
    let _tells = Tells(events);
    while let Ok(Admitted { draft, prints, units, accounts, .. }) = admitted.recv() {
        position += u64::from(draft.records);
        let mut cells = lock(cells);
        let counted =
            Counted { accepted: &draft.accepted, prints: &prints, units: &units, accounts: &accounts };
        cells.add_block(&counted, meters, position);
        cells.reach(position);
        let held = CellsHeld::of(&cells);
        drop(cells);
        // Whoever is gone has said why, or will.
        let _ = events.send(Event::Counted(held));
        if blocks.send(draft).is_err() {
            return;
        }
    }
}

/// Writes blocks as they come, several under one sync.
fn write(roots: &mut Roots, tables: &mut Tables, blocks: &Receiver<BlockDraft>, events: &Sender<Event>) {
    let _tells = Tells(events);
    let mut since_commit = 0;
    while let Ok(first) = blocks.recv() {
        let mut drafts = vec![first];
        while drafts.len() < BLOCKS_A_SYNC
            && let Ok(more) = blocks.try_recv()
        {
            drafts.push(more);
        }
        since_commit += drafts.len();
        let written = write_some(roots, tables, drafts).and_then(|written| {
            if since_commit >= BLOCKS_A_COMMIT {
                since_commit = 0;
                tables.commit()?;
            }
            Ok(written)
        });
        match written {
            Ok(written) => {
                for event in written {
                    let _ = events.send(event);
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
) -> Result<Vec<Event>, StoreError> {
    let mut blocks = Vec::with_capacity(drafts.len());
    for draft in drafts {
        blocks.push(append(roots, draft)?);
    }
    tables.begin()?;
    tables.apply_blocks(&blocks)?;
    roots.sync_log()?;
    let durable =
        |block: Block| Event::Durable { end: block.end(), hash: block.hash, counters: block.draft.counters };
    Ok(blocks.into_iter().map(durable).collect())
}
