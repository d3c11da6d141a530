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
    /// The format its bytes are kept in, should it be refused.
    pub format: String,
    /// Its bytes, should it be refused or conflict.
    pub body: Vec<u8>,
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
    records: &[RawRecord],
    threads: usize,
) -> Vec<Prepared> {
    let one = |record: &RawRecord| prepare(keys, decoder, feed, record);
    if threads < 2 || records.len() <= SLICE_RECORDS {
        return records.iter().map(one).collect();
    }
    let share = records.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = records
            .chunks(share)
            .map(|slice| scope.spawn(move || slice.iter().map(one).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(prepared) => prepared,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn prepare(keys: &Keys, decoder: &Decoder, feed: &Feed, record: &RawRecord) -> Prepared {
    let outcome = match decoder.decode(feed, record) {
        Ok(draft) => check(keys, draft),
        Err(undecodable) => {
            Err(Refused { rejection: undecodable.rejection, source: undecodable.source, id: undecodable.id })
        }
    };
    let (format, body) = decoder.kept_body(feed, record);
    Prepared { line: record.line, outcome, format, body }
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
