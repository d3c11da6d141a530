//! The books: transactions applied once, and what they add up to.

use std::collections::BTreeMap;

use metering::CivilDate;
use money::{Amount, Currency};
use thiserror::Error;

use crate::entry::{CommandId, Entry, LedgerAccount, Side};
use crate::transaction::{Transaction, TransactionError, check_document};

/// What applying a transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Its entries are posted.
    Posted,
    /// The same transaction was posted before; nothing happened.
    Already,
}

/// Why a transaction was not applied, or a sum not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The id was used for other entries.
    #[error("the command `{id}` was posted before with other entries")]
    SameIdOtherEntries {
        /// The id.
        id: CommandId,
    },
    /// A document in another currency than before.
    #[error(transparent)]
    Document(#[from] TransactionError),
    /// A sum passed 128 bits of minor units.
    #[error("the sum of amounts in `{currency}` is too large", currency = .currency.code())]
    Overflow {
        /// In which currency.
        currency: Currency,
    },
}

/// Which entries count; an absent field lets all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this seller's.
    pub seller: Option<String>,
    /// Only this payer's.
    pub payer: Option<String>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this document.
    pub document: Option<String>,
    /// Only of this line key.
    pub line_key: Option<String>,
    /// Only of accounting dates up to this one, included.
    pub through: Option<CivilDate>,
}

impl Filter {
    fn passes(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|text| text == found);
        same(&self.seller, &entry.seller)
            && same(&self.payer, &entry.payer)
            && same(&self.account, &entry.account)
            && same(&self.document, &entry.document)
            && (self.line_key.is_none() || self.line_key == entry.line_key)
            && self.through.is_none_or(|date| entry.accounting_date <= date)
    }
}

/// One row of a trial balance. **Units**: minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialRow {
    /// Σ debits.
    pub debits: Amount,
    /// Σ credits.
    pub credits: Amount,
}

/// Debits and credits per seller, ledger account and currency.
pub type TrialBalance = BTreeMap<(String, LedgerAccount, Currency), TrialRow>;

/// The books of all sellers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    transactions: BTreeMap<CommandId, Transaction>,
    documents: BTreeMap<(String, String), Currency>,
}

impl Ledger {
    /// Posts a transaction, once.
    ///
    /// **Errors**: an id that was used for other entries; a document that has another currency already.
    /// The ledger is then unchanged.
    pub fn apply(&mut self, transaction: Transaction) -> Result<Applied, LedgerError> {
        match self.transactions.get(transaction.id()) {
            Some(known) if *known == transaction => return Ok(Applied::Already),
            Some(_) => return Err(LedgerError::SameIdOtherEntries { id: transaction.id().clone() }),
            None => {}
        }
        for entry in transaction.entries() {
            let document = (entry.seller.clone(), entry.document.clone());
            if let Some(currency) = self.documents.get(&document) {
                check_document(&mut BTreeMap::from([(document, *currency)]), entry)?;
            }
        }
        for entry in transaction.entries() {
            self.documents.insert((entry.seller.clone(), entry.document.clone()), entry.currency());
        }
        self.transactions.insert(transaction.id().clone(), transaction);
        Ok(Applied::Posted)
    }

    /// Every applied transaction, by id.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values()
    }

    /// Every entry, by id.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.transactions.values().flat_map(Transaction::entries)
    }

    /// Debits − credits of an account, per currency that has entries.
    ///
    /// **Units**: minor units. A credit balance is negative.
    pub fn balance(
        &self,
        account: LedgerAccount,
        filter: &Filter,
    ) -> Result<BTreeMap<Currency, Amount>, LedgerError> {
        let mut sums = BTreeMap::new();
        for entry in self.entries().filter(|e| e.ledger_account == account && filter.passes(e)) {
            let sum = sums.entry(entry.currency()).or_insert(Amount::zero(entry.currency()));
            let signed = Amount::from_minor(entry.signed_minor(), entry.currency());
            *sum = add(*sum, signed)?;
        }
        Ok(sums)
    }

    /// Debits and credits of everything; per seller and currency the two sides are equal.
    pub fn trial_balance(&self) -> Result<TrialBalance, LedgerError> {
        let mut rows = TrialBalance::new();
        for entry in self.entries() {
            let currency = entry.currency();
            let nothing = TrialRow { debits: Amount::zero(currency), credits: Amount::zero(currency) };
            let row = rows.entry((entry.seller.clone(), entry.ledger_account, currency)).or_insert(nothing);
            match entry.side {
                Side::Debit => row.debits = add(row.debits, entry.amount)?,
                Side::Credit => row.credits = add(row.credits, entry.amount)?,
            }
        }
        Ok(rows)
    }
}

fn add(a: Amount, b: Amount) -> Result<Amount, LedgerError> {
    a.checked_add(b).map_err(|_| LedgerError::Overflow { currency: a.currency() })
}
