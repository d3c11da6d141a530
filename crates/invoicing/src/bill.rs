//! Lines rated and rounded, and their total.

use std::collections::BTreeSet;

use metering::{Digest, Period};
use money::{Amount, AmountError, NumberError, Rational};
use rating::{Basis, Charge, ChargeProblem};
use thiserror::Error;

use crate::key::LineKey;
use crate::problem::{BillingCode, BillingProblem, Unpriced};
use crate::spec::{LineSpec, LineTerm};
use crate::sublines::{SubLine, sublines};
use crate::terms::Contract;

/// What was read for a usage line: a meter's usage of an account in the service period, as of a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// How many events.
    pub records: u64,
    /// The meter's value. **Units**: the meter's.
    pub quantity: Rational,
    /// Events among them whose quantity the meter could not read.
    pub unmeasured: u64,
    /// Which events: the sum of their digests.
    pub digest: Digest,
}

/// One line of a bill. A line without a price does not exist: it is a [`BillingProblem`].
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its place on the document, from 1.
    pub number: u32,
    /// What it is about and how it is rated.
    pub spec: LineSpec,
    /// The usage it prices; absent for a fee.
    pub usage: Option<Usage>,
    /// Usage, or units of a fee.
    pub quantity: Rational,
    /// The exact charge.
    pub exact: Rational,
    /// What is owed. **Rounding**: the exact charge, once, by the contract's mode.
    pub amount: Amount,
    /// `amount` − `exact`.
    pub residue: Rational,
    /// The tree that evaluates to the exact charge.
    pub basis: Basis,
    /// The line by tiers, where its price has them; their amounts sum to the line's.
    pub sublines: Vec<SubLine>,
}

/// The lines of one billing period of a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    /// Under which contract.
    pub contract: Contract,
    /// The billing period.
    pub period: Period,
    /// The lines, sorted by key. Without lines there is no document.
    pub lines: Vec<Line>,
    /// Their sum.
    pub total: Amount,
    /// What is not right and does not stop the bill.
    pub problems: Vec<BillingProblem>,
}

/// Why a bill cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BillingError {
    /// Usage was not read for every line.
    #[error("expected the usage of {lines} lines, found `{usages}`")]
    UsageCount {
        /// Lines.
        lines: usize,
        /// Usages.
        usages: usize,
    },
    /// A line with a meter came without usage, or a fee with usage.
    #[error("a line has usage exactly where it has a meter, but not line `{key}`")]
    UsageMismatch {
        /// Its key.
        key: Box<LineKey>,
    },
    /// Two lines with one key.
    #[error("a key has one line, found two of `{key}`")]
    DuplicateKey {
        /// The key.
        key: Box<LineKey>,
    },
    /// A number too large to be exact.
    #[error("line {key}: {error}")]
    Number {
        /// The line.
        key: Box<LineKey>,
        /// What went wrong.
        error: NumberError,
    },
    /// A line that cannot be split over its tiers.
    #[error("line {key}: {message}")]
    Split {
        /// The line.
        key: Box<LineKey>,
        /// What went wrong.
        message: String,
    },
    /// A total too large.
    #[error(transparent)]
    Total(#[from] AmountError),
    /// More lines than a document can number.
    #[error("a document has at most 4294967295 lines, found `{lines}`")]
    TooManyLines {
        /// How many.
        lines: usize,
    },
}

/// Rates the lines of a billing period.
///
/// `usages` stands beside `specs`: something for a usage line, nothing for a fee. Lines come out sorted by
/// key whatever order they came in. A line of zero usage is a line of amount 0.
///
/// **Rounding**: each line once; nothing is rounded before, and the total is the sum of the lines.
///
/// **Errors**: [`BillingError`]; nothing is billed then.
pub fn bill(
    contract: &Contract,
    period: &Period,
    specs: &[LineSpec],
    usages: &[Option<Usage>],
) -> Result<Bill, BillingError> {
    if specs.len() != usages.len() {
        return Err(BillingError::UsageCount { lines: specs.len(), usages: usages.len() });
    }
    let mut pairs: Vec<(&LineSpec, &Option<Usage>)> = specs.iter().zip(usages).collect();
    pairs.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
    check_keys(&pairs)?;
    let mut bill = Bill {
        contract: contract.clone(),
        period: *period,
        lines: Vec::with_capacity(pairs.len()),
        total: Amount::zero(contract.currency),
        problems: Vec::new(),
    };
    for (spec, usage) in pairs {
        let number = u32::try_from(bill.lines.len().saturating_add(1))
            .map_err(|_| BillingError::TooManyLines { lines: specs.len() })?;
        if let Some(line) = rate_line(number, spec, usage.as_ref(), &mut bill.problems)? {
            bill.total = bill.total.checked_add(line.amount)?;
            bill.lines.push(line);
        }
    }
    if bill.total.is_negative() {
        bill.problems.push(total_negative(contract, bill.total));
    }
    Ok(bill)
}

fn check_keys(pairs: &[(&LineSpec, &Option<Usage>)]) -> Result<(), BillingError> {
    let mut seen = BTreeSet::new();
    for (spec, usage) in pairs {
        if !seen.insert(&spec.key) {
            return Err(BillingError::DuplicateKey { key: Box::new(spec.key.clone()) });
        }
        if spec.meter.is_some() != usage.is_some() {
            return Err(BillingError::UsageMismatch { key: Box::new(spec.key.clone()) });
        }
    }
    Ok(())
}

/// One line; none where its price yields no amount, which is a problem and never 0.
fn rate_line(
    number: u32,
    spec: &LineSpec,
    usage: Option<&Usage>,
    problems: &mut Vec<BillingProblem>,
) -> Result<Option<Line>, BillingError> {
    let wrong = |error| BillingError::Number { key: Box::new(spec.key.clone()), error };
    let (quantity, charge) = charge(spec, usage)?;
    problems.extend(charge.problems.iter().map(|found| charge_problem(spec, found)));
    if let Some(usage) = usage.filter(|usage| usage.unmeasured > 0) {
        let message = format!("events that the meter could not measure `{}`", usage.unmeasured);
        problems.push(line_problem(spec, BillingCode::UsageUnmeasured, message));
    }
    if !charge.is_priced() {
        return Ok(None);
    }
    let rounded = money::round(charge.exact, spec.currency, spec.rounding).map_err(wrong)?;
    Ok(Some(Line {
        number,
        spec: spec.clone(),
        usage: usage.cloned(),
        quantity,
        exact: charge.exact,
        amount: rounded.amount,
        residue: rounded.residue,
        sublines: sublines(spec, quantity, &charge.basis, rounded.amount)?,
        basis: charge.basis,
    }))
}

fn charge(spec: &LineSpec, usage: Option<&Usage>) -> Result<(Rational, Charge), BillingError> {
    let wrong = |error| BillingError::Number { key: Box::new(spec.key.clone()), error };
    match (&spec.term, usage) {
        (LineTerm::Usage { price, .. }, Some(usage)) => {
            let quantity = usage.quantity;
            Ok((quantity, rating::rate(quantity, price).map_err(wrong)?))
        }
        (LineTerm::Fee { amount, quantity }, None) => {
            let one = rating::fee(*amount, spec.part_days, spec.whole_days).map_err(wrong)?;
            Ok((*quantity, times(one, *quantity).map_err(wrong)?))
        }
        _ => Err(BillingError::UsageMismatch { key: Box::new(spec.key.clone()) }),
    }
}

/// The fee of several units.
fn times(one: Charge, quantity: Rational) -> Result<Charge, NumberError> {
    if quantity == Rational::ONE || !one.is_priced() {
        return Ok(one);
    }
    let exact = one.exact.checked_mul(quantity)?;
    let factor = Basis::Constant { value: quantity, is: "quantity" };
    Ok(Charge { exact, basis: Basis::Multiply { of: vec![factor, one.basis] }, problems: one.problems })
}

fn charge_problem(spec: &LineSpec, found: &ChargeProblem) -> BillingProblem {
    let code = match found {
        ChargeProblem::NetNegative { .. } => BillingCode::NetNegative,
        ChargeProblem::NothingBelowZero { .. } => BillingCode::NothingBelowZero,
        ChargeProblem::Unpriced { .. } => BillingCode::PriceInvalid,
        ChargeProblem::ImpossibleDays { .. } => BillingCode::DaysImpossible,
    };
    let problem = line_problem(spec, code, found.to_string());
    BillingProblem { unpriced: found.is_unpriced().then(|| unpriced(spec)).flatten(), ..problem }
}

fn line_problem(spec: &LineSpec, code: BillingCode, message: String) -> BillingProblem {
    BillingProblem {
        code,
        contract: spec.key.contract.clone(),
        item: Some(spec.key.item.clone()),
        message,
        unpriced: None,
    }
}

fn unpriced(spec: &LineSpec) -> Option<Unpriced> {
    let (meter, _) = spec.meter.as_ref()?;
    Some(Unpriced { meter: meter.clone(), only: spec.only().to_vec(), service: spec.service })
}

fn total_negative(contract: &Contract, total: Amount) -> BillingProblem {
    BillingProblem {
        code: BillingCode::TotalNegative,
        contract: contract.name.clone(),
        item: None,
        message: format!("an invoice is not below zero, found `{total}`"),
        unpriced: None,
    }
}
