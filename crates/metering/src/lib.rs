//! From what a source sent to what is counted: form, identity, fates, meters, cells, civil time.
//!
//! ```
//! use metering::{Instant, Value, Zone, CivilDate};
//!
//! let start = Zone::parse("America/New_York")?.day_start(CivilDate::parse("2026-08-01")?);
//! assert_eq!(start.to_string(), "2026-08-01T04:00:00Z");
//! assert_eq!(Value::number("1.50e2")?.to_canonical_json(), "150");
//! assert!(Instant::parse_rfc3339("2026-08-01 04:00:00").is_err(), "an offset is required");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Owns
//! The form of an event, its canonical form and keyed hashes, duplicates and conflicts, the rules that refuse
//! an event, what a meter makes of it, usage cells, instants, civil days and billing periods.
//!
//! # Does not own
//! Decoding of any wire format (`connectors`), keys and where hashes are kept (`store`), what is known at a
//! journal position (`engine`), prices (`rating`).
//!
//! # Invariants
//! * An event has exactly one [`Fate`]. Nothing absent becomes a default: it is a [`Rejection`] with a [`Code`].
//! * Identity is (tenant, source, id), byte for byte, and never the time.
//! * Equal values have equal canonical forms, whatever their spelling; see [`Value::to_canonical_json`].
//! * [`aggregate`] over any order, batching or splitting of the same events gives the same merged cells.
//! * Every window is half-open; billing periods partition the time from a contract's start to its end.
//!
//! # Times
//! [`Instant`]s are nanoseconds since 1970 UTC and are always given in. `occurred_at` decides the cell and the
//! period; `received_at` is used only to refuse events from the future. `effective_at` and `recorded_at` pick
//! the version of a meter. Civil time comes from the bundled database, [`tz_database_version`], never from
//! the machine.
//!
//! # Entry points
//! [`check_form`], [`fingerprint`], [`probe`], [`Rules::check`], [`aggregate`]: the path of an event, in this
//! order. [`billing_periods`] for the calendar.
#![forbid(unsafe_code)]
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    clippy::indexing_slicing
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod aggregate;
mod aggregation;
mod batch;
mod bucket;
mod cell;
mod civil;
mod code;
mod dedup;
mod event;
mod excerpt;
mod fate;
mod form;
mod gather;
mod hash;
mod instant;
mod keys;
mod lanes;
mod meter;
mod number;
mod path;
mod period;
mod rules;
mod sip;
mod time_format;
mod value;
mod view;
mod zone;

pub use aggregate::{Derivation, aggregate, base_quantities, base_quantity, base_units, meter_cell};
pub use aggregation::{Aggregation, Hourly, Mark, Per, Reads};
pub use batch::{Batch, Kind, Row, Shape, Span, seeded};
pub use bucket::{Bucket, BucketUnit};
pub use cell::{CELL_NS, Cell, CellKey, cell_start};
pub use civil::{CivilDate, DateError};
pub use code::{Code, Rejection, UnknownCode};
pub use dedup::{Index, Probe, probe};
pub use event::{Draft, Event};
pub use fate::Fate;
pub use form::{NAME_BYTES_MAX, PROPERTIES_BYTES_MAX, check_form};
pub use gather::Gathering;
pub use hash::{
    CANONICAL_FORM_VERSION, Digest, DigestError, Fingerprint, Identity, PayloadHash, event_digest,
    fingerprint, fingerprint_batch, fingerprint_of, identity,
};
pub use instant::{Instant, TimeError};
pub use keys::Keys;
pub use meter::{Condition, Measure, Meter};
pub use period::{
    AnchorError, BillingPeriods, Period, billing_periods, check_anchor, grid_period, whole_period_days,
};
pub use rules::Rules;
pub use time_format::{PatternError, TimeFormat, TimePattern};
pub use value::{DEPTH_MAX, Value, ValueError};
pub use view::{EventView, Found, Properties};
pub use zone::{Zone, ZoneError, tz_database_version};
