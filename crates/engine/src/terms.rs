//! The terms as known at one journal position, in the typed form that rating reads.

use connectors::config::{Term, parse_term};
use invoicing::terms::{Terms, Version};
use metering::{Batch, Meter};
use store::runs::Names;
use store::tables::{StoredTerm, Tables};

use crate::error::EngineError;

/// Events may be this far ahead of their receipt: clocks differ.
pub const FUTURE_LIMIT_NS: i64 = 5 * 60 * 1_000_000_000;

const NOT_ASKED: u32 = u32::MAX;
/// The number of an account that nobody has named yet.
const NEW_ACCOUNT: u32 = u32::MAX - 1;

/// The accounts of a batch as the terms number them.
#[derive(Debug)]
pub struct AccountNumbers {
    /// Which numbering this is; numbers of another mean other accounts.
    pub numbering: u64,
    /// Whether some account is new.
    pub has_new: bool,
    /// By number of the batch's strings.
    numbers: Vec<u32>,
}

impl AccountNumbers {
    /// The number of an account, by the number of its string in the batch; none where it is new.
    pub fn get(&self, account: u32) -> Option<u32> {
        let number = self.numbers[account as usize];
        (number < NEW_ACCOUNT).then_some(number)
    }

    /// Sets the number of an account that was new.
    pub fn set(&mut self, account: u32, number: u32) {
        self.numbers[account as usize] = number;
    }
}

/// All terms known at a journal position.
pub struct TermSet {
    /// The position K.
    pub known_at: u64,
    /// Sellers, prices, plans, meters, contracts in all their versions.
    pub terms: Terms,
    /// Every version as stored, by kind and name.
    pub stored: Vec<StoredTerm>,
    meters: Vec<Meter>,
    accounts: Names,
    first_sight: bool,
}

impl TermSet {
    /// No terms.
    pub fn empty() -> Self {
        Self {
            known_at: 0,
            terms: Terms::default(),
            stored: Vec::new(),
            meters: Vec::new(),
            accounts: Names::default(),
            first_sight: false,
        }
    }

    /// The terms that the tables hold, as known at a row.
    ///
    /// **Errors**: a stored document that this build cannot read.
    pub fn load(tables: &Tables, known_at: u64) -> Result<Self, EngineError> {
        let mut set = Self::empty();
        set.known_at = known_at;
        for stored in tables.terms_as_known_at(known_at)? {
            set.take(&stored)?;
            set.stored.push(stored);
        }
        for account in tables.accounts()? {
            set.accounts.insert(&account.name);
        }
        set.meters = set.terms.meters.all().cloned().collect();
        Ok(set)
    }

    fn take(&mut self, stored: &StoredTerm) -> Result<(), EngineError> {
        let version = Version {
            version: stored.version,
            effective_at: stored.effective_at,
            recorded_at: stored.recorded_at,
        };
        let term = parse_term(&stored.kind, &stored.body, version).map_err(|problems| {
            let first = problems.first().map_or_else(String::new, |problem| problem.message.clone());
            EngineError::stored(
                format!("{} `{}` version {}", stored.kind, stored.name, stored.version),
                first,
            )
        })?;
        match term {
            Term::Seller(seller) => self.terms.sellers.add(seller),
            Term::Meter(meter) => self.terms.meters.add(meter),
            Term::Price(price) => self.terms.prices.add(price),
            Term::Plan(plan) => self.terms.plans.add(plan),
            Term::Contract(contract) => self.terms.contracts.add(contract),
            Term::Account(_) => {
                self.terms.accounts.insert(stored.name.clone());
            }
            Term::Policy(policy) => self.first_sight = policy.first_sight,
        }
        Ok(())
    }

    /// Every version of every meter.
    pub fn meters(&self) -> &[Meter] {
        &self.meters
    }

    /// Whether an account is known.
    pub fn has_account(&self, account: &str) -> bool {
        self.accounts.contains(account)
    }

    /// The numbers of the accounts of a batch.
    pub fn number_accounts(&self, batch: &Batch) -> AccountNumbers {
        let mut numbers = vec![NOT_ASKED; batch.string_count()];
        // Most are known: they are asked for together.
        let (mut asked, mut texts) = (Vec::new(), Vec::new());
        for row in batch.rows() {
            let number = &mut numbers[row.account as usize];
            if *number == NOT_ASKED {
                *number = NEW_ACCOUNT;
                asked.push(row.account);
                texts.push(batch.string(row.account));
            }
        }
        let mut has_new = false;
        for (account, known) in asked.into_iter().zip(self.accounts.numbers(&texts)) {
            numbers[account as usize] = known.unwrap_or(NEW_ACCOUNT);
            has_new |= known.is_none();
        }
        AccountNumbers { numbering: self.accounts.numbering(), numbers, has_new }
    }

    /// Notes an account that an event created; answers its number.
    pub fn see_account(&mut self, account: &str) -> u32 {
        self.accounts.insert(account)
    }

    /// Whether an event creates the account that it names.
    pub fn first_sight(&self) -> bool {
        self.first_sight
    }

    /// The latest stored version of a term.
    pub fn latest(&self, kind: &str, name: &str) -> Option<&StoredTerm> {
        // The tables answer terms by kind, name and version.
        let wanted = (kind, name);
        let end = self.stored.partition_point(|s| (s.kind.as_str(), s.name.as_str()) <= wanted);
        self.stored.get(end.checked_sub(1)?).filter(|s| (s.kind.as_str(), s.name.as_str()) == wanted)
    }
}
