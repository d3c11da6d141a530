//! `kind: plan`.

use invoicing::terms::{Plan, Version};
use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::items;
use super::problem::Problems;

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 4] = ["kind", "plan", "currency", "items"];

pub(super) fn parse(value: &Value, version: Version, problems: &Problems) -> Option<Plan> {
    let fields = Fields::read_body(value, &FIELDS, &SPLIT_OFF, problems)?;
    let name = fields.name("plan", "team");
    let currency = fields.currency("currency");
    fields.need("items", "{base: {fee: \"10\"}}");
    let items = items::parse(&fields);
    Some(Plan { name: name?, version, currency: currency?, items: items? })
}
