//! Entries of the books as JSON, as the journal keeps them.

use ledger::{CommandId, Entry, EntryId, LedgerAccount, PostingType, Side, Transaction};
use metering::CivilDate;
use money::{Amount, Currency};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// A JSON value that is no entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("entry field {field}: expected {expected}, found `{found}`")]
pub struct EntryJsonError {
    /// The field.
    pub field: &'static str,
    /// What it should be.
    pub expected: &'static str,
    /// What it is.
    pub found: String,
}

/// An entry as JSON. Absent fields are left out; the amount is a decimal text above zero.
pub fn entry_value(entry: &Entry) -> Value {
    let mut value = Map::new();
    value.insert("command".into(), json!(entry.id.command.0));
    value.insert("index".into(), json!(entry.id.index));
    value.insert("seller".into(), json!(entry.seller));
    value.insert("payer".into(), json!(entry.payer));
    value.insert("account".into(), json!(entry.account));
    value.insert("document".into(), json!(entry.document));
    if let Some(line) = entry.document_line {
        value.insert("document_line".into(), json!(line));
    }
    if let Some(key) = &entry.line_key {
        value.insert("line_key".into(), json!(key));
    }
    value.insert("ledger_account".into(), json!(entry.ledger_account.as_str()));
    value.insert("posting_type".into(), json!(entry.posting_type.as_str()));
    value.insert("cause".into(), json!(entry.cause));
    if let Some(component) = &entry.tax_component {
        value.insert("tax_component".into(), json!(component));
    }
    value.insert("accounting_date".into(), json!(entry.accounting_date.to_string()));
    if let Some((first, next)) = entry.service_period {
        value.insert("service_period".into(), json!({"first": first.to_string(), "next": next.to_string()}));
    }
    value.insert("recorded_position".into(), json!(entry.recorded_position));
    value.insert("side".into(), json!(entry.side.as_str()));
    value.insert("amount".into(), json!(entry.amount.to_string()));
    value.insert("currency".into(), json!(entry.currency().code()));
    Value::Object(value)
}

/// The entries of a transaction as JSON, in order.
pub fn entries_json(transaction: &Transaction) -> Vec<Value> {
    transaction.entries().iter().map(entry_value).collect()
}

/// Reads back what [`entry_value`] wrote.
///
/// **Errors**: the first field that is missing or has another form.
pub fn entry_from_value(value: &Value) -> Result<Entry, EntryJsonError> {
    let read = Reader { value };
    let currency = read.parsed("currency", "a currency", |text| Currency::parse(text).ok())?;
    Ok(Entry {
        id: EntryId { command: CommandId(read.text("command")?), index: read.small("index")? },
        seller: read.text("seller")?,
        payer: read.text("payer")?,
        account: read.text("account")?,
        document: read.text("document")?,
        document_line: read.present("document_line").then(|| read.small("document_line")).transpose()?,
        line_key: read.present("line_key").then(|| read.text("line_key")).transpose()?,
        ledger_account: read.parsed("ledger_account", "a ledger account", LedgerAccount::parse)?,
        posting_type: read.parsed("posting_type", "a posting type", PostingType::parse)?,
        cause: read.text("cause")?,
        tax_component: read.present("tax_component").then(|| read.text("tax_component")).transpose()?,
        accounting_date: read.parsed("accounting_date", "a date", date)?,
        service_period: read.service_period()?,
        recorded_position: read.number("recorded_position")?,
        side: read.parsed("side", "debit or credit", Side::parse)?,
        amount: read
            .parsed("amount", "an amount in its currency", |text| Amount::parse(text, currency).ok())?,
    })
}

fn date(text: &str) -> Option<CivilDate> {
    CivilDate::parse(text).ok()
}

struct Reader<'a> {
    value: &'a Value,
}

impl Reader<'_> {
    fn present(&self, field: &'static str) -> bool {
        self.value.get(field).is_some()
    }

    fn wrong<T>(&self, field: &'static str, expected: &'static str) -> Result<T, EntryJsonError> {
        let found = self.value.get(field).map_or_else(|| "nothing".to_owned(), Value::to_string);
        Err(EntryJsonError { field, expected, found })
    }

    fn parsed<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, EntryJsonError> {
        match self.value.get(field).and_then(Value::as_str).and_then(parse) {
            Some(value) => Ok(value),
            None => self.wrong(field, expected),
        }
    }

    fn text(&self, field: &'static str) -> Result<String, EntryJsonError> {
        self.parsed(field, "a text", |text| Some(text.to_owned()))
    }

    fn number(&self, field: &'static str) -> Result<u64, EntryJsonError> {
        match self.value.get(field).and_then(Value::as_u64) {
            Some(number) => Ok(number),
            None => self.wrong(field, "a whole number"),
        }
    }

    fn small(&self, field: &'static str) -> Result<u32, EntryJsonError> {
        match u32::try_from(self.number(field)?) {
            Ok(number) => Ok(number),
            Err(_) => self.wrong(field, "a whole number below 2^32"),
        }
    }

    fn service_period(&self) -> Result<Option<(CivilDate, CivilDate)>, EntryJsonError> {
        let Some(period) = self.value.get("service_period") else { return Ok(None) };
        let read = |name| period.get(name).and_then(Value::as_str).and_then(date);
        match (read("first"), read("next")) {
            (Some(first), Some(next)) => Ok(Some((first, next))),
            _ => self.wrong("service_period", "the dates first and next"),
        }
    }
}
