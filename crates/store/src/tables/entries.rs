//! The ledger's entries and their balances.

use std::collections::BTreeMap;

use money::{Amount, Currency};
use rusqlite::{Connection, params};
use serde_json::Value;

use super::Tables;
use super::files::FILE;
use super::sql::{Failure, Query, contradiction, int, parsed, whole};
use crate::error::StoreError;

/// One debit or credit, as it was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its identity: the command that posted it and its place in it.
    pub id: String,
    /// The journal row that posted it.
    pub by_row: u64,
    /// The legal entity whose books these are.
    pub seller: String,
    /// Who owes.
    pub payer: String,
    /// Whose usage or contract it is about.
    pub account: String,
    /// The document, such as an invoice number.
    pub document: String,
    /// The document's line.
    pub document_line: Option<u32>,
    /// The stable key of that line.
    pub line_key: Option<String>,
    /// Where it posts.
    pub ledger_account: String,
    /// What kind of truth it states.
    pub posting_type: String,
    /// Why it was posted.
    pub cause: String,
    /// The tax component of a tax entry.
    pub tax_component: Option<String>,
    /// The day of the books, `YYYY-MM-DD`.
    pub accounting_date: String,
    /// The first day of the service, `YYYY-MM-DD`.
    pub service_start: Option<String>,
    /// The first day after the service, `YYYY-MM-DD`.
    pub service_end: Option<String>,
    /// The journal row that recorded it.
    pub recorded_position: u64,
    /// `debit` or `credit`.
    pub side: String,
    /// How much.
    pub amount: Amount,
}

/// Which entries are wanted; an absent field takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Of this seller.
    pub seller: Option<String>,
    /// About this account.
    pub account: Option<String>,
    /// Of this document.
    pub document: Option<String>,
    /// Of this line key.
    pub line_key: Option<String>,
}

/// What stands on one account of a seller's books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The legal entity whose books these are.
    pub seller: String,
    /// The account of its books.
    pub ledger_account: String,
    /// Debits − credits.
    pub balance: Amount,
}

/// Posts one entry; one that was posted before is not posted again.
pub(super) fn post(connection: &Connection, row: u64, place: usize, entry: &Value) -> Result<(), Failure> {
    let read = Reader { row, entry };
    let (side, currency, amount) = (read.text("side")?, read.text("currency")?, read.text("amount")?);
    if !matches!(side, "debit" | "credit") {
        return Err(read.wrong("side", "debit or credit"));
    }
    let known = Currency::parse(currency).map_err(|_| read.wrong("currency", "a currency"))?;
    let sound = Amount::parse(amount, known).is_ok_and(|amount| amount.minor() >= 0);
    if !sound {
        return Err(read.wrong("amount", "an amount in its currency, not below zero"));
    }
    connection.execute(
        "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18, ?19, ?20) ON CONFLICT (id) DO NOTHING",
        params![
            read.id()?,
            int(row)?,
            int(place as u64)?,
            read.text("seller")?,
            read.text("payer")?,
            read.text("account")?,
            read.text("document")?,
            read.number_or_none("document_line")?,
            read.text_or_none("line_key")?,
            read.text("ledger_account")?,
            read.text("posting_type")?,
            read.text("cause")?,
            read.text_or_none("tax_component")?,
            read.text("accounting_date")?,
            read.service("first", "service_start")?,
            read.service("next", "service_end")?,
            read.number("recorded_position")?,
            side,
            amount,
            currency
        ],
    )?;
    Ok(())
}

struct Reader<'a> {
    row: u64,
    entry: &'a Value,
}

impl<'a> Reader<'a> {
    fn wrong(&self, field: &str, expected: &str) -> Failure {
        let found = self.entry.get(field).map_or_else(|| "nothing".to_owned(), Value::to_string);
        contradiction(
            format_args!("journal row {}", self.row),
            format_args!("entry field {field}: expected {expected}, found `{found}`"),
        )
    }

    fn text(&self, field: &str) -> Result<&'a str, Failure> {
        self.entry.get(field).and_then(Value::as_str).ok_or_else(|| self.wrong(field, "a text"))
    }

    fn text_or_none(&self, field: &str) -> Result<Option<&'a str>, Failure> {
        match self.entry.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(field).map(Some),
        }
    }

    fn number_or_none(&self, field: &str) -> Result<Option<i64>, Failure> {
        match self.entry.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.wrong(field, "a whole number")),
        }
    }

    fn number(&self, field: &str) -> Result<i64, Failure> {
        self.number_or_none(field)?.ok_or_else(|| self.wrong(field, "a whole number"))
    }

    /// Stated as one text, or as the command and the place in it.
    fn id(&self) -> Result<String, Failure> {
        if let Some(id) = self.text_or_none("id")? {
            return Ok(id.to_owned());
        }
        Ok(format!("{}#{}", self.text("command")?, self.number("index")?))
    }

    /// Stated in an object `service_period`, or beside the other fields.
    fn service(&self, member: &str, field: &str) -> Result<Option<&'a str>, Failure> {
        match self.entry.get("service_period").and_then(|period| period.get(member)) {
            Some(date) => date.as_str().map(Some).ok_or_else(|| self.wrong("service_period", "two dates")),
            None => self.text_or_none(field),
        }
    }
}

fn amount(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Amount> {
    let (text, currency): (String, String) = (row.get(column)?, row.get(column + 1)?);
    let currency = parsed(column + 1, Currency::parse(&currency))?;
    parsed(column, Amount::parse(&text, currency))
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredEntry> {
    let line: Option<u32> = row.get(6)?;
    Ok(StoredEntry {
        id: row.get(0)?,
        by_row: whole(row, 1)?,
        seller: row.get(2)?,
        payer: row.get(3)?,
        account: row.get(4)?,
        document: row.get(5)?,
        document_line: line,
        line_key: row.get(7)?,
        ledger_account: row.get(8)?,
        posting_type: row.get(9)?,
        cause: row.get(10)?,
        tax_component: row.get(11)?,
        accounting_date: row.get(12)?,
        service_start: row.get(13)?,
        service_end: row.get(14)?,
        recorded_position: whole(row, 15)?,
        side: row.get(16)?,
        amount: amount(row, 17)?,
    })
}

impl Tables {
    /// Entries in the order they were posted.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn entries(&self, filter: &EntryFilter) -> Result<Vec<StoredEntry>, StoreError> {
        self.database.with(|connection| {
            Query::new(
                "SELECT id, by_row, seller, payer, account, document, document_line, line_key, \
                 ledger_account, posting_type, cause, tax_component, accounting_date, service_start, \
                 service_end, recorded_position, side, amount, currency FROM entries",
            )
            .equals("seller", filter.seller.clone())
            .equals("account", filter.account.clone())
            .equals("document", filter.document.clone())
            .equals("line_key", filter.line_key.clone())
            .rows(connection, "by_row, place", read)
        })
    }

    /// Debits − credits per seller, account of the books and currency, in that order.
    ///
    /// **Units**: minor units, summed as whole numbers.
    ///
    /// **Errors**: tables that cannot be read; a sum that leaves 127 bits.
    pub fn balances(&self) -> Result<Vec<Balance>, StoreError> {
        self.database.with(|connection| {
            let mut statement =
                connection.prepare("SELECT seller, ledger_account, side, amount, currency FROM entries")?;
            let mut rows = statement.query([])?;
            let mut sums: BTreeMap<(String, String, &'static str), Amount> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let posted = amount(row, 3)?;
                let signed = if row.get::<_, String>(2)? == "debit" { posted } else { posted.neg() };
                let currency = posted.currency();
                let sum = sums
                    .entry((row.get(0)?, row.get(1)?, currency.code()))
                    .or_insert_with(|| Amount::zero(currency));
                *sum = sum
                    .checked_add(signed)
                    .map_err(|error| StoreError::corrupt(FILE, "table entries", error))?;
            }
            let balance =
                |((seller, ledger_account, _), balance)| Balance { seller, ledger_account, balance };
            Ok(sums.into_iter().map(balance).collect())
        })
    }
}
