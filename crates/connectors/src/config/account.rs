//! `kind: account`.

use serde_json::Value;

use super::document::SPLIT_OFF_ACCOUNT;
use super::fields::Fields;
use super::problem::Problems;
use super::values::{check_name, text};

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 2] = ["kind", "account"];

/// Whose usage is counted and who may owe. Its personal fields are no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
}

pub(super) fn parse(value: &Value, problems: &Problems) -> Option<Account> {
    let fields = Fields::read_body(value, &FIELDS, &SPLIT_OFF_ACCOUNT, problems)?;
    Some(Account { name: fields.name("account", "org-1")? })
}

/// The personal fields of a document, which stand in an erasable table: (field, value), by field.
pub(super) fn personal(value: &Value, problems: &Problems) -> Vec<(String, String)> {
    let Some(fields) = Fields::open(value, "personal", problems) else { return Vec::new() };
    let read = fields.each().filter_map(|(name, path, value)| {
        let field = check_name(name, &path, problems);
        let said = text(value, &path, problems);
        Some((field?, said?.to_owned()))
    });
    read.collect()
}
