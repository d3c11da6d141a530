//! Index runs: the identities that a range of the log holds, ordered by hash.
//!
//! An entry is the top 112 bits of an identity and the low 32 bits of its payload hash. Entries stand in pages of
//! eight sectors ([`page`]); the footer holds the first key of each page ([`footer`]), so that opening a run reads
//! its footer alone and a probe reads one page.

mod entries;
mod footer;
mod merge;
mod page;
mod run;
mod writer;

use metering::{Identity, PayloadHash};

pub use entries::IndexEntries;
pub use merge::merge_index;
pub use page::PageBuffer;
pub use run::IndexRun;
pub use writer::{IndexWriter, write_index};

/// The low bits of an identity that the index does not keep.
const CUT_BITS: u32 = 16;

/// An identity as the index keeps it: its top 112 bits. Two events whose identities agree in these are one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptIdentity(u128);

impl KeptIdentity {
    /// The kept bits in their place; the low 16 are zero.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// The top 64 bits, by which pages and places are found.
    pub fn top(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// From bits in their place; the low 16 are cut off.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits >> CUT_BITS << CUT_BITS)
    }
}

impl From<Identity> for KeptIdentity {
    fn from(identity: Identity) -> Self {
        Self::from_bits(identity.0)
    }
}

/// A payload hash as the index keeps it: its low 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptPayload(pub u32);

impl From<PayloadHash> for KeptPayload {
    fn from(payload: PayloadHash) -> Self {
        Self(payload.0 as u32)
    }
}

/// An accepted record as the dedup index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Who it is.
    pub identity: KeptIdentity,
    /// What it says.
    pub payload: KeptPayload,
}

impl IndexEntry {
    /// The entry of an accepted record.
    pub fn new(identity: Identity, payload: PayloadHash) -> Self {
        Self { identity: identity.into(), payload: payload.into() }
    }
}
