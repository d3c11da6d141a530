//! One engine for many writers: what they send at the same time becomes durable by one sync.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;

use connectors::{Decoder, Feed};
use metering::Keys;
use store::StoreError;

use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind};
use crate::ingest::Answer;
use crate::pipeline::{Durable, Event, Given, IN_FLIGHT, Line};
use crate::prepare::{Prepared, prepare};

/// Batches that may have fates and not be durable.
const GIVEN_MAX: usize = 4 * IN_FLIGHT;

/// An engine that runs in a thread of its own and serves any number of writers and readers.
///
/// Writers decode and hash on their own threads. A batch that comes alone is taken from its fates to the sync at once;
/// where several wait, they go through the pipeline of a feed: fates, cells and blocks on a thread each, and one sync for
/// the blocks that wait. A writer is answered when its block is durable. It sees its own events, and a reader every event
/// that was answered before it asked.
///
/// A writer waits for its answer, so that no more batches wait than there are writers.
///
/// **Examples**: `examples/embedded.rs` of this crate.
pub struct Shard {
    requests: Sender<Event<Request>>,
    thread: Option<JoinHandle<Result<(), EngineError>>>,
    keys: Keys,
}

enum Request {
    Append(Box<Append>),
    Do(Box<dyn FnOnce(&mut Engine) + Send>),
    /// Nothing more comes.
    Close,
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
        let (requests, heard) = mpsc::channel();
        let named = std::thread::Builder::new().name("shard".to_owned());
        let events = requests.clone();
        let thread = named
            .spawn(move || serve(engine, &events, &heard))
            .map_err(|error| StoreError::io("start a thread", &error))?;
        Ok(Self { requests, thread: Some(thread), keys })
    }

    /// Takes a batch: every record gets one fate, and all of it is on disk when this returns.
    ///
    /// **Errors**: as [`Engine::append_bytes`]; `store_closed` once the engine has stopped.
    pub fn append(&self, decoder: &Decoder, feed: &Feed, bytes: Vec<u8>) -> Result<Answer, EngineError> {
        let prepared = prepare(&self.keys, decoder, feed, decoder.chunk_of(bytes)?);
        let (answer, answered) = mpsc::sync_channel(1);
        let append = Append { decoder: decoder.clone(), feed: feed.clone(), prepared, answer };
        self.send(Request::Append(Box::new(append)))?;
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
        self.send(Request::Do(run))?;
        answered.recv().map_err(|_| closed())
    }

    fn send(&self, request: Request) -> Result<(), EngineError> {
        self.requests.send(Event::Input(request)).map_err(|_| closed())
    }

    /// Answers what waits, then closes the store.
    ///
    /// **Errors**: those of [`Engine::close`].
    pub fn close(mut self) -> Result<(), EngineError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), EngineError> {
        // A thread that has ended has nothing left to answer.
        let _ = self.send(Request::Close);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(closed)) => closed,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Shard {
    /// As [`Shard::close`], but nobody hears of an error: what was answered is durable all the same.
    fn drop(&mut self) {
        let own =
            self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id());
        if own || std::thread::panicking() {
            // It closes by itself; a panic must not meet another.
            let _ = self.send(Request::Close);
        } else {
            let _ = self.end();
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

/// What a session of many writers ends with.
enum Ended {
    /// Nobody waits.
    Idle,
    /// What comes before everything that waits.
    Request(Request),
}

fn serve(
    mut engine: Engine,
    events: &Sender<Event<Request>>,
    heard: &Receiver<Event<Request>>,
) -> Result<(), EngineError> {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match heard.recv() {
                Ok(event) => waiting.extend(request_of(event)),
                Err(_) => break,
            }
        }
        // Who came with it, or while the last was written, waits beside it.
        waiting.extend(heard.try_iter().filter_map(request_of));
        let Some(next) = waiting.pop_front() else { continue };
        match next {
            Request::Append(append) => {
                let others = waiting.iter().any(|request| matches!(request, Request::Append(_)));
                if !others || engine.check_not_failed().is_err() {
                    alone(&mut engine, *append);
                    continue;
                }
                waiting.push_front(Request::Append(append));
                if let Ended::Request(request) = together(&mut engine, events, heard, &mut waiting) {
                    waiting.push_front(request);
                }
            }
            Request::Do(run) => run(&mut engine),
            Request::Close => break,
        }
    }
    engine.close()
}

/// Outside of a session nothing but requests comes; what a session of before has left is not for anybody.
fn request_of(event: Event<Request>) -> Option<Request> {
    match event {
        Event::Input(request) => Some(request),
        Event::Counted(_) | Event::Durable(_) | Event::Failed(_) => None,
    }
}

fn alone(engine: &mut Engine, append: Append) {
    let Append { decoder, feed, prepared, answer } = append;
    // Whoever asked may have left.
    let _ = answer.send(engine.append(&decoder, &feed, prepared));
}

/// A batch that has fates, and who waits for them.
struct Waiting {
    given: Given,
    answer: SyncSender<Result<Answer, EngineError>>,
}

/// Takes batches as long as some wait; answers each when it is durable, or with the error that ended it all.
fn together(
    engine: &mut Engine,
    events: &Sender<Event<Request>>,
    heard: &Receiver<Event<Request>>,
    waiting: &mut VecDeque<Request>,
) -> Ended {
    let given = RefCell::new(VecDeque::<Waiting>::new());
    let mut durable = |block: Durable| {
        let Some(Waiting { given, answer }) = given.borrow_mut().pop_front() else { return };
        let Given { position, fates, messages } = given;
        let _ = answer.send(Ok(Answer { position, fates, messages, counters: block.counters }));
    };
    let mut left = VecDeque::new();
    let ended = engine.with_line((events, heard), &mut durable, |line| {
        line.inputs.append(waiting);
        let ended = take_turns(line, &given);
        left.append(&mut line.inputs);
        ended
    });
    waiting.append(&mut left);
    ended.unwrap_or_else(|error| {
        for Waiting { answer, .. } in given.borrow_mut().drain(..) {
            let _ = answer.send(Err(error.clone()));
        }
        Ended::Idle
    })
}

fn take_turns(
    line: &mut Line<'_, '_, Request>,
    given: &RefCell<VecDeque<Waiting>>,
) -> Result<Ended, EngineError> {
    loop {
        line.listen()?;
        if given.borrow().len() < GIVEN_MAX {
            match line.inputs.pop_front() {
                Some(Request::Append(append)) => {
                    let Append { decoder, feed, prepared, answer } = *append;
                    if prepared.records() == 0 {
                        // No block would tell of it.
                        let _ = answer.send(Ok(Answer::nothing(line.position())));
                        continue;
                    }
                    match line.admit(&decoder, &feed, prepared) {
                        Ok(fates) => given.borrow_mut().push_back(Waiting { given: fates, answer }),
                        Err(error) => {
                            let _ = answer.send(Err(error.clone()));
                            return Err(error);
                        }
                    }
                    // Behind that: to make room it may hear that this very batch is durable.
                    line.keep_memory()?;
                    continue;
                }
                Some(other) => {
                    line.drain()?;
                    return Ok(Ended::Request(other));
                }
                None if line.is_durable() => return Ok(Ended::Idle),
                None => {}
            }
        }
        line.hear()?;
    }
}
