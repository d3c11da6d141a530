//! Single values, read with every mistake noted.

use std::collections::BTreeSet;

use metering::NAME_BYTES_MAX;
use money::{Currency, CurrencyError, Rational};
use serde_json::Value;

use super::problem::Problems;
use crate::excerpt::excerpt;

/// Decimals of a price or quantity in configuration; derived prices need 8, a unit per 10^9 needs 9 more.
const DECIMALS_MAX: usize = 18;
/// Digits before the point: ±10^20.
const DIGITS_MAX: usize = 21;

/// What a value is, in words.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value in a message.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => excerpt(text),
        Value::Array(_) | Value::Object(_) => kind_of(value).to_owned(),
        other => excerpt(&other.to_string()),
    }
}

/// Text, not a number or anything else that only looks like it.
pub(crate) fn text<'v>(value: &'v Value, path: &str, problems: &Problems) -> Option<&'v str> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => {
            let message = format!("expected text, found the number `{number}`");
            problems.add(path, "number_not_quoted", message, format!("write \"{number}\""));
            None
        }
        other => {
            let message = format!("expected text, found `{}`", shown(other));
            let hint = match other {
                Value::Bool(flag) => format!("write \"{flag}\" if that is the text"),
                Value::Null => "write the text, or take the field out".to_owned(),
                _ => "write one word, or a text in quotes".to_owned(),
            };
            problems.add(path, "wrong_type", message, hint);
            None
        }
    }
}

/// A name: not empty, not too long, without control characters and without spaces around it.
pub(crate) fn check_name(text: &str, path: &str, problems: &Problems) -> Option<String> {
    let is_good = !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text.trim() == text
        && !text.contains(char::is_control);
    if !is_good {
        let message =
            format!("expected a name of 1 to {NAME_BYTES_MAX} bytes on one line, found `{}`", excerpt(text));
        problems.add(path, "bad_name", message, "write a short name such as org-1 or tokens.context");
    }
    is_good.then(|| text.to_owned())
}

/// A decimal, which must be in quotes: a number without them has been through binary floating point in most
/// tools that write YAML.
pub(crate) fn decimal(value: &Value, path: &str, problems: &Problems) -> Option<Rational> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => {
            let message = format!("expected a decimal in quotes, found `{number}`");
            problems.add(path, "number_not_quoted", message, format!("write \"{number}\""));
            return None;
        }
        other => {
            let message = format!("expected a decimal in quotes, found `{}`", shown(other));
            problems.add(path, "wrong_type", message, "write a decimal such as \"12.50\"");
            return None;
        }
    };
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
        let message = format!("expected a decimal such as \"12.50\", found `{}`", excerpt(text));
        problems.add(
            path,
            "bad_number",
            message,
            "write digits and a point: no exponent, no plus, no spaces, no commas",
        );
        return None;
    }
    let read = Rational::parse(text).ok();
    let limit = Rational::from_integer(100_000_000_000_000_000_000);
    let is_in_range = whole.len() <= DIGITS_MAX
        && fraction.len() <= DECIMALS_MAX
        && read.is_some_and(|number| number.abs() <= limit);
    if !is_in_range {
        let message =
            format!("expected at most 10^20 and at most {DECIMALS_MAX} decimals, found `{}`", excerpt(text));
        problems.add(
            path,
            "number_out_of_range",
            message,
            "use a larger unit, or `per` for a price of many units",
        );
        return None;
    }
    read
}

/// A currency by its code.
pub(crate) fn currency(code: &str, path: &str, problems: &Problems) -> Option<Currency> {
    match Currency::parse(code) {
        Ok(currency) => Some(currency),
        Err(error) => {
            let (name, hint) = match &error {
                CurrencyError::Unknown { code } => {
                    let known: Vec<&str> = Currency::all().map(Currency::code).collect();
                    let upper = code.to_uppercase();
                    let near = known.iter().find(|known| **known == upper).copied();
                    let hint = near.map_or_else(
                        || "write an active ISO 4217 code in capitals".to_owned(),
                        |code| format!("did you mean `{code}`?"),
                    );
                    ("unknown_currency", hint)
                }
                CurrencyError::NoMinorUnit { .. } => {
                    ("currency_without_minor_unit", "no invoice can be made in it; choose another".to_owned())
                }
            };
            problems.add(path, name, error.to_string(), hint);
            None
        }
    }
}

/// A list of texts without repetition, at least one. `true` and `false` stand for their text.
pub(crate) fn texts(value: &Value, path: &str, problems: &Problems) -> Option<Vec<String>> {
    let Value::Array(items) = value else {
        let message = format!("expected a list, found `{}`", shown(value));
        problems.add(path, "wrong_type", message, format!("write [{}]", shown(value)));
        return None;
    };
    if items.is_empty() {
        problems.add(
            path,
            "empty_list",
            "expected at least one text, found `[]`".to_owned(),
            "name one, or take the field out",
        );
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let text = match item {
            Value::Bool(flag) => Some(if *flag { "true" } else { "false" }),
            other => text(other, &path, problems),
        };
        let Some(text) = text else { continue };
        if !seen.insert(text) {
            let message = format!("expected each text once, found again `{}`", excerpt(text));
            problems.add(&path, "duplicate_value", message, "keep one");
        }
        all.push(text.to_owned());
    }
    (all.len() == items.len()).then_some(all)
}
