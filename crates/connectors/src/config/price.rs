//! Prices: `{flat: …}`, `{unit: …}`, `{graduated: […]}`, `{volume: […]}` or `{package: …}`.

use std::collections::BTreeMap;

use invoicing::terms::{NamedPrice, Version};
use money::{Currency, Rational};
use rating::{Price, PriceProblem, Tier};
use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::problem::Problems;
use super::values::{self, shown};

const MODELS: [&str; 5] = ["flat", "unit", "graduated", "volume", "package"];
/// Fields of a price.
pub(super) const FIELDS: [&str; 6] = ["flat", "unit", "graduated", "volume", "package", "per"];
const SHAPES: &str =
    "write {unit: \"0.10\"}, {flat: \"5\"}, {graduated: [...]}, {volume: [...]} or {package: {...}}";

/// Fields of a document of this kind.
pub(super) const DOCUMENT_FIELDS: [&str; 3] = ["kind", "price", "currencies"];

/// A named price.
pub(super) fn parse(value: &Value, version: Version, problems: &Problems) -> Option<NamedPrice> {
    let fields = Fields::read_body(value, &DOCUMENT_FIELDS, &SPLIT_OFF, problems)?;
    let name = fields.name("price", "tokens");
    let currencies = fields.need("currencies", "{USD: {unit: \"0.10\"}}").and_then(|value| {
        let by_code = Fields::open(value, "currencies", problems)?;
        if by_code.each().next().is_none() {
            let message = "expected at least one currency, found `{}`".to_owned();
            problems.add(
                "currencies",
                "empty_mapping",
                message,
                "state the price in a currency, such as USD",
            );
            return None;
        }
        Some(
            by_code
                .each()
                .map(|(code, path, value)| in_currency(code, &path, value, problems))
                .collect::<Vec<_>>(),
        )
    });
    let currencies = currencies?.into_iter().collect::<Option<BTreeMap<_, _>>>()?;
    Some(NamedPrice { name: name?, version, currencies })
}

fn in_currency(code: &str, path: &str, value: &Value, problems: &Problems) -> Option<(Currency, Price)> {
    let currency = values::currency(code, path, problems);
    let price = parse_price(value, path, problems);
    Some((currency?, price?))
}

/// A price, with everything that is wrong with it noted.
pub(super) fn parse_price(value: &Value, path: &str, problems: &Problems) -> Option<Price> {
    let fields = Fields::read(value, path, &FIELDS, problems)?;
    let models: Vec<&str> = MODELS.into_iter().filter(|model| fields.has(model)).collect();
    let [model] = models.as_slice() else {
        let found = if models.is_empty() { "none".to_owned() } else { models.join(" and ") };
        let message = format!("expected one of {}, found `{found}`", MODELS.join(", "));
        problems.add(path, "price_shape", message, SHAPES);
        return None;
    };
    let per = fields.decimal_or("per", Rational::ONE);
    if fields.has("per") && matches!(*model, "flat" | "package") {
        let message = format!("expected no `per` beside {model}, which has no price of a unit, found `per`");
        problems.add(&fields.path_of("per"), "price_shape", message, "take `per` out");
    }
    let price = match *model {
        "flat" => Price::Flat { amount: fields.decimal("flat", "5")? },
        "unit" => Price::Unit { rate: fields.decimal("unit", "0.10")?, per: per? },
        "package" => package(&fields)?,
        _ => {
            let tiers = tiers(&fields, model)?;
            let per = per?;
            if *model == "graduated" { Price::Graduated { tiers, per } } else { Price::Volume { tiers, per } }
        }
    };
    check(&price, &fields, model)?;
    Some(price)
}

fn package(fields: &Fields<'_, '_>) -> Option<Price> {
    let path = fields.path_of("package");
    let inner = Fields::read(fields.get("package")?, &path, &["size", "price"], fields.problems())?;
    let (size, price) = (inner.decimal("size", "1000"), inner.decimal("price", "2"));
    Some(Price::Package { size: size?, price: price? })
}

fn tiers(fields: &Fields<'_, '_>, model: &str) -> Option<Vec<Tier>> {
    let (path, problems) = (fields.path_of(model), fields.problems());
    let value = fields.get(model)?;
    let Value::Array(rows) = value else {
        let message = format!("expected a list of tiers, found `{}`", shown(value));
        problems.add(
            &path,
            "wrong_type",
            message,
            "write [{up_to: \"100\", unit: \"0.10\"}, {unit: \"0.05\"}]",
        );
        return None;
    };
    let read: Vec<Option<Tier>> =
        rows.iter().enumerate().map(|(at, row)| tier(row, &format!("{path}[{at}]"), problems)).collect();
    read.into_iter().collect()
}

/// What a tier does not name it does not charge; it must name one of the two.
fn tier(value: &Value, path: &str, problems: &Problems) -> Option<Tier> {
    let fields = Fields::read(value, path, &["up_to", "unit", "flat"], problems)?;
    if !fields.has("unit") && !fields.has("flat") {
        let message = "expected a price in the tier, found neither `unit` nor `flat`".to_owned();
        problems.add(path, "missing_field", message, "add `unit: \"0.10\"`, or \"0\" where the tier is free");
        return None;
    }
    let up_to = if fields.has("up_to") { fields.decimal("up_to", "100").map(Some) } else { Some(None) };
    let (unit, flat) = (fields.decimal_or("unit", Rational::ZERO), fields.decimal_or("flat", Rational::ZERO));
    Some(Tier { up_to: up_to?, unit: unit?, flat: flat? })
}

fn check(price: &Price, fields: &Fields<'_, '_>, model: &str) -> Option<()> {
    let Err(found) = price.check() else { return Some(()) };
    for problem in found {
        let path = fields.path_of(model);
        let at = |tier: usize, name: &str| format!("{path}[{}]{name}", tier.saturating_sub(1));
        let (path, code, hint) = match &problem {
            PriceProblem::NoTiers => {
                (path.clone(), "tiers_empty", "write at least one tier, the last without `up_to`")
            }
            PriceProblem::BoundNotPositive { tier, .. } => (
                at(*tier, ".up_to"),
                "tier_bound_not_positive",
                "a tier ends above 0; the first begins there",
            ),
            PriceProblem::BoundsNotIncreasing { tier, .. } => (
                at(*tier, ".up_to"),
                "tiers_overlap",
                "each `up_to` lies above the one before; a tier begins where the last one ends",
            ),
            PriceProblem::BoundMissing { tier } => {
                (at(*tier, ""), "tier_bound_missing", "add `up_to`, or make this the last tier")
            }
            PriceProblem::LastTierBounded { .. } => {
                let last = fields.get(model).and_then(Value::as_array).map_or(0, Vec::len);
                (
                    at(last, ".up_to"),
                    "tier_last_bounded",
                    "take `up_to` out of the last tier, so that all usage has a price",
                )
            }
            PriceProblem::SizeNotPositive { .. } => {
                (format!("{path}.size"), "number_not_positive", "say how many units are in a package")
            }
            PriceProblem::PerNotPositive { .. } => (
                fields.path_of("per"),
                "number_not_positive",
                "say how many units one price covers, such as \"1000000\"",
            ),
            PriceProblem::IncludedNegative { .. } => (path.clone(), "number_negative", "write 0 or more"),
        };
        fields.problems().add(&path, code, problem.to_string(), hint);
    }
    None
}
