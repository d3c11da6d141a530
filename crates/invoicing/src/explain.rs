//! An explanation: a line from its amount down to the events, as JSON that evaluates to the amount.

use metering::{Digest, Instant};
use money::Rational;
use serde_json::{Map, Value, json};

use crate::basis_json::basis_value;
use crate::bill::{Bill, Line, Usage};
use crate::body::subline_value;
use crate::items::TermIdentity;
use crate::spec::{LineSpec, LineTerm};

/// A part of a line's usage in time, as the engine read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellFact {
    /// The first instant of the cell.
    pub start: Instant,
    /// The first instant after it.
    pub end: Instant,
    /// How many events.
    pub records: u64,
    /// The meter's value.
    pub quantity: Rational,
    /// Which events.
    pub digest: Digest,
}

/// What the engine knows about a line's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainFacts {
    /// The invoice's number, or the draft's id.
    pub invoice: String,
    /// The cut P at which usage was read.
    pub position: u64,
    /// The journal row K up to which terms were known.
    pub known_at: u64,
    /// How the meter aggregates, where that does not add up: then the quantities of the cells do not sum to the usage's.
    pub aggregate: Option<&'static str>,
    /// The usage in cells that partition it, in order; empty for a fee.
    pub cells: Vec<CellFact>,
    /// The command that lists the events; absent for a fee.
    pub events: Option<String>,
}

/// The explanation of a line.
///
/// It contains everything needed to compute the amount again with nothing but big integers: the tree
/// under `basis` evaluates to `rounding.exact`, which rounds to `amount`.
pub fn explain(bill: &Bill, line: &Line, facts: &ExplainFacts) -> Value {
    let spec = &line.spec;
    let mut value = Map::new();
    value.insert("kind".into(), json!("explanation"));
    value.insert("explanation_version".into(), json!(1));
    value.insert("invoice".into(), json!(facts.invoice));
    value.insert("line".into(), json!(line.number));
    value.insert("key".into(), json!(spec.key.to_string()));
    value.insert("item".into(), json!(spec.item.name));
    value.insert("description".into(), json!(spec.description()));
    value.insert("seller".into(), json!(bill.contract.seller));
    value.insert("payer".into(), json!(spec.key.payer));
    value.insert("account".into(), json!(spec.key.account));
    value.insert("amount".into(), json!(line.amount.to_string()));
    value.insert("currency".into(), json!(spec.currency.code()));
    value.insert("rounding".into(), rounding_value(line));
    value.insert("price".into(), price_value(spec));
    value.insert("contract".into(), contract_value(spec));
    value.insert("service".into(), service_value(spec));
    if spec.is_stub() {
        value.insert("proration".into(), json!({"days": spec.part_days, "of": spec.whole_days}));
    }
    if let LineTerm::Usage { price, included_whole, .. } = &spec.term
        && !included_whole.is_zero()
    {
        let allowance = json!({"whole": included_whole.to_string(), "part": price.included.to_string()});
        value.insert("allowance".into(), allowance);
    }
    if let Some(usage) = &line.usage {
        value.insert("usage".into(), usage_value(spec, usage, facts));
    }
    if !line.sublines.is_empty() {
        value.insert("tiers".into(), line.sublines.iter().map(subline_value).collect());
    }
    value.insert("basis".into(), basis_value(&line.basis, spec.unit()));
    Value::Object(value)
}

fn rounding_value(line: &Line) -> Value {
    json!({
        "mode": line.spec.rounding.as_str(),
        "decimals": line.spec.currency.exponent(),
        "exact": line.exact.to_string(),
        "residue": line.residue.to_string(),
    })
}

fn term_value(term: &TermIdentity, name: &str) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("name".into(), json!(name));
    value.insert("version".into(), json!(term.version.version));
    value.insert("effective_at".into(), json!(term.version.effective_at.to_string()));
    value.insert("recorded_at".into(), json!(term.version.recorded_at));
    value
}

fn price_value(spec: &LineSpec) -> Value {
    let mut value = term_value(&spec.price.stated_in, &spec.price.name);
    value.insert("stated_in".into(), json!(spec.price.stated_in.origin.as_str()));
    Value::Object(value)
}

fn contract_value(spec: &LineSpec) -> Value {
    let mut value = term_value(&spec.contract, &spec.contract.name);
    if let Some(plan) = &spec.plan {
        value.insert("plan".into(), Value::Object(term_value(plan, &plan.name)));
    }
    Value::Object(value)
}

fn service_value(spec: &LineSpec) -> Value {
    json!({
        "first": spec.service.first.to_string(),
        "next": spec.service.next.to_string(),
        "start": spec.service.start.to_string(),
        "end": spec.service.end.to_string(),
    })
}

fn usage_value(spec: &LineSpec, usage: &Usage, facts: &ExplainFacts) -> Value {
    let mut value = Map::new();
    if let Some((meter, version)) = &spec.meter {
        value.insert("meter".into(), json!(meter));
        value.insert("meter_version".into(), json!(version));
    }
    if let LineTerm::Usage { only, unit, .. } = &spec.term {
        let only: Map<String, Value> =
            only.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
        value.insert("only".into(), Value::Object(only));
        value.insert("unit".into(), json!(unit));
    }
    value.insert("account".into(), json!(spec.key.account));
    value.insert(
        "window".into(),
        json!({"start": spec.service.start.to_string(), "end": spec.service.end.to_string()}),
    );
    value.insert("records".into(), json!(usage.records));
    value.insert("quantity".into(), json!(usage.quantity.to_string()));
    value.insert("unmeasured".into(), json!(usage.unmeasured));
    value.insert("digest".into(), json!(usage.digest.to_string()));
    if let Some(aggregate) = facts.aggregate {
        value.insert("aggregate".into(), json!(aggregate));
    }
    value.insert("cells".into(), facts.cells.iter().map(cell_value).collect());
    value.insert("as_of".into(), json!({"position": facts.position, "known_at": facts.known_at}));
    if let Some(events) = &facts.events {
        value.insert("events".into(), json!(events));
    }
    Value::Object(value)
}

fn cell_value(cell: &CellFact) -> Value {
    json!({
        "start": cell.start.to_string(),
        "end": cell.end.to_string(),
        "records": cell.records,
        "quantity": cell.quantity.to_string(),
        "digest": cell.digest.to_string(),
    })
}
