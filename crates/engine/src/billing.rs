//! The path of a bill: seal → read usage as of the seal → rate → draft → issue and post.

use std::collections::{BTreeMap, BTreeSet};

use invoicing::terms::{Charging, Contract, Item, Seller, Terms};
use invoicing::{
    Bill, BillingCode, BillingProblem, EnvelopeFacts, IssueFacts, Line, LineKey, LineSpec, Usage,
};
use metering::{CivilDate, Instant, Period, tz_database_version};
use serde_json::{Value, json};
use store::tables::{InvoiceFilter, InvoiceStatus};
use store::{Class, Cut, Effect, RowDraft};

use crate::cells::Totals;
use crate::engine::{Caller, Engine};
use crate::error::{EngineError, ErrorKind};
use crate::explain::line_query;
use crate::usage::UsageQuery;

const DAY_NS: i64 = 86_400_000_000_000;
/// Drafts that one journal row carries.
const DRAFTS_A_ROW: usize = 64;

/// A billing period as it is named: a month; the periods whose first day lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeriodName {
    /// The year.
    pub year: i16,
    /// The month, 1 to 12.
    pub month: i8,
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
    /// Invoices that were there before.
    pub present: usize,
    /// What could not be billed, visibly.
    pub problems: Vec<Unbilled>,
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
        let result = self.run_period(caller, name, early, only_drafts);
        let input = json!({ "period": name.to_string(), "early": early, "only_drafts": only_drafts });
        self.journal_failure(caller, Class::Billing, "invoice_run", input, result)
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
        let seals = self.seal(caller, name, &work, early)?;
        let mut report = RunReport {
            period: name,
            cut: self.roots.cut_now()?,
            issued: Vec::new(),
            drafted: 0,
            present: 0,
            problems: Vec::new(),
        };
        if let Some(cut) = seals.values().next() {
            report.cut = cut.clone();
        }
        self.draft(caller, &work, &seals, &mut report)?;
        if !only_drafts {
            self.issue(caller, name, &mut report)?;
        }
        if report.present > 0 && report.drafted == 0 && report.issued.is_empty() {
            return Err(EngineError::new(
                ErrorKind::Conflict,
                "period_already_billed",
                format!("`{name}` is billed: {} invoices stand, nothing was done", report.present),
                "see them with `counterfoil invoice list`; nothing is ever billed twice",
            ));
        }
        Ok(report)
    }

    /// Every contract with a billing period of that name, ordered by account, contract, period.
    pub(crate) fn work(&self, name: PeriodName) -> Vec<Work> {
        work_list(&self.terms.terms, name)
    }

    /// The cut of each seller's seal for the period, sealing now where there is none.
    fn seal(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        work: &[Work],
        early: Option<&str>,
    ) -> Result<BTreeMap<String, Cut>, EngineError> {
        let mut ends: BTreeMap<String, Instant> = BTreeMap::new();
        for one in work {
            let end = ends.entry(one.contract.seller.clone()).or_insert(one.period.end);
            *end = (*end).max(one.period.end);
        }
        let mut cuts = BTreeMap::new();
        for seal in self.tables.seals()? {
            if seal.period == name.to_string() {
                cuts.insert(seal.seller, seal.cut);
            }
        }
        for (seller, end) in ends {
            if cuts.contains_key(&seller) {
                continue;
            }
            let due = end.0.saturating_add(i64::from(self.seller(&seller, end)?.grace_days) * DAY_NS);
            let override_reason = match early {
                _ if self.now().0 >= due => None,
                Some(reason) => Some(reason.to_owned()),
                None => return Err(period_open(name, &seller, end, Instant(due))),
            };
            let cut = self.seal_seller(caller, &seller, name, end, override_reason)?;
            cuts.insert(seller, cut);
        }
        Ok(cuts)
    }

    fn seal_seller(
        &mut self,
        caller: &Caller,
        seller: &str,
        name: PeriodName,
        end: Instant,
        override_reason: Option<String>,
    ) -> Result<Cut, EngineError> {
        let cut = self.roots.cut_now()?;
        self.record(RowDraft {
            class: Class::Billing,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: "seal".to_owned(),
            command_version: 1,
            input: json!({ "seller": seller, "period": name.to_string() }),
            result: json!({ "end": end.to_string(), "position": cut.position }),
            effects: vec![Effect::Seal {
                seller: seller.to_owned(),
                period: name.to_string(),
                end,
                cut: cut.clone(),
                override_reason,
            }],
            cut: Some(cut.clone()),
            references: Vec::new(),
        })?;
        self.checkpoint_now(true)?;
        Ok(cut)
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

    fn draft(
        &mut self,
        caller: &Caller,
        work: &[Work],
        seals: &BTreeMap<String, Cut>,
        report: &mut RunReport,
    ) -> Result<(), EngineError> {
        let mut effects = Vec::new();
        let sold = sold_meters(&self.terms.terms);
        for one in work {
            if self.tables.invoice(&one.invoice)?.is_some() {
                report.present += 1;
                continue;
            }
            let cut = seals.get(&one.contract.seller).ok_or_else(|| no_seal(&one.contract.seller))?;
            let billed = self.billed(&one.contract.account)?;
            let rated = self.rate(&self.terms.terms, one, &billed, &sold, cut.position)?;
            report.problems.extend(rated.problems.iter().cloned());
            if rated.bill.lines.is_empty() || rated.bill.total.is_negative() {
                continue;
            }
            effects.push(self.draft_effect(one, &rated, cut)?);
            report.drafted += 1;
            if effects.len() == DRAFTS_A_ROW {
                self.record_drafts(caller, report, std::mem::take(&mut effects))?;
            }
        }
        if !effects.is_empty() {
            self.record_drafts(caller, report, effects)?;
        }
        Ok(())
    }

    fn record_drafts(
        &mut self,
        caller: &Caller,
        report: &RunReport,
        effects: Vec<Effect>,
    ) -> Result<(), EngineError> {
        self.record(RowDraft {
            class: Class::Billing,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: "draft_invoices".to_owned(),
            command_version: 1,
            input: json!({ "period": report.period.to_string() }),
            result: json!({ "drafts": effects.len() }),
            effects,
            cut: Some(report.cut.clone()),
            references: Vec::new(),
        })?;
        Ok(())
    }

    fn draft_effect(&self, work: &Work, rated: &Rated, cut: &Cut) -> Result<Effect, EngineError> {
        let seller = self.seller(&work.contract.seller, work.period.start)?;
        let body = invoicing::body(&rated.bill, seller, None);
        let envelope = self.envelope(rated, cut, &body);
        Ok(Effect::Draft {
            invoice: work.invoice.clone(),
            account: work.contract.payer.clone(),
            seller: work.contract.seller.clone(),
            period: PeriodName { year: work.period.first.year(), month: work.period.first.month() }
                .to_string(),
            body,
            envelope,
        })
    }

    fn envelope(&self, rated: &Rated, cut: &Cut, body: &Value) -> Value {
        let head = self.roots.head();
        let digest = |line: &Line| line.usage.as_ref().map(|usage| (line.spec.key.clone(), usage.digest));
        let digests = rated.bill.lines.iter().filter_map(digest).collect();
        invoicing::envelope(
            &EnvelopeFacts {
                store_id: self.store_id(),
                known_at: head.number,
                journal_hash: head.hash.to_string(),
                shard: cut.shard,
                incarnation: cut.incarnation,
                position: cut.position,
                block_hash: cut.block_hash.to_string(),
                digest_key_version: self.roots.key_generation(),
                tz_database: tz_database_version().to_owned(),
                issued_at: None,
                digests,
            },
            body,
        )
    }

    /// Reads and rates one invoice's lines: pure in (terms, usage as of the cut, keys billed before).
    pub(crate) fn rate(
        &self,
        terms: &Terms,
        work: &Work,
        billed: &BTreeSet<LineKey>,
        sold: &BTreeSet<String>,
        as_of: u64,
    ) -> Result<Rated, EngineError> {
        let (specs, found) = invoicing::line_specs(terms, &work.contract, &work.period, billed);
        let mut usage = Vec::with_capacity(specs.len());
        for spec in &specs {
            usage.push(self.line_usage(terms, spec, as_of)?);
        }
        let bill = invoicing::bill(&work.contract, &work.period, &specs, &usage)
            .map_err(|error| EngineError::arithmetic(format!("invoice {}", work.invoice), error))?;
        let mut problems = Vec::new();
        for problem in found.into_iter().chain(bill.problems.iter().cloned()) {
            problems.push(self.unbilled(terms, work, problem, as_of)?);
        }
        problems.extend(self.unpriced(terms, work, &bill, &problems, sold, as_of)?);
        Ok(Rated { bill, problems })
    }

    fn line_usage(&self, terms: &Terms, spec: &LineSpec, as_of: u64) -> Result<Option<Usage>, EngineError> {
        let Some((meter, _)) = &spec.meter else { return Ok(None) };
        let totals = self.usage_under(terms, &line_query(spec, meter, as_of))?;
        Ok(Some(Usage {
            records: totals.records,
            quantity: totals.quantity,
            unmeasured: totals.unmeasured,
            digest: totals.digest,
        }))
    }

    /// Usage of sold meters that no line holds: what is used = what is rated + what is unpriced.
    fn unpriced(
        &self,
        terms: &Terms,
        work: &Work,
        bill: &Bill,
        known: &[Unbilled],
        sold: &BTreeSet<String>,
        as_of: u64,
    ) -> Result<Vec<Unbilled>, EngineError> {
        let told = |meter: &str| {
            known
                .iter()
                .filter_map(|one| one.problem.unpriced.as_ref())
                .any(|unpriced| unpriced.meter == meter)
        };
        let mut found = Vec::new();
        for meter in sold.iter().map(String::as_str).filter(|meter| !told(meter)) {
            let mut left = self.usage_under(
                terms,
                &UsageQuery {
                    meter,
                    account: Some(&work.contract.account),
                    only: &[],
                    start: work.period.start,
                    end: work.period.end,
                    as_of,
                },
            )?;
            let of_meter =
                bill.lines.iter().filter(|l| l.spec.meter.as_ref().is_some_and(|(m, _)| m == meter));
            for usage in of_meter.filter_map(|line| line.usage.as_ref()) {
                left.take(usage.records, usage.quantity, usage.digest);
            }
            if left.records > 0 {
                let message = format!("no item prices what {} used of `{meter}`", work.contract.account);
                let problem = BillingProblem {
                    code: BillingCode::UsageUnpriced,
                    contract: work.contract.name.clone(),
                    item: None,
                    message,
                    unpriced: None,
                };
                found.push(Unbilled { problem, unpriced: Some(left) });
            }
        }
        Ok(found)
    }

    /// Unpriced usage is visible with its quantity; never zero money.
    fn unbilled(
        &self,
        terms: &Terms,
        work: &Work,
        problem: BillingProblem,
        as_of: u64,
    ) -> Result<Unbilled, EngineError> {
        let known = |meter: &str| !terms.meters.versions(meter).is_empty();
        let unpriced = match &problem.unpriced {
            Some(unpriced) if known(&unpriced.meter) => Some(self.usage_under(
                terms,
                &UsageQuery {
                    meter: &unpriced.meter,
                    account: Some(&work.contract.account),
                    only: &unpriced.only,
                    start: unpriced.service.start,
                    end: unpriced.service.end,
                    as_of,
                },
            )?),
            _ => None,
        };
        Ok(Unbilled { problem, unpriced })
    }

    fn billed(&self, account: &str) -> Result<BTreeSet<LineKey>, EngineError> {
        let mut keys = BTreeSet::new();
        for text in self.tables.billed_line_keys(account)? {
            keys.insert(text.parse::<LineKey>().map_err(|error| EngineError::stored("a line key", error))?);
        }
        Ok(keys)
    }

    /// Issues every draft of the period in account order: one row each, with its transaction.
    fn issue(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        report: &mut RunReport,
    ) -> Result<(), EngineError> {
        let filter = InvoiceFilter {
            period: Some(name.to_string()),
            status: Some(InvoiceStatus::Draft),
            ..InvoiceFilter::default()
        };
        let mut drafts = self.tables.invoices(&filter)?;
        drafts.sort_by(|a, b| (&a.account, &a.invoice).cmp(&(&b.account, &b.invoice)));
        for draft in drafts {
            let seller = self.seller(&draft.seller, self.now())?.clone();
            let sequence = self.tables.next_sequence(&seller.name, &seller.series)?;
            let number = format!("{}-{sequence:06}", seller.series);
            let body = invoicing::numbered(&draft.body, &number);
            let issued_at = self.now();
            let envelope = invoicing::issued(&draft.envelope, &body, issued_at);
            let facts = IssueFacts {
                number: number.clone(),
                accounting_date: seller.zone.date_of(issued_at),
                recorded_position: self.roots.head().number + 1,
            };
            let transaction = invoicing::posting(&body, &facts)
                .map_err(|error| EngineError::stored(format!("draft {}", draft.invoice), error))?;
            let entries = transaction.as_ref().map_or_else(Vec::new, invoicing::entries_json);
            self.record(RowDraft {
                class: Class::Billing,
                actor: caller.actor.clone(),
                reason: caller.reason.clone(),
                idempotency_key: None,
                command: "issue_invoice".to_owned(),
                command_version: 1,
                input: json!({ "invoice": draft.invoice }),
                result: json!({ "number": number }),
                effects: vec![Effect::Issue {
                    invoice: draft.invoice,
                    series: seller.series.clone(),
                    sequence,
                    number: number.clone(),
                    body,
                    envelope,
                    entries,
                }],
                cut: None,
                references: Vec::new(),
            })?;
            report.issued.push(number);
        }
        Ok(())
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
    let mut work = Vec::new();
    for contract_name in terms.contracts.names() {
        let Some(latest) = terms.contracts.latest(contract_name) else { continue };
        for period in invoicing::billing_period_list(latest, terms, (name.year, name.month)) {
            let contract = terms.contracts.pick(contract_name, period.start).unwrap_or(latest).clone();
            let invoice = invoice_id(&contract, &period);
            work.push(Work { contract, period, invoice });
        }
    }
    work.sort_by(|a, b| {
        let key = |w: &Work| (w.contract.payer.clone(), w.contract.account.clone(), w.invoice.clone());
        key(a).cmp(&key(b))
    });
    work
}

/// Payer, contract, period, kind, sequence: never two invoices for one of these.
fn invoice_id(contract: &Contract, period: &Period) -> String {
    format!("{}/{}/{}/invoice/1", contract.payer, contract.name, period.first)
}

fn no_seal(seller: &str) -> EngineError {
    EngineError::new(
        ErrorKind::Conflict,
        "not_sealed",
        format!("usage of the period is not sealed for seller `{seller}`"),
        "run `counterfoil invoice run` again",
    )
}

fn period_open(name: PeriodName, seller: &str, end: Instant, due: Instant) -> EngineError {
    EngineError::new(
        ErrorKind::Conflict,
        "period_open",
        format!(
            "`{name}` is still open for seller `{seller}`: it ends at {end} and can be sealed from {due}"
        ),
        "wait until then, or seal early with --seal-early REASON; what comes later is then late",
    )
}
