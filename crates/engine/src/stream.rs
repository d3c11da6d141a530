//! A feed streamed through the path of events: decoded on all cores, given fates in order, written in order.
//!
//! ```text
//! workers: read (one at a time) ▶ decode ▶ check form ▶ hash ▶ check terms ─▶ the pipeline, in order
//! ```
//!
//! At most [`IN_FLIGHT`] chunks beside those of the workers are anywhere between reading and the sync, which bounds the
//! memory. What is reported to the caller is durable.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Sender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use connectors::{Chunks, Decoder, Feed, InputError, RawChunk};
use store::Counter;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::feeds::FeedOptions;
use crate::pipeline::{Durable, Event, IN_FLIGHT, Line, Tells};
use crate::prepare::{Prepared, prepare};

/// What workers bring.
enum Input {
    /// A chunk of the input, by its number.
    Prepared(u64, Box<Prepared>),
    /// How many chunks there are, and why there are no more.
    End(u64, Option<InputError>),
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
        let workers = options.threads.max(1);
        let gate = &Gate {
            source: Mutex::new(Source { chunks: input, next: 0, in_flight: 0, has_ended: false }),
            room: Condvar::new(),
            in_flight_max: IN_FLIGHT + workers,
        };
        let (keys, known_at) = (self.keys().clone(), self.roots.head().number);
        let meters = self.terms.meters().to_vec();
        let prepare = |raw| {
            let mut prepared = prepare(&keys, decoder, feed, raw);
            prepared.check(known_at, &meters);
            prepared
        };
        let (events, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            let _ends_input = EndsInput(gate);
            for _ in 0..workers {
                let (events, prepare) = (events.clone(), &prepare);
                scope.spawn(move || work(gate, prepare, options.batch_records, &events));
            }
            let mut heard_of = |block: Durable| {
                gate.release();
                durable(u64::from(block.records), block.counters);
            };
            self.with_line((&events, &heard), &mut heard_of, |line| in_order(line, decoder, feed, gate))
        })
    }
}

/// Gives fates to chunks in the order of the input, until it ends; answers why it did.
fn in_order(
    line: &mut Line<'_, '_, Input>,
    decoder: &Decoder,
    feed: &Feed,
    gate: &Gate,
) -> Result<Option<InputError>, EngineError> {
    // Chunks that came before the one that is next.
    let (mut waiting, mut next, mut end) = (BTreeMap::new(), 0, None);
    loop {
        for input in line.inputs.drain(..) {
            match input {
                Input::Prepared(number, prepared) => {
                    waiting.insert(number, prepared);
                }
                Input::End(count, error) => end = Some((count, error)),
            }
        }
        // What has come is given its fate before anything is waited for: it may hold all the room there is.
        while let Some(prepared) = waiting.remove(&next) {
            next += 1;
            match prepared.records() {
                0 => gate.release(),
                _ => {
                    line.admit(decoder, feed, *prepared)?;
                    line.keep_memory()?;
                }
            }
        }
        if let Some((_, error)) = end.take_if(|(count, _)| *count <= next) {
            return Ok(error);
        }
        if line.inputs.is_empty() {
            line.hear()?;
        }
    }
}

/// Reads chunks and prepares them until the input ends.
fn work(gate: &Gate, prepare: impl Fn(RawChunk) -> Prepared, records: usize, events: &Sender<Event<Input>>) {
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
                let _ = events.send(Event::Input(Input::Prepared(number, Box::new(prepare(raw)))));
            }
            ended => {
                source.has_ended = true;
                drop(source);
                gate.room.notify_all();
                let _ = events.send(Event::Input(Input::End(number, ended.err())));
                return;
            }
        }
    }
}
