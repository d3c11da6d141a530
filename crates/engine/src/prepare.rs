//! The first half of an event's path, pure and parallel: decode, check form, hash.

use connectors::{Decoder, Feed, RawRecord};
use metering::{Digest, Draft, Event, Fingerprint, Identity, Keys, PayloadHash, Rejection};
use money::Sum;

use crate::engine::TENANT;

/// Records that one thread prepares at a time.
const SLICE_RECORDS: usize = 512;

/// A record that has been decoded and hashed, or found wanting.
#[derive(Debug)]
pub struct Prepared {
    /// Its place in the feed; 0 where there is none.
    pub line: u64,
    /// What became of it so far.
    pub outcome: Result<Hashed, Refused>,
    /// What is kept of it, should it be refused.
    pub origin: Origin,
}

/// Where a record's bytes are, so that they can be kept.
#[derive(Debug)]
pub enum Origin {
    /// As a feed gave them.
    Feed(RawRecord),
    /// As the quarantine kept them: the decoder's name and the bytes.
    Quarantine(String, Vec<u8>),
}

/// A well-formed event with its hashes.
#[derive(Debug)]
pub struct Hashed {
    /// The event.
    pub event: Event,
    /// Its keyed identity.
    pub identity: Identity,
    /// The keyed hash of its content.
    pub payload: PayloadHash,
    /// Its keyed digest.
    pub digest: Digest,
    /// Its property `quantity`, where it is a number; else zero.
    pub units: Sum,
}

/// A record that is not a well-formed event.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub rejection: Rejection,
    /// Its source, where it told one.
    pub source: Option<String>,
    /// Its id, where it told one.
    pub id: Option<String>,
}

/// Prepares records on `threads` threads; the order stays.
pub fn prepare_all(
    keys: &Keys,
    decoder: &Decoder,
    feed: &Feed,
    mut records: Vec<RawRecord>,
    threads: usize,
) -> Vec<Prepared> {
    let all = |records: Vec<RawRecord>| -> Vec<Prepared> {
        records.into_iter().map(|record| prepare(keys, decoder, feed, record)).collect()
    };
    if threads < 2 || records.len() <= SLICE_RECORDS {
        return all(records);
    }
    let share = records.len().div_ceil(threads);
    let mut slices = Vec::with_capacity(threads);
    while !records.is_empty() {
        slices.push(records.drain(..share.min(records.len())).collect());
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            slices.into_iter().map(|slice: Vec<RawRecord>| scope.spawn(move || all(slice))).collect();
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(prepared) => prepared,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn prepare(keys: &Keys, decoder: &Decoder, feed: &Feed, record: RawRecord) -> Prepared {
    let outcome = match decoder.decode(feed, &record) {
        Ok(draft) => check(keys, draft),
        Err(undecodable) => {
            Err(Refused { rejection: undecodable.rejection, source: undecodable.source, id: undecodable.id })
        }
    };
    Prepared { line: record.line, outcome, origin: Origin::Feed(record) }
}

/// Checks the form of a draft and hashes it.
pub fn check(keys: &Keys, draft: Draft) -> Result<Hashed, Refused> {
    let (source, id) = (draft.source.clone(), draft.id.clone());
    match metering::check_form(draft) {
        Ok(event) => {
            let hashes = metering::fingerprint(keys, TENANT, &event);
            let Fingerprint { identity, payload, digest } = hashes;
            Ok(Hashed { identity, payload, digest, units: metering::base_units(&event), event })
        }
        Err(rejection) => Err(Refused { rejection, source, id }),
    }
}
