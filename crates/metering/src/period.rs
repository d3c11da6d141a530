//! Billing periods: months of a calendar, cut where the contract says.

use thiserror::Error;

use crate::civil::{CivilDate, DateError};
use crate::instant::Instant;
use crate::zone::Zone;

/// A half-open stretch of days, and of time in the zone it was made in: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// The first day.
    pub first: CivilDate,
    /// The first day after it.
    pub next: CivilDate,
    /// When it starts; a moment of this period.
    pub start: Instant,
    /// When it ends; the first moment of the next period.
    pub end: Instant,
}

/// A day of the month that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a billing anchor from 1 to 31, found `{anchor_day}`")]
pub struct AnchorError {
    /// The day.
    pub anchor_day: u8,
}

/// Checks a billing anchor.
///
/// **Errors**: [`AnchorError`] unless it is from 1 to 31.
pub fn check_anchor(anchor_day: u8) -> Result<(), AnchorError> {
    if (1..=31).contains(&anchor_day) { Ok(()) } else { Err(AnchorError { anchor_day }) }
}

/// Stops on an anchor that [`check_anchor`] refuses: terms are checked before they come here.
pub(crate) fn assert_anchor(anchor_day: u8) {
    assert!(check_anchor(anchor_day).is_ok(), "expected a billing anchor from 1 to 31, found `{anchor_day}`");
}

impl Period {
    /// The period of two days in a zone.
    pub fn between(zone: &Zone, first: CivilDate, next: CivilDate) -> Self {
        Self { first, next, start: zone.day_start(first), end: zone.day_start(next) }
    }

    /// Whether a moment lies in it: the start does, the end does not.
    pub fn contains(&self, instant: Instant) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Days of the calendar from the first to the last; [`Zone::count_days`] leaves skipped ones out.
    pub fn days(&self) -> i64 {
        self.first.days_until(self.next)
    }
}

/// The billing periods of a contract, in order; see [`billing_periods`].
#[derive(Clone, Debug)]
pub struct BillingPeriods {
    anchor_day: u8,
    zone: Zone,
    /// The first day of the next period; none after the last.
    first: Option<CivilDate>,
    end: Option<CivilDate>,
}

/// The monthly billing periods from `start` to `end` (a day that is no longer in it), or to the end of the
/// calendar.
///
/// Periods meet on the anchor day of each month, on the month's last day where it is shorter, and on the
/// anchor again afterwards. The first is shorter where `start` is not on the anchor, the last where `end` is
/// not. A period whose days a zone skipped has no time: it joins the next and is not listed.
///
/// # Panics
/// Where `anchor_day` is not from 1 to 31; see [`check_anchor`].
///
/// **Examples**
/// ```
/// use metering::{CivilDate, Zone, billing_periods};
/// let start = CivilDate::parse("2026-01-31")?;
/// let days = billing_periods(31, &Zone::utc(), start, None).take(3);
/// let days: Vec<String> = days.map(|period| period.next.to_string()).collect();
/// assert_eq!(days, ["2026-02-28", "2026-03-31", "2026-04-30"]);
/// # Ok::<(), metering::DateError>(())
/// ```
pub fn billing_periods(
    anchor_day: u8,
    zone: &Zone,
    start: CivilDate,
    end: Option<CivilDate>,
) -> BillingPeriods {
    assert_anchor(anchor_day);
    BillingPeriods { anchor_day, zone: zone.clone(), first: Some(start), end }
}

impl Iterator for BillingPeriods {
    type Item = Period;

    fn next(&mut self) -> Option<Period> {
        loop {
            let first = self.first.take()?;
            if self.end.is_some_and(|end| first >= end) {
                return None;
            }
            let boundary = boundary_after(first, self.anchor_day).ok();
            let next = boundary.into_iter().chain(self.end).min()?;
            self.first = Some(next);
            let period = Period::between(&self.zone, first, next);
            if period.start < period.end {
                return Some(period);
            }
        }
    }
}

/// The whole period of the anchor's grid that a day lies in: its first day, and the first day after it.
///
/// **Errors**: [`DateError::OutOfRange`] at either end of the calendar.
///
/// # Panics
/// Where `anchor_day` is not from 1 to 31; see [`check_anchor`].
pub fn grid_period(anchor_day: u8, containing: CivilDate) -> Result<(CivilDate, CivilDate), DateError> {
    let this_month = containing.plus_months(0, anchor_day)?;
    let first = if this_month <= containing { this_month } else { containing.plus_months(-1, anchor_day)? };
    Ok((first, boundary_after(containing, anchor_day)?))
}

/// Days of the whole grid period that a day lies in: what a fee of a part is measured by.
///
/// # Panics
/// Where `anchor_day` is not from 1 to 31, and for the first and the last month of the calendar (1677 and
/// 2262), which are not whole.
pub fn whole_period_days(anchor_day: u8, containing: CivilDate) -> i64 {
    match grid_period(anchor_day, containing) {
        Ok((first, next)) => first.days_until(next),
        Err(error) => panic!("expected a day in a whole month of the calendar: {error}"),
    }
}

/// The first boundary of the grid after a day.
fn boundary_after(date: CivilDate, anchor_day: u8) -> Result<CivilDate, DateError> {
    let this_month = date.plus_months(0, anchor_day);
    match this_month {
        Ok(boundary) if boundary > date => Ok(boundary),
        _ => date.plus_months(1, anchor_day),
    }
}
