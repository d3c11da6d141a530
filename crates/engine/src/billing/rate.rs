//! Rating of one invoice: pure in terms, usage as of a cut, and the keys that were billed before.

use std::collections::BTreeSet;

use invoicing::terms::Terms;
use invoicing::{BillingProblem, LineKey, LineSpec, Usage};
use money::Rational;

use super::{Rated, Unbilled, Work};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::explain::line_query;
use crate::usage::UsageQuery;

impl Engine {
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
            // Where no event has a value there is nothing to bill.
            quantity: totals.value().unwrap_or(Rational::ZERO),
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

    pub(super) fn billed(&self, account: &str) -> Result<BTreeSet<LineKey>, EngineError> {
        let mut keys = BTreeSet::new();
        for text in self.tables.billed_line_keys(account)? {
            keys.insert(text.parse::<LineKey>().map_err(|error| EngineError::stored("a line key", error))?);
        }
        Ok(keys)
    }
}
