//! The path of a bill: seal → read usage as of the seal → rate → draft → issue and post.

use std::collections::{BTreeMap, BTreeSet};

use invoicing::terms::{Charging, Contract, Item, Seller, Terms};
use invoicing::{
    Bill, BillingCode, BillingProblem, EnvelopeFacts, IssueFacts, Line, LineKey, LineSpec, Usage,
};
use metering::{CivilDate, Instant, Period, tz_database_version};
use serde_json::{Value, json};
use store::tables::{InvoiceFilter, InvoiceStatus, StoredInvoice};
use store::{Class, Cut, Effect, RowDraft};

use crate::cells::Totals;
use crate::engine::{Caller, Engine};
use crate::error::{EngineError, ErrorKind};
use crate::explain::line_query;
use crate::usage::UsageQuery;
use run::Run;

mod run;

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
        let held = self.draft(caller, &sealed, &mut report)?;
        if !only_drafts {
            self.issue(caller, name, &held, &mut report)?;
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

    /// The work whose period is sealed, with the cut of its seal; seals now what can be.
    ///
    /// A seal is of one seller and one end: contracts with other anchors have seals of their own, and a period
    /// never reads usage through the seal of one that ended before it.
    fn seal(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        work: Vec<Work>,
        early: Option<&str>,
        report: &mut RunReport,
    ) -> Result<Vec<(Work, Cut)>, EngineError> {
        let mut cuts: BTreeMap<(String, Instant), Cut> =
            self.tables.seals()?.into_iter().map(|seal| ((seal.seller, seal.end), seal.cut)).collect();
        let mut sealed = Vec::new();
        for one in work {
            let (seller, end) = (one.contract.seller.clone(), one.period.end);
            if let Some(cut) = cuts.get(&(seller.clone(), end)) {
                sealed.push((one, cut.clone()));
                continue;
            }
            let due = end.0.saturating_add(i64::from(self.seller(&seller, end)?.grace_days) * DAY_NS);
            let override_reason = match early {
                _ if self.now().0 >= due => None,
                Some(reason) => Some(reason.to_owned()),
                None => {
                    let contract = one.contract.name.clone();
                    report.open.push(OpenPeriod { contract, end, due: Instant(due) });
                    continue;
                }
            };
            let cut = self.seal_seller(caller, &seller, name, end, override_reason)?;
            cuts.insert((seller, end), cut.clone());
            sealed.push((one, cut));
        }
        match report.open.iter().min_by_key(|open| open.due) {
            Some(first) if sealed.is_empty() => Err(period_open(name, first)),
            _ => Ok(sealed),
        }
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

    /// Drafts what has no invoice yet, and makes drafts of an earlier run anew where terms that are known now
    /// change them; usage stays that of the seal. Answers the drafts that must not be issued.
    fn draft(
        &mut self,
        caller: &Caller,
        work: &[(Work, Cut)],
        report: &mut RunReport,
    ) -> Result<BTreeSet<String>, EngineError> {
        let mut run = Run::new(sold_meters(&self.terms.terms));
        for (one, cut) in work {
            report.cut = cut.clone();
            let stored = self.tables.invoice(&one.invoice)?;
            if let Some(issued) = stored.as_ref().filter(|stored| stored.status == InvoiceStatus::Issued) {
                report.present += 1;
                run.note_body(one, &issued.body)?;
                continue;
            }
            let Some(rated) = self.rate_or_hold(one, cut, stored.as_ref(), &mut run, report)? else {
                run.held.insert(one.invoice.clone());
                continue;
            };
            let effect = self.draft_effect(one, &rated, cut)?;
            match (&stored, &effect) {
                (Some(stored), Effect::Draft { body, .. }) if stored.body == *body => report.present += 1,
                (Some(_), _) => {
                    report.remade += 1;
                    self.record_drafts(caller, report.period, cut, vec![effect])?;
                }
                (None, _) => {
                    report.drafted += 1;
                    run.effects.push((effect, cut.clone()));
                    self.flush_drafts(caller, report.period, &mut run, DRAFTS_A_ROW)?;
                }
            }
            run.note_lines(one, &rated);
        }
        self.flush_drafts(caller, report.period, &mut run, 1)?;
        self.report_unpriced(work, &run, report)?;
        Ok(run.held)
    }

    /// Rates one invoice; none where it has no lines or must be held, which the report then says.
    fn rate_or_hold(
        &self,
        one: &Work,
        cut: &Cut,
        stored: Option<&StoredInvoice>,
        run: &mut Run,
        report: &mut RunReport,
    ) -> Result<Option<Rated>, EngineError> {
        let account = &one.contract.account;
        if !run.billed.contains_key(account) {
            run.billed.insert(account.clone(), self.billed(account)?);
        }
        let mut billed = run.billed.get(account).cloned().unwrap_or_else(BTreeSet::new);
        if let Some(stored) = stored {
            for key in line_keys(stored)? {
                billed.remove(&key);
            }
        }
        let rated = match self.rate(&self.terms.terms, one, &billed, cut.position) {
            Ok(rated) => rated,
            Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::NotFound) => {
                report.problems.push(Unbilled::of(one, BillingCode::RatingFailed, error.message));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        report.problems.extend(rated.problems.iter().cloned());
        if let Some(other) = run.takes_twice(one, &rated) {
            let message =
                format!("contract {other} of {account} already takes some of the usage of this one");
            report.problems.push(Unbilled::of(one, BillingCode::ItemsOverlap, message));
            return Ok(None);
        }
        let is_document = !rated.bill.lines.is_empty() && !rated.bill.total.is_negative();
        Ok(is_document.then_some(rated))
    }

    fn flush_drafts(
        &mut self,
        caller: &Caller,
        period: PeriodName,
        run: &mut Run,
        at_least: usize,
    ) -> Result<(), EngineError> {
        if run.effects.len() < at_least {
            return Ok(());
        }
        let mut by_cut: Vec<(Cut, Vec<Effect>)> = Vec::new();
        for (effect, cut) in run.effects.drain(..) {
            match by_cut.iter_mut().find(|(known, _)| *known == cut) {
                Some((_, effects)) => effects.push(effect),
                None => by_cut.push((cut, vec![effect])),
            }
        }
        for (cut, effects) in by_cut {
            self.record_drafts(caller, period, &cut, effects)?;
        }
        Ok(())
    }

    fn record_drafts(
        &mut self,
        caller: &Caller,
        period: PeriodName,
        cut: &Cut,
        effects: Vec<Effect>,
    ) -> Result<(), EngineError> {
        self.record(RowDraft {
            class: Class::Billing,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: "draft_invoices".to_owned(),
            command_version: 1,
            input: json!({ "period": period.to_string() }),
            result: json!({ "drafts": effects.len() }),
            effects,
            cut: Some(cut.clone()),
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
        held: &BTreeSet<String>,
        report: &mut RunReport,
    ) -> Result<(), EngineError> {
        let filter = InvoiceFilter {
            period: Some(name.to_string()),
            status: Some(InvoiceStatus::Draft),
            ..InvoiceFilter::default()
        };
        let mut drafts = self.tables.invoices(&filter)?;
        drafts.sort_by(|a, b| (&a.account, &a.invoice).cmp(&(&b.account, &b.invoice)));
        for draft in drafts.into_iter().filter(|draft| !held.contains(&draft.invoice)) {
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

fn period_open(name: PeriodName, open: &OpenPeriod) -> EngineError {
    let OpenPeriod { contract, end, due } = open;
    EngineError::new(
        ErrorKind::Conflict,
        "period_open",
        format!("`{name}` is still open: contract {contract} ends it at {end}, it can be sealed from {due}"),
        "wait until then, or seal early with --seal-early REASON; what comes later is then late",
    )
}
