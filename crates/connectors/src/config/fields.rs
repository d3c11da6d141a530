//! The fields of one mapping, read with every mistake noted.

use std::collections::BTreeSet;
use std::fmt::Display;

use metering::{CivilDate, Instant, NAME_BYTES_MAX, Zone};
use money::{Currency, CurrencyError, Rational};
use serde_json::{Map, Value};

use super::problem::Problems;
use super::suggest;
use super::yaml::member_path;
use crate::excerpt::excerpt;

/// Decimals of a price or quantity in configuration; derived prices need 8, a unit per 10^9 needs 9 more.
const DECIMALS_MAX: usize = 18;
/// Digits before the point: ±10^20.
const DIGITS_MAX: usize = 21;

/// The fields of one mapping.
pub(crate) struct Fields<'v, 'p> {
    members: &'v Map<String, Value>,
    path: String,
    problems: &'p Problems,
}

/// What a value is, in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
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

impl<'v, 'p> Fields<'v, 'p> {
    /// The fields of a value that must be a mapping; every field must be one of `known`.
    pub(crate) fn read(value: &'v Value, path: &str, known: &[&str], problems: &'p Problems) -> Option<Self> {
        let fields = Self::open(value, path, problems)?;
        for key in fields.members.keys().filter(|key| !known.contains(&key.as_str())) {
            let at = member_path(path, key);
            let message = format!("expected a known field, found `{}`", excerpt(key));
            problems.add(&at, "unknown_field", message, suggest::hint(key, known.iter().copied()));
        }
        Some(fields)
    }

    /// The members of a value that must be a mapping of any keys.
    pub(crate) fn open(value: &'v Value, path: &str, problems: &'p Problems) -> Option<Self> {
        let Value::Object(members) = value else {
            let message = format!("expected a mapping, found `{}`", shown(value));
            problems.add(path, "wrong_type", message, "write `name: value` pairs");
            return None;
        };
        Some(Self { members, path: path.to_owned(), problems })
    }

    pub(crate) fn path_of(&self, name: &str) -> String {
        member_path(&self.path, name)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn problems(&self) -> &'p Problems {
        self.problems
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Every member with its path.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'v str, String, &'v Value)> + '_ {
        self.members.iter().map(|(key, value)| (key.as_str(), self.path_of(key), value))
    }

    /// A field that may be absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'v Value> {
        self.members.get(name)
    }

    /// A field that must be there.
    pub(crate) fn need(&self, name: &str, example: &str) -> Option<&'v Value> {
        let found = self.members.get(name);
        if found.is_none() {
            let message = format!("expected a field, found none named `{name}`");
            self.problems.add(&self.path, "missing_field", message, format!("add `{name}: {example}`"));
        }
        found
    }

    fn refuse(&self, name: &str, code: &'static str, message: String, hint: impl Into<String>) {
        self.problems.add(&self.path_of(name), code, message, hint);
    }

    /// Required text.
    pub(crate) fn text(&self, name: &str, example: &str) -> Option<&'v str> {
        text(self.need(name, example)?, &self.path_of(name), self.problems)
    }

    /// Text that may be absent.
    pub(crate) fn text_if_any(&self, name: &str) -> Option<&'v str> {
        text(self.get(name)?, &self.path_of(name), self.problems)
    }

    /// A required name.
    pub(crate) fn name(&self, name: &str, example: &str) -> Option<String> {
        let text = self.text(name, example)?;
        check_name(text, &self.path_of(name), self.problems)
    }

    /// A name that may be absent.
    pub(crate) fn name_if_any(&self, name: &str) -> Option<String> {
        let text = self.text_if_any(name)?;
        check_name(text, &self.path_of(name), self.problems)
    }

    /// A required decimal in quotes.
    pub(crate) fn decimal(&self, name: &str, example: &str) -> Option<Rational> {
        decimal(self.need(name, &format!("\"{example}\""))?, &self.path_of(name), self.problems)
    }

    /// A decimal, or `default` where the field is absent. Nothing where it is wrong.
    pub(crate) fn decimal_or(&self, name: &str, default: Rational) -> Option<Rational> {
        match self.get(name) {
            None => Some(default),
            Some(value) => decimal(value, &self.path_of(name), self.problems),
        }
    }

    /// A whole number without quotes, or `default`.
    pub(crate) fn whole_or(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Option<u32> {
        let Some(value) = self.get(name) else { return Some(default) };
        let found = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match found.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (least, most) = (range.start(), range.end());
                let message =
                    format!("expected a whole number from {least} to {most}, found `{}`", shown(value));
                let code = if value.is_number() { "out_of_range" } else { "wrong_type" };
                self.refuse(name, code, message, format!("write `{name}: {default}`, without quotes"));
                None
            }
        }
    }

    /// True or false; false where absent.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            None => Some(false),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(other) => {
                let message = format!("expected true or false, found `{}`", shown(other));
                self.refuse(name, "wrong_type", message, format!("write `{name}: true` or `{name}: false`"));
                None
            }
        }
    }

    /// One of some words, or `default`, which is the first.
    pub(crate) fn word_or<T: Copy>(&self, name: &str, words: &[(&str, T)], default: T) -> Option<T> {
        match self.get(name) {
            None => Some(default),
            Some(value) => self.word_of(name, value, words),
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let example = words.first().map_or("", |(word, _)| word);
        self.word_of(name, self.need(name, example)?, words)
    }

    fn word_of<T: Copy>(&self, name: &str, value: &Value, words: &[(&str, T)]) -> Option<T> {
        let found = text(value, &self.path_of(name), self.problems)?;
        let known = words.iter().find(|(word, _)| *word == found).map(|(_, meant)| *meant);
        if known.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("expected {}, found `{}`", words.join(" or "), excerpt(found));
            self.refuse(name, "unknown_value", message, suggest::hint(found, words));
        }
        known
    }

    /// A required currency.
    pub(crate) fn currency(&self, name: &str) -> Option<Currency> {
        currency(self.text(name, "USD")?, &self.path_of(name), self.problems)
    }

    /// A zone, or `default`; required where there is none.
    pub(crate) fn zone(&self, name: &str, default: Option<Zone>) -> Option<Zone> {
        if default.is_some() && !self.has(name) {
            return default;
        }
        let found = self.text(name, "UTC")?;
        let read = Zone::parse(found);
        self.told(
            name,
            "unknown_zone",
            read,
            "write a name of the IANA database, such as UTC or America/New_York",
        )
    }

    /// A required date.
    pub(crate) fn date(&self, name: &str) -> Option<CivilDate> {
        self.need(name, "2026-08-01")?;
        self.date_if_any(name)
    }

    /// A date that may be absent.
    pub(crate) fn date_if_any(&self, name: &str) -> Option<CivilDate> {
        let read = CivilDate::parse(self.text_if_any(name)?);
        self.told(name, "bad_date", read, "write year, month and day, such as 2026-08-01")
    }

    /// A time, or a date, which is the start of that day in `zone`.
    pub(crate) fn instant_if_any(&self, name: &str, zone: &Zone) -> Option<Instant> {
        let found = self.text_if_any(name)?;
        if let Ok(date) = CivilDate::parse(found) {
            return Some(zone.day_start(date));
        }
        self.told(name, "bad_time", Instant::parse_rfc3339(found), "write 2026-08-01 or 2026-08-01T00:00:00Z")
    }

    fn told<T, E: Display>(
        &self,
        name: &str,
        code: &'static str,
        read: Result<T, E>,
        hint: &str,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(name, code, error.to_string(), hint);
                None
            }
        }
    }

    /// A list of texts without repetition, at least one.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        texts(self.get(name)?, &self.path_of(name), self.problems)
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
