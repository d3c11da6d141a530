//! The fields of one mapping, read with every mistake noted.

use std::fmt::Display;

use metering::{CivilDate, Instant, Zone};
use money::{Currency, Rational};
use serde_json::{Map, Value};

use super::problem::Problems;
use super::suggest;
use super::values::{check_name, currency, decimal, shown, text, texts};
use super::yaml::member_path;
use crate::excerpt::excerpt;

/// The fields of one mapping.
pub(crate) struct Fields<'v, 'p> {
    members: &'v Map<String, Value>,
    path: String,
    problems: &'p Problems,
}

impl<'v, 'p> Fields<'v, 'p> {
    /// The fields of a value that must be a mapping; every field must be one of `known`.
    pub(crate) fn read(value: &'v Value, path: &str, known: &[&str], problems: &'p Problems) -> Option<Self> {
        Self::read_beside(value, path, (known, &[]), problems)
    }

    /// The fields of the body of a document. A hint names those as well that a file may have and a body has not.
    pub(crate) fn read_body(
        value: &'v Value,
        known: &[&str],
        split_off: &[&str],
        problems: &'p Problems,
    ) -> Option<Self> {
        Self::read_beside(value, "", (known, split_off), problems)
    }

    fn read_beside(
        value: &'v Value,
        path: &str,
        (known, beside): (&[&str], &[&str]),
        problems: &'p Problems,
    ) -> Option<Self> {
        let fields = Self::open(value, path, problems)?;
        for key in fields.members.keys().filter(|key| !known.contains(&key.as_str())) {
            let at = member_path(path, key);
            let message = format!("expected a known field, found `{}`", excerpt(key));
            let hint = suggest::hint(key, known.iter().chain(beside).copied());
            problems.add(&at, "unknown_field", message, hint);
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
