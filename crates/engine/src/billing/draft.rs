//! Drafts: rated as of the seal, under what is known now.

use std::collections::BTreeSet;

use invoicing::{BillingCode, EnvelopeFacts, Line, LineKey};
use metering::tz_database_version;
use serde_json::{Value, json};
use store::tables::{InvoiceFilter, InvoiceStatus, StoredInvoice};
use store::{Class, Cut, Effect, RowDraft};

use super::run::Run;
use super::{PeriodName, Rated, RunReport, Unbilled, Work, line_keys, sold_meters};
use crate::engine::{Caller, Engine};
use crate::error::{EngineError, ErrorKind};

/// Drafts that one journal row carries.
const DRAFTS_A_ROW: usize = 64;

impl Engine {
    /// Drafts what has no invoice yet, and makes drafts of an earlier run anew where terms that are known now
    /// change them; usage stays that of the seal. Answers the drafts that may be issued.
    pub(super) fn draft(
        &mut self,
        caller: &Caller,
        work: &[(Work, Cut)],
        report: &mut RunReport,
    ) -> Result<BTreeSet<String>, EngineError> {
        let mut run = Run::new(sold_meters(&self.terms.terms));
        run.note_others(
            work,
            &self.tables.invoices(&InvoiceFilter {
                period: Some(report.period.to_string()),
                status: Some(InvoiceStatus::Issued),
                ..InvoiceFilter::default()
            })?,
        )?;
        for (one, cut) in work {
            report.cut = cut.clone();
            let stored = self.tables.invoice(&one.invoice)?;
            if let Some(issued) = stored.as_ref().filter(|stored| stored.status == InvoiceStatus::Issued) {
                report.present += 1;
                run.note_body(one, &issued.body)?;
                run.note_issued(&self.terms.terms, one, &line_keys(issued)?);
                continue;
            }
            let Some(rated) = self.rate_or_hold(one, cut, stored.as_ref(), &mut run, report)? else {
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
            run.ready.insert(one.invoice.clone());
        }
        self.flush_drafts(caller, report.period, &mut run, 1)?;
        self.report_unpriced(work, &run, report)?;
        Ok(run.ready)
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
        if let Some(other) = payer_before(&billed, &rated) {
            let message = format!("{other} stands on an invoice already, under another payer");
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
}

/// A billed key of the same contract, item and service period as a line here, with another payer.
fn payer_before(billed: &BTreeSet<LineKey>, rated: &Rated) -> Option<LineKey> {
    let same = |a: &LineKey, b: &LineKey| {
        (&a.account, &a.contract, &a.item, a.service_start, &a.group)
            == (&b.account, &b.contract, &b.item, b.service_start, &b.group)
    };
    rated
        .bill
        .lines
        .iter()
        .find_map(|line| {
            billed.iter().find(|key| same(key, &line.spec.key) && key.payer != line.spec.key.payer)
        })
        .cloned()
}
