//! Late: said of an accepted record and a sealed period, and derived from positions alone.

use std::collections::{BTreeMap, HashMap};

use metering::{Instant, Period};

use crate::billing::PeriodName;
use crate::cells::{Stretch, Totals};
use crate::engine::Engine;
use crate::error::EngineError;

/// Usage that arrived behind a seal: counted, not yet billed.
#[derive(Clone, Debug)]
pub struct Late {
    /// The sealed period's name.
    pub period: String,
    /// By account and event type.
    pub by_account: BTreeMap<(String, String), Totals>,
    /// All of it.
    pub records: u64,
}

/// A sealed billing period of an account, and what it received behind its seal.
struct Sealed {
    period: Period,
    /// Records from this position on are late for it.
    cut: u64,
    /// Its place in the answer.
    name: usize,
}

impl Engine {
    /// What every sealed period received behind its seal, in one pass over the log behind the first of them.
    ///
    /// A record is late for a period when its account's contract has a billing period that a seal covers and
    /// that contains `occurred_at`, and its position is not below the seal's cut.
    ///
    /// **Errors**: a log that cannot be read.
    pub fn late(&self) -> Result<Vec<Late>, EngineError> {
        self.check_not_failed()?;
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut sealed: HashMap<String, Vec<Sealed>> = HashMap::new();
        let mut first = self.end();
        for seal in self.tables.seals()? {
            first = first.min(seal.cut.position);
            // Periods that end together may begin in different months: a stub beside a whole one.
            for period in seal.period.parse::<PeriodName>()?.around() {
                for work in self.work(period) {
                    if work.contract.seller == seal.seller && work.period.end == seal.end {
                        let count = names.len();
                        let name = *names.entry(period.to_string()).or_insert(count);
                        let one = Sealed { period: work.period, cut: seal.cut.position, name };
                        sealed.entry(work.contract.account).or_default().push(one);
                    }
                }
            }
        }
        let mut late: Vec<Late> =
            vec![Late { period: String::new(), by_account: BTreeMap::new(), records: 0 }; names.len()];
        for (period, place) in names {
            late[place].period = period;
        }
        self.read(Stretch { from: first, to: self.end() }, &mut |block, index, event| {
            let position = block.position + u64::from(index);
            let Some(periods) = sealed.get(event.account) else { return };
            for one in periods.iter().filter(|one| is_late(one, position, event.occurred_at)) {
                let key = (event.account.to_owned(), event.event_type.to_owned());
                let totals = late[one.name].by_account.entry(key).or_insert(Totals::ZERO);
                totals.records += 1;
                totals.quantity = totals.quantity.merge(metering::base_units(event));
                totals.digest = totals.digest.add(self.digest(event));
                late[one.name].records += 1;
            }
        })?;
        Ok(late)
    }
}

fn is_late(sealed: &Sealed, position: u64, occurred_at: Instant) -> bool {
    position >= sealed.cut && sealed.period.contains(occurred_at)
}
