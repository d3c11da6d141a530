//! From an invoice line down to its events.

use std::collections::BTreeSet;

use invoicing::terms::Terms;
use invoicing::{CellFact, ExplainFacts, LineKey, LineSpec, LineTerm};
use metering::{Aggregation, Zone};
use money::Rational;
use serde_json::Value;
use store::tables::StoredInvoice;

use crate::billing::{PeriodName, Rated, Work, line_keys};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::terms::TermSet;
use crate::usage::{GroupBy, UsageQuery};

impl Engine {
    /// The explanation of a line of an invoice: evaluated, it gives the line's exact amount.
    ///
    /// Terms are read as known at the invoice's K and usage as of its cut, so that the answer is the one
    /// that was billed, whatever was learned since.
    ///
    /// **Errors**: `no_such_invoice`, `no_such_line`.
    pub fn explain(&self, invoice: &str, line: u32) -> Result<Value, EngineError> {
        let stored = self.stored_invoice(invoice)?;
        let known_at = known_at(&stored)?;
        let terms = TermSet::load(&self.tables, known_at)?.terms;
        let as_of = as_of(&stored)?;
        let (work, rated) = self.rated_again(&stored, &terms, as_of)?;
        let index = rated.bill.lines.iter().position(|one| one.number == line).ok_or_else(|| {
            EngineError::not_found(
                "no_such_line",
                format!("invoice `{invoice}` has no line `{line}`"),
                format!("it has lines 1 to {}", rated.bill.lines.len()),
            )
        })?;
        let line = &rated.bill.lines[index];
        let spec = &line.spec;
        let (mut cells, mut events, mut aggregate) = (Vec::new(), None, None);
        if let Some((meter, _)) = &spec.meter {
            let query = line_query(spec, meter, as_of);
            let of = terms.meters.pick(meter, spec.service.start).map(|meter| &meter.aggregation);
            aggregate = of.filter(|of| !of.adds_up()).map(Aggregation::word);
            cells = self.cells_by_day(&terms, &query, &work.contract.zone)?;
            events = Some(events_command(&query, known_at));
        }
        let facts = ExplainFacts {
            invoice: stored.number.clone().unwrap_or_else(|| stored.invoice.clone()),
            position: as_of,
            known_at,
            aggregate,
            cells,
            events,
        };
        Ok(invoicing::explain(&rated.bill, line, &facts))
    }

    /// The stored invoice of a number or an id.
    ///
    /// **Errors**: `no_such_invoice`.
    pub fn stored_invoice(&self, invoice: &str) -> Result<StoredInvoice, EngineError> {
        self.tables.invoice(invoice)?.ok_or_else(|| {
            EngineError::not_found(
                "no_such_invoice",
                format!("no invoice has the number or id `{invoice}`"),
                "list them with `counterfoil invoice list`",
            )
        })
    }

    /// Rates an invoice once more from what it pinned: the lines of its body, nothing else.
    pub(crate) fn rated_again(
        &self,
        stored: &StoredInvoice,
        terms: &Terms,
        as_of: u64,
    ) -> Result<(Work, Rated), EngineError> {
        let work = self.work_of(terms, stored)?;
        let on_it: Vec<LineKey> = line_keys(stored)?;
        let (all, _) = invoicing::line_specs(terms, &work.contract, &work.period, &BTreeSet::new());
        let elsewhere = all.into_iter().map(|spec| spec.key).filter(|key| !on_it.contains(key)).collect();
        let rated = self.rate(terms, &work, &elsewhere, as_of)?;
        Ok((work, rated))
    }

    /// The body of an invoice, computed again from what it pinned.
    ///
    /// **Errors**: what it pinned cannot be read.
    pub fn recompute(&self, stored: &StoredInvoice) -> Result<Value, EngineError> {
        self.recompute_under(&TermSet::load(&self.tables, known_at(stored)?)?.terms, stored)
    }

    /// The same under terms that the caller has read at the invoice's K.
    pub(crate) fn recompute_under(
        &self,
        terms: &Terms,
        stored: &StoredInvoice,
    ) -> Result<Value, EngineError> {
        let (work, rated) = self.rated_again(stored, terms, as_of(stored)?)?;
        let seller = terms.sellers.pick(&work.contract.seller, work.period.start).ok_or_else(|| {
            EngineError::stored(format!("invoice {}", stored.invoice), "its seller is not known at K")
        })?;
        Ok(invoicing::body(&rated.bill, seller, stored.number.as_deref()))
    }

    /// The contract and period of an invoice, under the terms it was rated with.
    fn work_of(&self, terms: &Terms, stored: &StoredInvoice) -> Result<Work, EngineError> {
        let name: PeriodName = stored.period.parse()?;
        let contract = stored.body["contract"].as_str();
        contract
            .into_iter()
            .flat_map(|contract| crate::billing::contract_work(terms, contract, name))
            .find(|work| work.invoice == stored.invoice)
            .ok_or_else(|| {
                EngineError::stored(format!("invoice {}", stored.invoice), "its contract is not known at K")
            })
    }

    fn cells_by_day(
        &self,
        terms: &Terms,
        query: &UsageQuery<'_>,
        zone: &Zone,
    ) -> Result<Vec<CellFact>, EngineError> {
        let days = self.groups_under(terms, query, &[GroupBy::Day(zone.clone())])?;
        let mut cells = Vec::new();
        for (group, totals) in days {
            let Some(Some(day)) = group.into_iter().next() else { continue };
            let date = metering::CivilDate::parse(&day)
                .map_err(|error| EngineError::stored(format!("day {day}"), error))?;
            cells.push(CellFact {
                start: zone.day_start(date).max(query.start),
                end: zone.day_end(date).min(query.end),
                records: totals.records,
                quantity: totals.value().unwrap_or(Rational::ZERO),
                digest: totals.digest,
            });
        }
        Ok(cells)
    }
}

/// What a usage line reads.
pub(crate) fn line_query<'a>(spec: &'a LineSpec, meter: &'a str, as_of: u64) -> UsageQuery<'a> {
    let only: &[(String, Vec<String>)] = match &spec.term {
        LineTerm::Usage { only, .. } => only,
        LineTerm::Fee { .. } => &[],
    };
    UsageQuery {
        meter,
        account: Some(&spec.key.account),
        only,
        start: spec.service.start,
        end: spec.service.end,
        as_of,
    }
}

/// The command that lists the events of a query, quoted for a shell where needed.
fn events_command(query: &UsageQuery<'_>, known_at: u64) -> String {
    let mut words: Vec<String> = ["counterfoil", "usage", "--events", "--meter"].map(str::to_owned).to_vec();
    words.push(quoted(query.meter));
    if let Some(account) = query.account {
        words.extend(["--account".to_owned(), quoted(account)]);
    }
    for (flag, value) in [
        ("--from", query.start.to_string()),
        ("--to", query.end.to_string()),
        ("--as-of", query.as_of.to_string()),
        ("--known-at", known_at.to_string()),
    ] {
        words.extend([flag.to_owned(), value]);
    }
    for (dimension, values) in query.only {
        for value in values {
            words.extend(["--only".to_owned(), quoted(&format!("{dimension}={value}"))]);
        }
    }
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The journal position whose terms an invoice was rated with.
pub(crate) fn known_at(stored: &StoredInvoice) -> Result<u64, EngineError> {
    number(stored, "known_at")
}

/// The log position below which an invoice read usage.
pub(crate) fn as_of(stored: &StoredInvoice) -> Result<u64, EngineError> {
    stored
        .envelope
        .get("cut")
        .and_then(|cut| cut.get("position"))
        .and_then(Value::as_u64)
        .ok_or_else(|| EngineError::stored(format!("envelope of {}", stored.invoice), "it names no cut"))
}

fn number(stored: &StoredInvoice, field: &str) -> Result<u64, EngineError> {
    stored.envelope.get(field).and_then(Value::as_u64).ok_or_else(|| {
        EngineError::stored(format!("envelope of {}", stored.invoice), format!("it has no `{field}`"))
    })
}
