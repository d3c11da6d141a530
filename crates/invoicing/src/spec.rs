//! What the lines of one billing period are, before their usage is read.

use std::collections::{BTreeMap, BTreeSet};

use metering::Period;
use money::{Currency, Rational, Rounding};
use rating::PriceTerm;

use crate::items::{ItemInForce, TermIdentity, items_in_force};
use crate::key::LineKey;
use crate::periods::periods_through;
use crate::problem::{BillingCode, BillingProblem};
use crate::resolver::{Resolver, unpriced};
use crate::terms::{Charging, Contract, Item, Pay, Terms};

/// The price a line is rated with: its name and the version that holds.
///
/// A price or fee that stands inside a plan or contract is named `DOCUMENT/ITEM` and has the version of
/// that document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceIdentity {
    /// Its name.
    pub name: String,
    /// The document that states it.
    pub stated_in: TermIdentity,
}

/// What a line is rated by.
#[derive(Debug, Clone, PartialEq)]
pub enum LineTerm {
    /// Usage by a price.
    Usage {
        /// The price with the allowance of the service period.
        price: Box<PriceTerm>,
        /// The allowance of a whole period, before a stub shrinks it.
        included_whole: Rational,
        /// The item's filter on dimensions.
        only: Vec<(String, Vec<String>)>,
        /// The unit of the meter.
        unit: String,
    },
    /// A fee.
    Fee {
        /// The amount of one unit and whole period.
        amount: Rational,
        /// How many units.
        quantity: Rational,
    },
}

/// One line to be: everything about it but its usage.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSpec {
    /// Its stable key.
    pub key: LineKey,
    /// The item in force.
    pub item: Item,
    /// The service period.
    pub service: Period,
    /// Days of the service period that are charged.
    pub part_days: i64,
    /// Days of the whole grid period it lies in; equal to `part_days` unless it is a stub.
    pub whole_days: i64,
    /// The meter's name and version; absent for a fee.
    pub meter: Option<(String, u32)>,
    /// The price.
    pub price: PriceIdentity,
    /// What it is rated by.
    pub term: LineTerm,
    /// The contract's version.
    pub contract: TermIdentity,
    /// The plan's version, where the item comes from a plan.
    pub plan: Option<TermIdentity>,
    /// The contract's currency.
    pub currency: Currency,
    /// How the line is rounded.
    pub rounding: Rounding,
}

impl LineSpec {
    /// The item's words for people, or its name.
    pub fn description(&self) -> &str {
        self.item.description.as_deref().unwrap_or(&self.item.name)
    }

    /// The unit of its quantity; none for a fee.
    pub fn unit(&self) -> Option<&str> {
        match &self.term {
            LineTerm::Usage { unit, .. } => Some(unit),
            LineTerm::Fee { .. } => None,
        }
    }

    /// The filter on dimensions; empty for a fee.
    pub fn only(&self) -> &[(String, Vec<String>)] {
        match &self.term {
            LineTerm::Usage { only, .. } => only,
            LineTerm::Fee { .. } => &[],
        }
    }

    /// Whether the service period is part of a longer one.
    pub fn is_stub(&self) -> bool {
        self.part_days != self.whole_days
    }
}

/// The lines of a billing period of a contract, sorted by key, and what keeps items from having one.
///
/// * Usage items, and fees paid after, have the billing period as their service period.
/// * Fees paid ahead are due from the first day of their service period: this period's, unless it was billed,
///   and those of periods that start at or before this one's end. So a first invoice has its own period's and
///   the next. Fees of earlier periods that were never billed are a problem, not lines: nobody expects years
///   of fees on one invoice.
///
/// Terms, the contract's version among them, are those that hold at the start of the service period.
pub fn line_specs(
    terms: &Terms,
    contract: &Contract,
    period: &Period,
    already_billed: &BTreeSet<LineKey>,
) -> (Vec<LineSpec>, Vec<BillingProblem>) {
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    let mut passed: BTreeMap<String, u64> = BTreeMap::new();
    for service in periods_through(contract, period.end) {
        let own = service.first == period.first;
        let due = |charging: &Charging| match charging {
            Charging::Fee { pay: Pay::Ahead, .. } => true,
            Charging::Fee { pay: Pay::After, .. } | Charging::Usage { .. } => own,
        };
        let version = terms.contracts.pick(&contract.name, service.start).unwrap_or(contract);
        let (items, found) = items_in_force(terms, version, service.start);
        let refused: BTreeSet<String> = found.iter().filter_map(|problem| problem.item.clone()).collect();
        if own {
            problems.extend(found.into_iter().map(|problem| with_usage(problem, &items, &service)));
        }
        for item in items.iter().filter(|i| due(&i.item.charging) && !refused.contains(&i.item.name)) {
            let resolver = Resolver { terms, contract: version, service: &service, item };
            if already_billed.contains(&resolver.key()) {
                continue;
            }
            if service.start < period.start && !own {
                *passed.entry(item.item.name.clone()).or_insert(0) += 1;
                continue;
            }
            match resolver.spec() {
                Ok(spec) => specs.push(spec),
                Err(problem) => problems.push(*problem),
            }
        }
    }
    problems.extend(passed.into_iter().map(|(item, periods)| BillingProblem {
        code: BillingCode::FeeUnbilled,
        contract: contract.name.clone(),
        message: format!("expected the fee of every earlier period to be billed, missing are `{periods}`"),
        item: Some(item),
        unpriced: None,
    }));
    specs.sort_by(|a, b| a.key.cmp(&b.key));
    (specs, problems)
}

/// Adds to a problem of a usage item which usage it leaves unpriced.
fn with_usage(problem: BillingProblem, items: &[ItemInForce], service: &Period) -> BillingProblem {
    let item = items.iter().find(|i| Some(&i.item.name) == problem.item.as_ref());
    BillingProblem { unpriced: item.and_then(|i| unpriced(&i.item, service)), ..problem }
}
