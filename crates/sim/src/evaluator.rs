//! Evaluates the JSON of an explanation, and nothing else, to the amount it explains.
//!
//! Numbers are fractions of unbounded integers. No code of the priced path is used: neither its numbers
//! nor its rounding, prices or JSON.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};
use serde_json::Value;

mod fraction;

pub use fraction::Fraction;

/// What an explanation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The exact amount, from the basis.
    pub exact: Fraction,
    /// The amount rounded as the explanation says.
    pub amount: Fraction,
    /// Rounded − exact.
    pub residue: Fraction,
}

/// What is wrong with an explanation: where, what was expected, what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The place in the JSON.
    pub place: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: expected {}, found `{}`", self.place, self.expected, self.found)
    }
}

impl std::error::Error for Difference {}

type Checked<T> = Result<T, Difference>;

fn differ<T>(place: &str, expected: impl ToString, found: impl ToString) -> Checked<T> {
    Err(Difference { place: place.to_owned(), expected: expected.to_string(), found: found.to_string() })
}

/// Evaluates an explanation and checks everything it says about itself.
///
/// **Errors**: the first [`Difference`], in the order basis, exact amount, rounded amount, residue,
/// tiers, allowance, usage cells.
pub fn evaluate(explanation: &Value) -> Checked<Evaluation> {
    let usage = explanation.get("usage");
    let quantity = usage.map(|usage| number(usage, "usage", "quantity")).transpose()?;
    let exact = basis(field(explanation, "", "basis")?, "basis", quantity.as_ref())?;
    let evaluation = rounded(explanation, exact)?;
    tiers(explanation, &evaluation)?;
    allowance(explanation)?;
    if let Some(usage) = usage {
        cells(usage)?;
    }
    Ok(evaluation)
}

fn field<'a>(value: &'a Value, place: &str, name: &str) -> Checked<&'a Value> {
    match value.get(name) {
        Some(found) => Ok(found),
        None => differ(&join(place, name), "a value", "nothing"),
    }
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

fn text<'a>(value: &'a Value, place: &str, name: &str) -> Checked<&'a str> {
    match field(value, place, name)? {
        Value::String(found) => Ok(found),
        other => differ(&join(place, name), "a text", other),
    }
}

fn number(value: &Value, place: &str, name: &str) -> Checked<Fraction> {
    let found = text(value, place, name)?;
    match Fraction::read(found) {
        Some(number) => Ok(number),
        None => differ(&join(place, name), "a decimal or fraction", found),
    }
}

fn count(value: &Value, place: &str, name: &str) -> Checked<u64> {
    match field(value, place, name)?.as_u64() {
        Some(found) => Ok(found),
        None => differ(&join(place, name), "a whole number", &value[name]),
    }
}

fn list<'a>(value: &'a Value, place: &str, name: &str) -> Checked<&'a [Value]> {
    match field(value, place, name)? {
        Value::Array(found) => Ok(found),
        other => differ(&join(place, name), "a list", other),
    }
}

/// Evaluates one node of the basis tree.
fn basis(node: &Value, place: &str, quantity: Option<&Fraction>) -> Checked<Fraction> {
    let inner = |name: &str| basis(field(node, place, name)?, &join(place, name), quantity);
    match text(node, place, "op")? {
        "constant" => number(node, place, "value"),
        "usage" => {
            let value = number(node, place, "value")?;
            match quantity {
                Some(quantity) if *quantity == value => Ok(value),
                Some(quantity) => differ(&join(place, "value"), format!("the usage {quantity}"), value),
                None => differ(place, "no usage in a line without usage", value),
            }
        }
        "sum" => fold(node, place, quantity, Fraction::whole(BigInt::zero()), Fraction::plus),
        "multiply" => fold(node, place, quantity, Fraction::whole(BigInt::one()), Fraction::times),
        "divide" => {
            let (of, by) = (inner("of")?, number_or_node(node, place, "by", quantity)?);
            match of.over(&by) {
                Some(value) => Ok(value),
                None => differ(&join(place, "by"), "a divisor other than 0", by),
            }
        }
        "subtract" => Ok(inner("from")?.minus(&number_or_node(node, place, "take", quantity)?)),
        "at_least" => {
            let (of, bound) = (inner("of")?, number_or_node(node, place, "value", quantity)?);
            Ok(if of.below(&bound) { bound } else { of })
        }
        "at_most" => {
            let (of, bound) = (inner("of")?, number_or_node(node, place, "value", quantity)?);
            Ok(if bound.below(&of) { bound } else { of })
        }
        "ceil" => Ok(inner("of")?.ceiling()),
        other => differ(&join(place, "op"), "a known operation", other),
    }
}

fn number_or_node(node: &Value, place: &str, name: &str, quantity: Option<&Fraction>) -> Checked<Fraction> {
    match field(node, place, name)? {
        Value::String(_) => number(node, place, name),
        inner => basis(inner, &join(place, name), quantity),
    }
}

fn fold(
    node: &Value,
    place: &str,
    quantity: Option<&Fraction>,
    start: Fraction,
    combine: fn(&Fraction, &Fraction) -> Fraction,
) -> Checked<Fraction> {
    let parts = list(node, place, "of")?;
    parts.iter().enumerate().try_fold(start, |sum, (index, part)| {
        Ok(combine(&sum, &basis(part, &format!("{place}.of[{index}]"), quantity)?))
    })
}

/// Rounds the exact amount as told and compares all that is said about it.
fn rounded(explanation: &Value, exact: Fraction) -> Checked<Evaluation> {
    let rounding = field(explanation, "", "rounding")?;
    let said = number(rounding, "rounding", "exact")?;
    if said != exact {
        return differ("rounding.exact", format!("the basis, {exact}"), said);
    }
    let decimals = match u32::try_from(count(rounding, "rounding", "decimals")?) {
        Ok(decimals) if decimals <= 18 => decimals,
        _ => return differ("rounding.decimals", "at most 18", &rounding["decimals"]),
    };
    let amount = round(&exact, decimals, text(rounding, "rounding", "mode")?)?;
    check_amount(explanation, "amount", decimals, &amount)?;
    let residue = amount.minus(&exact);
    let said = number(rounding, "rounding", "residue")?;
    if said != residue {
        return differ("rounding.residue", residue, said);
    }
    Ok(Evaluation { exact, amount, residue })
}

fn check_amount(value: &Value, place: &str, decimals: u32, expected: &Fraction) -> Checked<()> {
    let said = number(value, "", "amount")?;
    let written = text(value, "", "amount")?;
    let places = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if said != *expected {
        return differ(place, expected, written);
    }
    if u32::try_from(places) != Ok(decimals) {
        return differ(place, format!("{decimals} decimals"), written);
    }
    Ok(())
}

fn round(exact: &Fraction, decimals: u32, mode: &str) -> Checked<Fraction> {
    let power = BigInt::from(10).pow(decimals);
    let scaled = &exact.over.abs() * &power;
    let (floor, rest) = scaled.div_rem(&exact.under);
    let twice = &rest * 2;
    let up = match mode {
        "half_away_from_zero" => twice >= exact.under,
        "half_even" => twice > exact.under || (twice == exact.under && floor.is_odd()),
        "up" => !rest.is_zero(),
        "down" => false,
        other => return differ("rounding.mode", "a rounding mode", other),
    };
    let size = if up { floor + 1 } else { floor };
    let signed = if exact.over.is_negative() { -size } else { size };
    Ok(Fraction::new(signed, power).unwrap_or_else(|| exact.clone()))
}

/// Tiers are a split of the line: each is its own arithmetic, and together they are the line.
fn tiers(explanation: &Value, line: &Evaluation) -> Checked<()> {
    let Some(Value::Array(tiers)) = explanation.get("tiers") else { return Ok(()) };
    let zero = Fraction::whole(BigInt::zero());
    let (mut exact, mut amount) = (zero.clone(), zero);
    let unit = smallest_unit(explanation)?;
    for (index, tier) in tiers.iter().enumerate() {
        let place = format!("tiers[{index}]");
        let quantity = number(tier, &place, "quantity")?;
        let flat = number(tier, &place, "flat")?;
        let rate = quantity.times(&number(tier, &place, "unit")?).over(&number(tier, &place, "per")?);
        let own = match rate {
            Some(rate) => rate.plus(&flat),
            None => return differ(&join(&place, "per"), "a divisor other than 0", "0"),
        };
        let said = number(tier, &place, "exact")?;
        if said != own {
            return differ(&join(&place, "exact"), own, said);
        }
        let shown = number(tier, &place, "amount")?;
        let apart = shown.minus(&own).size();
        if !apart.below(&unit.plus(&line.residue.size())) {
            return differ(
                &join(&place, "amount"),
                format!("less than a unit and the residue from {own}"),
                shown,
            );
        }
        exact = exact.plus(&own);
        amount = amount.plus(&shown);
    }
    if exact != line.exact {
        return differ("tiers", format!("exact amounts that sum to {}", line.exact), exact);
    }
    if amount != line.amount {
        return differ("tiers", format!("amounts that sum to {}", line.amount), amount);
    }
    Ok(())
}

fn smallest_unit(explanation: &Value) -> Checked<Fraction> {
    let decimals = count(field(explanation, "", "rounding")?, "rounding", "decimals")?;
    let power = BigInt::from(10).pow(u32::try_from(decimals).unwrap_or(u32::MAX));
    Ok(Fraction { over: BigInt::one(), under: power })
}

/// The allowance of a part is its share of the whole one, by day.
fn allowance(explanation: &Value) -> Checked<()> {
    let Some(allowance) = explanation.get("allowance") else { return Ok(()) };
    let whole = number(allowance, "allowance", "whole")?;
    let part = number(allowance, "allowance", "part")?;
    let share = match explanation.get("proration") {
        Some(days) => {
            let of = |name| Ok(Fraction::whole(BigInt::from(count(days, "proration", name)?)));
            match of("days")?.over(&of("of")?) {
                Some(share) => share,
                None => return differ("proration.of", "at least one day", "0"),
            }
        }
        None => Fraction::whole(BigInt::one()),
    };
    let expected = whole.times(&share);
    if part == expected { Ok(()) } else { differ("allowance.part", expected, part) }
}

/// Cells are a partition of the usage: in order, inside the window, and together the whole.
fn cells(usage: &Value) -> Checked<()> {
    let window = field(usage, "usage", "window")?;
    let mut reached = instant(window, "usage.window", "start")?;
    let end = instant(window, "usage.window", "end")?;
    let (mut records, mut quantity, mut digest) = (0u64, Fraction::whole(BigInt::zero()), 0u128);
    for (index, cell) in list(usage, "usage", "cells")?.iter().enumerate() {
        let place = format!("usage.cells[{index}]");
        let (from, to) = (instant(cell, &place, "start")?, instant(cell, &place, "end")?);
        if from < reached || to <= from || to > end {
            return differ(&place, "a cell after the last one and inside the window", cell);
        }
        reached = to;
        records = match records.checked_add(count(cell, &place, "records")?) {
            Some(records) => records,
            None => return differ(&place, "a count of 64 bits", cell),
        };
        quantity = quantity.plus(&number(cell, &place, "quantity")?);
        digest = digest.wrapping_add(hex(cell, &place)?);
    }
    if records != count(usage, "usage", "records")? {
        return differ("usage.records", format!("the sum of the cells, {records}"), &usage["records"]);
    }
    let said = number(usage, "usage", "quantity")?;
    // What does not add up names its aggregation; a level over time does.
    let adds_up = usage.get("aggregate").is_none_or(|aggregate| aggregate == "level");
    if adds_up && quantity != said {
        return differ("usage.quantity", format!("the sum of the cells, {quantity}"), said);
    }
    if digest != hex(usage, "usage")? {
        return differ("usage.digest", format!("the sum of the cells, {digest:032x}"), &usage["digest"]);
    }
    Ok(())
}

fn hex(value: &Value, place: &str) -> Checked<u128> {
    let said = text(value, place, "digest")?;
    match u128::from_str_radix(said, 16) {
        Ok(digest) if said.len() == 32 && said.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(digest),
        _ => differ(&join(place, "digest"), "32 hex digits", said),
    }
}

/// Reads an RFC 3339 instant in UTC to a key that orders as time does.
fn instant(value: &Value, place: &str, name: &str) -> Checked<(String, String)> {
    let said = text(value, place, name)?;
    let parts = said.strip_suffix('Z').map(|rest| rest.split_once('.').unwrap_or((rest, "")));
    match parts {
        Some((second, fraction)) if second.len() == 19 && second.as_bytes()[10] == b'T' => {
            Ok((second.to_owned(), fraction.to_owned()))
        }
        _ => differ(&join(place, name), "an instant such as 2026-08-01T00:00:00Z", said),
    }
}
