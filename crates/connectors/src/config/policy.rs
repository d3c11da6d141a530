//! `kind: policy`.

use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::problem::Problems;

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 3] = ["kind", "policy", "first_sight"];

/// What holds for all accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether an event of an account that is not known creates it.
    pub first_sight: bool,
}

pub(super) fn parse(value: &Value, problems: &Problems) -> Option<Policy> {
    let fields = Fields::read_body(value, &FIELDS, &SPLIT_OFF, problems)?;
    let named = fields.word("policy", &[("accounts", ())]);
    let first_sight = fields.word("first_sight", &[("create", true), ("refuse", false)]);
    named?;
    Some(Policy { first_sight: first_sight? })
}
