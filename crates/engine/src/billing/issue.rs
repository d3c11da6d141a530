//! Issue: a number, the entries, one journal row an invoice; nothing of it ever changes again.

use std::collections::BTreeSet;

use invoicing::IssueFacts;
use serde_json::json;
use store::tables::{InvoiceFilter, InvoiceStatus};
use store::{Class, Effect, RowDraft};

use super::{PeriodName, RunReport};
use crate::engine::{Caller, Engine};
use crate::error::EngineError;

impl Engine {
    /// Issues the drafts that this run made or looked at again, in account order: one row each, with its
    /// transaction. A draft that the terms known now do not make stays a draft.
    pub(super) fn issue(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        ready: &BTreeSet<String>,
        report: &mut RunReport,
    ) -> Result<(), EngineError> {
        let filter = InvoiceFilter {
            period: Some(name.to_string()),
            status: Some(InvoiceStatus::Draft),
            ..InvoiceFilter::default()
        };
        let mut drafts = self.tables.invoices(&filter)?;
        drafts.sort_by(|a, b| (&a.account, &a.invoice).cmp(&(&b.account, &b.invoice)));
        for draft in drafts.into_iter().filter(|draft| ready.contains(&draft.invoice)) {
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
