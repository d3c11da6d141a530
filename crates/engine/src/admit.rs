//! The second half of an event's path, in order: probe the identity, check at K, give each record its fate.
//!
//! What is claimed here stands in memory before it is on disk. So nothing may be answered before the sync of the
//! block, and where that fails the engine stops: opened again, it knows what the log holds.

use std::collections::BTreeMap;

use connectors::{Chunk, Decoder, Feed, Place, RefusedRecord};
use metering::{Batch, Code, Fate, Fingerprint, Identity, Instant, Probe, Rejection, Row, Rules};
use money::{Quantity, Sum};
use store::{Accepted, AcceptedRow, BlockDraft, Counter, CounterKey, FirstSight, Hash, Kept};

use crate::cells::Counted;
use crate::checked::{Checked, grown};
use crate::dedup::{Dedup, compare};
use crate::error::EngineError;
use crate::prepare::Prepared;
use crate::terms::{AccountNumbers, FUTURE_LIMIT_NS, TermSet};

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
    /// The hashes of each row of the block's batch.
    pub prints: Vec<Fingerprint>,
    /// The quantity of each, where it has one that can be held.
    pub units: Vec<Option<Quantity>>,
    /// The accounts of the accepted rows.
    pub accounts: AccountNumbers,
    /// One fate a record, in order.
    pub fates: Vec<Fate>,
    /// Why records were refused, by their place in the batch.
    pub messages: BTreeMap<u32, String>,
}

impl Admitted {
    /// What cells are made of.
    pub fn counted(&self) -> Counted<'_> {
        let Self { draft, prints, units, accounts, .. } = self;
        Counted { accepted: &draft.accepted, prints, units, accounts }
    }
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
        let Prepared { mut chunk, prints, units, checked } = prepared;
        let checked = checked
            .filter(|checked| checked.known_at == at.known_at)
            .unwrap_or_else(|| Checked::new(at.known_at, self.terms.meters(), &chunk.batch, &units));
        let mut giving = Giving::new(feed, &chunk);
        for refused in std::mem::take(&mut chunk.refused) {
            giving.refuse(refused);
        }
        let identities: Vec<Identity> = prints.iter().map(|print| print.identity).collect();
        self.dedup.look_up(&identities)?;
        let mut accounts = self.terms.number_accounts(&chunk.batch);
        let mut standing = RowStanding::new(self.terms, &checked, at.received_at);
        for (place, (row, print)) in (0..).zip(chunk.batch.rows().iter().zip(&prints)) {
            let is_new = accounts.has_new && accounts.get(row.account).is_none();
            let is_plain = standing.is_plain(place, row, is_new);
            // Who was there before is asked first; the claim of one that is plainly right needs no second look.
            let known = match is_plain {
                true => self.dedup.claim_new(place as usize, print.payload()),
                false => self.dedup.known(place as usize),
            };
            let refusal = match compare(known, print.payload()) {
                Probe::Duplicate => {
                    let index = giving.index(&chunk.places, place);
                    giving.give(index, row, Fate::Duplicate, units[place as usize]);
                    continue;
                }
                Probe::Conflict => Some(conflict(&chunk.batch, row)),
                Probe::New if is_plain => None,
                Probe::New => {
                    let refusal = standing.check(&chunk.batch, row, is_new).err();
                    if refusal.is_none() {
                        self.dedup.claim_new(place as usize, print.payload());
                    }
                    refusal
                }
            };
            match refusal {
                None => {
                    let index = giving.index(&chunk.places, place);
                    giving.accepted.push(AcceptedRow { index, row: place });
                    if is_new {
                        let account = chunk.batch.string(row.account).to_owned();
                        accounts.set(row.account, standing.see(&account));
                        giving.first_sight.push(FirstSight { account, index });
                    }
                }
                Some(rejection) => {
                    let stands = &chunk.places[place as usize];
                    let body = chunk.kept_body(decoder, feed, stands, row);
                    giving.keep(&chunk.batch, stands, row, rejection, units[place as usize], body);
                }
            }
        }
        let (draft, fates, messages) = giving.end(chunk.batch, &checked, at);
        Ok(Admitted { draft, prints, units, accounts, fates, messages })
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
    /// Whether every record is a row of the batch.
    is_whole: bool,
    /// Accepted until something else is said.
    fates: Vec<Fate>,
    /// Counts of the rows of each source that were not accepted, by its number.
    of_source: Vec<Vec<(Fate, u64, Sum)>>,
    /// Counts of the sources of records that are no events.
    other: BTreeMap<Option<String>, Vec<(Fate, u64, Sum)>>,
    accepted: Vec<AcceptedRow>,
    first_sight: Vec<FirstSight>,
    kept: Vec<Kept>,
}

impl<'f> Giving<'f> {
    fn new(feed: &'f Feed, chunk: &Chunk) -> Self {
        Self {
            feed,
            is_whole: chunk.records as usize == chunk.batch.len(),
            fates: vec![Fate::Accepted; chunk.records as usize],
            of_source: Vec::new(),
            other: BTreeMap::new(),
            accepted: Vec::with_capacity(chunk.batch.len()),
            first_sight: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Which record of the block a row is.
    fn index(&self, places: &[Place], place: u32) -> u32 {
        if self.is_whole { place } else { places[place as usize].index }
    }

    /// A record that is no event.
    fn refuse(&mut self, refused: RefusedRecord) {
        let fate = fate_of(refused.rejection.code);
        self.fates[refused.index as usize] = fate;
        merge(self.other.entry(refused.source.clone()).or_default(), fate, 1, Sum::ZERO);
        self.kept.push(Kept {
            index: refused.index,
            code: refused.rejection.code,
            message: refused.rejection.message,
            feed: self.feed.name.clone(),
            line: refused.line,
            format: refused.format,
            source: refused.source,
            id: refused.id,
            body: refused.body,
        });
    }

    /// A row that is not accepted.
    fn give(&mut self, index: u32, row: &Row, fate: Fate, units: Option<Quantity>) {
        self.fates[index as usize] = fate;
        let units = units.map_or(Sum::ZERO, |units| Sum::ZERO.add(units));
        merge(grown(&mut self.of_source, row.source, Vec::new), fate, 1, units);
    }

    fn keep(
        &mut self,
        batch: &Batch,
        place: &Place,
        row: &Row,
        rejection: Rejection,
        units: Option<Quantity>,
        (format, body): (String, Vec<u8>),
    ) {
        self.give(place.index, row, fate_of(rejection.code), units);
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

    /// The block, the fate of each record, and why some were refused.
    fn end(
        mut self,
        batch: Batch,
        checked: &Checked,
        at: Standing,
    ) -> (BlockDraft, Vec<Fate>, BTreeMap<u32, String>) {
        self.kept.sort_by_key(|kept| kept.index);
        let counters = self.counted(&batch, checked);
        let received: u64 = counters.iter().map(|counter| counter.records).sum();
        assert_eq!(received, self.fates.len() as u64, "received = sum of fates");
        let accepted = |counter: &&Counter| counter.key.fate == Fate::Accepted.as_str();
        let counted: u64 = counters.iter().filter(accepted).map(|counter| counter.records).sum();
        assert_eq!(
            counted,
            self.accepted.len() as u64,
            "what is counted as accepted is what stands in the block"
        );
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
        (draft, self.fates, messages)
    }

    /// The counters as a block carries them.
    fn counted(&mut self, batch: &Batch, checked: &Checked) -> Vec<Counter> {
        let mut refused = std::mem::take(&mut self.of_source);
        // Every source of a refused row is one of a row.
        refused.resize_with(checked.of_source.len(), Vec::new);
        for ((source, counts), (mut records, mut units)) in
            (0..).zip(refused).zip(checked.of_source.iter().copied())
        {
            if records == 0 {
                continue;
            }
            let held = self.other.entry(Some(batch.string(source).to_owned())).or_default();
            for (fate, of_fate, units_of_fate) in counts {
                merge(held, fate, of_fate, units_of_fate);
                // What is left was accepted.
                records -= of_fate;
                units = units.merge(units_of_fate.neg());
            }
            if records > 0 {
                merge(held, Fate::Accepted, records, units);
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

/// Adds to the counts of one source.
fn merge(counts: &mut Vec<(Fate, u64, Sum)>, fate: Fate, records: u64, units: Sum) {
    match counts.iter_mut().find(|count| count.0 == fate) {
        Some(count) => {
            count.1 += records;
            count.2 = count.2.merge(units);
        }
        None => counts.push((fate, records, units)),
    }
}

/// How the rows of one batch stand, beside what was checked of them before.
struct RowStanding<'t> {
    terms: &'t mut TermSet,
    received_at: Instant,
    latest: Instant,
    /// Whether some rows are later than that.
    has_later: bool,
    doubtful: std::iter::Peekable<std::iter::Copied<std::slice::Iter<'t, u32>>>,
}

impl<'t> RowStanding<'t> {
    fn new(terms: &'t mut TermSet, checked: &'t Checked, received_at: Instant) -> Self {
        let latest = received_at.checked_add_ns(FUTURE_LIMIT_NS).unwrap_or(Instant::MAX);
        let doubtful = checked.doubtful.iter().copied().peekable();
        Self { terms, received_at, latest, has_later: checked.latest > latest, doubtful }
    }

    /// Whether the rules have nothing to say against a row, whose account may be new. To be asked once a row, in order.
    fn is_plain(&mut self, place: u32, row: &Row, is_new: bool) -> bool {
        let is_doubtful = self.doubtful.next_if_eq(&place).is_some()
            || self.has_later && row.occurred_at > self.latest
            || is_new && !self.terms.first_sight();
        !is_doubtful
    }

    fn check(&self, batch: &Batch, row: &Row, is_new: bool) -> Result<(), Rejection> {
        let known_account = |_: &str| !is_new;
        let rules = Rules {
            meters: self.terms.meters(),
            first_sight: self.terms.first_sight(),
            known_account: &known_account,
            future_limit_ns: FUTURE_LIMIT_NS,
        };
        rules.check(batch.view(row), self.received_at)
    }

    /// Notes the account of an accepted event that is the first to name it.
    fn see(&mut self, account: &str) -> u32 {
        self.terms.see_account(account)
    }
}
