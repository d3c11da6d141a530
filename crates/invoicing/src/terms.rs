//! What was agreed: sellers, prices, plans, meters and contracts in all the versions known at one
//! journal position.
//!
//! A term is never overwritten. [`History`] keeps every version and answers which one holds at an
//! instant: the greatest (`effective_at`, `recorded_at`, `version`) whose `effective_at` is not later.

use std::collections::{BTreeMap, BTreeSet};

use metering::{CivilDate, Instant, Meter, Zone};
use money::{Currency, Rational, Rounding};
use rating::Price;

/// The place of one version of a term on both time axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Counts the versions of one name from 1.
    pub version: u32,
    /// From when the version holds.
    pub effective_at: Instant,
    /// The journal row that recorded it.
    pub recorded_at: u64,
}

impl Version {
    /// The order in which versions win over each other.
    fn rank(self) -> (Instant, u64, u32) {
        (self.effective_at, self.recorded_at, self.version)
    }
}

/// The legal entity that bills.
#[derive(Debug, Clone, PartialEq)]
pub struct Seller {
    /// Its name.
    pub name: String,
    /// This version.
    pub version: Version,
    /// The series its invoice numbers are taken from.
    pub series: String,
    /// The currency of its books.
    pub currency: Currency,
    /// The zone of its accounting dates.
    pub zone: Zone,
    /// Whole days after a period's end before its usage is sealed.
    pub grace_days: u32,
}

/// A price with a name of its own, one expression per currency.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedPrice {
    /// Its name.
    pub name: String,
    /// This version.
    pub version: Version,
    /// The price in each currency it is sold in. A currency that is absent has no price: nothing is
    /// converted.
    pub currencies: BTreeMap<Currency, Price>,
}

/// Where an item's price stands.
#[derive(Debug, Clone, PartialEq)]
pub enum PriceSource {
    /// In a [`NamedPrice`] of this name.
    Named(String),
    /// In the item itself, in the currency of the plan or contract that has the item.
    Inline(Price),
}

/// When a fee falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pay {
    /// On the first day of its service period.
    Ahead,
    /// On the last day of its service period.
    After,
}

/// How a fee for less than a whole period is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prorate {
    /// By day: days of the part ÷ days of the whole grid period.
    Day,
    /// Not at all: any part costs the whole fee.
    None,
}

/// What an item charges for.
#[derive(Debug, Clone, PartialEq)]
pub enum Charging {
    /// Usage of a meter.
    Usage {
        /// The meter's name.
        meter: String,
        /// Dimensions and the values they may have; a unit of usage is taken when it passes all.
        only: Vec<(String, Vec<String>)>,
        /// The allowance of a whole period, in the meter's unit. It shrinks with a stub, by day.
        included: Rational,
        /// The price of what is above the allowance.
        price: PriceSource,
        /// Whether zero usage still enters the first tier.
        charge_when_unused: bool,
        /// Whether a negative quantity yields a negative amount.
        allow_negative: bool,
    },
    /// A recurring amount, once a month.
    Fee {
        /// The amount of one whole period and one unit, in the currency of the plan or contract.
        amount: Rational,
        /// How many units.
        quantity: Rational,
        /// When it falls due.
        pay: Pay,
        /// How a stub is counted.
        prorate: Prorate,
    },
}

/// One thing a contract charges for.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name, unique in its plan or contract. It is part of every line key and must not change.
    pub name: String,
    /// What it charges for.
    pub charging: Charging,
    /// Words for people; the item's name where absent.
    pub description: Option<String>,
}

/// A set of items offered to many accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// This version.
    pub version: Version,
    /// The currency of its fees and inline prices.
    pub currency: Currency,
    /// Its items by name.
    pub items: BTreeMap<String, Item>,
}

/// What one account agreed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its name.
    pub name: String,
    /// This version.
    pub version: Version,
    /// Whose usage it prices.
    pub account: String,
    /// Who owes the invoice.
    pub payer: String,
    /// Who bills.
    pub seller: String,
    /// The plan whose items it has, if any.
    pub plan: Option<String>,
    /// Items of its own; one with the name of a plan's item lies above it.
    pub items: BTreeMap<String, Item>,
    /// The currency it is billed in.
    pub currency: Currency,
    /// The zone of its days.
    pub zone: Zone,
    /// Its first day.
    pub start: CivilDate,
    /// The first day after it, if it ends.
    pub end: Option<CivilDate>,
    /// The day of the month on which billing periods begin, 1–31.
    pub anchor: u8,
    /// How its lines are rounded.
    pub rounding: Rounding,
}

/// A term that has a name and versions.
pub trait Versioned {
    /// The name that all versions share.
    fn name(&self) -> &str;
    /// This version.
    fn version(&self) -> Version;
}

macro_rules! versioned {
    ($($term:ty),*) => {$(
        impl Versioned for $term {
            fn name(&self) -> &str {
                &self.name
            }
            fn version(&self) -> Version {
                self.version
            }
        }
    )*};
}
versioned!(Seller, NamedPrice, Plan, Contract);

impl Versioned for Meter {
    fn name(&self) -> &str {
        &self.name
    }
    fn version(&self) -> Version {
        Version { version: self.version, effective_at: self.effective_at, recorded_at: self.recorded_at }
    }
}

/// All versions of all terms of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct History<T> {
    by_name: BTreeMap<String, Vec<T>>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { by_name: BTreeMap::new() }
    }
}

impl<T: Versioned> History<T> {
    /// Adds one version. The order of adding does not matter.
    pub fn add(&mut self, term: T) {
        let versions = self.by_name.entry(term.name().to_owned()).or_default();
        let place = versions.partition_point(|known| known.version().rank() <= term.version().rank());
        versions.insert(place, term);
    }

    /// The version of `name` that holds at `at`, if any.
    pub fn pick(&self, name: &str, at: Instant) -> Option<&T> {
        self.versions(name).iter().rev().find(|term| term.version().effective_at <= at)
    }

    /// Every version of `name`, the one that wins last.
    pub fn versions(&self, name: &str) -> &[T] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The version of `name` with the highest version number, whenever it holds.
    pub fn latest(&self, name: &str) -> Option<&T> {
        self.versions(name).iter().max_by_key(|term| term.version().version)
    }

    /// One version of `name` by its number.
    pub fn numbered(&self, name: &str, version: u32) -> Option<&T> {
        self.versions(name).iter().find(|term| term.version().version == version)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Every version of every name, by name.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.by_name.values().flatten()
    }
}

/// Every term known at one journal position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// Sellers.
    pub sellers: History<Seller>,
    /// Named prices.
    pub prices: History<NamedPrice>,
    /// Plans.
    pub plans: History<Plan>,
    /// Meters.
    pub meters: History<Meter>,
    /// Contracts.
    pub contracts: History<Contract>,
    /// The names of all known accounts.
    pub accounts: BTreeSet<String>,
}
