//! Aggregations: what a meter makes of its events.
//!
//! The number of events and sums of theirs add up: a cell holds them, and a window is the sum of its cells. What does
//! not add up (the greatest value, how many different ones, a level over time) is answered from the values themselves.
//! A meter that needs them keeps the *mark* of each event behind its dimensions, so that a cell of such a meter is a
//! multiset: what was there and how often, from which every answer follows, and which still follows when some of it
//! is taken away again.

use money::Rational;

/// What a meter makes of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their number.
    Count,
    /// The sum of a property.
    Sum {
        /// The dotted path of the property; see [`crate::Value::get`].
        property: String,
    },
    /// The least value.
    Min {
        /// As in `Sum`.
        property: String,
    },
    /// The greatest value.
    Max {
        /// As in `Sum`.
        property: String,
    },
    /// The sum of the values over their number.
    Average {
        /// As in `Sum`.
        property: String,
    },
    /// The value of the event that comes last in the order (`occurred_at`, source, id).
    Latest {
        /// As in `Sum`.
        property: String,
    },
    /// How many different values there are, as [`crate::Value::as_text`] renders them.
    Unique {
        /// As in `Sum`.
        property: String,
    },
    /// Time-weighted: a level, such as seats or bytes held, over the time that it held. Each tuple of dimensions of an
    /// account has a level of its own, which holds until the next event about it, also in later windows.
    Level {
        /// As in `Sum`.
        property: String,
        /// The time that a level of 1 must hold to make 1.
        per: Per,
    },
    /// High-water mark: of n hourly values the ⌊n × (1 − p)⌋ highest are left out, and the next one counts.
    HighWater {
        /// What makes the value of an hour.
        hourly: Hourly,
        /// p: above 0, at most 1.
        percentile: Rational,
    },
    /// The average over all hours of what their values have above an included amount.
    HourlyAverage {
        /// What makes the value of an hour.
        hourly: Hourly,
        /// The included amount of an hour: 0 or more. **Units**: those of the hourly values.
        above: Rational,
    },
}

/// What makes the value of an hour. An hour without events has 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hourly {
    /// The number of events.
    Count,
    /// The sum of a property.
    Sum(
        /// Its dotted path.
        String,
    ),
    /// The greatest value of a property.
    Max(
        /// Its dotted path.
        String,
    ),
    /// How many different values a property has.
    Unique(
        /// Its dotted path.
        String,
    ),
}

/// The time that a level is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds, whatever the clocks do.
    Day,
}

impl Per {
    /// Its length in nanoseconds.
    pub fn ns(self) -> i128 {
        match self {
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
            Self::Day => 86_400_000_000_000,
        }
    }
}

/// What is read of each event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads<'a> {
    /// Nothing: each is one.
    Nothing,
    /// A property that is a number.
    Number(&'a str),
    /// A property that is a text, a number or a truth value.
    Text(&'a str),
}

/// What of an event a cell must tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing: sums and numbers suffice.
    None,
    /// Its value.
    Value,
    /// Its value, time and id.
    Moment,
}

impl Aggregation {
    /// Its word in a configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum { .. } => "sum",
            Self::Min { .. } => "min",
            Self::Max { .. } => "max",
            Self::Average { .. } => "average",
            Self::Latest { .. } => "latest",
            Self::Unique { .. } => "unique",
            Self::Level { .. } => "level",
            Self::HighWater { .. } => "high_water",
            Self::HourlyAverage { .. } => "hourly_average",
        }
    }

    /// What it reads of each event.
    pub fn reads(&self) -> Reads<'_> {
        match self {
            Self::Count => Reads::Nothing,
            Self::Sum { property }
            | Self::Min { property }
            | Self::Max { property }
            | Self::Average { property }
            | Self::Latest { property }
            | Self::Level { property, .. } => Reads::Number(property),
            Self::Unique { property } => Reads::Text(property),
            Self::HighWater { hourly, .. } | Self::HourlyAverage { hourly, .. } => match hourly {
                Hourly::Count => Reads::Nothing,
                Hourly::Sum(property) | Hourly::Max(property) => Reads::Number(property),
                Hourly::Unique(property) => Reads::Text(property),
            },
        }
    }

    /// What its cells must tell apart.
    pub fn mark(&self) -> Mark {
        match self {
            Self::Count | Self::Sum { .. } | Self::Average { .. } => Mark::None,
            Self::Min { .. } | Self::Max { .. } | Self::Unique { .. } => Mark::Value,
            Self::Latest { .. } | Self::Level { .. } => Mark::Moment,
            Self::HighWater { hourly, .. } | Self::HourlyAverage { hourly, .. } => match hourly {
                Hourly::Count | Hourly::Sum(_) => Mark::None,
                Hourly::Max(_) | Hourly::Unique(_) => Mark::Value,
            },
        }
    }

    /// Whether a window is the sum of its parts.
    pub fn adds_up(&self) -> bool {
        matches!(self, Self::Count | Self::Sum { .. })
    }

    /// Whether it is over time, so that it has no value for a window without an end.
    pub fn is_over_time(&self) -> bool {
        matches!(self, Self::Level { .. } | Self::HighWater { .. } | Self::HourlyAverage { .. })
    }

    /// Whether the values of both can make one: they differ in nothing but what property they read, or both add up.
    pub fn goes_with(&self, other: &Self) -> bool {
        let hourly =
            |one: &Hourly, other: &Hourly| std::mem::discriminant(one) == std::mem::discriminant(other);
        match (self, other) {
            (Self::Level { per, .. }, Self::Level { per: other, .. }) => per == other,
            (Self::HighWater { hourly: a, percentile }, Self::HighWater { hourly: b, percentile: other }) => {
                hourly(a, b) && percentile == other
            }
            (Self::HourlyAverage { hourly: a, above }, Self::HourlyAverage { hourly: b, above: other }) => {
                hourly(a, b) && above == other
            }
            _ if self.adds_up() => other.adds_up(),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}
