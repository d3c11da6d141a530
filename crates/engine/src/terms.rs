//! The terms as known at one journal position, in the typed form that rating reads.

use connectors::config::{Term, parse_term};
use invoicing::terms::{Terms, Version};
use metering::Meter;
use store::runs::Names;
use store::tables::{StoredTerm, Tables};

use crate::error::EngineError;

/// Events may be this far ahead of their receipt: clocks differ.
pub const FUTURE_LIMIT_NS: i64 = 5 * 60 * 1_000_000_000;

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
        tables.accounts()?.iter().for_each(|account| set.accounts.insert(&account.name));
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

    /// Says of each name whether it is a known account.
    pub fn have_accounts(&self, names: &[&str]) -> Vec<bool> {
        self.accounts.contain(names)
    }

    /// Notes an account that an event created.
    pub fn see_account(&mut self, account: &str) {
        self.accounts.insert(account);
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
