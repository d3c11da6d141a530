//! Examples of prices, rounding and allocation in our terms.

use super::outcome::{number, text};
use money::{Amount, Currency, Rational, Rounding, round_decimals};
use rating::{Price, PriceTerm, Tier};
use serde_json::Value;

/// Tiers as an example writes them: `tiers` with `up_to`, or whole-number `ranges` of which only `to` counts.
fn tiers(params: &Value) -> Vec<Tier> {
    let rows = params.get("tiers").or_else(|| params.get("ranges")).and_then(Value::as_array).unwrap();
    rows.iter().map(tier).collect()
}

fn tier(row: &Value) -> Tier {
    let bound = row.get("up_to").or_else(|| row.get("to")).unwrap();
    let unit = row.get("unit").or_else(|| row.get("unit_amount")).unwrap();
    Tier {
        up_to: (!bound.is_null()).then(|| number(bound)),
        unit: number(unit),
        flat: row.get("flat").map_or(Rational::ZERO, number),
    }
}

fn package(params: &Value, result: &str) -> Price {
    let size = number(&params["package_size"]);
    let price = match result {
        "packages" => Rational::ONE,
        "billed_quantity" => size,
        _ => number(params.get("package_price").or_else(|| params.get("package_amount")).unwrap()),
    };
    Price::Package { size, price }
}

fn term(example: &Value, result: &str) -> PriceTerm {
    let (params, per) = (&example["params"], Rational::ONE);
    let price = match example["model"].as_str().unwrap() {
        "unit" => Price::Unit { rate: number(&params["unit"]), per },
        "flat" => Price::Flat { amount: number(&params["amount"]) },
        "graduated" => Price::Graduated { tiers: tiers(params), per },
        // One example names nothing but the unit price of the tier that it is about.
        "volume" if params.get("tier3_unit").is_some() => {
            let only = Tier { up_to: None, unit: number(&params["tier3_unit"]), flat: Rational::ZERO };
            Price::Volume { tiers: vec![only], per }
        }
        "volume" => Price::Volume { tiers: tiers(params), per },
        "package" => package(params, result),
        other => panic!("no price model `{other}`"),
    };
    let included = params.get("free_units").map_or(Rational::ZERO, number);
    // A flat line of an example is due by itself and names no usage.
    let charge_when_unused = matches!(price, Price::Flat { .. });
    PriceTerm { included, charge_when_unused, ..PriceTerm::new(price) }
}

/// The charge of an example: of its quantity, or of what its quantity adds to an earlier one.
pub fn rate(example: &Value, result: &str) -> Rational {
    let term = term(example, result);
    let charge = |quantity: Rational| {
        let charge = rating::rate(quantity, &term).unwrap();
        assert!(charge.is_priced() && charge.problems.is_empty(), "{example}");
        charge.exact
    };
    let input = &example["input"];
    let Some(quantity) = input.get("qty").or_else(|| input.get("quantity")) else {
        assert_eq!(input["line"], "single_period", "{example}");
        return charge(Rational::ZERO);
    };
    match input.get("pre_qty") {
        None => charge(number(quantity)),
        Some(before) => {
            let before = number(before);
            charge(before.checked_add(number(quantity)).unwrap()).checked_sub(charge(before)).unwrap()
        }
    }
}

pub fn round(example: &Value) -> Rational {
    let value = number(&example["input"]["value"]);
    let mode = match example["params"]["mode"].as_str().unwrap() {
        "half_away" => Rounding::HalfAwayFromZero,
        // Half up and half away from zero part ways below zero only.
        "half_up" if !value.is_negative() => Rounding::HalfAwayFromZero,
        "up" => Rounding::Up,
        "down" => Rounding::Down,
        other => panic!("no rounding mode `{other}` for {value}"),
    };
    let decimals: u32 = text(&example["params"]["precision"]).parse().unwrap();
    let rounded = round_decimals(value, decimals, mode).unwrap();
    if let Some(code) = example["params"].get("currency") {
        let currency = Currency::parse(code.as_str().unwrap()).unwrap();
        assert_eq!(money::round(value, currency, mode).unwrap().amount.to_rational(), rounded);
    }
    rounded
}

pub fn allocate(example: &Value) -> Vec<Rational> {
    let exponent: u32 = text(&example["params"]["precision"]).parse().unwrap();
    let code = example["params"]["currency"].as_str().unwrap();
    // A currency of the example's own is stood in for by one of ours with as many decimals.
    let stand_in = || Currency::all().find(|currency| currency.exponent() == exponent);
    let currency = Currency::parse(code).ok().or_else(stand_in).unwrap();
    assert_eq!(currency.exponent(), exponent);
    let input = &example["input"];
    let weights =
        input.get("weights").or_else(|| input.get("item_amounts")).and_then(Value::as_array).unwrap();
    let weights: Vec<Rational> = weights.iter().map(number).collect();
    let total = Amount::parse(&text(&input["amount"]), currency).unwrap();
    money::allocate(total, &weights).unwrap().into_iter().map(Amount::to_rational).collect()
}
