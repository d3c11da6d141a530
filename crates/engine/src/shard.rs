//! One engine for many writers: what they send at the same time becomes durable by one sync.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use connectors::{Decoder, Feed};
use metering::Keys;
use store::StoreError;

use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind};
use crate::ingest::Answer;
use crate::prepare::{Prepared, prepare};

/// Requests that may wait; a writer that comes later waits before it is let in.
const WAITING_MAX: usize = 256;
/// Records that one sync covers at most, unless a single batch has more: an answer must not wait for a queue.
const RECORDS_A_SYNC: u32 = 65_536;

/// An engine that runs in a thread of its own and serves any number of writers and readers.
///
/// Writers decode and hash on their own threads. What waits when the engine is free becomes a block each, one sync
/// makes all of it durable, and then all of them are answered. A writer sees its own events, and a reader every event
/// that was answered before it asked.
///
/// **Examples**: `examples/embedded.rs` of this crate.
pub struct Shard {
    requests: SyncSender<Request>,
    thread: JoinHandle<Result<(), EngineError>>,
    keys: Keys,
}

enum Request {
    Append(Box<Append>),
    Do(Box<dyn FnOnce(&mut Engine) + Send>),
}

struct Append {
    decoder: Decoder,
    feed: Feed,
    prepared: Prepared,
    answer: SyncSender<Result<Answer, EngineError>>,
}

impl Shard {
    /// Starts the thread.
    ///
    /// **Errors**: the system has no thread left.
    pub fn start(engine: Engine) -> Result<Self, EngineError> {
        let keys = engine.keys().clone();
        let (requests, waiting) = mpsc::sync_channel(WAITING_MAX);
        let named = std::thread::Builder::new().name("shard".to_owned());
        let thread = named
            .spawn(move || serve(engine, &waiting))
            .map_err(|error| StoreError::io("start a thread", &error))?;
        Ok(Self { requests, thread, keys })
    }

    /// Takes a batch: every record gets one fate, and all of it is on disk when this returns.
    ///
    /// **Errors**: as [`Engine::append_bytes`]; `store_closed` once the engine has stopped.
    pub fn append(&self, decoder: &Decoder, feed: &Feed, bytes: Vec<u8>) -> Result<Answer, EngineError> {
        let prepared = prepare(&self.keys, decoder, feed, decoder.chunk_of(bytes)?);
        let (answer, answered) = mpsc::sync_channel(1);
        let append = Append { decoder: decoder.clone(), feed: feed.clone(), prepared, answer };
        self.requests.send(Request::Append(Box::new(append))).map_err(|_| closed())?;
        answered.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Runs something on the engine between two syncs: a query, a command.
    ///
    /// **Errors**: `store_closed` once the engine has stopped.
    pub fn with<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let run = Box::new(move |engine: &mut Engine| {
            // Whoever asked may have left.
            let _ = answer.send(run(engine));
        });
        self.requests.send(Request::Do(run)).map_err(|_| closed())?;
        answered.recv().map_err(|_| closed())
    }

    /// Answers what waits, then closes the store.
    ///
    /// **Errors**: those of [`Engine::close`].
    pub fn close(self) -> Result<(), EngineError> {
        drop(self.requests);
        match self.thread.join() {
            Ok(closed) => closed,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn closed() -> EngineError {
    EngineError::new(
        ErrorKind::Closed,
        "store_closed",
        "the store stopped after a write that failed, or was closed",
        "open it again: run the command again once the disk is in order",
    )
}

fn serve(mut engine: Engine, waiting: &Receiver<Request>) -> Result<(), EngineError> {
    while let Ok(request) = waiting.recv() {
        let mut group = Vec::new();
        let mut next = Some(request);
        let mut records = 0;
        let mut command = None;
        while let Some(request) = next.take() {
            match request {
                Request::Append(append) => {
                    records += append.prepared.records();
                    group.push(*append);
                    if records < RECORDS_A_SYNC {
                        next = waiting.try_recv().ok();
                    }
                }
                Request::Do(run) => command = Some(run),
            }
        }
        commit(&mut engine, group);
        if let Some(run) = command {
            run(&mut engine);
        }
    }
    engine.close()
}

/// Writes a group, syncs once, answers.
fn commit(engine: &mut Engine, group: Vec<Append>) {
    if group.is_empty() {
        return;
    }
    let mut writers = Vec::with_capacity(group.len());
    let mut batches = Vec::with_capacity(group.len());
    for Append { decoder, feed, prepared, answer } in group {
        writers.push((decoder, feed, answer));
        batches.push(prepared);
    }
    let named = writers.iter().zip(batches).map(|((decoder, feed, _), prepared)| (decoder, feed, prepared));
    match engine.append_all(named.collect()) {
        Ok(answers) => {
            for ((_, _, writer), answer) in writers.iter().zip(answers) {
                let _ = writer.send(Ok(answer));
            }
        }
        Err(error) => {
            for (_, _, writer) in &writers {
                let _ = writer.send(Err(error.clone()));
            }
        }
    }
}
