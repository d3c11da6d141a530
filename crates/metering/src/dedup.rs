//! Duplicates and conflicts.

use crate::hash::{Identity, PayloadHash};

/// What is known of accepted events: the payload hash of each identity.
pub trait Index {
    /// The payload hash of the accepted event with this identity.
    fn get(&self, identity: Identity) -> Option<PayloadHash>;
}

/// What a probe of the index says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// No event of this identity was accepted.
    New,
    /// One with the same content was.
    Duplicate,
    /// One with other content was; it stands.
    Conflict,
}

/// Compares what the index found with a record's own payload hash.
///
/// Probed before every check that depends on terms: a retry stays a duplicate after they changed.
pub fn probe(found: Option<PayloadHash>, own: PayloadHash) -> Probe {
    match found {
        None => Probe::New,
        Some(held) if held == own => Probe::Duplicate,
        Some(_) => Probe::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_answers() {
        assert_eq!(probe(None, PayloadHash(1)), Probe::New);
        assert_eq!(probe(Some(PayloadHash(1)), PayloadHash(1)), Probe::Duplicate);
        assert_eq!(probe(Some(PayloadHash(2)), PayloadHash(1)), Probe::Conflict);
    }
}
