//! What one invoice run has seen so far, and the usage that none of its lines holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use invoicing::terms::Terms;
use invoicing::{BillingCode, BillingProblem, LineKey, LineSpec};
use metering::Instant;
use money::{Rational, Sum};
use serde_json::Value;
use store::tables::StoredInvoice;
use store::{Cut, Effect};

use super::{Rated, RunReport, Unbilled, Work};
use crate::cells::{Measured, Totals};
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind};
use crate::usage::{GroupBy, UsageQuery};

/// A usage line of an issued invoice that no contract makes any more.
struct Other {
    invoice: String,
    meter: String,
    start: Instant,
    end: Instant,
}

/// The state of a run.
pub(super) struct Run {
    /// Meters that some item prices.
    sold: BTreeSet<String>,
    /// Line keys that stand on an invoice, by account; those of drafts not recorded yet too.
    pub billed: HashMap<String, BTreeSet<LineKey>>,
    /// Usage lines of this run, by account: contract and line.
    taken: HashMap<String, Vec<(String, LineSpec)>>,
    /// What stands of (account, meter) on lines of this period's invoices: events, and what their quantities sum to; none
    /// where one is no sum.
    rated: HashMap<(String, String), (u64, Option<Sum>)>,
    /// (Account, meter) whose usage a problem already names.
    told: BTreeSet<(String, String)>,
    /// Drafts not recorded yet.
    pub effects: Vec<(Effect, Cut)>,
    /// Drafts that this run made or looked at again: they may be issued.
    pub ready: BTreeSet<String>,
    /// Usage on issued invoices of the period whose contract has no such period any more, by account.
    others: HashMap<String, Vec<Other>>,
}

impl Run {
    pub fn new(sold: BTreeSet<String>) -> Self {
        Self {
            sold,
            billed: HashMap::new(),
            taken: HashMap::new(),
            rated: HashMap::new(),
            told: BTreeSet::new(),
            effects: Vec::new(),
            ready: BTreeSet::new(),
            others: HashMap::new(),
        }
    }

    /// Notes the lines of a draft of this run.
    pub fn note_lines(&mut self, work: &Work, rated: &Rated) {
        let account = &work.contract.account;
        let keys = rated.bill.lines.iter().map(|line| line.spec.key.clone());
        self.billed.entry(account.clone()).or_default().extend(keys);
        for line in &rated.bill.lines {
            if let (Some((meter, _)), Some(usage)) = (&line.spec.meter, &line.usage) {
                self.note_rated(account, meter, usage.records, usage.quantity);
                let taken = self.taken.entry(account.clone()).or_default();
                taken.push((work.contract.name.clone(), line.spec.clone()));
            }
        }
        for unpriced in rated.problems.iter().filter_map(|one| one.problem.unpriced.as_ref()) {
            self.told.insert((account.clone(), unpriced.meter.clone()));
        }
    }

    /// Notes the lines of an invoice that was issued before.
    pub fn note_body(&mut self, work: &Work, body: &Value) -> Result<(), EngineError> {
        let bad =
            || EngineError::stored(format!("invoice {}", work.invoice), "a line lacks `meter` or `records`");
        for line in body.get("lines").and_then(Value::as_array).ok_or_else(bad)? {
            if let Some(meter) = line.get("meter").and_then(Value::as_str) {
                let records = line.get("records").and_then(Value::as_u64).ok_or_else(bad)?;
                let quantity = line.get("quantity").and_then(Value::as_str).ok_or_else(bad)?;
                let quantity = Rational::parse(quantity).map_err(|_| bad())?;
                self.note_rated(&work.contract.account, meter, records, quantity);
            }
        }
        Ok(())
    }

    /// Notes which usage the lines of an issued invoice take, as the terms know them.
    pub fn note_issued(&mut self, terms: &Terms, work: &Work, keys: &[LineKey]) {
        let (specs, _) = invoicing::line_specs(terms, &work.contract, &work.period, &BTreeSet::new());
        let taken = self.taken.entry(work.contract.account.clone()).or_default();
        let on_it = specs.into_iter().filter(|spec| spec.meter.is_some() && keys.contains(&spec.key));
        taken.extend(on_it.map(|spec| (work.contract.name.clone(), spec)));
    }

    /// Notes the usage lines of issued invoices that none of the run's contracts makes: a contract that was
    /// ended back in time leaves them behind, and what they hold must not be billed again.
    pub fn note_others(&mut self, work: &[(Work, Cut)], issued: &[StoredInvoice]) -> Result<(), EngineError> {
        let known: BTreeSet<&str> = work.iter().map(|(one, _)| one.invoice.as_str()).collect();
        for invoice in issued.iter().filter(|invoice| !known.contains(invoice.invoice.as_str())) {
            let bad = || EngineError::stored(format!("invoice {}", invoice.invoice), "a line lacks a field");
            for line in invoice.body.get("lines").and_then(Value::as_array).ok_or_else(bad)? {
                let Some(meter) = line.get("meter").and_then(Value::as_str) else { continue };
                let time = |name: &str| {
                    let text = line.get(name).and_then(Value::as_str).ok_or_else(bad)?;
                    Instant::parse_rfc3339(text).map_err(|_| bad())
                };
                let key = line.get("key").and_then(Value::as_str).ok_or_else(bad)?;
                let key: LineKey = key.parse().map_err(|_| bad())?;
                self.others.entry(key.account).or_default().push(Other {
                    invoice: invoice.number.clone().unwrap_or_else(|| invoice.invoice.clone()),
                    meter: meter.to_owned(),
                    start: time("service_start_at")?,
                    end: time("service_end_at")?,
                });
            }
        }
        Ok(())
    }

    fn note_rated(&mut self, account: &str, meter: &str, records: u64, quantity: Rational) {
        let rated = self.rated.entry((account.to_owned(), meter.to_owned())).or_insert((0, Some(Sum::ZERO)));
        rated.0 += records;
        let quantity = Sum::parse(&quantity.to_string()).ok();
        rated.1 = rated.1.zip(quantity).map(|(sum, quantity)| sum.merge(quantity));
    }

    /// The contract of the same account, if any, one of whose lines may take usage that a line here takes too.
    pub fn takes_twice(&self, work: &Work, rated: &Rated) -> Option<String> {
        let left = self.others.get(&work.contract.account).map(Vec::as_slice).unwrap_or(&[]);
        let holds = |other: &&Other, spec: &LineSpec| {
            spec.meter.as_ref().is_some_and(|(meter, _)| *meter == other.meter)
                && spec.service.start < other.end
                && other.start < spec.service.end
        };
        let other = left.iter().find(|other| rated.bill.lines.iter().any(|line| holds(other, &line.spec)));
        if let Some(other) = other {
            return Some(format!("of invoice {}", other.invoice));
        }
        let taken = self.taken.get(&work.contract.account)?;
        let meets = |a: &LineSpec, b: &LineSpec| {
            let same_meter = a.meter.as_ref().map(|m| &m.0) == b.meter.as_ref().map(|m| &m.0);
            let same_time = a.service.start < b.service.end && b.service.start < a.service.end;
            a.meter.is_some()
                && same_meter
                && same_time
                && invoicing::overlap(&a.item.charging, &b.item.charging)
        };
        taken
            .iter()
            .filter(|(contract, _)| *contract != work.contract.name)
            .find(|(_, spec)| rated.bill.lines.iter().any(|line| meets(&line.spec, spec)))
            .map(|(contract, _)| contract.clone())
    }
}

impl Engine {
    /// Reports usage of sold meters that no line holds: what is used = what is rated + what is unpriced.
    ///
    /// An account without a contract is looked at over the whole run; one with contracts over their periods,
    /// and before the first or after the last of them where its contracts begin or end there.
    pub(super) fn report_unpriced(
        &self,
        work: &[(Work, Cut)],
        run: &Run,
        report: &mut RunReport,
    ) -> Result<(), EngineError> {
        let (Some(start), Some(end)) =
            (work.iter().map(|(w, _)| w.period.start).min(), work.iter().map(|(w, _)| w.period.end).max())
        else {
            return Ok(());
        };
        // What came behind the first of several seals is late for some: it is not said to lack a price.
        let as_of = work.iter().map(|(_, cut)| cut.position).min().unwrap_or(0);
        let windows = windows(work, start, end);
        let undecided = self.undecided(work);
        for meter in &run.sold {
            let query = UsageQuery { meter, account: None, only: &[], start, end, as_of };
            let groups = match self.usage_by(&query, &[GroupBy::Account]) {
                Ok(groups) => groups,
                // Such as of a meter that aggregates otherwise from some day on: the others are looked at all the same.
                Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::NotFound) => {
                    report.problems.push(unknown(meter, error.message));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (group, everything) in groups {
                let Some(Some(account)) = group.into_iter().next() else { continue };
                if undecided.contains(&account) {
                    continue;
                }
                let used = match windows.get(account.as_str()) {
                    None => everything,
                    Some(window) if (window.start, window.end) == (start, end) => everything,
                    Some(window) => self.usage(&UsageQuery {
                        account: Some(&account),
                        start: window.start,
                        end: window.end,
                        ..query.clone()
                    })?,
                };
                if let Some(problem) = unpriced(run, &windows, &account, meter, used) {
                    report.problems.push(problem);
                }
            }
        }
        Ok(())
    }
}

impl Engine {
    /// Accounts whose contracts do not all have one and the same period in this run: what of their usage is
    /// left to a later run cannot be told yet.
    fn undecided(&self, work: &[(Work, Cut)]) -> BTreeSet<String> {
        let mut periods: HashMap<&str, BTreeSet<(Instant, Instant)>> = HashMap::new();
        let mut contracts: BTreeSet<&str> = BTreeSet::new();
        for (one, _) in work {
            contracts.insert(&one.contract.name);
            let mine = periods.entry(&one.contract.account).or_default();
            mine.insert((one.period.start, one.period.end));
        }
        let elsewhere = self.terms.terms.contracts.all().filter(|c| !contracts.contains(c.name.as_str()));
        let several = periods.iter().filter(|(_, periods)| periods.len() > 1).map(|(account, _)| *account);
        several.map(str::to_owned).chain(elsewhere.map(|contract| contract.account.clone())).collect()
    }
}

/// What is unpriced of a meter cannot be told.
fn unknown(meter: &str, why: String) -> Unbilled {
    let message = format!("whether all usage of {meter} has a price: {why}");
    let problem = BillingProblem {
        code: BillingCode::RatingFailed,
        contract: "-".to_owned(),
        item: None,
        message,
        unpriced: None,
    };
    Unbilled { problem, unpriced: None }
}

struct Window<'a> {
    start: Instant,
    end: Instant,
    contract: &'a str,
}

/// The time over which each account's usage must stand on the run's lines.
fn windows(work: &[(Work, Cut)], start: Instant, end: Instant) -> BTreeMap<&str, Window<'_>> {
    let mut windows: BTreeMap<&str, Window<'_>> = BTreeMap::new();
    for (one, _) in work {
        let begins = one.period.first == one.contract.start;
        let ends = one.contract.end == Some(one.period.next);
        let mine = Window {
            start: if begins { start } else { one.period.start },
            end: if ends { end } else { one.period.end },
            contract: &one.contract.name,
        };
        windows
            .entry(&one.contract.account)
            .and_modify(|window| {
                window.start = window.start.min(mine.start);
                window.end = window.end.max(mine.end);
            })
            .or_insert(mine);
    }
    windows
}

fn unpriced(
    run: &Run,
    windows: &BTreeMap<&str, Window<'_>>,
    account: &str,
    meter: &str,
    used: Totals,
) -> Option<Unbilled> {
    let key = (account.to_owned(), meter.to_owned());
    let (records, quantity) = run.rated.get(&key).copied().unwrap_or((0, Some(Sum::ZERO)));
    // A level may be worth something without an event in the window: it must stand on some line.
    let is_carried =
        used.measured != Measured::Quantity && used.value().is_some_and(|value| !value.is_zero());
    let is_left = used.records > records || (is_carried && !run.rated.contains_key(&key));
    if run.told.contains(&key) || !is_left {
        return None;
    }
    let mut left = used;
    match (left.measured, quantity) {
        // Of a meter that does not add up nothing can be taken off: all of its usage is shown.
        (Measured::Value(_), _) => {}
        (Measured::Quantity, Some(quantity)) => left.take(records, quantity),
        (Measured::Quantity, None) => return Some(unknown(meter, "a line of it bills no sum".to_owned())),
    }
    let (contract, message) = match windows.get(account) {
        Some(window) => {
            (window.contract.to_owned(), format!("no item prices some usage of {meter} by `{account}`"))
        }
        None => ("-".to_owned(), format!("no contract covers usage of {meter} by `{account}`")),
    };
    let problem =
        BillingProblem { code: BillingCode::UsageUnpriced, contract, item: None, message, unpriced: None };
    Some(Unbilled { problem, unpriced: Some(left) })
}
