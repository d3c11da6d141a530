//! The items of a contract at an instant: its plan's, with its own above them.

use std::collections::{BTreeMap, BTreeSet};

use metering::Instant;
use money::Currency;

use crate::problem::{BillingCode, BillingProblem};
use crate::terms::{Charging, Contract, Item, Terms, Version};

/// Which kind of document states a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A named price.
    Price,
    /// A plan.
    Plan,
    /// A contract.
    Contract,
}

impl Origin {
    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Plan => "plan",
            Self::Contract => "contract",
        }
    }
}

/// One version of one document of terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermIdentity {
    /// The kind of document.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
}

/// An item in force, and the document that states it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemInForce {
    /// The item.
    pub item: Item,
    /// The plan or contract it stands in.
    pub stated_in: TermIdentity,
    /// The currency of its fee and inline price.
    pub currency: Currency,
}

/// The items of a contract that hold at `at`, by name, and what is wrong with them as a set.
///
/// An item of the contract replaces the plan's item of the same name, whole. Items that take the same
/// usage are still listed; each has a problem `items_overlap` and must not be billed.
pub fn items_in_force(
    terms: &Terms,
    contract: &Contract,
    at: Instant,
) -> (Vec<ItemInForce>, Vec<BillingProblem>) {
    let mut problems = Vec::new();
    let mut items = BTreeMap::new();
    if let Some(name) = &contract.plan {
        match terms.plans.pick(name, at) {
            Some(plan) => {
                let stated_in =
                    TermIdentity { origin: Origin::Plan, name: name.clone(), version: plan.version };
                lay(&mut items, &plan.items, &stated_in, plan.currency);
            }
            None => problems.push(plan_unknown(contract, name)),
        }
    }
    let own =
        TermIdentity { origin: Origin::Contract, name: contract.name.clone(), version: contract.version };
    lay(&mut items, &contract.items, &own, contract.currency);
    let items: Vec<ItemInForce> = items.into_values().collect();
    problems.extend(overlaps(contract, &items));
    (items, problems)
}

fn lay(
    items: &mut BTreeMap<String, ItemInForce>,
    from: &BTreeMap<String, Item>,
    stated_in: &TermIdentity,
    currency: Currency,
) {
    for (name, item) in from {
        let in_force = ItemInForce { item: item.clone(), stated_in: stated_in.clone(), currency };
        items.insert(name.clone(), in_force);
    }
}

fn plan_unknown(contract: &Contract, plan: &str) -> BillingProblem {
    BillingProblem {
        code: BillingCode::PlanUnknown,
        contract: contract.name.clone(),
        item: None,
        message: format!("no plan of this name holds at the start of the period `{plan}`"),
        unpriced: None,
    }
}

/// One problem for each item that takes usage which another item takes too.
fn overlaps(contract: &Contract, items: &[ItemInForce]) -> Vec<BillingProblem> {
    let mut problems = Vec::new();
    for one in items {
        for other in items.iter().filter(|other| other.item.name != one.item.name) {
            if overlap(&one.item.charging, &other.item.charging) {
                problems.push(BillingProblem {
                    code: BillingCode::ItemsOverlap,
                    contract: contract.name.clone(),
                    item: Some(one.item.name.clone()),
                    message: format!(
                        "a unit of usage belongs to one item, but also to `{}`",
                        other.item.name
                    ),
                    unpriced: None,
                });
            }
        }
    }
    problems
}

/// Whether some unit of usage could pass both.
///
/// Filters are disjoint when one dimension occurs in both with no common value; anything else overlaps.
pub fn overlap(one: &Charging, other: &Charging) -> bool {
    match (one, other) {
        (
            Charging::Usage { meter, only, .. },
            Charging::Usage { meter: other_meter, only: other_only, .. },
        ) => meter == other_meter && !disjoint(only, other_only),
        _ => false,
    }
}

fn disjoint(one: &[(String, Vec<String>)], other: &[(String, Vec<String>)]) -> bool {
    let (one, other) = (allowed(one), allowed(other));
    let impossible = |filter: &BTreeMap<_, BTreeSet<_>>| filter.values().any(BTreeSet::is_empty);
    impossible(&one)
        || impossible(&other)
        || one
            .iter()
            .any(|(dimension, values)| other.get(dimension).is_some_and(|found| values.is_disjoint(found)))
}

/// The values that each dimension may have; a dimension named twice must pass both times.
fn allowed(only: &[(String, Vec<String>)]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut allowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (dimension, values) in only {
        let values: BTreeSet<&str> = values.iter().map(String::as_str).collect();
        allowed
            .entry(dimension)
            .and_modify(|known| known.retain(|value| values.contains(value)))
            .or_insert(values);
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::PriceSource;
    use money::Rational;

    fn usage(meter: &str, only: &[(&str, &[&str])]) -> Charging {
        Charging::Usage {
            meter: meter.into(),
            only: only
                .iter()
                .map(|(d, values)| ((*d).into(), values.iter().map(|v| (*v).into()).collect()))
                .collect(),
            included: Rational::ZERO,
            price: PriceSource::Named("p".into()),
            charge_when_unused: false,
            allow_negative: false,
        }
    }

    #[test]
    fn items_overlap_unless_a_dimension_parts_them() {
        let ab: &[(&str, &[&str])] = &[("project", &["a", "b"])];
        let c: &[(&str, &[&str])] = &[("project", &["c"])];
        let bc: &[(&str, &[&str])] = &[("project", &["b", "c"])];
        let eu: &[(&str, &[&str])] = &[("region", &["eu"])];
        for (one, other, expect) in [
            (usage("m", &[]), usage("m", &[]), true),
            (usage("m", &[]), usage("n", &[]), false),
            (usage("m", &[]), usage("m", ab), true),
            (usage("m", ab), usage("m", c), false),
            (usage("m", ab), usage("m", bc), true),
            (usage("m", ab), usage("m", eu), true),
            (usage("m", &[("project", &["a"]), ("project", &["b"])]), usage("m", ab), false),
        ] {
            assert_eq!(overlap(&one, &other), expect, "{one:?} {other:?}");
            assert_eq!(overlap(&other, &one), expect, "{other:?} {one:?}");
        }
    }
}
