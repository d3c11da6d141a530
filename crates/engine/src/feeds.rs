//! Files of events: what one run of `ingest` does, and what of it stands in the journal.

use std::collections::BTreeMap;

use connectors::{Chunks, Decoder, Feed};
use metering::Instant;
use money::Sum;
use serde_json::{Value, json};
use store::{Class, Counter, CounterKey, Effect, RowDraft};

use crate::engine::{Caller, Engine};
use crate::error::EngineError;
use crate::resume::{BEGUN, Taken};

/// What one run of `ingest` did to one feed.
#[derive(Clone, Debug)]
pub struct FeedReport {
    /// The feed's name.
    pub feed: String,
    /// How many records were taken before and passed over now; see [`FeedInput`].
    pub skipped: u64,
    /// How many records were read behind them.
    pub received: u64,
    /// The fates, counted.
    pub counters: Vec<Counter>,
    /// The log position before its first record.
    pub from: u64,
    /// The log position after its last record.
    pub to: u64,
    /// Why reading stopped early; what was read before is counted.
    pub broken: Option<String>,
}

impl FeedReport {
    /// How many records met a fate, by its name.
    pub fn records(&self, fate: &str) -> u64 {
        self.counters.iter().filter(|counter| counter.key.fate == fate).map(|counter| counter.records).sum()
    }

    /// Whether anything needs a look: rejected, conflicting, or cut short.
    pub fn has_problems(&self) -> bool {
        self.broken.is_some() || self.records("rejected") > 0 || self.records("conflict") > 0
    }
}

/// What a feed is read from: chunks alone, or those of a file that another run may go on with.
pub struct FeedInput {
    /// The records, from the first on.
    pub chunks: Chunks,
    /// The file's base name, by which a later run finds what this one took.
    pub file: Option<String>,
    /// What of the file was taken before, by [`Engine::taken_files`]: it is compared and not taken again.
    pub taken: Option<Taken>,
}

impl From<Chunks> for FeedInput {
    fn from(chunks: Chunks) -> Self {
        Self { chunks, file: None, taken: None }
    }
}

/// How a feed is read.
#[derive(Clone, Copy, Debug)]
pub struct FeedOptions {
    /// Records a batch: each is one block of the log and one sync.
    pub batch_records: usize,
    /// Threads that decode; at least one. One more gives fates, and one writes.
    pub threads: usize,
}

impl Default for FeedOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { batch_records: 16_384, threads }
    }
}

impl Engine {
    /// Reads a feed to its end and journals the run. It needs no idempotency key and takes none: every event has
    /// an identity of its own, so that sending a feed again counts nothing twice.
    ///
    /// `progress` hears how many records of the feed are durable, those that were taken before included. A record that
    /// cannot be decoded is rejected and kept; a stream that breaks off ends the run with what was read before it.
    ///
    /// **Errors**: those of the file layer; `resume_other_file`, and nothing was then written.
    pub fn ingest(
        &mut self,
        caller: &Caller,
        decoder: &Decoder,
        feed: &Feed,
        input: impl Into<FeedInput>,
        options: FeedOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<FeedReport, EngineError> {
        let FeedInput { mut chunks, file, taken } = input.into();
        let skipped = match &taken {
            Some(taken) => self.pass_over(decoder, feed, &mut chunks, taken, options)?,
            None => 0,
        };
        if skipped > 0 {
            progress(skipped);
        }
        let asked = json!({ "feed": feed.name, "file": file, "format": decoder.name(), "skipped": skipped });
        self.journal_begun(caller, &asked)?;
        let from = self.end();
        let mut counters = BTreeMap::new();
        let mut received = 0;
        let mut heard = |batch: u64, more: Vec<Counter>| {
            received += batch;
            add(&mut counters, more);
            progress(skipped + received);
        };
        let end = self.stream(decoder, feed, chunks, options, &mut heard)?;
        let broken = end.map(|error| error.to_string());
        let counters = listed(counters);
        let feed = feed.name.clone();
        let report = FeedReport { feed, skipped, received, counters, from, to: self.end(), broken };
        let caller = Caller { idempotency_key: None, ..caller.clone() };
        self.journal_feed(&caller, "ingest", asked, &report, report_json(&report), Vec::new())?;
        Ok(report)
    }

    /// Journals who begins to send a feed: blocks that a crash leaves behind have an actor and a reason too.
    fn journal_begun(&mut self, caller: &Caller, asked: &Value) -> Result<(), EngineError> {
        self.record(RowDraft {
            class: Class::Usage,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: BEGUN.to_owned(),
            command_version: 1,
            input: asked.clone(),
            result: json!({ "from": self.end() }),
            effects: Vec::new(),
            cut: None,
            references: Vec::new(),
        })?;
        Ok(())
    }

    /// Journals a run of a feed with its fates.
    pub(crate) fn journal_feed(
        &mut self,
        caller: &Caller,
        command: &str,
        input: Value,
        report: &FeedReport,
        result: Value,
        effects: Vec<Effect>,
    ) -> Result<(), EngineError> {
        let counted: u64 = report.counters.iter().map(|counter| counter.records).sum();
        assert_eq!(report.received, counted, "received = sum of fates");
        assert_eq!(report.received, report.to - report.from, "positions are ordinals of received records");
        let cut = self.roots.cut_now()?;
        self.record(RowDraft {
            class: Class::Usage,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: caller.idempotency_key.clone(),
            command: command.to_owned(),
            command_version: 1,
            input,
            result,
            effects,
            cut: Some(cut),
            references: Vec::new(),
        })?;
        Ok(())
    }

    /// The time that a batch received now carries: never before the log's last.
    pub fn received_at(&self) -> Instant {
        let now = self.clock.now();
        self.roots.last_received_at().map_or(now, |last| last.max(now))
    }
}

/// A report as it stands in the journal and on stdout.
pub fn report_json(report: &FeedReport) -> Value {
    json!({
        "feed": report.feed,
        "skipped": report.skipped,
        "received": report.received,
        "from": report.from,
        "to": report.to,
        "broken": report.broken,
        "fates": report.counters.iter().map(|counter| json!({
            "source": counter.key.source,
            "fate": counter.key.fate,
            "code": counter.key.code.map(|code| code.as_str()),
            "records": counter.records,
            "units": counter.units.to_string(),
        })).collect::<Vec<_>>(),
    })
}

fn add(counters: &mut BTreeMap<CounterKey, (u64, Sum)>, more: Vec<Counter>) {
    for counter in more {
        let held = counters.entry(counter.key).or_insert((0, Sum::ZERO));
        held.0 += counter.records;
        held.1 = held.1.merge(counter.units);
    }
}

fn listed(counters: BTreeMap<CounterKey, (u64, Sum)>) -> Vec<Counter> {
    counters.into_iter().map(|(key, (records, units))| Counter { key, records, units }).collect()
}
