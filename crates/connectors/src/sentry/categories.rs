//! What Sentry counts, by the numbers that its producers send.
//!
//! **Source**: the data categories, units and outcomes of `getsentry/relay` (`relay-base-schema`,
//! `relay-server/src/services/outcome`), as of sentry_relay 0.10.1. Sentry's billing protocol numbers its
//! categories differently (log_byte is 10 there and 24 here), so categories are known by name.

/// What the quantity of a category is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SentryUnit {
    /// Things.
    Count,
    /// Bytes; a GB is sold as 10^9 of them.
    Bytes,
    /// Milliseconds.
    Milliseconds,
}

impl SentryUnit {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Milliseconds => "milliseconds",
        }
    }
}

/// One data category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentryCategory {
    /// The number that producers send.
    pub number: u8,
    /// Its name: the type of the event.
    pub name: &'static str,
    /// The unit of its quantity.
    pub unit: SentryUnit,
}

/// Every category, by number. The number −1, which producers call unknown, is none.
pub const SENTRY_CATEGORIES: [SentryCategory; 39] = {
    use SentryUnit::{Bytes, Count, Milliseconds};
    [
        category(0, "default", Count),
        category(1, "error", Count),
        category(2, "transaction", Count),
        category(3, "security", Count),
        category(4, "attachment", Bytes),
        category(5, "session", Count),
        category(6, "profile", Count),
        category(7, "replay", Count),
        category(8, "transaction_processed", Count),
        category(9, "transaction_indexed", Count),
        category(10, "monitor", Count),
        category(11, "profile_indexed", Count),
        category(12, "span", Count),
        category(13, "monitor_seat", Count),
        category(14, "feedback", Count),
        category(15, "metric_bucket", Count),
        category(16, "span_indexed", Count),
        category(17, "profile_duration", Milliseconds),
        category(18, "profile_chunk", Count),
        category(19, "metric_second", Count),
        category(20, "replay_video", Count),
        category(21, "uptime", Count),
        category(22, "attachment_item", Count),
        category(23, "log_item", Count),
        category(24, "log_byte", Bytes),
        category(25, "profile_duration_ui", Milliseconds),
        category(26, "profile_chunk_ui", Count),
        category(27, "seer_autofix", Count),
        category(28, "seer_scanner", Count),
        category(29, "prevent_user", Count),
        category(30, "prevent_review", Count),
        category(31, "size_analysis", Count),
        category(32, "installable_build", Count),
        category(33, "trace_metric", Count),
        category(34, "seer_user", Count),
        category(35, "profile_backend", Count),
        category(36, "profile_ui", Count),
        category(37, "trace_metric_byte", Bytes),
        category(38, "snapshot_image", Count),
    ]
};

const fn category(number: u8, name: &'static str, unit: SentryUnit) -> SentryCategory {
    SentryCategory { number, name, unit }
}

/// The names of the outcomes; the place of each is the number that producers send.
pub const SENTRY_OUTCOMES: [&str; 7] =
    ["accepted", "filtered", "rate_limited", "invalid", "abuse", "client_discard", "cardinality_limited"];

/// The category of a number in canonical text.
pub(crate) fn category_of(number: &str) -> Option<&'static SentryCategory> {
    let number: u8 = number.parse().ok()?;
    SENTRY_CATEGORIES.iter().find(|category| category.number == number)
}

/// The outcome of a number in canonical text.
pub(crate) fn outcome_of(number: &str) -> Option<&'static str> {
    let number: usize = number.parse().ok()?;
    SENTRY_OUTCOMES.get(number).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_category_is_its_number() {
        for (place, category) in SENTRY_CATEGORIES.iter().enumerate() {
            assert_eq!(usize::from(category.number), place);
            assert_eq!(category_of(&place.to_string()), Some(category));
        }
        let with = |unit: SentryUnit| {
            let of_unit = SENTRY_CATEGORIES.iter().filter(|category| category.unit == unit);
            of_unit.map(|category| category.number).collect::<Vec<_>>()
        };
        assert_eq!(with(SentryUnit::Bytes), [4, 24, 37]);
        assert_eq!(with(SentryUnit::Milliseconds), [17, 25]);
        assert_eq!(SentryUnit::Milliseconds.as_str(), "milliseconds");
    }

    #[test]
    fn numbers_beyond_the_tables_are_nothing() {
        for number in ["39", "-1", "255", "256", "1.5", "", "1e400", "error"] {
            assert_eq!(category_of(number), None, "{number}");
        }
        for number in ["7", "-1", "1.5", ""] {
            assert_eq!(outcome_of(number), None, "{number}");
        }
        assert_eq!(outcome_of("6"), Some("cardinality_limited"));
    }
}
