//! What issuing an invoice posts.
//!
//! Each line is billed (debit contract position, credit revenue) and issued (debit receivable, credit
//! contract position), so the contract position of every key is zero afterwards: all that was recognised
//! is billed. The receivable is one entry for the whole document.

use ledger::{CommandId, Entry, EntryId, LedgerAccount, PostingType, Side, Transaction, TransactionError};
use metering::CivilDate;
use money::{Amount, AmountError, Currency};
use serde_json::Value;
use thiserror::Error;

use crate::body::{BodyError, lines_of, text_of, wrong};

/// What the engine knows about the act of issuing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueFacts {
    /// The invoice's number.
    pub number: String,
    /// The day of the books, in the seller's zone.
    pub accounting_date: CivilDate,
    /// The journal row that records the act.
    pub recorded_position: u64,
}

/// Why an invoice is not posted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostingError {
    /// Lines that sum to less than zero.
    #[error("an invoice is not below zero, found `{total}`")]
    TotalNegative {
        /// The total.
        total: Amount,
    },
    /// Lines that are not the total.
    #[error("expected lines that sum to the total {total}, found `{lines}`")]
    TotalDiffers {
        /// The total.
        total: Amount,
        /// Σ lines.
        lines: Amount,
    },
    /// Entries that the ledger refuses.
    #[error(transparent)]
    Refused(#[from] TransactionError),
    /// A value that is no body.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A sum too large.
    #[error(transparent)]
    Sum(#[from] AmountError),
    /// More entries than can be numbered.
    #[error("a transaction has at most 4294967295 entries")]
    TooManyEntries,
}

/// The one transaction that issuing a body posts; none where every line is zero.
///
/// Its id is `issue/SELLER/NUMBER`: an invoice is issued once, whoever repeats the command.
///
/// **Units**: minor units of the body's currency. A line below zero posts on the other sides.
///
/// **Errors**: [`PostingError`]; a total below zero, or one that is not the sum of the lines, is never
/// posted.
pub fn posting(body: &Value, facts: &IssueFacts) -> Result<Option<Transaction>, PostingError> {
    let document = Document::read(body, facts)?;
    if document.total.is_negative() {
        return Err(PostingError::TotalNegative { total: document.total });
    }
    let mut entries = Vec::new();
    for line in &document.lines {
        document.post(
            &mut entries,
            Some(line),
            LedgerAccount::ContractPosition,
            (PostingType::Rated, Side::Debit),
        )?;
        document.post(
            &mut entries,
            Some(line),
            LedgerAccount::Revenue,
            (PostingType::Rated, Side::Credit),
        )?;
    }
    document.post(&mut entries, None, LedgerAccount::Receivable, (PostingType::Settlement, Side::Debit))?;
    for line in &document.lines {
        let as_issued = (PostingType::Settlement, Side::Credit);
        document.post(&mut entries, Some(line), LedgerAccount::ContractPosition, as_issued)?;
    }
    if entries.is_empty() {
        return Ok(None);
    }
    Ok(Some(Transaction::new(document.command.clone(), entries)?))
}

/// What of a body is posted.
struct Document<'a> {
    command: CommandId,
    facts: &'a IssueFacts,
    seller: &'a str,
    payer: &'a str,
    account: &'a str,
    period: (CivilDate, CivilDate),
    total: Amount,
    lines: Vec<PostedLine<'a>>,
}

struct PostedLine<'a> {
    number: u32,
    key: &'a str,
    service: (CivilDate, CivilDate),
    amount: Amount,
}

impl<'a> Document<'a> {
    fn read(body: &'a Value, facts: &'a IssueFacts) -> Result<Self, PostingError> {
        let currency = text_of(body, "currency", "a currency")?;
        let currency = Currency::parse(currency).map_err(|_| wrong("a known currency", body))?;
        let seller = text_of(body, "seller", "a seller")?;
        let period = body.get("period").ok_or_else(|| wrong("a billing period", body))?;
        let document = Self {
            command: CommandId(format!("issue/{seller}/{}", facts.number)),
            facts,
            seller,
            payer: text_of(body, "payer", "a payer")?,
            account: text_of(body, "account", "an account")?,
            period: (date(period, "first")?, date(period, "next")?),
            total: amount(body, "total", currency)?,
            lines: lines_of(body)?.iter().map(|line| read_line(line, currency)).collect::<Result<_, _>>()?,
        };
        let sum = document
            .lines
            .iter()
            .try_fold(Amount::zero(currency), |sum, line| sum.checked_add(line.amount))?;
        if sum != document.total {
            return Err(PostingError::TotalDiffers { total: document.total, lines: sum });
        }
        Ok(document)
    }

    /// Posts a line's amount, or the total, on a side where it is above zero; nothing where it is zero.
    fn post(
        &self,
        entries: &mut Vec<Entry>,
        line: Option<&PostedLine<'_>>,
        ledger_account: LedgerAccount,
        (posting_type, side): (PostingType, Side),
    ) -> Result<(), PostingError> {
        let signed = line.map_or(self.total, |line| line.amount);
        if signed.is_zero() {
            return Ok(());
        }
        let index = u32::try_from(entries.len()).map_err(|_| PostingError::TooManyEntries)?;
        entries.push(Entry {
            id: EntryId { command: self.command.clone(), index },
            seller: self.seller.to_owned(),
            payer: self.payer.to_owned(),
            account: self.account.to_owned(),
            document: self.facts.number.clone(),
            document_line: line.map(|line| line.number),
            line_key: line.map(|line| line.key.to_owned()),
            ledger_account,
            posting_type,
            cause: "issue_invoice".to_owned(),
            tax_component: None,
            accounting_date: self.facts.accounting_date,
            service_period: Some(line.map_or(self.period, |line| line.service)),
            recorded_position: self.facts.recorded_position,
            side: if signed.is_negative() { side.opposite() } else { side },
            amount: if signed.is_negative() { signed.neg() } else { signed },
        });
        Ok(())
    }
}

fn read_line(line: &Value, currency: Currency) -> Result<PostedLine<'_>, BodyError> {
    let number = line.get("line").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    Ok(PostedLine {
        number: number.ok_or_else(|| wrong("a line number", line))?,
        key: text_of(line, "key", "a line key")?,
        service: (date(line, "service_start")?, date(line, "service_end")?),
        amount: amount(line, "amount", currency)?,
    })
}

fn date(value: &Value, field: &str) -> Result<CivilDate, BodyError> {
    CivilDate::parse(text_of(value, field, "a date")?).map_err(|_| wrong("a date", value))
}

fn amount(value: &Value, field: &str, currency: Currency) -> Result<Amount, BodyError> {
    Amount::parse(text_of(value, field, "an amount")?, currency)
        .map_err(|_| wrong("an amount in the body's currency", value))
}
