//! Balanced transactions, ledger accounts and balances: the books.
//!
//! **Owns**: the shape of an [`Entry`] with every field that an entry carries from the first day, what
//! makes a [`Transaction`] acceptable, and the [`Ledger`], a machine that applies transactions once.
//!
//! **Does not own**: which event posts what (the crate of the event does: issuing an invoice is in
//! `invoicing`), where entries are kept, rating, rounding.
//!
//! **Invariants**
//! * A [`Transaction`] that exists is balanced in every currency it touches, in minor units, has at
//!   least two entries, one seller, and no entry of zero or less.
//! * A document has one currency for ever.
//! * Applying a transaction id twice posts nothing; the same id with other entries is refused.
//! * A refused transaction leaves the ledger as it was.
//! * Over any set of applied transactions Σ debits = Σ credits, per seller and currency.
//!
//! **Times**: `accounting_date` is a civil date in the seller's zone, the service period is a pair of
//! civil dates (first day, first day after), `recorded_position` is the journal row that posted the
//! entry. There is no clock here.
//!
//! **Entry points**: [`Transaction::new`], [`Ledger::apply`], [`Ledger::balance`],
//! [`Ledger::trial_balance`].
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

mod books;
mod entry;
mod transaction;

pub use books::{Applied, Filter, Ledger, LedgerError, TrialBalance, TrialRow};
pub use entry::{CommandId, Entry, EntryId, LedgerAccount, PostingType, Side};
pub use transaction::{Transaction, TransactionError};
