//! Which billing periods a contract has.

use metering::{Period, billing_periods};

use crate::terms::{Contract, Terms};

/// The periods of a contract whose first day lies in a month, in order.
///
/// Periods are those of the contract's version that holds at their start; a version whose periods begin
/// while another one holds has none there. A contract that `terms` does not know is taken as given.
pub fn billing_period_list(contract: &Contract, terms: &Terms, month: (i16, i8)) -> Vec<Period> {
    let versions = match terms.contracts.versions(&contract.name) {
        [] => std::slice::from_ref(contract),
        known => known,
    };
    let mut periods: Vec<Period> = versions
        .iter()
        .flat_map(|version| periods_in_month(version, month).filter(|p| holds(terms, version, p)))
        .collect();
    periods.sort_by_key(|period| (period.first, period.next));
    periods.dedup_by_key(|period| period.first);
    periods
}

/// Every period of a contract that starts at `last` or before it.
pub(crate) fn periods_through(contract: &Contract, last: metering::Instant) -> impl Iterator<Item = Period> {
    billing_periods(contract.anchor, &contract.zone, contract.start, contract.end)
        .take_while(move |period| period.start <= last)
}

fn periods_in_month(contract: &Contract, month: (i16, i8)) -> impl Iterator<Item = Period> {
    let month_of = |period: &Period| (period.first.year(), period.first.month());
    billing_periods(contract.anchor, &contract.zone, contract.start, contract.end)
        .skip_while(move |period| month_of(period) < month)
        .take_while(move |period| month_of(period) == month)
}

/// Whether `version` is the one in force when `period` starts.
fn holds(terms: &Terms, version: &Contract, period: &Period) -> bool {
    terms.contracts.pick(&version.name, period.start).is_none_or(|held| held.version == version.version)
}
