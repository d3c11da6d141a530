//! Items of plans and contracts: usage with its price, or a fee.

use std::collections::BTreeMap;

use invoicing::overlap;
use invoicing::terms::{Charging, Item, Pay, PriceSource, Prorate};
use money::Rational;
use serde_json::Value;

use super::fields::Fields;
use super::price::parse_price;
use super::problem::Problems;
use super::values::{check_name, shown, texts};

/// Fields of an item of usage.
pub(super) const USAGE_FIELDS: [&str; 7] =
    ["usage", "included", "price", "only", "charge_when_unused", "allow_negative", "description"];
/// Fields of an item with a fee.
pub(super) const FEE_FIELDS: [&str; 6] = ["fee", "quantity", "every", "pay", "prorate", "description"];

/// The items of a field `items`; none where it is absent.
pub(super) fn parse(fields: &Fields<'_, '_>) -> Option<BTreeMap<String, Item>> {
    let Some(value) = fields.get("items") else { return Some(BTreeMap::new()) };
    let problems = fields.problems();
    let by_name = Fields::open(value, &fields.path_of("items"), problems)?;
    let read: Vec<Option<Item>> =
        by_name.each().map(|(name, path, value)| item(name, value, &path, problems)).collect();
    let items: BTreeMap<String, Item> = read
        .into_iter()
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .map(|item| (item.name.clone(), item))
        .collect();
    refuse_overlaps(&items, &by_name);
    Some(items)
}

fn item(name: &str, value: &Value, path: &str, problems: &Problems) -> Option<Item> {
    let named = check_name(name, path, problems);
    let probe = Fields::open(value, path, problems)?;
    let charging = match (probe.has("usage"), probe.has("fee")) {
        (true, false) => usage(&Fields::read(value, path, &USAGE_FIELDS, problems)?),
        (false, true) => fee(&Fields::read(value, path, &FEE_FIELDS, problems)?),
        (true, true) => {
            let message = format!("expected either usage or a fee, found both in `{name}`");
            problems.add(path, "usage_and_fee", message, "make two items of it");
            None
        }
        (false, false) => {
            let message = format!("expected `usage` or `fee`, found neither in `{name}`");
            problems.add(path, "missing_field", message, "add `usage: METER` with a price, or `fee: \"10\"`");
            None
        }
    };
    let description = match probe.get("description") {
        None => Some(None),
        Some(_) => probe.text_if_any("description").map(|text| Some(text.to_owned())),
    };
    Some(Item { name: named?, charging: charging?, description: description? })
}

fn usage(fields: &Fields<'_, '_>) -> Option<Charging> {
    let meter = fields.name("usage", "errors");
    let included = fields.decimal_or("included", Rational::ZERO);
    if included.is_some_and(Rational::is_negative) {
        let message = format!(
            "expected an included quantity of at least 0, found `{}`",
            shown(fields.get("included")?)
        );
        fields.problems().add(&fields.path_of("included"), "number_negative", message, "write 0 or more");
    }
    let price = fields.need("price", "{unit: \"0.10\"}").and_then(|value| price_source(value, fields));
    let only = only(fields);
    let (charge_when_unused, allow_negative) =
        (fields.flag("charge_when_unused"), fields.flag("allow_negative"));
    Some(Charging::Usage {
        meter: meter?,
        only: only?,
        included: included?,
        price: price?,
        charge_when_unused: charge_when_unused?,
        allow_negative: allow_negative?,
    })
}

/// A text names a price, a mapping is one.
fn price_source(value: &Value, fields: &Fields<'_, '_>) -> Option<PriceSource> {
    let (path, problems) = (fields.path_of("price"), fields.problems());
    match value {
        Value::Object(_) => parse_price(value, &path, problems).map(PriceSource::Inline),
        _ => fields.name("price", "{unit: \"0.10\"}").map(PriceSource::Named),
    }
}

fn only(fields: &Fields<'_, '_>) -> Option<Vec<(String, Vec<String>)>> {
    let Some(value) = fields.get("only") else { return Some(Vec::new()) };
    let by_dimension = Fields::open(value, &fields.path_of("only"), fields.problems())?;
    let read: Vec<Option<(String, Vec<String>)>> = by_dimension
        .each()
        .map(|(dimension, path, value)| {
            texts(value, &path, fields.problems()).map(|values| (dimension.to_owned(), values))
        })
        .collect();
    read.into_iter().collect()
}

fn fee(fields: &Fields<'_, '_>) -> Option<Charging> {
    let amount = fields.decimal("fee", "10");
    let quantity = fields.decimal_or("quantity", Rational::ONE);
    let every = fields.word_or("every", &[("month", ())], ());
    let pay = fields.word_or("pay", &[("ahead", Pay::Ahead), ("after", Pay::After)], Pay::Ahead);
    let prorate = fields.word_or("prorate", &[("day", Prorate::Day), ("none", Prorate::None)], Prorate::Day);
    every?;
    Some(Charging::Fee { amount: amount?, quantity: quantity?, pay: pay?, prorate: prorate? })
}

/// A unit of usage is priced by exactly one item.
fn refuse_overlaps(items: &BTreeMap<String, Item>, by_name: &Fields<'_, '_>) {
    for (name, item) in items {
        let before = items.iter().take_while(|(other, _)| *other != name);
        for (other, _) in before.filter(|(_, other)| overlap(&item.charging, &other.charging)) {
            let message = format!("expected usage that no other item takes, found it also in `{other}`");
            by_name.problems().add(
                &by_name.path_of(name),
                "items_overlap",
                message,
                "give the items of one meter `only` filters that share no value",
            );
        }
    }
}
