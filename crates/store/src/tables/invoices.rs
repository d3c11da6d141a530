//! Invoices and the keys of their lines.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::Tables;
use super::sql::{Failure, Query, canonical, contradiction, int, json, unknown, whole, whole_or_none};
use crate::error::{ErrorKind, StoreError};

/// Whether an invoice can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvoiceStatus {
    /// It can be made anew.
    Draft,
    /// It never changes.
    Issued,
}

impl InvoiceStatus {
    /// Its name in tables and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Issued => "issued",
        }
    }

    fn parse(column: usize, text: &str) -> rusqlite::Result<Self> {
        match text {
            "draft" => Ok(Self::Draft),
            "issued" => Ok(Self::Issued),
            other => Err(unknown(column, "draft or issued", other)),
        }
    }
}

impl fmt::Display for InvoiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which invoices are wanted; an absent field takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    /// Of this billing period.
    pub period: Option<String>,
    /// Of this payer.
    pub account: Option<String>,
    /// In this state.
    pub status: Option<InvoiceStatus>,
}

/// A draft or issued invoice.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredInvoice {
    /// Its id.
    pub invoice: String,
    /// The payer.
    pub account: String,
    /// The seller.
    pub seller: String,
    /// The billing period's name.
    pub period: String,
    /// Draft or issued.
    pub status: InvoiceStatus,
    /// The seller's series, once issued.
    pub series: Option<String>,
    /// Its place in the series, once issued.
    pub sequence: Option<u64>,
    /// The printed number, once issued.
    pub number: Option<String>,
    /// The total, a decimal text in major units.
    pub total: String,
    /// The total's currency.
    pub currency: String,
    /// The canonical body.
    pub body: Value,
    /// The provenance envelope.
    pub envelope: Value,
    /// The journal row that made this draft.
    pub drafted_by_row: u64,
    /// The journal row that issued it.
    pub issued_by_row: Option<u64>,
}

/// A draft as its effect states it.
pub(super) struct NewDraft<'a> {
    pub(super) invoice: &'a str,
    pub(super) account: &'a str,
    pub(super) seller: &'a str,
    pub(super) period: &'a str,
    pub(super) body: &'a Value,
    pub(super) envelope: &'a Value,
}

/// An issue as its effect states it.
pub(super) struct NewIssue<'a> {
    pub(super) invoice: &'a str,
    pub(super) series: &'a str,
    pub(super) sequence: u64,
    pub(super) number: &'a str,
    pub(super) body: &'a Value,
    pub(super) envelope: &'a Value,
}

/// Makes a draft, or makes it anew.
pub(super) fn draft(connection: &Connection, row: u64, draft: &NewDraft<'_>) -> Result<(), Failure> {
    let (total, currency) = (text(row, draft.body, "total")?, text(row, draft.body, "currency")?);
    let changed = connection.execute(
        "INSERT INTO invoices (invoice, account, seller, period, status, total, currency, body, envelope, \
         drafted_by_row) VALUES (?1, ?2, ?3, ?4, 'draft', ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (invoice) DO UPDATE SET account = excluded.account, seller = excluded.seller, \
         period = excluded.period, total = excluded.total, currency = excluded.currency, \
         body = excluded.body, envelope = excluded.envelope, drafted_by_row = excluded.drafted_by_row \
         WHERE status = 'draft'",
        params![
            draft.invoice,
            draft.account,
            draft.seller,
            draft.period,
            total,
            currency,
            canonical(draft.body),
            canonical(draft.envelope),
            int(row)?
        ],
    )?;
    if changed == 0 {
        let what = format_args!("invoice `{}` is issued and cannot be drafted again", draft.invoice);
        return Err(contradiction(format_args!("journal row {row}"), what));
    }
    put_lines(connection, row, draft.invoice, draft.body)
}

/// Issues a draft.
pub(super) fn issue(connection: &Connection, row: u64, issue: &NewIssue<'_>) -> Result<(), Failure> {
    let (total, currency) = (text(row, issue.body, "total")?, text(row, issue.body, "currency")?);
    let changed = connection.execute(
        "UPDATE invoices SET status = 'issued', series = ?2, sequence = ?3, number = ?4, total = ?5, \
         currency = ?6, body = ?7, envelope = ?8, issued_by_row = ?9 WHERE invoice = ?1 AND status = 'draft'",
        params![
            issue.invoice,
            issue.series,
            int(issue.sequence)?,
            issue.number,
            total,
            currency,
            canonical(issue.body),
            canonical(issue.envelope),
            int(row)?
        ],
    )?;
    if changed == 0 {
        let what = format_args!("expected a draft to issue, found none of id `{}`", issue.invoice);
        return Err(contradiction(format_args!("journal row {row}"), what));
    }
    put_lines(connection, row, issue.invoice, issue.body)
}

fn put_lines(connection: &Connection, row: u64, invoice: &str, body: &Value) -> Result<(), Failure> {
    connection.execute("DELETE FROM invoice_lines WHERE invoice = ?1", [invoice])?;
    let mut insert = connection.prepare("INSERT INTO invoice_lines VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for line in body.get("lines").and_then(Value::as_array).into_iter().flatten() {
        let Some(place) = line.get("line").and_then(Value::as_u64) else {
            let what = format_args!("a line of invoice `{invoice}` has no number");
            return Err(contradiction(format_args!("journal row {row}"), what));
        };
        let key = text(row, line, "key")?;
        let account = account_of(key).ok_or_else(|| {
            let what = format_args!("expected a line key payer/account/contract/item/date, found `{key}`");
            contradiction(format_args!("journal row {row}"), what)
        })?;
        insert.execute(params![invoice, int(place)?, key, account, text(row, line, "amount")?])?;
    }
    Ok(())
}

/// The account in a line key: the second of its parts, in which `~1` stands for `/` and `~0` for `~`.
fn account_of(key: &str) -> Option<String> {
    Some(key.split('/').nth(1)?.replace("~1", "/").replace("~0", "~"))
}

fn text<'a>(row: u64, value: &'a Value, field: &str) -> Result<&'a str, Failure> {
    value.get(field).and_then(Value::as_str).ok_or_else(|| {
        let found = value.get(field).map_or_else(|| "nothing".to_owned(), Value::to_string);
        contradiction(
            format_args!("journal row {row}"),
            format_args!("expected a text in `{field}`, found `{found}`"),
        )
    })
}

const SELECT: &str = "SELECT invoice, account, seller, period, status, series, sequence, number, total, \
                      currency, body, envelope, drafted_by_row, issued_by_row FROM invoices";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredInvoice> {
    Ok(StoredInvoice {
        invoice: row.get(0)?,
        account: row.get(1)?,
        seller: row.get(2)?,
        period: row.get(3)?,
        status: InvoiceStatus::parse(4, &row.get::<_, String>(4)?)?,
        series: row.get(5)?,
        sequence: whole_or_none(row, 6)?,
        number: row.get(7)?,
        total: row.get(8)?,
        currency: row.get(9)?,
        body: json(row, 10)?,
        envelope: json(row, 11)?,
        drafted_by_row: whole(row, 12)?,
        issued_by_row: whole_or_none(row, 13)?,
    })
}

impl Tables {
    /// Invoices by account, period and id.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn invoices(&self, filter: &InvoiceFilter) -> Result<Vec<StoredInvoice>, StoreError> {
        self.database.with(|connection| {
            Query::new(SELECT)
                .equals("period", filter.period.clone())
                .equals("account", filter.account.clone())
                .equals("status", filter.status.map(InvoiceStatus::as_str))
                .rows(connection, "account, period, invoice", read)
        })
    }

    /// The invoice of an id or, failing that, of a printed number.
    ///
    /// **Errors**: `number_ambiguous` when several sellers printed that number; tables that cannot be read.
    pub fn invoice(&self, id_or_number: &str) -> Result<Option<StoredInvoice>, StoreError> {
        let by = |column: &'static str| {
            self.database.with(|connection| {
                Query::new(SELECT)
                    .equals(column, Some(id_or_number.to_owned()))
                    .rows(connection, "invoice", read)
            })
        };
        if let Some(found) = by("invoice")?.pop() {
            return Ok(Some(found));
        }
        let mut found = by("number")?;
        if found.len() > 1 {
            return Err(StoreError::new(
                ErrorKind::Conflict,
                "number_ambiguous",
                format!("{} invoices have the number `{id_or_number}`", found.len()),
                "name the one you mean by its id; `counterfoil invoice list` shows it",
            ));
        }
        Ok(found.pop())
    }

    /// The keys of all lines that stand on an invoice, draft or issued, for an account's usage or contracts.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn billed_line_keys(&self, account: &str) -> Result<Vec<String>, StoreError> {
        self.database.with(|connection| {
            Query::new("SELECT DISTINCT key FROM invoice_lines")
                .equals("account", Some(account.to_owned()))
                .rows(connection, "key", |row| row.get(0))
        })
    }

    /// The number after the last one issued in a series; 1 in an empty one.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn next_sequence(&self, seller: &str, series: &str) -> Result<u64, StoreError> {
        self.database.with(|connection| {
            let sql = "SELECT max(sequence) FROM invoices WHERE seller = ?1 AND series = ?2";
            let last: Option<u64> = connection
                .query_row(sql, [seller, series], |row| whole_or_none(row, 0))
                .optional()?
                .flatten();
            Ok(last.map_or(1, |last| last + 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_a_key_is_its_second_part() {
        assert_eq!(account_of("acme/org~11/c~02026/errors/2026-08-01"), Some("org/1".to_owned()));
        assert_eq!(account_of("a/~01/c/i/2026-08-01/g"), Some("~1".to_owned()));
        assert_eq!(account_of("acme"), None);
    }
}
