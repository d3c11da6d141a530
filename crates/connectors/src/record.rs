//! What a feed is made of.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use metering::Rejection;

use crate::csv::Header;

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its name in the counts.
    pub name: String,
    /// The source of events that tell none: the file's base name, or what was declared. Never a path.
    pub source: String,
}

/// One record as it was read, not yet decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Its bytes, or the head of a record that is too long.
    pub bytes: Vec<u8>,
    /// How long it is.
    pub bytes_total: u64,
    /// The header of its CSV.
    pub(crate) header: Option<Arc<Header>>,
    /// What it is kept as, where it was kept before.
    pub(crate) kept_as: Option<String>,
}

impl RawRecord {
    /// A record of a format without a header.
    pub fn new(line: u64, bytes: Vec<u8>) -> Self {
        let bytes_total = bytes.len() as u64;
        Self { line, bytes, bytes_total, header: None, kept_as: None }
    }

    /// A record that was kept before in a format of [`crate::decode_kept`].
    pub(crate) fn kept(line: u64, format: &str, bytes: Vec<u8>) -> Self {
        Self { kept_as: Some(format.to_owned()), ..Self::new(line, bytes) }
    }

    /// What it is kept as, where it was kept before.
    pub(crate) fn kept_as(&self) -> Option<&str> {
        self.kept_as.as_deref()
    }

    /// Whether only the head of it is there.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() as u64 != self.bytes_total
    }
}

/// A record that is no draft of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Why.
    pub rejection: Rejection,
    /// Its source, where it tells one.
    pub source: Option<String>,
    /// Its id, where it tells one.
    pub id: Option<String>,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(formatter)
    }
}

impl Error for Undecodable {}

impl From<Rejection> for Undecodable {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, source: None, id: None }
    }
}
