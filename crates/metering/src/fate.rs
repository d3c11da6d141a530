//! What became of an event.

use std::fmt;

use crate::code::Code;

/// What became of a received record: exactly one of these, and for ever.
///
/// *Late* is no fate but a relation of an accepted event to a sealed period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It counts.
    Accepted,
    /// An event of its identity and content was accepted before; no effect.
    Duplicate,
    /// An event of its identity and other content was accepted before; that one stands, this one is kept aside.
    Conflict,
    /// Refused, and kept aside for repair. It claims no identity.
    Rejected(Code),
}

impl Fate {
    /// The fate's name without its code: `accepted`, `duplicate`, `conflict`, `rejected`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The code of a rejection.
    pub fn code(self) -> Option<Code> {
        match self {
            Self::Rejected(code) => Some(code),
            Self::Accepted | Self::Duplicate | Self::Conflict => None,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
