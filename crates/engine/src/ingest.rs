//! The second half of an event's path, in order: probe the identity, check at K, append, sync, answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use connectors::{Decoder, Feed};

use metering::{Code, Event, Fate, Index, Probe, Rejection, Rules, probe};
use money::Sum;
use store::runs::IndexEntry;
use store::{Accepted, Block, BlockDraft, Counter, CounterKey, FirstSight, Kept};

use crate::dedup::Dedup;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::prepare::{Hashed, Origin, Prepared, Refused};
use crate::terms::FUTURE_LIMIT_NS;

/// The answer for a batch: durable when it is given.
#[derive(Debug)]
pub struct Answer {
    /// The position of the batch's first record.
    pub position: u64,
    /// One fate a record, in order.
    pub fates: Vec<Fate>,
    /// Why records were refused, by their place in the batch.
    pub messages: BTreeMap<u32, String>,
    /// The counters of the batch.
    pub counters: Vec<Counter>,
}

/// What a batch becomes, record by record.
struct Batch<'a> {
    decoder: &'a Decoder,
    feed: &'a Feed,
    accepted: Vec<Accepted>,
    digests: Vec<metering::Digest>,
    kept: Vec<Kept>,
    first_sight: Vec<FirstSight>,
    /// Counts by source; of those that told none apart.
    counts: HashMap<String, Vec<(Fate, u64, Sum)>>,
    unsourced: Vec<(Fate, u64, Sum)>,
    fates: Vec<Fate>,
    /// Identities of this batch, which the index learns only after the sync.
    fresh: HashMap<metering::Identity, metering::PayloadHash>,
    seen_accounts: BTreeSet<String>,
}

impl Engine {
    /// Takes a batch of one feed: every record gets one fate, and all of it is on disk when this returns.
    ///
    /// **Errors**: those of the file layer. Nothing of the batch was then acknowledged; after a failed sync
    /// the engine stops (`closed`) and must be reopened, when what reached the disk is found as duplicates.
    pub fn append(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        prepared: Vec<Prepared>,
    ) -> Result<Answer, EngineError> {
        self.check_not_failed()?;
        if prepared.is_empty() {
            let (fates, messages, counters) = (Vec::new(), BTreeMap::new(), Vec::new());
            return Ok(Answer { position: self.roots.end(), fates, messages, counters });
        }
        if self.dedup.is_none() {
            self.dedup = Some(Dedup::load(self.disk.as_ref(), &self.checkpoint, &self.pending)?);
        }
        let received_at = self.received_at();
        let mut batch = Batch::new(decoder, feed, prepared.len());
        for (index, record) in prepared.into_iter().enumerate() {
            let index = u32::try_from(index).map_err(|_| {
                EngineError::invalid(
                    "batch_too_large",
                    "a batch has over 2^32 records",
                    "send smaller batches",
                )
            })?;
            self.admit(&mut batch, index, record, received_at);
        }
        self.write(batch, received_at)
    }

    /// Gives one record its fate.
    fn admit(&self, batch: &mut Batch<'_>, index: u32, record: Prepared, received_at: metering::Instant) {
        let Prepared { line, outcome, origin } = record;
        let hashed = match outcome {
            Ok(hashed) => hashed,
            Err(Refused { rejection, source, id }) => {
                batch.keep(Place { index, line, origin }, rejection, source, id, Sum::ZERO);
                return;
            }
        };
        let found = batch
            .fresh
            .get(&hashed.identity)
            .copied()
            .or_else(|| self.dedup.as_ref().and_then(|dedup| dedup.get(hashed.identity)));
        let known_account = |account: &str| self.terms.has_account(account);
        let refusal = match probe(found, hashed.payload) {
            Probe::Duplicate => {
                batch.count(Some(&hashed.event.source), Fate::Duplicate, hashed.units);
                return;
            }
            Probe::Conflict => Some(Rejection::new(
                Code::Conflict,
                format!(
                    "source {} sent other content before under the id `{}`",
                    hashed.event.source, hashed.event.id
                ),
            )),
            Probe::New => self.rules(&known_account).check(&hashed.event, received_at).err(),
        };
        match refusal {
            None => batch.accept(index, hashed, &known_account),
            Some(rejection) => {
                let Event { source, id, .. } = hashed.event;
                batch.keep(Place { index, line, origin }, rejection, Some(source), Some(id), hashed.units);
            }
        }
    }

    /// The rules of the journal position that the batch is checked under.
    fn rules<'a>(&'a self, known_account: &'a dyn Fn(&str) -> bool) -> Rules<'a> {
        Rules {
            meters: self.terms.meters(),
            first_sight: self.terms.first_sight(),
            known_account,
            future_limit_ns: FUTURE_LIMIT_NS,
        }
    }

    fn write(&mut self, batch: Batch<'_>, received_at: metering::Instant) -> Result<Answer, EngineError> {
        let head = self.roots.head();
        let records = u32::try_from(batch.fates.len()).unwrap_or(u32::MAX);
        let counters = batch.counted();
        let received: u64 = counters.iter().map(|counter| counter.records).sum();
        assert_eq!(received, u64::from(records), "received = sum of fates");
        let draft = BlockDraft {
            records,
            known_at: head.number,
            known_hash: head.hash,
            received_at,
            counters: counters.clone(),
            first_sight: batch.first_sight,
            accepted: batch.accepted,
            kept: batch.kept,
        };
        let (previous, durable_through) = (self.roots.log_hash(), self.roots.durable());
        let appended = self.roots.append_block(&draft)?;
        self.roots.sync_log()?;
        let block =
            Block { position: appended.position, hash: appended.hash, previous, durable_through, draft };
        self.learn(&block, &batch.digests)?;
        let messages = block.draft.kept.into_iter().map(|kept| (kept.index, kept.message)).collect();
        Ok(Answer { position: appended.position, fates: batch.fates, messages, counters })
    }

    /// Brings cells, index and tables up to a block that is on disk.
    fn learn(&mut self, block: &Block, digests: &[metering::Digest]) -> Result<(), EngineError> {
        let end = block.end();
        for (accepted, digest) in block.draft.accepted.iter().zip(digests) {
            self.cells.add(&accepted.event, *digest, self.terms.meters(), end);
            let entry = IndexEntry {
                identity: accepted.identity,
                payload: accepted.payload,
                position: block.position + u64::from(accepted.index),
            };
            if let Some(dedup) = &mut self.dedup {
                dedup.insert(&entry);
            }
            self.pending.push(entry);
        }
        self.cells.reach(end);
        for seen in &block.draft.first_sight {
            self.terms.see_account(&seen.account);
        }
        self.tables.begin()?;
        self.tables.apply_block(block)?;
        if self.is_heavy() {
            self.checkpoint_now(false)?;
        }
        Ok(())
    }
}

impl<'a> Batch<'a> {
    fn new(decoder: &'a Decoder, feed: &'a Feed, records: usize) -> Self {
        Self {
            decoder,
            feed,
            accepted: Vec::with_capacity(records),
            digests: Vec::with_capacity(records),
            kept: Vec::new(),
            first_sight: Vec::new(),
            counts: HashMap::new(),
            unsourced: Vec::new(),
            fates: Vec::with_capacity(records),
            fresh: HashMap::with_capacity(records),
            seen_accounts: BTreeSet::new(),
        }
    }

    fn count(&mut self, source: Option<&str>, fate: Fate, units: Sum) {
        let counts = match source {
            None => &mut self.unsourced,
            Some(source) => {
                if let Some(counts) = self.counts.get_mut(source) {
                    counts
                } else {
                    self.counts.entry(source.to_owned()).or_default()
                }
            }
        };
        tally(counts, fate, units);
        self.fates.push(fate);
    }

    fn accept(&mut self, index: u32, hashed: Hashed, known_account: &dyn Fn(&str) -> bool) {
        let Hashed { event, identity, payload, digest, units } = hashed;
        self.count(Some(&event.source), Fate::Accepted, units);
        self.fresh.insert(identity, payload);
        if !known_account(&event.account) && !self.seen_accounts.contains(&event.account) {
            self.seen_accounts.insert(event.account.clone());
            self.first_sight.push(FirstSight { account: event.account.clone(), index });
        }
        self.digests.push(digest);
        self.accepted.push(Accepted { index, identity, payload, event });
    }

    fn keep(
        &mut self,
        place: Place,
        rejection: Rejection,
        source: Option<String>,
        id: Option<String>,
        units: Sum,
    ) {
        self.count(source.as_deref(), fate_of(rejection.code), units);
        let (format, body) = match place.origin {
            Origin::Feed(record) => self.decoder.kept_body(self.feed, &record),
            Origin::Quarantine(format, body) => (format, body),
        };
        self.kept.push(Kept {
            index: place.index,
            code: rejection.code,
            message: rejection.message,
            feed: self.feed.name.clone(),
            line: place.line,
            format,
            source,
            id,
            body,
        });
    }

    /// The counters as a block carries them.
    fn counted(&self) -> Vec<Counter> {
        let sourced = self
            .counts
            .iter()
            .flat_map(|(source, counts)| counts.iter().map(move |count| (Some(source.clone()), count)));
        let unsourced = self.unsourced.iter().map(|count| (None, count));
        let mut counters: Vec<Counter> = sourced
            .chain(unsourced)
            .map(|(source, (fate, records, units))| Counter {
                key: CounterKey {
                    feed: self.feed.name.clone(),
                    source,
                    fate: fate.as_str(),
                    code: fate.code(),
                },
                records: *records,
                units: *units,
            })
            .collect();
        counters.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        counters
    }
}

/// Adds a record to the counts of one source.
fn tally(counts: &mut Vec<(Fate, u64, Sum)>, fate: Fate, units: Sum) {
    match counts.iter_mut().find(|count| count.0 == fate) {
        Some(count) => {
            count.1 += 1;
            count.2 = count.2.merge(units);
        }
        None => counts.push((fate, 1, units)),
    }
}

/// A refused record's place in the batch and where its bytes are.
struct Place {
    index: u32,
    line: u64,
    origin: Origin,
}

fn fate_of(code: Code) -> Fate {
    match code {
        Code::Conflict => Fate::Conflict,
        code => Fate::Rejected(code),
    }
}
