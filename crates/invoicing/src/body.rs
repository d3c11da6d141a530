//! The canonical body of an invoice: what the payer is told, and nothing else.

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::bill::{Bill, Line};
use crate::items::TermIdentity;
use crate::key::LineKey;
use crate::spec::LineSpec;
use crate::sublines::SubLine;
use crate::terms::Seller;

/// The body of a bill, as a draft or under its number.
///
/// It depends on terms and usage alone. Keys, digests, journal and log positions, clocks, paths and
/// personal data are never part of it, so the same terms and events yield the same bytes in every store.
/// Decimals are texts. `service_end` and `next` are the first day after.
pub fn body(bill: &Bill, seller: &Seller, number: Option<&str>) -> Value {
    let contract = &bill.contract;
    let mut body = Map::new();
    body.insert("kind".into(), json!("invoice"));
    body.insert("body_version".into(), json!(1));
    if let Some(number) = number {
        body.insert("number".into(), json!(number));
    }
    body.insert("seller".into(), json!(seller.name));
    body.insert("series".into(), json!(seller.series));
    body.insert("payer".into(), json!(contract.payer));
    body.insert("account".into(), json!(contract.account));
    body.insert("contract".into(), json!(contract.name));
    body.insert(
        "period".into(),
        json!({"first": bill.period.first.to_string(), "next": bill.period.next.to_string()}),
    );
    body.insert("currency".into(), json!(contract.currency.code()));
    body.insert("zone".into(), json!(contract.zone.name()));
    body.insert("lines".into(), bill.lines.iter().map(line_value).collect());
    body.insert("total".into(), json!(bill.total.to_string()));
    Value::Object(body)
}

/// A draft's body under the number it is issued with; nothing else changes.
pub fn numbered(draft: &Value, number: &str) -> Value {
    let mut body = draft.clone();
    if let Some(members) = body.as_object_mut() {
        members.insert("number".into(), json!(number));
    }
    body
}

/// A stored body that lacks something every body has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invoice body: expected {expected}, found `{found}`")]
pub struct BodyError {
    /// What should be there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

/// The keys of the lines of a body, in order.
///
/// **Errors**: a value that [`body`] did not make.
pub fn line_keys(body: &Value) -> Result<Vec<LineKey>, BodyError> {
    lines_of(body)?
        .iter()
        .map(|line| text_of(line, "key", "a line key")?.parse().map_err(|_| wrong("a line key", line)))
        .collect()
}

pub(crate) fn lines_of(body: &Value) -> Result<&Vec<Value>, BodyError> {
    body.get("lines").and_then(Value::as_array).ok_or_else(|| wrong("a list of lines", body))
}

pub(crate) fn text_of<'a>(
    value: &'a Value,
    field: &str,
    expected: &'static str,
) -> Result<&'a str, BodyError> {
    value.get(field).and_then(Value::as_str).ok_or_else(|| wrong(expected, value))
}

pub(crate) fn wrong(expected: &'static str, found: &Value) -> BodyError {
    BodyError { expected, found: found.to_string() }
}

/// The bytes of a body: compact JSON with sorted keys.
///
/// **Errors**: none for a value that [`body`] made.
pub fn canonical_bytes(body: &Value) -> Vec<u8> {
    sorted(body).to_string().into_bytes()
}

/// A copy whose objects are built in key order, so that the bytes do not depend on how the JSON library
/// keeps its maps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let pairs = names.into_iter().filter_map(|name| Some((name.clone(), sorted(members.get(name)?))));
            Value::Object(pairs.collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn line_value(line: &Line) -> Value {
    let spec = &line.spec;
    let mut value = Map::new();
    value.insert("line".into(), json!(line.number));
    value.insert("key".into(), json!(spec.key.to_string()));
    value.insert("item".into(), json!(spec.item.name));
    value.insert("description".into(), json!(spec.description()));
    insert_service(&mut value, spec);
    value.insert("quantity".into(), json!(line.quantity.to_string()));
    if let Some(unit) = spec.unit() {
        value.insert("unit".into(), json!(unit));
    }
    if let Some((meter, _)) = &spec.meter {
        value.insert("meter".into(), json!(meter));
    }
    if let Some(usage) = &line.usage {
        value.insert("records".into(), json!(usage.records));
    }
    value.insert("price".into(), price_value(&spec.price.name, &spec.price.stated_in));
    value.insert("exact".into(), json!(line.exact.to_string()));
    value.insert("rounding".into(), json!(spec.rounding.to_string()));
    value.insert("residue".into(), json!(line.residue.to_string()));
    value.insert("amount".into(), json!(line.amount.to_string()));
    if !line.sublines.is_empty() {
        value.insert("tiers".into(), line.sublines.iter().map(subline_value).collect());
    }
    Value::Object(value)
}

fn insert_service(value: &mut Map<String, Value>, spec: &LineSpec) {
    value.insert("service_start".into(), json!(spec.service.first.to_string()));
    value.insert("service_end".into(), json!(spec.service.next.to_string()));
    value.insert("service_start_at".into(), json!(spec.service.start.to_string()));
    value.insert("service_end_at".into(), json!(spec.service.end.to_string()));
    if spec.is_stub() {
        value.insert("proration".into(), json!({"days": spec.part_days, "of": spec.whole_days}));
    }
}

fn price_value(name: &str, stated_in: &TermIdentity) -> Value {
    json!({"name": name, "version": stated_in.version.version, "stated_in": stated_in.origin.as_str()})
}

/// A tier as body and explanation show it.
pub(crate) fn subline_value(part: &SubLine) -> Value {
    let mut value = Map::new();
    value.insert("tier".into(), json!(part.tier));
    value.insert("above".into(), json!(part.above.to_string()));
    if let Some(up_to) = part.up_to {
        value.insert("up_to".into(), json!(up_to.to_string()));
    }
    value.insert("quantity".into(), json!(part.quantity.to_string()));
    value.insert("unit".into(), json!(part.unit.to_string()));
    value.insert("per".into(), json!(part.per.to_string()));
    value.insert("flat".into(), json!(part.flat.to_string()));
    value.insert("exact".into(), json!(part.exact.to_string()));
    value.insert("amount".into(), json!(part.amount.to_string()));
    Value::Object(value)
}
