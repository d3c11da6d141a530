//! Keyed hashes: who an event is, what it says, and the digest of a set of events.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher24Wide};
use thiserror::Error;

use crate::event::Event;
use crate::excerpt::excerpt;
use crate::keys::Keys;

/// The version of the canonical form that payload hashes and digests are made of; stored beside them.
pub const CANONICAL_FORM_VERSION: u32 = 1;

/// Who an event is: the keyed hash of (tenant, source, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub u128);

/// What an event says: the keyed hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadHash(pub u64);

/// The digest of a multiset of events: the wrapping sum of their keyed hashes, whatever their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

/// The three hashes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// [`identity`].
    pub identity: Identity,
    /// [`payload_hash`].
    pub payload: PayloadHash,
    /// [`event_digest`].
    pub digest: Digest,
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

/// What an event says: 64 bits of SipHash-2-4 under [`Keys::identity`] over the parts type, account,
/// `occurred_at` (8 bytes of nanoseconds, two's complement, least significant first), canonical properties.
pub fn payload_hash(keys: &Keys, event: &Event) -> PayloadHash {
    let mut parts = Parts::with_capacity(128);
    parts.content(event, &event.properties.to_canonical_json());
    PayloadHash(SipHasher24::new_with_key(&keys.identity).hash(&parts.0))
}

/// The digest of one event: 128 bits of SipHash-2-4 under [`Keys::digest`] over the parts of its identity and
/// then those of its content.
pub fn event_digest(keys: &Keys, tenant: &str, event: &Event) -> Digest {
    let mut parts = Parts::with_capacity(256);
    parts.identity(tenant, &event.source, &event.id);
    parts.content(event, &event.properties.to_canonical_json());
    Digest(parts.wide(&keys.digest))
}

/// All three hashes, the canonical form written once.
pub fn fingerprint(keys: &Keys, tenant: &str, event: &Event) -> Fingerprint {
    let mut parts = Parts::with_capacity(256);
    parts.identity(tenant, &event.source, &event.id);
    let content = parts.0.len();
    let identity = Identity(parts.wide(&keys.identity));
    parts.content(event, &event.properties.to_canonical_json());
    let digest = Digest(parts.wide(&keys.digest));
    let payload = SipHasher24::new_with_key(&keys.identity).hash(parts.0.get(content..).unwrap_or(&[]));
    Fingerprint { identity, payload: PayloadHash(payload), digest }
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

    fn content(&mut self, event: &Event, properties: &str) {
        self.push(event.event_type.as_bytes());
        self.push(event.account.as_bytes());
        self.push(&event.occurred_at.0.to_le_bytes());
        self.push(properties.as_bytes());
    }

    fn push(&mut self, bytes: &[u8]) {
        #[expect(clippy::as_conversions, reason = "a length has at most 64 bits on every target")]
        let length = bytes.len() as u64;
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn wide(&self, key: &[u8; 16]) -> u128 {
        let mut hasher = SipHasher24Wide::new_with_key(key);
        hasher.write(&self.0);
        hasher.finish128().as_u128()
    }
}

impl Digest {
    /// The digest of no event.
    pub const ZERO: Self = Self(0);

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
