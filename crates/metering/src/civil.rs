//! A day of the calendar, in no zone.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use thiserror::Error;

use crate::excerpt::excerpt;

/// A day of the Gregorian calendar: what a term says, before a zone makes it a moment.
///
/// Every day that some moment of the time line has in some zone: 1677-09-20 to 2262-04-12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate(Date);

/// Why a text or a step gives no day.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DateError {
    /// Not written as a date.
    #[error("expected a date like 2026-08-01, found `{text}`")]
    Syntax {
        /// The text, cut after 64 characters.
        text: String,
    },
    /// Such as 30 February.
    #[error("expected a day that the calendar has, found `{text}`")]
    NoSuchDay {
        /// The text.
        text: String,
    },
    /// Before the first or after the last day of the time line.
    #[error("expected a date from 1677-09-20 to 2262-04-12, found `{text}`")]
    OutOfRange {
        /// The text, or the day and the step.
        text: String,
    },
}

impl CivilDate {
    /// The first day of the time line.
    pub const MIN: Self = Self(date(1677, 9, 20));
    /// The last day of the time line.
    pub const MAX: Self = Self(date(2262, 4, 12));

    /// Reads `YYYY-MM-DD`, ten characters and nothing else.
    ///
    /// **Errors**: [`DateError`].
    ///
    /// **Examples**
    /// ```
    /// use metering::CivilDate;
    /// assert_eq!(CivilDate::parse("2024-02-29")?.next_day()?.to_string(), "2024-03-01");
    /// assert!(CivilDate::parse("2023-02-29").is_err());
    /// # Ok::<(), metering::DateError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let is_date = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i16>().ok());
        let (true, Some(year), Some(month), Some(day)) = (is_date, number(0..4), number(5..7), number(8..10))
        else {
            return Err(DateError::Syntax { text: excerpt(text) });
        };
        let no_such_day = || DateError::NoSuchDay { text: text.to_owned() };
        let month = i8::try_from(month).map_err(|_| no_such_day())?;
        let day = i8::try_from(day).map_err(|_| no_such_day())?;
        let found = Date::new(year, month, day).map_err(|_| no_such_day())?;
        Self::checked(found).ok_or_else(|| DateError::OutOfRange { text: text.to_owned() })
    }

    /// The day of a year, month (from 1) and day of the month (from 1).
    ///
    /// **Errors**: [`DateError::NoSuchDay`], [`DateError::OutOfRange`].
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Result<Self, DateError> {
        let text = || format!("{year:04}-{month:02}-{day:02}");
        let found = Date::new(year, month, day).map_err(|_| DateError::NoSuchDay { text: text() })?;
        Self::checked(found).ok_or_else(|| DateError::OutOfRange { text: text() })
    }

    /// The year, four digits.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The month, from 1.
    pub fn month(self) -> i8 {
        self.0.month()
    }

    /// The day of the month, from 1.
    pub fn day(self) -> i8 {
        self.0.day()
    }

    /// The day after; [`crate::Zone::day_end`] is the moment at which it starts.
    ///
    /// **Errors**: [`DateError::OutOfRange`] after [`CivilDate::MAX`].
    pub fn next_day(self) -> Result<Self, DateError> {
        self.plus_days(1)
    }

    /// The day so many days later, or earlier where `days` is negative.
    ///
    /// **Errors**: [`DateError::OutOfRange`].
    pub fn plus_days(self, days: i64) -> Result<Self, DateError> {
        let out_of_range = || DateError::OutOfRange { text: format!("{self} + {days} days") };
        // The whole time line has fewer days than this; the span itself must not overflow.
        if days.unsigned_abs() > 1_000_000 {
            return Err(out_of_range());
        }
        let found = self.0.checked_add(days.days()).map_err(|_| out_of_range())?;
        Self::checked(found).ok_or_else(out_of_range)
    }

    /// The anchor day of the month that lies so many months later, or earlier where `months` is negative; in
    /// a shorter month its last day.
    ///
    /// Counted from this day's month, never chained: a clamped February does not move March.
    ///
    /// **Errors**: [`DateError::OutOfRange`].
    ///
    /// # Panics
    /// Where `anchor_day` is not from 1 to 31; see [`crate::check_anchor`].
    ///
    /// **Examples**
    /// ```
    /// use metering::CivilDate;
    /// let start = CivilDate::parse("2026-01-31")?;
    /// assert_eq!(start.plus_months(1, 31)?.to_string(), "2026-02-28");
    /// assert_eq!(start.plus_months(2, 31)?.to_string(), "2026-03-31");
    /// # Ok::<(), metering::DateError>(())
    /// ```
    pub fn plus_months(self, months: i32, anchor_day: u8) -> Result<Self, DateError> {
        crate::period::assert_anchor(anchor_day);
        let out_of_range = || DateError::OutOfRange { text: format!("{self} + {months} months") };
        let index = i32::from(self.year()) * 12 + i32::from(self.month()) - 1;
        let index = index.checked_add(months).ok_or_else(out_of_range)?;
        let year = i16::try_from(index.div_euclid(12)).map_err(|_| out_of_range())?;
        let month = i8::try_from(index.rem_euclid(12) + 1).map_err(|_| out_of_range())?;
        let first = Date::new(year, month, 1).map_err(|_| out_of_range())?;
        let anchor = i8::try_from(anchor_day).map_err(|_| out_of_range())?;
        let found = Date::new(year, month, anchor.min(first.days_in_month())).map_err(|_| out_of_range())?;
        Self::checked(found).ok_or_else(out_of_range)
    }

    /// How many days later `other` is; negative where it is earlier.
    pub fn days_until(self, other: Self) -> i64 {
        other.0.duration_since(self.0).as_hours() / 24
    }

    /// Seconds from 1970-01-01 to this day, both at midnight of a clock without offset.
    pub(crate) fn naive_seconds(self) -> i64 {
        self.0.duration_since(date(1970, 1, 1)).as_secs()
    }

    /// Midnight on this day's wall clock.
    pub(crate) fn midnight(self) -> jiff::civil::DateTime {
        self.0.at(0, 0, 0, 0)
    }

    /// The day, where the time line has it.
    pub(crate) fn checked(found: Date) -> Option<Self> {
        let found = Self(found);
        (Self::MIN <= found && found <= Self::MAX).then_some(found)
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for CivilDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl FromStr for CivilDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        Self::parse(text)
    }
}
