//! `kind: seller`.

use invoicing::terms::{Seller, Version};
use serde_json::Value;

use super::document::SPLIT_OFF;
use super::fields::Fields;
use super::problem::Problems;
use crate::excerpt::excerpt;

/// Fields of a document of this kind.
pub(super) const FIELDS: [&str; 6] = ["kind", "seller", "series", "zone", "currency", "grace_days"];
/// Days after a period's end before its usage is sealed, where the seller says nothing.
const GRACE_DAYS: u32 = 1;
const SERIES_BYTES_MAX: usize = 32;

pub(super) fn parse(value: &Value, version: Version, problems: &Problems) -> Option<Seller> {
    let fields = Fields::read_body(value, &FIELDS, &SPLIT_OFF, problems)?;
    let name = fields.name("seller", "demo");
    let series = series(&fields);
    let zone = fields.zone("zone", None);
    let currency = fields.currency("currency");
    let grace_days = fields.whole_or("grace_days", 0..=366, GRACE_DAYS);
    Some(Seller {
        name: name?,
        version,
        series: series?,
        currency: currency?,
        zone: zone?,
        grace_days: grace_days?,
    })
}

/// A series stands in every invoice number, in file names and in URLs.
fn series(fields: &Fields<'_, '_>) -> Option<String> {
    let text = fields.text("series", "INV")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !text.is_empty() && text.len() <= SERIES_BYTES_MAX && text.bytes().all(is_plain) {
        return Some(text.to_owned());
    }
    let message = format!(
        "expected a series of 1 to {SERIES_BYTES_MAX} letters, digits, - and _, found `{}`",
        excerpt(text)
    );
    fields.problems().add("series", "bad_name", message, "write a short series such as INV or DEMO-2026");
    None
}
