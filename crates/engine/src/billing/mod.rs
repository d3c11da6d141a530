//! The path of a bill: seal → read usage as of the seal → rate → draft → issue and post.

use std::collections::BTreeSet;

use invoicing::terms::{Charging, Contract, Item, Seller, Terms};
use invoicing::{Bill, BillingCode, BillingProblem, LineKey};
use metering::{CivilDate, Instant, Period};
use serde_json::{Value, json};
use store::tables::StoredInvoice;
use store::{Class, Cut, RowDraft};

use crate::cells::Totals;
use crate::engine::{Caller, Engine};
use crate::error::{EngineError, ErrorKind};

mod draft;
mod issue;
mod rate;
mod run;
mod seal;

/// A billing period as it is named: a month; the periods whose first day lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeriodName {
    /// The year.
    pub year: i16,
    /// The month, 1 to 12.
    pub month: i8,
}

impl PeriodName {
    /// The month before, this one, and the month after.
    pub(crate) fn around(self) -> [Self; 3] {
        let before = match self.month {
            1 => Self { year: self.year - 1, month: 12 },
            month => Self { month: month - 1, ..self },
        };
        let after = match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { month: month + 1, ..self },
        };
        [before, self, after]
    }
}

impl std::fmt::Display for PeriodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl std::str::FromStr for PeriodName {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let first = CivilDate::parse(&format!("{text}-01")).map_err(|_| {
            EngineError::invalid(
                "bad_period",
                format!("expected a month such as `2026-08`, found `{text}`"),
                "name the month in which the billing periods begin",
            )
        })?;
        Ok(Self { year: first.year(), month: first.month() })
    }
}

/// What an invoice run did.
#[derive(Debug)]
pub struct RunReport {
    /// The period.
    pub period: PeriodName,
    /// The usage it read.
    pub cut: Cut,
    /// Numbers issued by this run, in order.
    pub issued: Vec<String>,
    /// Drafts made by this run.
    pub drafted: usize,
    /// Drafts of an earlier run that were made anew under what is known now.
    pub remade: usize,
    /// Invoices that were there before.
    pub present: usize,
    /// Contracts whose period cannot be sealed yet: they are left for a later run.
    pub open: Vec<OpenPeriod>,
    /// What could not be billed, visibly.
    pub problems: Vec<Unbilled>,
    /// Whether this is the answer to an earlier request with the same idempotency key: nothing was done.
    pub repeated: bool,
}

/// A contract whose period is not over, or whose grace is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPeriod {
    /// The contract.
    pub contract: String,
    /// When the period ends.
    pub end: Instant,
    /// From when it can be sealed.
    pub due: Instant,
}

/// One invoice to be: a contract and one of its periods.
pub(crate) struct Work {
    pub contract: Contract,
    pub period: Period,
    pub invoice: String,
}

/// What was read and rated for one invoice.
pub(crate) struct Rated {
    pub bill: Bill,
    pub problems: Vec<Unbilled>,
}

/// Something that could not be billed, with the usage that it leaves unpriced.
#[derive(Clone, Debug)]
pub struct Unbilled {
    /// What is wrong.
    pub problem: BillingProblem,
    /// The usage without a price, where there is some.
    pub unpriced: Option<Totals>,
}

impl Unbilled {
    /// As it stands on stdout.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.problem.code.as_str(),
            "contract": self.problem.contract,
            "item": self.problem.item,
            "message": self.problem.message,
            "hint": self.problem.code.hint(),
            "unpriced": self.unpriced.as_ref().map(|totals| json!({
                "records": totals.records,
                "quantity": totals.quantity.to_string(),
            })),
        })
    }

    /// A problem of a whole invoice.
    fn of(work: &Work, code: BillingCode, message: String) -> Self {
        let contract = work.contract.name.clone();
        Self {
            problem: BillingProblem { code, contract, item: None, message, unpriced: None },
            unpriced: None,
        }
    }
}

impl std::fmt::Display for Unbilled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.problem)?;
        match &self.unpriced {
            Some(totals) => write!(f, "; unpriced: {} events, quantity {}", totals.records, totals.quantity),
            None => Ok(()),
        }
    }
}

impl Engine {
    /// Seals a period, drafts its invoices and, unless only drafts are wanted, issues them.
    ///
    /// A run that was cut short goes on where it stopped. A period that is not over is refused unless
    /// `early` gives a reason, which is journalled.
    ///
    /// **Errors**: `period_open`, `period_already_billed`, `no_contracts`; those of the file layer.
    pub fn invoice_run(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        early: Option<&str>,
        only_drafts: bool,
    ) -> Result<RunReport, EngineError> {
        let input = json!({ "period": name.to_string(), "early": early, "only_drafts": only_drafts });
        if let Some(first) = self.answered(caller, "invoice_run", &input)? {
            return self.repeated_run(name, &first);
        }
        let result = self.run_period(caller, name, early, only_drafts);
        let report = self.journal_failure(caller, Class::Billing, "invoice_run", input.clone(), result)?;
        self.record(RowDraft {
            class: Class::Billing,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: caller.idempotency_key.clone(),
            command: "invoice_run".to_owned(),
            command_version: 1,
            input,
            result: json!({
                "drafted": report.drafted,
                "remade": report.remade,
                "issued": report.issued,
                "present": report.present,
                "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
            effects: Vec::new(),
            cut: Some(report.cut.clone()),
            references: Vec::new(),
        })?;
        Ok(report)
    }

    /// The report of a run that was asked for before under the same key.
    fn repeated_run(&mut self, name: PeriodName, first: &Value) -> Result<RunReport, EngineError> {
        let lost = || EngineError::stored("an invoice run", "its result lacks a field");
        let count =
            |field: &str| first[field].as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(lost);
        let issued = first["issued"].as_array().ok_or_else(lost)?;
        Ok(RunReport {
            period: name,
            cut: self.roots.cut_now()?,
            issued: issued.iter().filter_map(|number| number.as_str().map(str::to_owned)).collect(),
            drafted: count("drafted")?,
            remade: count("remade")?,
            present: count("present")?,
            open: Vec::new(),
            problems: Vec::new(),
            repeated: true,
        })
    }

    fn run_period(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        early: Option<&str>,
        only_drafts: bool,
    ) -> Result<RunReport, EngineError> {
        let work = self.work(name);
        if work.is_empty() {
            return Err(EngineError::not_found(
                "no_contracts",
                format!("no contract has a billing period that begins in `{name}`"),
                "apply a contract whose `start` lies before the end of that month",
            ));
        }
        let mut report = RunReport {
            period: name,
            cut: self.roots.cut_now()?,
            issued: Vec::new(),
            drafted: 0,
            remade: 0,
            present: 0,
            open: Vec::new(),
            problems: Vec::new(),
            repeated: false,
        };
        let sealed = self.seal(caller, name, work, early, &mut report)?;
        let ready = self.draft(caller, &sealed, &mut report)?;
        if !only_drafts {
            self.issue(caller, name, &ready, &mut report)?;
        }
        let did_nothing = report.drafted + report.remade + report.issued.len() == 0;
        if report.present > 0 && did_nothing && report.problems.is_empty() {
            let what = if only_drafts { "is drafted" } else { "is billed" };
            return Err(EngineError::new(
                ErrorKind::Conflict,
                "period_already_billed",
                format!("`{name}` {what}: {} invoices stand, nothing was done", report.present),
                "see them with `counterfoil invoice list`; nothing is ever billed twice",
            ));
        }
        Ok(report)
    }

    /// Every contract with a billing period of that name, ordered by account, contract, period.
    pub(crate) fn work(&self, name: PeriodName) -> Vec<Work> {
        work_list(&self.terms.terms, name)
    }

    fn seller(&self, name: &str, at: Instant) -> Result<&Seller, EngineError> {
        self.terms.terms.sellers.pick(name, at).ok_or_else(|| {
            EngineError::not_found(
                "unknown_seller",
                format!("no seller is named `{name}`"),
                "apply a document of `kind: seller`",
            )
        })
    }
}

/// Meters that an item of some plan or contract prices: usage of any other is measured, not sold.
fn sold_meters(terms: &Terms) -> BTreeSet<String> {
    let plans = terms.plans.all().flat_map(|plan| plan.items.values());
    let contracts = terms.contracts.all().flat_map(|contract| contract.items.values());
    let meter = |item: &Item| match &item.charging {
        Charging::Usage { meter, .. } => Some(meter.clone()),
        Charging::Fee { .. } => None,
    };
    plans.chain(contracts).filter_map(meter).collect()
}

/// Every contract with a billing period of that name, ordered by payer, account, invoice.
pub(crate) fn work_list(terms: &Terms, name: PeriodName) -> Vec<Work> {
    let mut work: Vec<Work> =
        terms.contracts.names().flat_map(|contract| contract_work(terms, contract, name)).collect();
    work.sort_by_cached_key(|w| (w.contract.payer.clone(), w.contract.account.clone(), w.invoice.clone()));
    work
}

/// The billing periods of that name of one contract.
pub(crate) fn contract_work(terms: &Terms, contract: &str, name: PeriodName) -> Vec<Work> {
    let Some(latest) = terms.contracts.latest(contract) else { return Vec::new() };
    invoicing::billing_period_list(latest, terms, (name.year, name.month))
        .into_iter()
        .map(|period| {
            let contract = terms.contracts.pick(contract, period.start).unwrap_or(latest).clone();
            let invoice = invoice_id(&contract, &period);
            Work { contract, period, invoice }
        })
        .collect()
}

/// Payer, contract, period, kind, sequence: never two invoices for one of these.
fn invoice_id(contract: &Contract, period: &Period) -> String {
    format!("{}/{}/{}/invoice/1", contract.payer, contract.name, period.first)
}

/// The keys of the lines of a stored invoice.
pub(crate) fn line_keys(stored: &StoredInvoice) -> Result<Vec<LineKey>, EngineError> {
    invoicing::line_keys(&stored.body)
        .map_err(|error| EngineError::stored(format!("invoice {}", stored.invoice), error))
}
