//! The second half of an event's path, in order: probe the identity, check at K, give each record its fate.
//!
//! What is claimed here stands in memory before it is on disk. So nothing may be answered before the sync of the
//! block, and where that fails the engine stops: opened again, it knows what the log holds.

use std::collections::BTreeMap;

use connectors::{Decoder, Feed, Place};
use metering::{Aggregation, Batch, Code, Fate, Identity, Instant, Meter, Probe, Rejection, Row, Rules};
use money::{Quantity, Sum};
use store::{Accepted, AcceptedRow, BlockDraft, Counter, CounterKey, FirstSight, Hash, Kept};

use crate::cells;
use crate::dedup::{Dedup, compare};
use crate::error::EngineError;
use crate::prepare::Prepared;
use crate::terms::{FUTURE_LIMIT_NS, TermSet};

/// What is changed by giving fates.
pub struct Admission<'a> {
    /// Who was accepted before.
    pub dedup: &'a mut Dedup,
    /// The rules, and the accounts that events create.
    pub terms: &'a mut TermSet,
}

/// Under what a batch is checked and where it will stand.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The position of its first record.
    pub position: u64,
    /// The journal row K.
    pub known_at: u64,
    /// Its hash.
    pub known_hash: Hash,
    /// When it was received.
    pub received_at: Instant,
}

/// A batch with its fates, ready to be written.
#[derive(Debug)]
pub struct Admitted {
    /// The block.
    pub draft: BlockDraft,
    /// What of it is counted: rows of the block's batch.
    pub counted: Vec<cells::AcceptedRow>,
    /// One fate a record, in order.
    pub fates: Vec<Fate>,
    /// Why records were refused, by their place in the batch.
    pub messages: BTreeMap<u32, String>,
}

impl Admission<'_> {
    /// Gives every record of a batch its fate and claims the identities of what is accepted.
    ///
    /// **Errors**: an index run that cannot be read; the engine must then stop.
    pub fn admit(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        prepared: Prepared,
        at: Standing,
    ) -> Result<Admitted, EngineError> {
        let Prepared { mut chunk, prints, units } = prepared;
        let records = chunk.records;
        let mut giving = Giving::new(feed, &chunk.batch, records);
        for refused in std::mem::take(&mut chunk.refused) {
            giving.count(
                refused.index,
                refused.source.as_deref(),
                fate_of(refused.rejection.code),
                Sum::ZERO,
            );
            giving.kept.push(Kept {
                index: refused.index,
                code: refused.rejection.code,
                message: refused.rejection.message,
                feed: feed.name.clone(),
                line: refused.line,
                format: refused.format,
                source: refused.source,
                id: refused.id,
                body: refused.body,
            });
        }
        let identities: Vec<Identity> = prints.iter().map(|print| print.identity).collect();
        self.dedup.look_up(&identities)?;
        let mut rules = BatchRules::new(self.terms, &chunk.batch, at.received_at);
        let mut counted = Vec::with_capacity(chunk.batch.len());
        for (place, row) in chunk.batch.rows().iter().enumerate() {
            let (print, quantity, stands) = (&prints[place], units[place], &chunk.places[place]);
            let units = quantity.map_or(Sum::ZERO, |quantity| Sum::ZERO.add(quantity));
            let known = self.dedup.known(place, print.identity);
            let refusal = match compare(known, print.payload()) {
                Probe::Duplicate => {
                    giving.count_row(stands.index, row, Fate::Duplicate, units);
                    continue;
                }
                Probe::Conflict => Some(conflict(&chunk.batch, row)),
                Probe::New => rules.check(&chunk.batch, row, quantity).err(),
            };
            match refusal {
                None => {
                    self.dedup.claim(print.identity, print.payload());
                    giving.accept(stands.index, place as u32, row, units);
                    if let Some(account) = rules.see(&chunk.batch, row) {
                        giving.first_sight.push(FirstSight { account, index: stands.index });
                    }
                    counted.push(cells::AcceptedRow {
                        row: place as u32,
                        digest: print.digest,
                        units: quantity,
                    });
                }
                Some(rejection) => {
                    let body = chunk.kept_body(decoder, feed, stands, row);
                    giving.keep(&chunk.batch, stands, row, rejection, units, body);
                }
            }
        }
        for seen in &giving.first_sight {
            self.terms.see_account(&seen.account);
        }
        Ok(giving.admitted(chunk.batch, counted, at))
    }
}

fn conflict(batch: &Batch, row: &Row) -> Rejection {
    let event = batch.view(row);
    Rejection::new(
        Code::Conflict,
        format!("source {} sent other content before under the id `{}`", event.source, event.id),
    )
}

fn fate_of(code: Code) -> Fate {
    match code {
        Code::Conflict => Fate::Conflict,
        code => Fate::Rejected(code),
    }
}

/// The fates of one batch as they are given.
struct Giving<'f> {
    feed: &'f Feed,
    fates: Vec<Fate>,
    /// Counts of each source of the batch, by its number.
    of_source: Vec<Vec<(Fate, u64, Sum)>>,
    /// Counts of the sources of records that are no events.
    other: BTreeMap<Option<String>, Vec<(Fate, u64, Sum)>>,
    accepted: Vec<AcceptedRow>,
    first_sight: Vec<FirstSight>,
    kept: Vec<Kept>,
}

impl<'f> Giving<'f> {
    fn new(feed: &'f Feed, batch: &Batch, records: u32) -> Self {
        Self {
            feed,
            // Every place is given its own fate; the end checks that.
            fates: vec![Fate::Duplicate; records as usize],
            of_source: vec![Vec::new(); batch.string_count()],
            other: BTreeMap::new(),
            accepted: Vec::with_capacity(batch.len()),
            first_sight: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn count(&mut self, index: u32, source: Option<&str>, fate: Fate, units: Sum) {
        self.fates[index as usize] = fate;
        tally(self.other.entry(source.map(str::to_owned)).or_default(), fate, units);
    }

    fn count_row(&mut self, index: u32, row: &Row, fate: Fate, units: Sum) {
        self.fates[index as usize] = fate;
        tally(&mut self.of_source[row.source as usize], fate, units);
    }

    fn accept(&mut self, index: u32, place: u32, row: &Row, units: Sum) {
        self.count_row(index, row, Fate::Accepted, units);
        self.accepted.push(AcceptedRow { index, row: place });
    }

    fn keep(
        &mut self,
        batch: &Batch,
        place: &Place,
        row: &Row,
        rejection: Rejection,
        units: Sum,
        (format, body): (String, Vec<u8>),
    ) {
        self.count_row(place.index, row, fate_of(rejection.code), units);
        let event = batch.view(row);
        self.kept.push(Kept {
            index: place.index,
            code: rejection.code,
            message: rejection.message,
            feed: self.feed.name.clone(),
            line: place.line,
            format,
            source: Some(event.source.to_owned()),
            id: Some(event.id.to_owned()),
            body,
        });
    }

    fn admitted(mut self, batch: Batch, counted: Vec<cells::AcceptedRow>, at: Standing) -> Admitted {
        self.kept.sort_by_key(|kept| kept.index);
        let counters = self.counted(&batch);
        let received: u64 = counters.iter().map(|counter| counter.records).sum();
        assert_eq!(received, self.fates.len() as u64, "received = sum of fates");
        let messages = self.kept.iter().map(|kept| (kept.index, kept.message.clone())).collect();
        let draft = BlockDraft {
            records: self.fates.len() as u32,
            known_at: at.known_at,
            known_hash: at.known_hash,
            received_at: at.received_at,
            counters,
            first_sight: self.first_sight,
            accepted: Accepted { batch, rows: self.accepted },
            kept: self.kept,
        };
        Admitted { draft, counted, fates: self.fates, messages }
    }

    /// The counters as a block carries them.
    fn counted(&mut self, batch: &Batch) -> Vec<Counter> {
        for (source, counts) in (0..).zip(std::mem::take(&mut self.of_source)) {
            if counts.is_empty() {
                continue;
            }
            let held = self.other.entry(Some(batch.string(source).to_owned())).or_default();
            for (fate, records, units) in counts {
                merge(held, fate, records, units);
            }
        }
        let feed = &self.feed.name;
        let mut counters: Vec<Counter> = self
            .other
            .iter()
            .flat_map(|(source, counts)| {
                counts.iter().map(move |(fate, records, units)| Counter {
                    key: CounterKey {
                        feed: feed.clone(),
                        source: source.clone(),
                        fate: fate.as_str(),
                        code: fate.code(),
                    },
                    records: *records,
                    units: *units,
                })
            })
            .collect();
        counters.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        counters
    }
}

/// Adds a record to the counts of one source.
fn tally(counts: &mut Vec<(Fate, u64, Sum)>, fate: Fate, units: Sum) {
    merge(counts, fate, 1, units);
}

fn merge(counts: &mut Vec<(Fate, u64, Sum)>, fate: Fate, records: u64, units: Sum) {
    match counts.iter_mut().find(|count| count.0 == fate) {
        Some(count) => {
            count.1 += records;
            count.2 = count.2.merge(units);
        }
        None => counts.push((fate, records, units)),
    }
}

/// The rules of K for one batch, looked up once for each of its types and accounts.
///
/// It accepts only what is plainly right, and leaves every doubt to [`Rules::check`].
struct BatchRules<'t> {
    rules: Terms<'t>,
    received_at: Instant,
    latest: Instant,
    /// By the number of the type.
    types: Vec<Option<TypeRules<'t>>>,
    /// By the number of the account.
    accounts: Vec<Known>,
}

struct Terms<'t> {
    meters: &'t [Meter],
    first_sight: bool,
    terms: &'t TermSet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Unasked,
    Yes,
    No,
}

/// The meters that name a type, where each has one version only.
struct TypeRules<'t> {
    effective_from: Instant,
    meters: Vec<&'t Meter>,
    /// Whether an event whose quantity is a number of 0 or more is measured by all of them.
    of_quantity: bool,
}

impl<'t> BatchRules<'t> {
    fn new(terms: &'t TermSet, batch: &Batch, received_at: Instant) -> Self {
        let latest = received_at.checked_add_ns(FUTURE_LIMIT_NS).unwrap_or(Instant::MAX);
        let mut types = Vec::new();
        types.resize_with(batch.string_count(), || None);
        let mut accounts = vec![Known::Unasked; batch.string_count()];
        // Most are known: they are asked for together.
        let (mut asked, mut texts) = (Vec::new(), Vec::new());
        for row in batch.rows() {
            let known = &mut accounts[row.account as usize];
            if *known == Known::Unasked {
                *known = Known::No;
                asked.push(row.account);
                texts.push(batch.string(row.account));
            }
        }
        for (account, is_known) in asked.into_iter().zip(terms.have_accounts(&texts)) {
            accounts[account as usize] = if is_known { Known::Yes } else { Known::No };
        }
        let rules = Terms { meters: terms.meters(), first_sight: terms.first_sight(), terms };
        Self { rules, received_at, latest, types, accounts }
    }

    fn check(&mut self, batch: &Batch, row: &Row, quantity: Option<Quantity>) -> Result<(), Rejection> {
        let known = self.account(row.account);
        let rules = self.types[row.event_type as usize]
            .get_or_insert_with(|| TypeRules::new(self.rules.meters, batch.string(row.event_type)));
        let is_plain = row.occurred_at <= self.latest
            && row.occurred_at >= rules.effective_from
            && !rules.meters.is_empty()
            && (known == Known::Yes || self.rules.first_sight)
            && (rules.of_quantity && quantity.is_some_and(|quantity| !quantity.is_negative())
                || rules.meters.iter().all(|meter| is_measured(meter, batch, row, quantity)));
        if is_plain {
            return Ok(());
        }
        let known_account = |account: &str| self.rules.terms.has_account(account) || known == Known::Yes;
        let rules = Rules {
            meters: self.rules.meters,
            first_sight: self.rules.first_sight,
            known_account: &known_account,
            future_limit_ns: FUTURE_LIMIT_NS,
        };
        rules.check(batch.view(row), self.received_at)
    }

    fn account(&self, account: u32) -> Known {
        self.accounts[account as usize]
    }

    /// The account of an accepted event, where this is the first that names it.
    fn see(&mut self, batch: &Batch, row: &Row) -> Option<String> {
        if self.account(row.account) == Known::Yes {
            return None;
        }
        self.accounts[row.account as usize] = Known::Yes;
        Some(batch.string(row.account).to_owned())
    }
}

impl<'t> TypeRules<'t> {
    fn new(meters: &'t [Meter], event_type: &str) -> Self {
        let named: Vec<&Meter> = meters.iter().filter(|meter| meter.names(event_type)).collect();
        let has_versions =
            named.iter().any(|one| meters.iter().filter(|other| other.name == one.name).count() > 1);
        let effective_from = named.iter().map(|meter| meter.effective_at).max().unwrap_or(Instant::MAX);
        let of_quantity = named.iter().all(|meter| match &meter.aggregation {
            Aggregation::Count => true,
            Aggregation::Sum { property } => property == "quantity",
        });
        // Where a meter has versions, which one holds depends on the event.
        Self { effective_from, meters: if has_versions { Vec::new() } else { named }, of_quantity }
    }
}

/// Whether a meter counts an event with a value that it can read, or does not count it.
fn is_measured(meter: &Meter, batch: &Batch, row: &Row, quantity: Option<Quantity>) -> bool {
    if !meter.filter.is_empty() && !meter.counts(batch.view(row)) {
        return true;
    }
    match &meter.aggregation {
        Aggregation::Count => true,
        Aggregation::Sum { property } if property == "quantity" => {
            quantity.is_some_and(|quantity| meter.allow_negative || !quantity.is_negative())
        }
        Aggregation::Sum { .. } => meter.value_of(batch.view(row)).is_ok(),
    }
}
