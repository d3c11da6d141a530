//! How a source writes its times.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousOffset, Offset};
use thiserror::Error;

use crate::excerpt::excerpt;
use crate::instant::{Instant, TimeError};
use crate::zone::Zone;

/// How the text of a draft's `occurred_at` is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339 with an offset.
    Rfc3339,
    /// Seconds since 1970-01-01T00:00:00Z, with up to 9 decimals.
    UnixSeconds,
    /// Milliseconds since 1970-01-01T00:00:00Z, with up to 6 decimals.
    UnixMilliseconds,
    /// A pattern, and a zone where the text has no offset.
    Pattern(Arc<TimePattern>),
}

/// A pattern of `strptime`, checked: it tells a time to the minute at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimePattern {
    pattern: String,
    zone: Option<Zone>,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A directive that is not known, or cannot be read back.
    #[error("expected a time pattern such as %Y-%m-%d %H:%M:%S%.f ({reason}), found `{pattern}`")]
    Syntax {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A time could not be told from what the pattern reads.
    #[error("expected a time pattern with year, month, day, hour and minute, found `{pattern}`")]
    Incomplete {
        /// The pattern.
        pattern: String,
    },
    /// Neither the pattern nor the zone says where the clock hangs.
    #[error("expected a zone, because the time pattern has no offset (%z), found `{pattern}`")]
    ZoneMissing {
        /// The pattern.
        pattern: String,
    },
    /// Both say it, and might say it differently.
    #[error("expected no zone, because the time pattern has an offset, found `{zone}`")]
    ZoneTwice {
        /// The zone.
        zone: String,
    },
}

impl TimeFormat {
    /// A pattern; see [`TimePattern::new`].
    ///
    /// **Errors**: [`PatternError`].
    pub fn pattern(pattern: &str, zone: Option<Zone>) -> Result<Self, PatternError> {
        TimePattern::new(pattern, zone).map(|pattern| Self::Pattern(Arc::new(pattern)))
    }

    /// Reads a time.
    ///
    /// **Errors**: [`TimeError`]; nothing is cut, rounded or assumed.
    pub fn read(&self, text: &str) -> Result<Instant, TimeError> {
        match self {
            Self::Rfc3339 => Instant::parse_rfc3339(text),
            Self::UnixSeconds => read_unix(text, 9),
            Self::UnixMilliseconds => read_unix(text, 6),
            Self::Pattern(pattern) => pattern.read(text),
        }
    }
}

impl TimePattern {
    /// A pattern in the directives of `strptime` as `jiff` reads them: `%Y-%m-%d %H:%M:%S%.f`, `%z` for an
    /// offset such as +0200, `%:z` for +02:00, `%s` for Unix seconds. `zone` says where the clock hangs, and
    /// is required exactly where the pattern has no offset. `%y` is 1969 to 2068, as POSIX has it.
    ///
    /// **Errors**: [`PatternError`]. A pattern that drops hour or minute is refused: midnight is not assumed.
    ///
    /// **Examples**
    /// ```
    /// use metering::{TimeFormat, Zone};
    /// let format = TimeFormat::pattern("%Y-%m-%d %H:%M:%S%.f", Some(Zone::utc()))?;
    /// assert_eq!(format.read("2023-11-16 18:17:03.9799600")?.to_string(), "2023-11-16T18:17:03.97996Z");
    /// assert!(TimeFormat::pattern("%Y-%m-%d", Some(Zone::utc())).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(pattern: &str, zone: Option<Zone>) -> Result<Self, PatternError> {
        let syntax = |error: jiff::Error| PatternError::Syntax {
            pattern: pattern.to_owned(),
            reason: error.to_string(),
        };
        let incomplete = || PatternError::Incomplete { pattern: pattern.to_owned() };
        // An afternoon that no two fields of a date describe alike: what comes back different was not told.
        let probe = jiff::civil::date(2011, 10, 22).at(23, 45, 0, 0);
        let moment = Offset::UTC.to_timestamp(probe).map_err(syntax)?;
        let written = BrokenDownTime::from(&moment.to_zoned(jiff::tz::TimeZone::UTC));
        let written = written.to_string(pattern).map_err(syntax)?;
        let read = BrokenDownTime::parse(pattern, &written).map_err(syntax)?;
        if read.iana_time_zone().is_some() {
            let reason = "a zone's name (%Q) is given beside the pattern, not read by it".to_owned();
            return Err(PatternError::Syntax { pattern: pattern.to_owned(), reason });
        }
        let tells_offset = read.timestamp().is_some() || read.offset().is_some();
        let told = if tells_offset { read.to_timestamp().ok() } else { utc(&read) };
        if told != Some(moment) {
            return Err(incomplete());
        }
        match (tells_offset, &zone) {
            (false, None) => Err(PatternError::ZoneMissing { pattern: pattern.to_owned() }),
            (true, Some(zone)) => Err(PatternError::ZoneTwice { zone: zone.name().to_owned() }),
            _ => Ok(Self { pattern: pattern.to_owned(), zone }),
        }
    }

    fn read(&self, text: &str) -> Result<Instant, TimeError> {
        let syntax = || TimeError::Syntax { expected: self.pattern.clone(), text: excerpt(text) };
        let read = BrokenDownTime::parse(&self.pattern, text).map_err(|_| syntax())?;
        if self.has_leap_second(text, &read) {
            return Err(TimeError::LeapSecond { text: excerpt(text) });
        }
        let no_such_time = || TimeError::NoSuchTime { text: excerpt(text) };
        let timestamp = match &self.zone {
            None => read.to_timestamp().map_err(|_| no_such_time())?,
            Some(zone) => in_zone(read.to_datetime().map_err(|_| no_such_time())?, zone, text)?,
        };
        Instant::from_timestamp(timestamp).ok_or_else(|| TimeError::OutOfRange { text: excerpt(text) })
    }

    /// `jiff` reads second 60 as 59. It was 60 where some `60` of the text can be written 59 to the same end:
    /// in any other field that changes the time.
    fn has_leap_second(&self, text: &str, read: &BrokenDownTime) -> bool {
        let same_time = |other: &BrokenDownTime| {
            (other.timestamp(), other.to_datetime().ok(), other.offset())
                == (read.timestamp(), read.to_datetime().ok(), read.offset())
        };
        read.second() == Some(59)
            && text.match_indices("60").any(|(at, sixty)| {
                let (head, tail) = (text.get(..at), text.get(at + sixty.len()..));
                let (Some(head), Some(tail)) = (head, tail) else { return false };
                BrokenDownTime::parse(&self.pattern, format!("{head}59{tail}")).is_ok_and(|o| same_time(&o))
            })
    }
}

fn utc(read: &BrokenDownTime) -> Option<jiff::Timestamp> {
    Offset::UTC.to_timestamp(read.to_datetime().ok()?).ok()
}

/// The one moment at which the clocks of a zone show a time.
fn in_zone(shown: DateTime, zone: &Zone, text: &str) -> Result<jiff::Timestamp, TimeError> {
    match zone.rules().to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            offset.to_timestamp(shown).map_err(|_| TimeError::OutOfRange { text: excerpt(text) })
        }
        AmbiguousOffset::Gap { .. } => {
            Err(TimeError::Skipped { zone: zone.name().to_owned(), text: excerpt(text) })
        }
        AmbiguousOffset::Fold { .. } => {
            Err(TimeError::Doubled { zone: zone.name().to_owned(), text: excerpt(text) })
        }
    }
}

/// A plain decimal in units of 10^`decimals` nanoseconds.
fn read_unix(text: &str, decimals: u32) -> Result<Instant, TimeError> {
    let syntax = || TimeError::Syntax { expected: "1785542400.5".to_owned(), text: excerpt(text) };
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return Err(syntax()),
        Some(parts) => parts,
        None => (unsigned, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(syntax());
    }
    let missing = usize::try_from(decimals).ok().and_then(|kept| kept.checked_sub(fraction.len()));
    let Some(missing) = missing else {
        return Err(TimeError::TooPrecise { digits_max: decimals, text: excerpt(text) });
    };
    let out_of_range = || TimeError::OutOfRange { text: excerpt(text) };
    let digits = whole.trim_start_matches('0').len() + fraction.len() + missing;
    if digits > 19 {
        return Err(out_of_range());
    }
    let value: i128 = format!("{whole}{fraction}{}", "0".repeat(missing)).parse().map_err(|_| syntax())?;
    Instant::on_time_line(if is_negative { -value } else { value }).ok_or_else(out_of_range)
}
