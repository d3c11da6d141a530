//! A set of entries that balances.

use std::collections::BTreeMap;

use money::{Amount, Currency};
use thiserror::Error;

use crate::entry::{CommandId, Entry, EntryId};

/// Why a set of entries is no transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// Fewer than two entries.
    #[error("a transaction has at least two entries, found `{found}`")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// An entry's id is not (the transaction's id, its place).
    #[error("expected the entry id `{expected}`, found `{found}`")]
    EntryId {
        /// The id at this place.
        expected: EntryId,
        /// The id it has.
        found: EntryId,
    },
    /// Entries of two sellers.
    #[error("a transaction has one seller, expected `{expected}`, found `{found}`")]
    MixedSellers {
        /// The first entry's seller.
        expected: String,
        /// Another entry's.
        found: String,
    },
    /// An amount of zero or less.
    #[error("entry `{id}`: expected an amount above zero, found `{amount}`")]
    NotPositive {
        /// The entry.
        id: EntryId,
        /// Its amount.
        amount: Amount,
    },
    /// One document in two currencies.
    #[error("document `{document}` has the currency `{expected}`, found `{found}`", expected = .expected.code(), found = .found.code())]
    DocumentCurrency {
        /// The document.
        document: String,
        /// The currency it has.
        expected: Currency,
        /// The currency of an entry.
        found: Currency,
    },
    /// Debits and credits differ.
    #[error("debits less credits in {currency} must be 0, found `{difference}` minor units", currency = .currency.code())]
    Unbalanced {
        /// In which currency.
        currency: Currency,
        /// Debits − credits, in minor units.
        difference: i128,
    },
    /// A sum passed 128 bits of minor units.
    #[error("the sum of amounts in `{currency}` is too large", currency = .currency.code())]
    Overflow {
        /// In which currency.
        currency: Currency,
    },
}

/// Entries that balance in every currency they touch.
///
/// **Errors**: [`Transaction::new`] refuses anything else, so a value of this type is proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    id: CommandId,
    entries: Vec<Entry>,
}

impl Transaction {
    /// Checks the entries and makes them one transaction.
    ///
    /// **Errors**, checked in this order: too few entries; then per entry its id, seller, amount and
    /// document's currency; then the balance per currency.
    pub fn new(id: CommandId, entries: Vec<Entry>) -> Result<Self, TransactionError> {
        if entries.len() < 2 {
            return Err(TransactionError::TooFew { found: entries.len() });
        }
        let mut documents = BTreeMap::new();
        for (index, entry) in (0u32..).zip(&entries) {
            check_identity(&id, index, entry)?;
            check_seller(&entries, entry)?;
            if entry.amount.minor() <= 0 {
                return Err(TransactionError::NotPositive { id: entry.id.clone(), amount: entry.amount });
            }
            check_document(&mut documents, entry)?;
        }
        check_balance(&entries)?;
        Ok(Self { id, entries })
    }

    /// Its identity: the command that posts it.
    pub fn id(&self) -> &CommandId {
        &self.id
    }

    /// Its entries in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

fn check_identity(id: &CommandId, index: u32, entry: &Entry) -> Result<(), TransactionError> {
    let expected = EntryId { command: id.clone(), index };
    if entry.id == expected {
        return Ok(());
    }
    Err(TransactionError::EntryId { expected, found: entry.id.clone() })
}

fn check_seller(entries: &[Entry], entry: &Entry) -> Result<(), TransactionError> {
    match entries.first() {
        Some(first) if first.seller != entry.seller => Err(TransactionError::MixedSellers {
            expected: first.seller.clone(),
            found: entry.seller.clone(),
        }),
        _ => Ok(()),
    }
}

/// One document, one currency: `known` holds what was seen so far.
pub(crate) fn check_document(
    known: &mut BTreeMap<(String, String), Currency>,
    entry: &Entry,
) -> Result<(), TransactionError> {
    let document = (entry.seller.clone(), entry.document.clone());
    let expected = *known.entry(document).or_insert(entry.currency());
    if expected == entry.currency() {
        return Ok(());
    }
    Err(TransactionError::DocumentCurrency {
        document: entry.document.clone(),
        expected,
        found: entry.currency(),
    })
}

fn check_balance(entries: &[Entry]) -> Result<(), TransactionError> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for entry in entries {
        let currency = entry.currency();
        let sum = sums.entry(currency).or_insert(0);
        *sum = sum.checked_add(entry.signed_minor()).ok_or(TransactionError::Overflow { currency })?;
    }
    match sums.into_iter().find(|(_, sum)| *sum != 0) {
        Some((currency, difference)) => Err(TransactionError::Unbalanced { currency, difference }),
        None => Ok(()),
    }
}
