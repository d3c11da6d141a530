//! Files that go on where an earlier run stopped: what it took is compared with the log, and not taken again.
//!
//! What a run took is known from the journal and the log alone: the row that says it began names the log's end, the row
//! behind it another, and whatever was received in between is of that run, in the order of the file. Nothing is guessed
//! of the file: each of its records that is passed over must be one that the log holds.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use connectors::{Chunks, Decoder, Feed, RawChunk};
use metering::{Identity, Keys, Probe};
use serde_json::Value;
use store::{Fates, Kept, Roots, Row};

use crate::dedup::{Dedup, compare};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::feeds::FeedOptions;
use crate::prepare::{Prepared, prepare};

/// The command of the row that says that a run begins.
pub(crate) const BEGUN: &str = "ingest_begun";

/// What runs so far took of one file: its first records, and where in the log each piece of them is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken(Vec<Range<u64>>);

impl Taken {
    /// How many records, from the first of the file on.
    pub fn records(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }
}

/// What was taken of files, by feed and base name.
#[derive(Clone, Debug, Default)]
pub struct TakenFiles(BTreeMap<(String, String), Taken>);

impl TakenFiles {
    /// What was taken of a file by the last run that began with its first record, and by those that went on behind it.
    pub fn of(&self, feed: &str, file: &str) -> Option<&Taken> {
        self.0.get(&(feed.to_owned(), file.to_owned()))
    }
}

/// The run that the last row says has begun.
struct Begun {
    file: (String, String),
    from: u64,
    skipped: u64,
}

impl Begun {
    fn read(row: &Row) -> Result<Self, EngineError> {
        let unreadable = || EngineError::stored(format!("journal row {}", row.number), "it lacks a field");
        let feed = row.draft.input["feed"].as_str().ok_or_else(unreadable)?;
        // Rows that name no file are of programs, or older than this field.
        let file = row.draft.input["file"].as_str().unwrap_or(feed);
        let skipped = match &row.draft.input["skipped"] {
            Value::Null => 0,
            skipped => skipped.as_u64().ok_or_else(unreadable)?,
        };
        let from = row.draft.result["from"].as_u64().ok_or_else(unreadable)?;
        Ok(Self { file: (feed.to_owned(), file.to_owned()), from, skipped })
    }
}

impl Engine {
    /// What runs so far took of each file, by the whole journal.
    ///
    /// **Errors**: a row that cannot be read.
    pub fn taken_files(&self) -> Result<TakenFiles, EngineError> {
        self.check_not_failed()?;
        let mut files = TakenFiles::default();
        let mut begun: Option<Begun> = None;
        for row in self.roots.rows(1) {
            let row = row?;
            if let Some(begun) = begun.take() {
                files.add(begun, row.log_durable_through)?;
            }
            if row.draft.command == BEGUN {
                begun = Some(Begun::read(&row)?);
            }
        }
        if let Some(begun) = begun {
            files.add(begun, self.roots.end())?;
        }
        Ok(files)
    }

    /// Reads the records that were taken before and compares each with the log: one that was kept must be kept byte for
    /// byte, any other must be known with the same content. Answers how many there are; the input stands behind them.
    pub(crate) fn pass_over(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        input: &mut Chunks,
        taken: &Taken,
        options: FeedOptions,
    ) -> Result<u64, EngineError> {
        self.check_not_failed()?;
        let total = taken.records();
        let keys = self.roots.keys().clone();
        let mut log = KeptOf::new(&self.roots, feed, taken);
        let mut passed = 0;
        while passed < total {
            let raws = read_some(input, options, total - passed).map_err(|problem| other(feed, problem))?;
            if raws.is_empty() {
                let problem = format!("expected at least the {total} records taken before, found `{passed}`");
                return Err(other(feed, problem));
            }
            for prepared in prepare_all(&keys, decoder, feed, raws) {
                let end = passed + u64::from(prepared.records());
                let kept = log.below(end)?;
                if let Some(line) = first_other(&mut self.dedup, decoder, feed, &prepared, passed, kept)? {
                    let problem =
                        format!("expected what the log holds of it, found other content at `{line}`");
                    return Err(other(feed, problem));
                }
                passed = end;
            }
        }
        Ok(total)
    }
}

impl TakenFiles {
    fn add(&mut self, begun: Begun, end: u64) -> Result<(), EngineError> {
        let Begun { file, from, skipped } = begun;
        let name = format!("a run of `{}`", file.1);
        let taken = self.0.entry(file).or_default();
        if skipped == 0 {
            taken.0.clear();
        }
        if taken.records() != skipped || end < from {
            return Err(EngineError::stored(name, "the journal contradicts itself on what it took"));
        }
        if end > from {
            taken.0.push(from..end);
        }
        Ok(())
    }
}

/// Chunks of together at most `records` records; none at the end.
fn read_some(input: &mut Chunks, options: FeedOptions, records: u64) -> Result<Vec<RawChunk>, String> {
    let mut raws = Vec::new();
    let mut left = records;
    while left > 0 && raws.len() < options.threads.max(1) {
        let asked = left.min(options.batch_records as u64);
        match input.next(asked as usize) {
            Ok(Some(raw)) => raws.push(raw),
            Ok(None) => break,
            Err(error) => return Err(error.to_string()),
        }
        left -= asked;
    }
    Ok(raws)
}

fn prepare_all(keys: &Keys, decoder: &Decoder, feed: &Feed, raws: Vec<RawChunk>) -> Vec<Prepared> {
    std::thread::scope(|scope| {
        let start = |raw| scope.spawn(move || prepare(keys, decoder, feed, raw));
        let threads: Vec<_> = raws.into_iter().map(start).collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, Prepared>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(ended).collect()
    })
}

/// The line of a record of a chunk that the log does not hold. `kept` are those of it that were kept, by their number
/// in the file, of which `first` is the chunk's first.
fn first_other(
    dedup: &mut Dedup,
    decoder: &Decoder,
    feed: &Feed,
    prepared: &Prepared,
    first: u64,
    mut kept: BTreeMap<u64, Kept>,
) -> Result<Option<u64>, EngineError> {
    let Prepared { chunk, prints, .. } = prepared;
    for refused in &chunk.refused {
        let is_same = kept
            .remove(&(first + u64::from(refused.index)))
            .is_some_and(|kept| kept.format == refused.format && kept.body == refused.body);
        if !is_same {
            return Ok(Some(refused.line));
        }
    }
    let identities: Vec<Identity> = prints.iter().map(|print| print.identity).collect();
    dedup.look_up(&identities)?;
    for (at, (place, print)) in chunk.places.iter().zip(prints).enumerate() {
        let is_same = match kept.remove(&(first + u64::from(place.index))) {
            None => compare(dedup.known(at), print.payload()) == Probe::Duplicate,
            Some(kept) => {
                (kept.format, kept.body) == chunk.kept_body(decoder, feed, place, &chunk.batch.rows()[at])
            }
        };
        if !is_same {
            return Ok(Some(place.line));
        }
    }
    Ok(None)
}

/// What the log kept of the records of a file, by their number in it, from 0.
struct KeptOf<'r> {
    roots: &'r Roots,
    feed: &'r Feed,
    ranges: VecDeque<Range<u64>>,
    blocks: Option<Fates>,
    /// How many records of the file the blocks so far have.
    read: u64,
    ahead: BTreeMap<u64, Kept>,
}

impl<'r> KeptOf<'r> {
    fn new(roots: &'r Roots, feed: &'r Feed, taken: &Taken) -> Self {
        let ranges = taken.0.iter().cloned().collect();
        Self { roots, feed, ranges, blocks: None, read: 0, ahead: BTreeMap::new() }
    }

    /// Those below a number that were not given before.
    fn below(&mut self, end: u64) -> Result<BTreeMap<u64, Kept>, EngineError> {
        while self.read < end {
            self.read_block()?;
        }
        let rest = self.ahead.split_off(&end);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    fn read_block(&mut self) -> Result<(), EngineError> {
        let other =
            || EngineError::stored("the log", "its blocks are not those of the run that took the file");
        let range = self.ranges.front_mut().ok_or_else(other)?;
        let blocks = self.blocks.get_or_insert_with(|| self.roots.fates(range.start));
        let block = blocks.next().transpose()?.ok_or_else(other)?;
        let is_of_run = block.position == range.start
            && block.end() <= range.end
            && block.draft.counters.iter().all(|counter| counter.key.feed == self.feed.name);
        if !is_of_run {
            return Err(other());
        }
        let before = self.read;
        self.ahead.extend(block.draft.kept.into_iter().map(|kept| (before + u64::from(kept.index), kept)));
        self.read += u64::from(block.draft.records);
        range.start += u64::from(block.draft.records);
        if range.is_empty() {
            (self.blocks, _) = (None, self.ranges.pop_front());
        }
        Ok(())
    }
}

fn other(feed: &Feed, problem: String) -> EngineError {
    EngineError::invalid(
        "resume_other_file",
        format!("`{}` is not the file that was taken before: {problem}", feed.name),
        "name the same file with the same flags, or leave --resume out: what is known is then counted as duplicates",
    )
}
