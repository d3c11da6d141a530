//! When events are, and what the clocks do then.

use sim::oracle_random::Random;
use sim::oracle_usage::{OracleZone, days, zones};

use super::{CELL, HOUR, SECOND};

/// The time that a world lives in: what its zones are right for, and where something happens to their clocks.
pub struct Era {
    pub zones: Vec<OracleZone>,
    /// Windows that events are in: start and length.
    pub stretches: Vec<(i64, i64)>,
    /// Moments near which there are more of them: clocks are set, a day or a month begins.
    pub centres: Vec<i64>,
    /// Days of some zone on which its clocks are set.
    pub dst_days: Vec<(i64, i64)>,
    pub second_from: i64,
}

pub fn second_of(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> i64 {
    (days(year, month, day) * 86_400 + hour * 3_600 + minute * 60) * SECOND
}

impl Era {
    pub fn of(world: u64) -> Self {
        let named = |names: &[&str]| zones().into_iter().filter(|zone| names.contains(&zone.name)).collect();
        let day = 86_400 * SECOND;
        if world % 4 == 3 {
            return Self {
                zones: named(&["America/St_Johns", "UTC", "Asia/Kathmandu", "Africa/Monrovia"]),
                stretches: vec![(second_of(2006, 10, 27, 0, 0), 5 * day)],
                centres: vec![second_of(2006, 10, 29, 2, 30), second_of(2006, 10, 29, 2, 31)],
                dst_days: vec![(second_of(2006, 10, 29, 2, 30), second_of(2006, 10, 30, 3, 30))],
                second_from: second_of(2006, 10, 29, 2, 37),
            };
        }
        let from_to = |from: i64, to: i64| (from, to);
        Self {
            zones: named(&[
                "UTC",
                "Asia/Kathmandu",
                "Europe/Berlin",
                "America/New_York",
                "Australia/Lord_Howe",
                "Africa/Monrovia",
            ]),
            stretches: vec![
                (second_of(2026, 3, 1, 0, 0), 40 * day),
                (second_of(2026, 9, 28, 0, 0), 40 * day),
                (second_of(1972, 1, 4, 0, 0), 5 * day),
            ],
            centres: vec![
                second_of(2026, 3, 29, 1, 0),
                second_of(2026, 10, 25, 1, 0),
                second_of(2026, 3, 8, 7, 0),
                second_of(2026, 11, 1, 6, 0),
                second_of(2026, 4, 4, 15, 0),
                second_of(2026, 10, 3, 15, 30),
                second_of(2026, 3, 31, 22, 0),
                second_of(2026, 10, 31, 18, 15),
                second_of(1972, 1, 6, 0, 44) + 30 * SECOND,
                second_of(1972, 1, 7, 0, 44) + 30 * SECOND,
            ],
            dst_days: vec![
                from_to(second_of(2026, 3, 28, 23, 0), second_of(2026, 3, 29, 22, 0)),
                from_to(second_of(2026, 10, 24, 22, 0), second_of(2026, 10, 25, 23, 0)),
                from_to(second_of(2026, 3, 8, 5, 0), second_of(2026, 3, 9, 4, 0)),
                from_to(second_of(2026, 11, 1, 4, 0), second_of(2026, 11, 2, 5, 0)),
                from_to(second_of(2026, 4, 4, 13, 0), second_of(2026, 4, 5, 13, 30)),
                from_to(second_of(2026, 10, 3, 13, 30), second_of(2026, 10, 4, 13, 0)),
                from_to(second_of(1972, 1, 7, 0, 44) + 30 * SECOND, second_of(1972, 1, 8, 0, 0)),
            ],
            second_from: second_of(2026, 3, 29, 0, 52) + 11,
        }
    }

    /// A moment where much happens.
    pub fn moment(&self, random: &mut Random) -> i64 {
        let at = if random.one_in(3) {
            let (start, length) = random.pick(&self.stretches);
            start + random.below(length as u64) as i64
        } else {
            random.pick(&self.centres) - 3 * HOUR + random.below(6 * HOUR as u64) as i64
        };
        match random.below(6) {
            0 => at,
            1 => at - at.rem_euclid(CELL),
            2 => at - at.rem_euclid(CELL) - 1,
            3 => at - at.rem_euclid(HOUR) + random.below(3) as i64 - 1,
            4 => random.pick(&self.centres) + random.below(3) as i64 - 1,
            _ => at - at.rem_euclid(SECOND),
        }
    }
}
