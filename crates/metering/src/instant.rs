//! A moment on the time line.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use thiserror::Error;

use crate::cell::CELL_NS;
use crate::excerpt::excerpt;

/// A moment, without a zone.
///
/// **Units**: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// The time line is `[`[`Instant::MIN`]`, `[`Instant::MAX`]`)`: the whole cells that 64 bits hold. Nothing reads a
/// moment outside it; a number outside it may only bound a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// Why a text is no moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Not written as expected.
    #[error("expected a time like {expected}, found `{text}`")]
    Syntax {
        /// An example of what was expected.
        expected: String,
        /// The text, cut after 64 characters.
        text: String,
    },
    /// A date and time, but at which offset?
    #[error("expected an offset such as Z or +02:00 at the end of the time, found `{text}`")]
    MissingOffset {
        /// The text.
        text: String,
    },
    /// A field beyond its range, such as 30 February.
    #[error("expected a time that the calendar has, found `{text}`")]
    NoSuchTime {
        /// The text.
        text: String,
    },
    /// Second 60: no leap second has a place on this time line.
    #[error("expected a second from 00 to 59 (leap seconds are not counted), found `{text}`")]
    LeapSecond {
        /// The text.
        text: String,
    },
    /// More digits than are kept; cutting them would make two times one.
    #[error("expected at most {digits_max} digits of a second, found `{text}`")]
    TooPrecise {
        /// The limit.
        digits_max: u32,
        /// The text, cut after 64 characters.
        text: String,
    },
    /// Not on the time line.
    #[error("expected a time from 1677-09-21T00:15:00Z and before 2262-04-11T23:45:00Z, found `{text}`")]
    OutOfRange {
        /// The text.
        text: String,
    },
    /// A wall-clock time in the hour that a zone's clocks jump over.
    #[error("expected a time that the clocks of {zone} show, found `{text}`")]
    Skipped {
        /// The zone.
        zone: String,
        /// The text.
        text: String,
    },
    /// A wall-clock time in the hour that a zone's clocks show twice.
    #[error("expected a time that the clocks of {zone} show once (write an offset), found `{text}`")]
    Doubled {
        /// The zone.
        zone: String,
        /// The text.
        text: String,
    },
}

/// Whole cells on either side of 1970.
const CELLS: i64 = i64::MAX / CELL_NS;

impl Instant {
    /// The first moment of the time line: 1677-09-21T00:15:00Z.
    pub const MIN: Self = Self(-CELLS * CELL_NS);
    /// The end of the time line, itself no moment of it: 2262-04-11T23:45:00Z.
    pub const MAX: Self = Self(CELLS * CELL_NS);

    /// Reads an RFC 3339 date and time: `T` between them, whole seconds or 1 to 9 digits of a fraction, an
    /// offset.
    ///
    /// `t` and `z` are read as `T` and `Z`; `-00:00` is UTC.
    ///
    /// **Errors**: [`TimeError`]; nothing is cut, rounded or assumed.
    ///
    /// **Source**: RFC 3339 §5.6 `date-time`.
    ///
    /// **Examples**
    /// ```
    /// use metering::Instant;
    /// assert_eq!(Instant::parse_rfc3339("1970-01-01T01:00:00.000000001+01:00"), Ok(Instant(1)));
    /// assert!(Instant::parse_rfc3339("2016-12-31T23:59:60Z").is_err());
    /// ```
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let fields = Fields::read(text)?;
        if fields.second == 60 {
            return Err(TimeError::LeapSecond { text: excerpt(text) });
        }
        let no_such_time = |_| TimeError::NoSuchTime { text: excerpt(text) };
        let date = Date::new(fields.year, fields.month, fields.day).map_err(no_such_time)?;
        let time = jiff::civil::Time::new(fields.hour, fields.minute, fields.second, fields.nanosecond)
            .map_err(no_such_time)?;
        let offset = Offset::from_seconds(fields.offset_seconds).map_err(no_such_time)?;
        let out_of_range = || TimeError::OutOfRange { text: excerpt(text) };
        let timestamp = offset.to_timestamp(date.to_datetime(time)).map_err(|_| out_of_range())?;
        Self::from_timestamp(timestamp).ok_or_else(out_of_range)
    }

    /// This moment and some nanoseconds, where the time line reaches that far.
    pub fn checked_add_ns(self, nanoseconds: i64) -> Option<Self> {
        self.0.checked_add(nanoseconds).map(Self)
    }

    /// The moment so many nanoseconds after 1970 began, if the time line has it.
    pub(crate) fn on_time_line(nanoseconds: i128) -> Option<Self> {
        let instant = i64::try_from(nanoseconds).map(Self).ok()?;
        (Self::MIN <= instant && instant < Self::MAX).then_some(instant)
    }

    /// The moment of a timestamp, if the time line has it.
    pub(crate) fn from_timestamp(timestamp: Timestamp) -> Option<Self> {
        Self::on_time_line(timestamp.as_nanosecond())
    }

    /// The timestamp of this moment.
    pub(crate) fn to_timestamp(self) -> Timestamp {
        match Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => timestamp,
            Err(_) => unreachable!("every nanosecond of 64 bits lies in the years 1677 to 2262"),
        }
    }
}

/// RFC 3339 in UTC with the shortest fraction: `2026-08-01T00:00:00.5Z`.
impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_timestamp(), formatter)
    }
}

impl FromStr for Instant {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse_rfc3339(text)
    }
}

/// The numbers of an RFC 3339 text; each as it is written, not yet checked against the calendar.
struct Fields {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset_seconds: i32,
}

impl Fields {
    fn read(text: &str) -> Result<Self, TimeError> {
        let syntax =
            || TimeError::Syntax { expected: "2026-08-01T00:00:00Z".to_owned(), text: excerpt(text) };
        let (date, time, rest) = split_date_time(text.as_bytes()).ok_or_else(syntax)?;
        let ([y1, y2, y3, y4], [m1, m2], [d1, d2]) = date;
        let ([h1, h2], [i1, i2], [s1, s2]) = time;
        let century = two(y1, y2).ok_or_else(syntax)?;
        let year = i16::from(century) * 100 + i16::from(two(y3, y4).ok_or_else(syntax)?);
        let (fraction, offset) = split_fraction(rest).ok_or_else(syntax)?;
        let nanosecond = match fraction.len() {
            0..=9 => nanoseconds(fraction),
            _ => return Err(TimeError::TooPrecise { digits_max: 9, text: excerpt(text) }),
        };
        Ok(Self {
            year,
            month: two(m1, m2).ok_or_else(syntax)?,
            day: two(d1, d2).ok_or_else(syntax)?,
            hour: two(h1, h2).ok_or_else(syntax)?,
            minute: two(i1, i2).ok_or_else(syntax)?,
            second: two(s1, s2).ok_or_else(syntax)?,
            nanosecond,
            offset_seconds: match offset {
                [] => return Err(TimeError::MissingOffset { text: excerpt(text) }),
                [b'Z' | b'z'] => 0,
                numeric => offset_seconds(numeric).ok_or_else(syntax)?,
            },
        })
    }
}

type DateDigits = ([u8; 4], [u8; 2], [u8; 2]);
type TimeDigits = ([u8; 2], [u8; 2], [u8; 2]);

fn split_date_time(bytes: &[u8]) -> Option<(DateDigits, TimeDigits, &[u8])> {
    match *bytes {
        [
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T' | b't',
            h1,
            h2,
            b':',
            i1,
            i2,
            b':',
            s1,
            s2,
            ref rest @ ..,
        ] => Some((([y1, y2, y3, y4], [m1, m2], [d1, d2]), ([h1, h2], [i1, i2], [s1, s2]), rest)),
        _ => None,
    }
}

/// The digits after a point, if there is one, and what follows.
fn split_fraction(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'.', after @ ..] = rest else { return Some((&[], rest)) };
    let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 { None } else { after.split_at_checked(length) }
}

/// At most nine digits of a fraction of a second.
fn nanoseconds(fraction: &[u8]) -> i32 {
    let padded = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    padded.take(9).fold(0, |value, digit| value * 10 + i32::from(digit - b'0'))
}

fn offset_seconds(offset: &[u8]) -> Option<i32> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *offset else { return None };
    let (hours, minutes) = (i32::from(two(h1, h2)?), i32::from(two(m1, m2)?));
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if sign == b'-' { -seconds } else { seconds })
}

fn two(tens: u8, ones: u8) -> Option<i8> {
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok()
}
