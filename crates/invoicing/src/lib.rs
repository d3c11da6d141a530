//! From terms and usage to an invoice: its lines, body, envelope, postings and explanations.
//!
//! **Owns**: the shape of sellers, prices, plans and contracts in all their versions ([`terms`]); which
//! billing periods a contract has; which lines a period has, each with its stable [`LineKey`] and the
//! terms that hold; the one rounding of a line; the canonical body, its envelope; what issuing posts; how
//! a line is explained.
//!
//! **Does not own**: counting (`metering`), the price models (`rating`), rounding and allocation
//! (`money`), what makes a transaction acceptable (`ledger`), reading usage, numbers and storage
//! (`engine`, `store`).
//!
//! **Invariants**
//! * A line is rounded once; Σ tiers = line, Σ lines = total; residue = amount − exact.
//! * Usage that has no price is a [`BillingProblem`], never a line of zero. The rest is billed.
//! * A unit of usage is priced by exactly one item.
//! * The same terms and usage make the same bytes of a body, in whatever order they come.
//! * A body holds no key, digest, position, clock, path or personal field; those of them that matter
//!   stand in the envelope.
//! * The basis of an explanation evaluates to the line's exact amount.
//! * What issuing posts balances and leaves the contract position of every line at zero.
//!
//! **Times**: a service period is half-open, civil days in the contract's zone. The terms of a line are
//! those that hold at the start of its service period. `recorded_at` is a journal row. The accounting
//! date is in the seller's zone. There is no clock here: every time is an argument.
//!
//! **Entry points**, in the order of a run: [`billing_period_list`], [`line_specs`], [`bill()`],
//! [`body()`], [`envelope()`], [`numbered`], [`issued`], [`posting()`], [`explain()`],
//! [`explanation_text`].
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
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::as_conversions, clippy::indexing_slicing)
)]

mod basis_json;
mod bill;
mod body;
mod entry_json;
mod envelope;
mod explain;
mod explain_text;
mod items;
mod key;
mod periods;
mod posting;
mod problem;
mod resolver;
mod spec;
mod steps;
mod sublines;
pub mod terms;
mod written;

pub use basis_json::basis_value;
pub use bill::{Bill, BillingError, Line, Usage, bill};
pub use body::{BodyError, body, canonical_bytes, line_keys, numbered};
pub use entry_json::{EntryJsonError, entries_json, entry_from_value, entry_value};
pub use envelope::{EnvelopeFacts, SEMANTICS_VERSION, body_hash, envelope, issued};
pub use explain::{CellFact, ExplainFacts, explain};
pub use explain_text::explanation_text;
pub use items::{ItemInForce, Origin, TermIdentity, items_in_force, overlap};
pub use key::{LineKey, LineKeyError};
pub use periods::billing_period_list;
pub use posting::{IssueFacts, PostingError, posting};
pub use problem::{BillingCode, BillingProblem, Unpriced};
pub use spec::{LineSpec, LineTerm, PriceIdentity, line_specs};
pub use sublines::SubLine;
