//! Hours, days and months of a zone: what usage is grouped by.

use jiff::tz::Offset;

use crate::civil::CivilDate;
use crate::instant::Instant;
use crate::zone::Zone;

const SECOND_NS: i64 = 1_000_000_000;
const HOUR_SECONDS: i64 = 3_600;

/// How long civil buckets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketUnit {
    /// An hour as the clocks show it, at one offset.
    Hour,
    /// A day, from its [`Zone::day_start`] to its [`Zone::day_end`].
    Day,
    /// All days of a month of the calendar.
    Month,
}

/// An hour, a day or a month of a zone, or a stretch of it: `[start, end)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// `2026-10-25T02:00+01:00`, `2026-10-25` or `2026-10`. Every moment of the zone with this label, and no other,
    /// is of this bucket.
    pub label: String,
    /// From when; every moment up to the end has the label.
    pub start: Instant,
    /// Until when. Moments outside may have the label too, where the clocks came back to it.
    pub end: Instant,
}

impl Zone {
    /// The bucket that a moment lies in.
    ///
    /// **An hour is what the clocks show, cut to the hour, and the offset at which they show it.** So the hour that
    /// clocks show twice is two buckets, and an hour in which they were set is shorter than others. A day is the
    /// latest that has begun ([`Zone::date_of`]): 23 to 25 hours on most days on which the clocks are set. In the
    /// rare zones whose clocks went back across midnight, such an hour is shown as of the day before.
    ///
    /// **Examples**
    /// ```
    /// use metering::{BucketUnit, Instant, Zone};
    /// let zone = Zone::parse("Europe/Berlin")?;
    /// let label = |text| Instant::parse_rfc3339(text).map(|at| zone.bucket(BucketUnit::Hour, at).label);
    /// assert_eq!(label("2026-10-25T00:59:59Z")?, "2026-10-25T02:00+02:00");
    /// assert_eq!(label("2026-10-25T01:00:00Z")?, "2026-10-25T02:00+01:00");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bucket(&self, unit: BucketUnit, instant: Instant) -> Bucket {
        match unit {
            BucketUnit::Hour => self.hour(instant),
            BucketUnit::Day => {
                let date = self.date_of(instant);
                Bucket { label: date.to_string(), start: self.day_start(date), end: self.day_end(date) }
            }
            BucketUnit::Month => {
                let date = self.date_of(instant);
                let first = CivilDate::from_ymd(date.year(), date.month(), 1);
                // The month in which the time line begins has no first day, that in which it ends none after it.
                let start = first.map_or(Instant::MIN, |first| self.day_start(first));
                let next = date.plus_months(1, 1);
                let end = next.map_or(Instant::MAX, |next| self.day_start(next));
                Bucket { label: format!("{:04}-{:02}", date.year(), date.month()), start, end }
            }
        }
    }

    fn hour(&self, instant: Instant) -> Bucket {
        let rules = self.rules();
        let second = Instant(instant.0.div_euclid(SECOND_NS).saturating_mul(SECOND_NS).max(Instant::MIN.0));
        let at = second.to_timestamp();
        let offset = rules.to_offset(at);
        let shown = at.as_second() + i64::from(offset.seconds());
        let start = shown - shown.rem_euclid(HOUR_SECONDS) - i64::from(offset.seconds());
        // Clocks are set at whole seconds.
        let after = Instant(second.0.saturating_add(SECOND_NS)).to_timestamp();
        let set_before = rules.preceding(after).next().map(|set| set.timestamp().as_second());
        let set_after = rules.following(at).next().map(|set| set.timestamp().as_second());
        let end = start + HOUR_SECONDS;
        Bucket {
            label: hour_label(start, offset),
            start: on_time_line(set_before.map_or(start, |set| set.max(start))),
            end: on_time_line(set_after.map_or(end, |set| set.min(end))),
        }
    }
}

/// The moment of a second, or the nearer end of the time line.
fn on_time_line(second: i64) -> Instant {
    Instant(second.saturating_mul(SECOND_NS).clamp(Instant::MIN.0, Instant::MAX.0))
}

/// `2026-10-25T02:00+01:00`; the seconds of the offset too where it has some, as before there were zones.
fn hour_label(start: i64, offset: Offset) -> String {
    let shown = match jiff::Timestamp::from_second(start) {
        Ok(start) => offset.to_datetime(start),
        Err(_) => unreachable!("an hour of the years 1677 to 2262"),
    };
    let seconds = offset.seconds().unsigned_abs();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let mut label = format!(
        "{}T{:02}:00{sign}{:02}:{:02}",
        shown.date(),
        shown.hour(),
        seconds / 3_600,
        seconds / 60 % 60
    );
    if !seconds.is_multiple_of(60) {
        label.push_str(&format!(":{:02}", seconds % 60));
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [BucketUnit; 3] = [BucketUnit::Hour, BucketUnit::Day, BucketUnit::Month];

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    /// The buckets of a window in order.
    fn buckets(zone: &str, unit: BucketUnit, from: &str, to: &str) -> Vec<String> {
        let (zone, mut now) = (Zone::parse(zone).unwrap(), at(from));
        let mut found = Vec::new();
        while now < at(to) {
            let bucket = zone.bucket(unit, now);
            assert!(bucket.start <= now && now < bucket.end, "{bucket:?} at {now}");
            let last = Instant(bucket.end.0 - 1);
            assert_eq!(zone.bucket(unit, last), bucket);
            assert_eq!(zone.bucket(unit, bucket.start), bucket);
            found.push(format!("{} {}", bucket.label, (bucket.end.0 - bucket.start.0) / SECOND_NS / 60));
            now = bucket.end;
        }
        found
    }

    #[test]
    fn an_hour_that_comes_twice_is_two() {
        let found =
            buckets("Europe/Berlin", BucketUnit::Hour, "2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z");
        assert_eq!(
            found,
            ["2026-10-25T01:00+02:00 60", "2026-10-25T02:00+02:00 60", "2026-10-25T02:00+01:00 60"]
        );
        let found =
            buckets("America/New_York", BucketUnit::Hour, "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z");
        assert_eq!(found, ["2026-03-08T01:00-05:00 60", "2026-03-08T03:00-04:00 60"]);
    }

    #[test]
    fn clocks_set_by_half_an_hour_make_half_hours() {
        let found =
            buckets("Australia/Lord_Howe", BucketUnit::Hour, "2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z");
        assert_eq!(
            found,
            ["2026-04-05T01:00+11:00 60", "2026-04-05T01:00+10:30 30", "2026-04-05T02:00+10:30 60"]
        );
        let found =
            buckets("Australia/Lord_Howe", BucketUnit::Hour, "2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z");
        assert_eq!(found, ["2026-10-04T01:00+10:30 60", "2026-10-04T02:00+11:00 30"]);
    }

    #[test]
    fn hours_begin_where_the_clocks_of_the_zone_strike() {
        let found =
            buckets("Asia/Kathmandu", BucketUnit::Hour, "2026-08-01T00:15:00Z", "2026-08-01T01:15:00Z");
        assert_eq!(found, ["2026-08-01T06:00+05:45 60"]);
        // Local mean time: 53 minutes and 28 seconds before Greenwich.
        let found =
            buckets("Europe/Berlin", BucketUnit::Hour, "1880-01-01T00:06:32Z", "1880-01-01T02:06:32Z");
        assert_eq!(found, ["1880-01-01T01:00+00:53:28 60", "1880-01-01T02:00+00:53:28 60"]);
        // One minute after midnight back to a minute after eleven.
        let found =
            buckets("America/St_Johns", BucketUnit::Hour, "2006-10-29T02:30:00Z", "2006-10-29T04:30:00Z");
        let expected = ["2006-10-29T00:00-02:30 1", "2006-10-28T23:00-03:30 59", "2006-10-29T00:00-03:30 60"];
        assert_eq!(found, expected);
    }

    #[test]
    fn days_and_months_have_the_hours_of_their_zone() {
        let found = buckets("Europe/Berlin", BucketUnit::Day, "2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z");
        assert_eq!(found, ["2026-03-29 1380", "2026-03-30 1440"]);
        let found =
            buckets("Europe/Berlin", BucketUnit::Month, "2026-02-28T23:00:00Z", "2026-04-30T22:00:00Z");
        assert_eq!(found, ["2026-03 44580", "2026-04 43200"]);
        let found = buckets("Pacific/Apia", BucketUnit::Day, "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z");
        assert_eq!(found, ["2011-12-29 1440", "2011-12-31 1440"]);
    }

    #[test]
    fn every_moment_has_a_bucket() {
        for name in ["UTC", "Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia", "Pacific/Apia"] {
            let zone = Zone::parse(name).unwrap();
            for unit in UNITS {
                for moment in [Instant::MIN.0, Instant::MIN.0 + 1, -1, 0, 1, Instant::MAX.0 - 1] {
                    let bucket = zone.bucket(unit, Instant(moment));
                    assert!(bucket.start.0 <= moment && moment < bucket.end.0, "{bucket:?} at {moment}");
                }
            }
        }
    }
}
