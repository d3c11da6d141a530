//! Late: said of an accepted record and a sealed period, and derived from positions alone.

use std::collections::BTreeMap;

use metering::{Instant, Period};

use crate::billing::PeriodName;
use crate::cells::{Stretch, Totals};
use crate::engine::Engine;
use crate::error::EngineError;

/// Usage that arrived behind a seal, by event type: counted, not yet billed.
#[derive(Clone, Debug)]
pub struct Late {
    /// The sealed period.
    pub period: String,
    /// By account and event type.
    pub by_account: BTreeMap<(String, String), Totals>,
    /// All of it.
    pub records: u64,
}

impl Engine {
    /// What every sealed period received behind its seal.
    ///
    /// A record is late for a period when its account's contract has a billing period that the seal covers
    /// and that contains `occurred_at`, and its position is not below the seal's cut.
    ///
    /// **Errors**: a log that cannot be read.
    pub fn late(&self) -> Result<Vec<Late>, EngineError> {
        let mut all = Vec::new();
        for seal in self.tables.seals()? {
            let name: PeriodName = seal.period.parse()?;
            let mut periods: BTreeMap<String, Vec<Period>> = BTreeMap::new();
            for work in self.work(name) {
                if work.contract.seller == seal.seller && work.period.end <= seal.end {
                    periods.entry(work.contract.account.clone()).or_default().push(work.period);
                }
            }
            let mut late = Late { period: seal.period.clone(), by_account: BTreeMap::new(), records: 0 };
            let behind = Stretch { from: seal.cut.position, to: self.end() };
            self.read(behind, &mut |_, _, event| {
                let of_account = periods.get(&event.account);
                if of_account.is_some_and(|periods| contains(periods, event.occurred_at)) {
                    let key = (event.account.clone(), event.event_type.clone());
                    let totals = late.by_account.entry(key).or_insert(Totals::ZERO);
                    totals.records += 1;
                    totals.quantity = totals.quantity.merge(metering::base_units(event));
                    totals.digest = totals.digest.add(self.digest(event));
                    late.records += 1;
                }
            })?;
            all.push(late);
        }
        Ok(all)
    }
}

fn contains(periods: &[Period], at: Instant) -> bool {
    periods.iter().any(|period| period.contains(at))
}
