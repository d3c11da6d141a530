//! What a document says about others: that they exist, and fit.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use invoicing::overlap;
use invoicing::terms::{Charging, Contract, Item, NamedPrice, Plan, PriceSource, Terms, Version};
use metering::{Instant, Meter};
use money::Currency;

use super::document::Document;
use super::overlaps::{Agreed, between_contracts};
use super::problem::Problem;
use super::suggest;
use super::term::{Term, parse_term};

/// Checks documents against each other and against the terms that are known.
///
/// **Errors** in the result: `duplicate_document`; `unknown_seller`, `unknown_account`, `unknown_plan`,
/// `unknown_meter`, `unknown_price`, `unknown_dimension`; `price_currency_missing` for a price that is not
/// stated in the currency it is needed in; `items_overlap` for an item of a contract and one of its plan, or of
/// another contract of the account that runs at the same time, that take the same usage.
pub fn check_references(documents: &[Document], terms: &Terms) -> Vec<Problem> {
    let check = Check { known: Known::of(documents, terms), problems: RefCell::new(repeated(documents)) };
    for document in documents {
        match parse_term(&document.kind, &document.body, FIRST) {
            Ok(Term::Plan(plan)) => check.plan(document, &plan),
            Ok(Term::Contract(contract)) => check.contract(document, &contract),
            _ => {}
        }
    }
    let shared = between_contracts(documents, &check.known.contracts, &check.known.plans);
    let mut problems = check.problems.into_inner();
    problems.extend(shared);
    problems
}

const FIRST: Version = Version { version: 1, effective_at: Instant(0), recorded_at: 0 };

/// Documents of one kind and name: which of them should hold cannot be told.
fn repeated(documents: &[Document]) -> Vec<Problem> {
    let mut first: BTreeMap<(&str, &str), &Document> = BTreeMap::new();
    let mut problems = Vec::new();
    for document in documents {
        let key = (document.kind.as_str(), document.name.as_str());
        match first.get(&key) {
            None => {
                first.insert(key, document);
            }
            Some(other) => {
                let message = format!(
                    "expected each {} once, found in {}:{} and again `{}`",
                    document.kind, other.file, other.line, document.name
                );
                let hint = "keep one; a later version is applied later, with `effective_at`".to_owned();
                problems.push(document.problem(&document.kind, "duplicate_document", message, hint));
            }
        }
    }
    problems
}

/// The newest of every term, those of the documents above those that are stored.
struct Known<'t> {
    sellers: BTreeSet<&'t str>,
    accounts: BTreeSet<&'t str>,
    meters: BTreeMap<String, Meter>,
    prices: BTreeMap<String, NamedPrice>,
    plans: BTreeMap<String, Plan>,
    contracts: BTreeMap<&'t str, Agreed<'t>>,
}

impl<'t> Known<'t> {
    fn of(documents: &'t [Document], terms: &'t Terms) -> Self {
        let mut known = Self {
            sellers: terms.sellers.names().collect(),
            accounts: terms.accounts.iter().map(String::as_str).collect(),
            meters: newest(terms.meters.names(), |name| terms.meters.latest(name).cloned()),
            prices: newest(terms.prices.names(), |name| terms.prices.latest(name).cloned()),
            plans: newest(terms.plans.names(), |name| terms.plans.latest(name).cloned()),
            contracts: stored_contracts(terms),
        };
        for document in documents {
            match parse_term(&document.kind, &document.body, FIRST) {
                Ok(Term::Seller(_)) => {
                    known.sellers.insert(&document.name);
                }
                Ok(Term::Account(_)) => {
                    known.accounts.insert(&document.name);
                }
                Ok(Term::Meter(meter)) => {
                    known.meters.insert(document.name.clone(), meter);
                }
                Ok(Term::Price(price)) => {
                    known.prices.insert(document.name.clone(), price);
                }
                Ok(Term::Plan(plan)) => {
                    known.plans.insert(document.name.clone(), plan);
                }
                Ok(Term::Contract(contract)) => {
                    let agreed = Agreed { contract: Cow::Owned(contract), document: Some(document) };
                    known.contracts.insert(&document.name, agreed);
                }
                Ok(Term::Policy(_)) | Err(_) => {}
            }
        }
        known
    }
}

fn stored_contracts(terms: &Terms) -> BTreeMap<&str, Agreed<'_>> {
    let latest = terms.contracts.names().filter_map(|name| {
        let contract = Cow::Borrowed(terms.contracts.latest(name)?);
        Some((name, Agreed { contract, document: None }))
    });
    latest.collect()
}

fn newest<'n, T>(
    names: impl Iterator<Item = &'n str>,
    latest: impl Fn(&str) -> Option<T>,
) -> BTreeMap<String, T> {
    names.filter_map(|name| latest(name).map(|term| (name.to_owned(), term))).collect()
}

struct Check<'t> {
    known: Known<'t>,
    problems: RefCell<Vec<Problem>>,
}

impl Check<'_> {
    fn add(&self, document: &Document, path: &str, code: &'static str, message: String, hint: String) {
        self.problems.borrow_mut().push(document.problem(path, code, message, hint));
    }

    fn plan(&self, document: &Document, plan: &Plan) {
        for item in plan.items.values() {
            self.item(document, item, plan.currency);
        }
    }

    fn contract(&self, document: &Document, contract: &Contract) {
        let Known { sellers, accounts, plans, .. } = &self.known;
        self.name(
            document,
            "seller",
            "unknown_seller",
            &contract.seller,
            sellers.contains(contract.seller.as_str()),
            || sellers.iter().copied().collect(),
        );
        let account = |field: &str, name: &str| {
            self.name(document, field, "unknown_account", name, accounts.contains(name), || {
                accounts.iter().copied().collect()
            })
        };
        account("account", &contract.account);
        if contract.payer != contract.account {
            account("payer", &contract.payer);
        }
        for item in contract.items.values() {
            self.item(document, item, contract.currency);
        }
        if let Some(name) = &contract.plan {
            let plan = plans.get(name);
            self.name(document, "plan", "unknown_plan", name, plan.is_some(), || keys(plans));
            if let Some(plan) = plan {
                self.plan_fits(document, contract, plan);
            }
        }
    }

    /// Tells a name that is not known.
    fn name<'k>(
        &self,
        document: &Document,
        path: &str,
        code: &'static str,
        name: &str,
        is_known: bool,
        known: impl Fn() -> Vec<&'k str>,
    ) {
        if is_known {
            return;
        }
        let what = code.strip_prefix("unknown_").unwrap_or(code);
        let message = format!("expected the name of {} {what} that is known, found `{name}`", article(what));
        let hint = suggest::nearest(name, &known()).map_or_else(
            || format!("apply a document of `kind: {what}` with this name, now or before"),
            |near| format!("did you mean `{near}`?"),
        );
        self.add(document, path, code, message, hint);
    }

    fn item(&self, document: &Document, item: &Item, currency: Currency) {
        let Charging::Usage { meter, only, price, .. } = &item.charging else { return };
        let path = format!("items.{}", item.name);
        let Known { meters, prices, .. } = &self.known;
        let found = meters.get(meter);
        self.name(document, &format!("{path}.usage"), "unknown_meter", meter, found.is_some(), || {
            keys(meters)
        });
        if let Some(found) = found {
            self.dimensions(document, &format!("{path}.only"), found, only);
        }
        if let PriceSource::Named(name) = price {
            let path = format!("{path}.price");
            self.name(document, &path, "unknown_price", name, prices.contains_key(name), || keys(prices));
            self.stated_in(document, &path, name, currency);
        }
    }

    fn dimensions(&self, document: &Document, path: &str, meter: &Meter, only: &[(String, Vec<String>)]) {
        for (dimension, _) in only.iter().filter(|(dimension, _)| !meter.dimensions.contains(dimension)) {
            let message = format!("expected a dimension of the meter {}, found `{dimension}`", meter.name);
            let hint = suggest::hint(dimension, meter.dimensions.iter().map(String::as_str));
            self.add(document, &format!("{path}.{dimension}"), "unknown_dimension", message, hint);
        }
    }

    fn stated_in(&self, document: &Document, path: &str, price: &str, currency: Currency) {
        let stated: Vec<&str> = match self.known.prices.get(price) {
            Some(named) if named.currencies.contains_key(&currency) => return,
            Some(named) => named.currencies.keys().map(|currency| currency.code()).collect(),
            None => return,
        };
        let message =
            format!("expected the price {price} to be stated in {currency}, found `{}`", stated.join(" "));
        let hint = format!("add {currency} to the price's `currencies`; nothing is converted");
        self.add(document, path, "price_currency_missing", message, hint);
    }

    /// The plan's items that the contract does not replace: stated in its currency, and on usage that its own
    /// items leave.
    fn plan_fits(&self, document: &Document, contract: &Contract, plan: &Plan) {
        let inherited: Vec<&Item> =
            plan.items.values().filter(|item| !contract.items.contains_key(&item.name)).collect();
        if plan.currency != contract.currency {
            let (mut own, mut named) = (Vec::new(), Vec::new());
            for item in &inherited {
                match &item.charging {
                    Charging::Usage { price: PriceSource::Named(price), .. } => named.push(price.clone()),
                    Charging::Usage { .. } | Charging::Fee { .. } => own.push(item.name.as_str()),
                }
            }
            if !own.is_empty() {
                let message = format!(
                    "expected prices in {} for {}, the plan {} states them in `{}`",
                    contract.currency,
                    own.join(", "),
                    plan.name,
                    plan.currency
                );
                let hint =
                    format!("choose a plan in {}, or state these items in the contract", contract.currency);
                self.add(document, "currency", "price_currency_missing", message, hint);
            }
            for price in named {
                self.stated_in(document, "currency", &price, contract.currency);
            }
        }
        for item in contract.items.values() {
            for other in inherited.iter().filter(|other| overlap(&item.charging, &other.charging)) {
                let message = format!(
                    "expected usage that no other item takes, found it also in the plan's `{}`",
                    other.name
                );
                let hint = "give it the plan's item's name to replace that, or an `only` filter beside it"
                    .to_owned();
                self.add(document, &format!("items.{}", item.name), "items_overlap", message, hint);
            }
        }
    }
}

fn keys<T>(known: &BTreeMap<String, T>) -> Vec<&str> {
    known.keys().map(String::as_str).collect()
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
