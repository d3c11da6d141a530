//! Outcomes as Sentry's producers write them, one JSON object a record, bare or in an envelope.

mod categories;
mod envelope;
mod outcome;

pub use categories::{SENTRY_CATEGORIES, SENTRY_OUTCOMES, SentryCategory, SentryUnit};

use metering::{Draft, Rejection};

use crate::json;
use crate::record::Undecodable;
use envelope::{Envelope, Origin};

/// Where a record was read, for one that has no identity of its own.
pub(crate) struct Place<'a> {
    pub(crate) source: &'a str,
    pub(crate) line: u64,
}

/// Decodes one outcome; what is absent stays absent.
///
/// **Errors**: those of [`json::read_object`]; `missing_id` where nothing identifies it; `outcome_unknown`,
/// `category_unknown`, `missing_account`, `time_unparseable`.
pub(crate) fn decode(bytes: &[u8], place: Option<&Place<'_>>) -> Result<Draft, Undecodable> {
    let envelope = Envelope::read(json::read_object(bytes)?)?;
    let origin = envelope.origin.or_else(|| place.map(|place| Origin::at(place.source, place.line)));
    outcome::decode(envelope.outcome, origin)
}

/// The bytes of a record as they are kept for repair: with its place where only that identifies it, and
/// without the address that a person can be found by.
pub(crate) fn kept_body(bytes: &[u8], place: &Place<'_>) -> Vec<u8> {
    match read(bytes) {
        Ok(envelope) if envelope.origin.is_some() || envelope.outcome.has_event_id() => {
            without_address(bytes)
        }
        Ok(_) => envelope::wrap(&without_address(bytes), place),
        Err(_) => outcome::scrub(bytes),
    }
}

fn read(bytes: &[u8]) -> Result<Envelope, Rejection> {
    Envelope::read(json::read_object(bytes)?)
}

/// The bytes themselves unless they may name the address: then the same JSON in canonical form without it.
fn without_address(bytes: &[u8]) -> Vec<u8> {
    if !outcome::may_name_address(bytes) {
        return bytes.to_vec();
    }
    match json::read_object(bytes) {
        Ok(members) => {
            outcome::strip_address(metering::Value::Object(members)).to_canonical_json().into_bytes()
        }
        Err(_) => outcome::scrub(bytes),
    }
}
