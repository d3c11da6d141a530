//! One recorded use, as found and as checked.

use crate::instant::Instant;
use crate::time_format::TimeFormat;
use crate::value::Value;

/// What a decoder found in a record; nothing is defaulted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The system that emitted it.
    pub source: Option<String>,
    /// Its id within the source.
    pub id: Option<String>,
    /// What kind of use it is.
    pub event_type: Option<String>,
    /// Whose use it is.
    pub account: Option<String>,
    /// When it was used, as written.
    pub occurred_at: Option<String>,
    /// How `occurred_at` is written.
    pub time_format: TimeFormat,
    /// Everything else it says: an object.
    pub properties: Value,
}

/// One recorded use whose form [`crate::check_form`] has checked. Its identity is (tenant, `source`, `id`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// The system that emitted it, and that can be reconciled with.
    pub source: String,
    /// Its id within the source, byte for byte.
    pub id: String,
    /// What kind of use it is; meters name the types that they count.
    pub event_type: String,
    /// Whose use it is.
    pub account: String,
    /// When it was used; it decides the period.
    pub occurred_at: Instant,
    /// Everything else it says: a canonical object.
    pub properties: Value,
}
