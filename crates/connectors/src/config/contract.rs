//! `kind: contract`.

use invoicing::terms::{Contract, Version};
use metering::Zone;
use money::Rounding;
use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::items;
use super::problem::Problems;

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 13] = [
    "kind", "contract", "account", "payer", "seller", "plan", "items", "currency", "zone", "start", "end",
    "anchor", "rounding",
];

pub(super) fn parse(value: &Value, version: Version, problems: &Problems) -> Option<Contract> {
    let fields = Fields::read_body(value, &FIELDS, &SPLIT_OFF, problems)?;
    let name = fields.name("contract", "org-1-2026");
    let account = fields.name("account", "org-1");
    let payer = if fields.has("payer") { fields.name_if_any("payer") } else { account.clone() };
    let seller = fields.name("seller", "demo");
    let plan = if fields.has("plan") { fields.name_if_any("plan").map(Some) } else { Some(None) };
    if !fields.has("plan") && !fields.has("items") {
        let message = "expected a plan or items, found neither `plan` nor `items`".to_owned();
        problems.add("", "missing_field", message, "add `plan: NAME`, or items of its own");
    }
    let items = items::parse(&fields);
    let currency = fields.currency("currency");
    let zone = fields.zone("zone", Some(Zone::utc()));
    let start = fields.date("start");
    let end = if fields.has("end") { fields.date_if_any("end").map(Some) } else { Some(None) };
    if let (Some(start), Some(Some(end))) = (start, end)
        && end <= start
    {
        let message = format!("expected an end after the start {start}, found `{end}`");
        problems.add(
            "end",
            "end_not_after_start",
            message,
            "the end is the first day that is no longer covered",
        );
    }
    let first = start.and_then(|start| u32::try_from(start.day()).ok());
    let anchor = fields.whole_or("anchor", 1..=31, first.unwrap_or(1)).and_then(|day| u8::try_from(day).ok());
    let rounding =
        fields.word_or("rounding", &Rounding::ALL.map(|mode| (mode.as_str(), mode)), Rounding::default());
    Some(Contract {
        name: name?,
        version,
        account: account?,
        payer: payer?,
        seller: seller?,
        plan: plan?,
        items: items?,
        currency: currency?,
        zone: zone?,
        start: start?,
        end: end?,
        anchor: anchor?,
        rounding: rounding?,
    })
}
