//! The secrets of a store, given in and never made here.

use std::fmt;

/// The secret keys of a store. They are a root of truth: hashes of the past cannot be made again without them.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Of identity and payload hashes.
    pub identity: [u8; 16],
    /// Of digests.
    pub digest: [u8; 16],
    /// Of the hashes that stand for personal fields.
    pub personal: [u8; 32],
    /// Of the choice of a shard.
    pub shard: [u8; 16],
}

/// Tells nothing.
impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys(…)")
    }
}
