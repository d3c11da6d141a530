//! Contracts of one account that would take the same unit of usage, each on an invoice of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use invoicing::overlap;
use invoicing::terms::{Charging, Contract, Item, Plan};
use metering::Instant;

use super::document::Document;
use super::problem::Problem;

/// The newest version of a contract, and the document that states it where it is none of the stored ones.
pub(super) struct Agreed<'t> {
    pub(super) contract: Cow<'t, Contract>,
    pub(super) document: Option<&'t Document>,
}

/// A contract while it runs, with the usage items that it has of its own and by its plan.
struct Party<'a> {
    name: &'a str,
    start: Instant,
    end: Instant,
    items: Vec<Taken<'a>>,
}

/// A usage item of a contract.
struct Taken<'a> {
    contract: &'a Contract,
    item: &'a Item,
    is_inherited: bool,
    /// The document that states it now. Two items without one are stored side by side already.
    document: Option<&'a Document>,
}

/// A problem for each usage item that takes what an item of another contract of its account takes meanwhile.
///
/// Contracts are compared within an account, and there only with those that run at the same time.
pub(super) fn between_contracts(
    documents: &[Document],
    contracts: &BTreeMap<&str, Agreed<'_>>,
    plans: &BTreeMap<String, Plan>,
) -> Vec<Problem> {
    let stated_plans: BTreeMap<&str, &Document> = documents
        .iter()
        .filter(|document| document.kind == "plan")
        .map(|document| (document.name.as_str(), document))
        .collect();
    let mut accounts: BTreeMap<&str, Vec<&Agreed<'_>>> = BTreeMap::new();
    for agreed in contracts.values() {
        accounts.entry(&agreed.contract.account).or_default().push(agreed);
    }
    let mut problems = Vec::new();
    for agreed in accounts.values().filter(|agreed| agreed.len() > 1) {
        let parties = agreed.iter().map(|agreed| party(agreed, plans, &stated_plans)).collect();
        problems.extend(within_account(parties));
    }
    problems
}

fn party<'a>(
    agreed: &'a Agreed<'_>,
    plans: &'a BTreeMap<String, Plan>,
    stated_plans: &BTreeMap<&str, &'a Document>,
) -> Party<'a> {
    let contract = agreed.contract.as_ref();
    let plan = contract.plan.as_ref().and_then(|name| plans.get(name));
    let stated_plan = plan.and_then(|plan| stated_plans.get(plan.name.as_str()).copied());
    let own = contract.items.values().map(|item| (item, false));
    let inherited = plan
        .into_iter()
        .flat_map(|plan| plan.items.values())
        .filter(|item| !contract.items.contains_key(&item.name))
        .map(|item| (item, true));
    let items = own.chain(inherited).filter(|(item, _)| matches!(item.charging, Charging::Usage { .. }));
    let items = items.map(|(item, is_inherited)| {
        let document = agreed.document.or(if is_inherited { stated_plan } else { None });
        Taken { contract, item, is_inherited, document }
    });
    Party {
        name: &contract.name,
        start: contract.zone.day_start(contract.start),
        end: contract.end.map_or(Instant(i64::MAX), |end| contract.zone.day_start(end)),
        items: items.collect(),
    }
}

/// Walks along time, so that contracts which follow each other are never compared.
fn within_account(mut parties: Vec<Party<'_>>) -> Vec<Problem> {
    parties.sort_by_key(|party| (party.start, party.name));
    let (mut running, mut problems): (Vec<&Party<'_>>, Vec<Problem>) = (Vec::new(), Vec::new());
    for party in &parties {
        running.retain(|other| other.end > party.start);
        for taken in &party.items {
            let mut others = running.iter().flat_map(|other| &other.items);
            if let Some(other) = others.find(|other| collide(taken, other)) {
                problems.extend(problem(taken, other));
            }
        }
        running.push(party);
    }
    problems
}

fn collide(one: &Taken<'_>, other: &Taken<'_>) -> bool {
    (one.document.is_some() || other.document.is_some()) && overlap(&one.item.charging, &other.item.charging)
}

fn problem(one: &Taken<'_>, other: &Taken<'_>) -> Option<Problem> {
    let (told, other) = if one.document.is_some() { (one, other) } else { (other, one) };
    let document = told.document?;
    let path = match told.is_inherited && document.kind != "plan" {
        true => "plan".to_owned(),
        false => format!("items.{}", told.item.name),
    };
    let message = format!(
        "expected usage of {} that no other contract takes meanwhile, found {} of {} on what {} takes of `{}`",
        told.contract.account, told.item.name, told.contract.name, other.item.name, other.contract.name
    );
    let hint = "let one contract end on the day the other starts, or part their items by an `only` filter";
    Some(document.problem(&path, "items_overlap", message, hint.to_owned()))
}
