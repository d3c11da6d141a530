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

    /// Reads the commonest form of RFC 3339 at the beginning of some bytes, quickly: `2026-08-01T00:00:00Z`, perhaps
    /// with 1 to 9 digits of a fraction; answers how many bytes it is. Where it answers,
    /// [`Instant::parse_rfc3339`] of those bytes gives the same moment. It answers nothing for every other form,
    /// for years before 1700 or from 2200 on, and for times that the calendar does not have.
    ///
    /// **Examples**
    /// ```
    /// use metering::Instant;
    /// assert_eq!(Instant::read_plain_utc(b"1970-01-02T00:00:00.5Z\""), Some((Instant(86_400_500_000_000), 22)));
    /// assert_eq!(Instant::read_plain_utc(b"1970-01-02T00:00:00+00:00"), None);
    /// ```
    pub fn read_plain_utc(bytes: &[u8]) -> Option<(Self, usize)> {
        plain::read(bytes).map(|(nanoseconds, length)| (Self(nanoseconds), length))
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

/// The commonest form, read by its place.
mod plain {
    /// Days from the first day of the year 1 to that of 1970.
    const DAYS_TO_1970: i64 = 719_162;
    const NS_A_SECOND: i64 = 1_000_000_000;
    /// Days of a year that is no leap year before each month, and behind the last.
    const DAYS_BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

    pub(super) fn read(bytes: &[u8]) -> Option<(i64, usize)> {
        let (date, rest) = bytes.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let ([colon, s1, s2], rest) = rest.split_first_chunk()?;
        let date = pairs(*date, *b"0000-00-")?;
        let time = pairs(*time, *b"00T00:00")?;
        let year = pair(date, 0) * 100 + pair(date, 2);
        let day = days(year, pair(date, 5), pair(time, 0))?;
        let (hour, minute, second) = (pair(time, 3), pair(time, 6), i64::from(super::two(*s1, *s2)?));
        if *colon != b':' || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanosecond, length) = fraction(rest)?;
        let seconds = day * 86_400 + hour * 3_600 + minute * 60 + second;
        Some((seconds * NS_A_SECOND + nanosecond, 19 + length))
    }

    /// For each two digits that stand beside each other, their number in the byte of the first; nothing where not
    /// every other byte is that of the pattern.
    fn pairs(bytes: [u8; 8], pattern: [u8; 8]) -> Option<u64> {
        let value = u64::from_le_bytes(bytes) ^ u64::from_le_bytes(pattern);
        // What is added carries a digit beyond 9, and any other byte that differs, into its high bit.
        let carry = pattern.map(|byte| if byte == b'0' { 0x76 } else { 0x7f });
        let is_other = (value.wrapping_add(u64::from_le_bytes(carry)) | value) & 0x8080_8080_8080_8080 != 0;
        (!is_other).then(|| value.wrapping_mul(10).wrapping_add(value >> 8))
    }

    fn pair(pairs: u64, place: u32) -> i64 {
        let [number, ..] = (pairs >> (8 * place)).to_le_bytes();
        i64::from(number)
    }

    /// Days since 1970, of a date that the calendar has.
    fn days(year: i64, month: i64, day: i64) -> Option<i64> {
        if !(1700..2200).contains(&year) {
            return None;
        }
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let month = usize::try_from(month).ok()?.checked_sub(1)?;
        let (before, behind) = (DAYS_BEFORE.get(month)?, DAYS_BEFORE.get(month + 1)?);
        let length = behind - before + i64::from(is_leap && month == 1);
        if day < 1 || day > length {
            return None;
        }
        let years = year - 1;
        let before_year = years * 365 + years / 4 - years / 100 + years / 400 - DAYS_TO_1970;
        Some(before_year + before + i64::from(is_leap && month > 1) + day - 1)
    }

    /// The nanoseconds of `Z` or a fraction and `Z`, and the length of both.
    fn fraction(bytes: &[u8]) -> Option<(i64, usize)> {
        match bytes {
            [b'Z', ..] => Some((0, 1)),
            [b'.', m1 @ b'0'..=b'9', m2 @ b'0'..=b'9', m3 @ b'0'..=b'9', b'Z', ..] => {
                let digit = |byte: &u8| i64::from(byte - b'0');
                Some(((digit(m1) * 100 + digit(m2) * 10 + digit(m3)) * 1_000_000, 5))
            }
            [b'.', digits @ ..] => {
                let count = digits.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
                let (digits, rest) = digits.split_at_checked(count)?;
                let is_whole = (1..=9).contains(&count) && rest.first() == Some(&b'Z');
                is_whole.then(|| (i64::from(super::nanoseconds(digits)), count + 2))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of reading agree; whether the quick one read it.
    #[track_caller]
    fn agrees(text: &str) -> bool {
        let quick = Instant::read_plain_utc(text.as_bytes());
        let general = Instant::parse_rfc3339(text);
        match quick {
            Some((instant, length)) if length == text.len() => assert_eq!(general, Ok(instant), "{text}"),
            Some((instant, length)) => {
                assert_eq!(Instant::parse_rfc3339(&text[..length]), Ok(instant), "{text}");
            }
            None => {}
        }
        quick.is_some()
    }

    #[test]
    fn the_quick_way_reads_every_day_and_no_other() {
        for year in 1695..2205 {
            for month in 0..=13 {
                for day in 0..=32 {
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:59Z");
                    let is_day = Date::new(year, month, day).is_ok();
                    assert_eq!(agrees(&text), is_day && (1700..2200).contains(&year), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_quick_way_reads_every_second_and_fraction() {
        for hour in 0..=30 {
            for minute in 0..=70 {
                for second in [0, 1, 9, 10, 59, 60, 61, 99] {
                    let is_time = hour < 24 && minute < 60 && second < 60;
                    let text = format!("1969-12-31T{hour:02}:{minute:02}:{second:02}.000000001Z");
                    assert_eq!(agrees(&text), is_time, "{text}");
                }
            }
        }
        for digits in 0..=12 {
            let text = format!("2026-08-01T12:34:56.{}Z", &"102030405060"[..digits]);
            assert_eq!(agrees(&text), (1..=9).contains(&digits), "{text}");
        }
    }

    #[test]
    fn the_quick_way_is_right_whatever_the_byte() {
        for text in ["2026-08-01T12:34:56Z", "2024-02-29T12:34:56.789Z", "2026-08-01T12:34:56.7890123Z\""] {
            for at in 0..text.len() {
                for byte in 0..128 {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[at] = byte;
                    agrees(std::str::from_utf8(&bytes).unwrap());
                }
                for byte in 128..=255 {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[at] = byte;
                    let told = Instant::read_plain_utc(&bytes);
                    assert!(told.is_none_or(|(_, length)| length <= at), "{byte} at {at}");
                }
            }
            for length in 0..text.len() {
                let told = Instant::read_plain_utc(&text.as_bytes()[..length]);
                assert_eq!(told.is_some(), text[..length].contains('Z'));
            }
        }
    }
}
