//! Keyed hashes: who an event is, what it says, and the digest of a set of events.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use thiserror::Error;

use crate::batch::Batch;
use crate::event::Event;
use crate::excerpt::excerpt;
use crate::keys::Keys;
use crate::lanes::{LANES, Messages, Processor, SHORT};
use crate::sip::Sip;
use crate::view::EventView;

/// The version of the canonical form that payload hashes and digests are made of; stored beside them.
pub const CANONICAL_FORM_VERSION: u32 = 1;

/// Who an event is: the keyed hash of (tenant, source, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub u128);

/// What an event says: 64 bits of its digest. Two events of one identity say the same where these agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadHash(pub u64);

/// The digest of a multiset of events: the wrapping sum of their keyed hashes, whatever their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

/// The hashes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// [`identity`].
    pub identity: Identity,
    /// [`event_digest`].
    pub digest: Digest,
}

impl Fingerprint {
    /// [`Digest::payload`] of its digest.
    pub fn payload(&self) -> PayloadHash {
        self.digest.payload()
    }
}

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected a digest of 32 lower-case hexadecimal digits, found `{text}`")]
pub struct DigestError {
    /// The text, cut after 64 characters.
    pub text: String,
}

/// Who an event is: 128 bits of SipHash-2-4 under [`Keys::identity`] over the parts tenant, source, id.
///
/// A part is its length in bytes (8 bytes, least significant first) and its bytes, so that `ab`, `c` and `a`,
/// `bc` differ. The strings count byte for byte; the time does not count.
///
/// **Source**: ADR 0004.
pub fn identity(keys: &Keys, tenant: &str, source: &str, id: &str) -> Identity {
    let mut parts = Parts::with_capacity(24 + tenant.len() + source.len() + id.len());
    parts.identity(tenant, source, id);
    Identity(parts.wide(&keys.identity))
}

/// The digest of one event: 128 bits of SipHash-2-4 under [`Keys::digest`] over the parts of its identity and
/// then those of its content.
pub fn event_digest(keys: &Keys, tenant: &str, event: &Event) -> Digest {
    let mut parts = Parts::with_capacity(256);
    parts.identity(tenant, &event.source, &event.id);
    parts.content(&event.into(), &event.properties.to_canonical_json());
    Digest(parts.wide(&keys.digest))
}

/// Both hashes.
pub fn fingerprint(keys: &Keys, tenant: &str, event: &Event) -> Fingerprint {
    fingerprint_of(keys, tenant, event)
}

/// [`fingerprint`] of an event wherever it stands.
pub fn fingerprint_of<'e>(keys: &Keys, tenant: &str, event: impl Into<EventView<'e>>) -> Fingerprint {
    let event = event.into();
    let mut parts = Parts::with_capacity(256);
    parts.identity(tenant, event.source, event.id);
    let identity = Identity(parts.wide(&keys.identity));
    parts.content(&event, &event.properties.to_canonical_json());
    Fingerprint { identity, digest: Digest(parts.wide(&keys.digest)) }
}

/// Stands behind a text that is copied in one piece.
const BEHIND: &str = match str::from_utf8(&[b' '; SHORT]) {
    Ok(text) => text,
    Err(_) => "",
};

/// Hashes the events of a batch: [`fingerprint`] of each, in the order of its rows.
pub fn fingerprint_batch(keys: &Keys, tenant: &str, batch: &Batch, out: &mut Vec<Fingerprint>) {
    let mut sources: Vec<Option<Prefix>> = Vec::new();
    let mut canonical = String::with_capacity(256);
    let (mut identities, mut digests) = (Messages::new(), Messages::new());
    let processor = Processor::detect();
    out.reserve(batch.len());
    for rows in batch.rows().chunks(LANES) {
        let mut too_long = false;
        for (lane, row) in rows.iter().enumerate() {
            let at = usize::try_from(row.source).unwrap_or(usize::MAX);
            if at >= sources.len() {
                // Sources are few and stand at the beginning of the strings, accounts are many.
                sources.resize(at.saturating_add(1), None);
            }
            let known = sources.get(at).copied().flatten();
            let prefix = known.unwrap_or_else(|| Prefix::of(keys, tenant, batch.string(row.source)));
            if known.is_none()
                && let Some(place) = sources.get_mut(at)
            {
                *place = Some(prefix);
            }
            canonical.clear();
            batch.write_canonical(row, &mut canonical);
            let length = canonical.len();
            canonical.push_str(BEHIND);
            let mut message = digests.begin(lane);
            message.put_some(&prefix.rest, prefix.rest_length);
            batch.put_part(&mut message, row.id);
            let of_identity = message.length();
            batch.put_part(&mut message, batch.string_span(row.event_type));
            batch.put_part(&mut message, batch.string_span(row.account));
            message.put(&8_u64.to_le_bytes());
            message.put(&row.occurred_at.0.to_le_bytes());
            message.put_part(canonical.as_bytes(), 0, length);
            let of_digest = message.length();
            if !message.fits() {
                too_long = true;
                break;
            }
            identities.take_over(lane, &digests, of_identity);
            identities.end(lane, prefix.identity, prefix.taken, of_identity);
            digests.end(lane, prefix.digest, prefix.taken, of_digest);
        }
        if too_long {
            out.extend(rows.iter().map(|row| fingerprint_of(keys, tenant, batch.view(row))));
            continue;
        }
        let prints = processor.hash(&identities).into_iter().zip(processor.hash(&digests));
        let print = |(identity, digest)| Fingerprint { identity: Identity(identity), digest: Digest(digest) };
        // Lanes without a row hold what they held before.
        out.extend(prints.map(print).take(rows.len()));
    }
}

/// What the events of one source have in common at the beginning of their messages.
#[derive(Clone, Copy)]
struct Prefix {
    identity: Sip,
    digest: Sip,
    /// Bytes that both chains have taken in.
    taken: usize,
    /// What of the tenant and source is left: less than a word.
    rest: [u8; 8],
    rest_length: usize,
}

impl Prefix {
    fn of(keys: &Keys, tenant: &str, source: &str) -> Self {
        let mut parts = Parts::with_capacity(64);
        parts.push(tenant.as_bytes());
        parts.push(source.as_bytes());
        let (words, tail) = parts.0.as_chunks::<8>();
        let (mut identity, mut digest) = (Sip::new(&keys.identity), Sip::new(&keys.digest));
        for word in words {
            identity.word(u64::from_le_bytes(*word));
            digest.word(u64::from_le_bytes(*word));
        }
        let mut rest = [0; 8];
        rest.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        Self { identity, digest, taken: parts.0.len() - tail.len(), rest, rest_length: tail.len() }
    }
}

/// Length-prefixed parts.
struct Parts(Vec<u8>);

impl Parts {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn identity(&mut self, tenant: &str, source: &str, id: &str) {
        self.push(tenant.as_bytes());
        self.push(source.as_bytes());
        self.push(id.as_bytes());
    }

    fn content(&mut self, event: &EventView<'_>, properties: &str) {
        self.push(event.event_type.as_bytes());
        self.push(event.account.as_bytes());
        self.push(&event.occurred_at.0.to_le_bytes());
        self.push(properties.as_bytes());
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        #[expect(clippy::as_conversions, reason = "a length has at most 64 bits on every target")]
        let length = bytes.len() as u64;
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn wide(&self, key: &[u8; 16]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(key);
        hasher.write(&self.0);
        hasher.finish128().as_u128()
    }
}

impl Digest {
    /// The digest of no event.
    pub const ZERO: Self = Self(0);

    /// Of the digest of one event what tells its content from another under the same identity: its low half.
    pub fn payload(self) -> PayloadHash {
        let [a, b, c, d, e, f, g, h, ..] = self.0.to_le_bytes();
        PayloadHash(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The digest of both multisets together.
    #[expect(clippy::should_implement_trait, reason = "reads in method chains, as the sums of money do")]
    pub fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The digest of what is left when the other multiset is taken away.
    pub fn subtract(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }

    /// Reads 32 lower-case hexadecimal digits.
    ///
    /// **Errors**: [`DigestError`].
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let read = if is_hex { u128::from_str_radix(text, 16).ok() } else { None };
        read.map(Self).ok_or_else(|| DigestError { text: excerpt(text) })
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for PayloadHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::Instant;
    use crate::value::Value;

    #[test]
    fn a_batch_is_hashed_as_its_events_are() {
        let keys = Keys { identity: [7; 16], digest: [9; 16], personal: [1; 32], shard: [2; 16] };
        let mut batch = Batch::new(5);
        let mut events = Vec::new();
        for length in (0..70).chain([300, 400, 420, 440, 1_000]) {
            let text = "x".repeat(length);
            let properties = vec![("p".to_owned(), Value::Text(text.clone()))];
            events.push(Event {
                source: format!("s{}", "o".repeat(length % 19)),
                id: format!("i{text}"),
                event_type: "t".repeat(1 + length % 11),
                account: "a".repeat(1 + length / 3),
                occurred_at: Instant(i64::try_from(length).unwrap() * 1_000_003),
                properties: Value::object(properties).unwrap(),
            });
        }
        events.iter().for_each(|event| batch.push_event(event));
        let mut found = Vec::new();
        fingerprint_batch(&keys, "default", &batch, &mut found);
        let expected: Vec<Fingerprint> =
            events.iter().map(|event| fingerprint(&keys, "default", event)).collect();
        assert_eq!(found, expected);
    }
}
