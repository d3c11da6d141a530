//! The events of the benchmarks: every row is a function of the seed and its number, so that a copy of a row two million
//! lines back costs no memory.

use std::io::Write;

use anyhow::{Result, ensure};

use super::chance::{Chance, Zipf};

/// The types of events, the same as the meters of `examples/bench-world`.
pub const TYPES: [&str; 12] = [
    "error",
    "transaction",
    "span",
    "replay",
    "attachment",
    "profile",
    "log",
    "monitor",
    "log_byte",
    "attachment_byte",
    "metric",
    "uptime",
];

const ACCOUNTS: u64 = 100_000;
const SOURCES: u64 = 16;
const PROJECTS: u64 = 1_000;
/// One row in so many is a copy.
const COPY_EVERY: u64 = 50;
/// Copies are at most so many rows behind what they copy.
const COPY_DISTANCE_MAX: u64 = 2_000_000;
const DAY: &str = "2026-08-01";
const DAY_MS: u64 = 86_400_000;
/// Rows are so far out of order at most.
const JITTER_MS: u64 = 5_000;

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Rows, copies included.
    pub events: u64,
    /// The same seed makes the same rows.
    pub seed: u64,
    /// Percent of the rows that are written in another form: order of keys, spacing, nested data.
    pub odd_percent: u64,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Made {
    /// Rows.
    pub events: u64,
    /// Of these, copies of an earlier one.
    pub copies: u64,
    /// Bytes with line ends.
    pub bytes: u64,
}

/// Writes the rows as CloudEvents, a JSON object a line.
pub fn write(wish: &Wish, out: &mut impl Write) -> Result<Made> {
    ensure!(wish.events > 0, "at least one event is needed, found `0`");
    ensure!(wish.odd_percent <= 100, "a share is at most 100 percent, found `{}`", wish.odd_percent);
    let rows = Rows { wish, accounts: Zipf::new(ACCOUNTS) };
    let mut made = Made { events: wish.events, ..Made::default() };
    let mut block = Vec::with_capacity(1 << 20);
    for row in 0..wish.events {
        let original = rows.original(row);
        made.copies += u64::from(original != row);
        rows.append(original, &mut block);
        if block.len() > (1 << 20) - 4096 || row + 1 == wish.events {
            made.bytes += block.len() as u64;
            out.write_all(&block)?;
            block.clear();
        }
    }
    out.flush()?;
    Ok(made)
}

struct Rows<'a> {
    wish: &'a Wish,
    accounts: Zipf,
}

impl Rows<'_> {
    fn is_copy(&self, row: u64) -> bool {
        row > 0 && Chance::of_row(!self.wish.seed, row).below(COPY_EVERY) == 0
    }

    /// The row that this one copies, or itself.
    fn original(&self, row: u64) -> u64 {
        if !self.is_copy(row) {
            return row;
        }
        let mut chance = Chance::of_row(self.wish.seed.rotate_left(32), row);
        let drawn = row - 1 - chance.below(row.min(COPY_DISTANCE_MAX));
        // A copy is never copied: the distance would be longer than was drawn.
        (drawn..row).find(|row| !self.is_copy(*row)).unwrap_or(row)
    }

    /// Appends a row that is no copy.
    fn append(&self, row: u64, line: &mut Vec<u8>) {
        let mut chance = Chance::of_row(self.wish.seed, row);
        let id = (chance.next(), chance.next());
        let source = chance.below(SOURCES);
        let kind = TYPES[chance.below(TYPES.len() as u64) as usize];
        let account = self.accounts.draw(&mut chance);
        let project = chance.below(PROJECTS);
        let quantity = 1 + chance.below(if kind.ends_with("_byte") { 1_000_000 } else { 1_000 });
        let even = (u128::from(row) * u128::from(DAY_MS) / u128::from(self.wish.events)) as u64;
        let time = Time((even + chance.below(JITTER_MS)).min(DAY_MS - 1));
        let shape = if chance.below(100) < self.wish.odd_percent { 1 + chance.below(4) } else { 0 };
        let (high, low) = id;
        // A line that can't be appended would need a Vec that refuses to grow.
        let _ = match shape {
            0 => writeln!(
                line,
                r#"{{"specversion":"1.0","id":"{high:016x}{low:016x}","source":"relay-{source}","type":"{kind}","subject":"org-{account}","time":"{time}","data":{{"quantity":{quantity},"project":"p-{project}"}}}}"#
            ),
            1 => writeln!(
                line,
                r#"{{"data":{{"project":"p-{project}","quantity":{quantity}}},"time":"{time}","type":"{kind}","subject":"org-{account}","source":"relay-{source}","id":"{high:016x}{low:016x}","specversion":"1.0"}}"#
            ),
            2 => writeln!(
                line,
                r#"{{"specversion": "1.0", "id": "{high:016x}{low:016x}", "source": "relay-{source}", "type": "{kind}", "subject": "org-{account}", "time": "{time}", "data": {{"quantity": {quantity}, "project": "p-{project}"}}}}"#
            ),
            3 => writeln!(
                line,
                r#"{{"specversion":"1.0","id":"{high:016x}{low:016x}","source":"relay-{source}","type":"{kind}","subject":"org-{account}","time":"{time}","data":{{"quantity":{quantity},"project":"p-{project}","sdk":{{"name":"rust","version":{{"major":1,"minor":{source}}}}}}}}}"#
            ),
            _ => writeln!(
                line,
                r#"{{ "id": "{high:016x}{low:016x}", "data": {{ "sdk": {{ "name": "rust" }}, "quantity": {quantity}, "project": "p-{project}" }}, "specversion": "1.0", "subject": "org-{account}", "type": "{kind}", "source": "relay-{source}", "time": "{time}" }}"#
            ),
        };
    }
}

/// Milliseconds of the day.
struct Time(u64);

impl std::fmt::Display for Time {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, milliseconds) = (self.0 / 1000, self.0 % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(to, "{DAY}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn lines(wish: &Wish) -> (Vec<String>, Made) {
        let mut bytes = Vec::new();
        let made = write(wish, &mut bytes).unwrap();
        assert_eq!(made.bytes, bytes.len() as u64);
        (String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect(), made)
    }

    #[test]
    fn the_same_seed_makes_the_same_lines() {
        let wish = Wish { events: 1_000, seed: 3, odd_percent: 5 };
        assert_eq!(lines(&wish), lines(&wish));
        assert_ne!(lines(&wish).0, lines(&Wish { seed: 4, ..wish }).0);
    }

    #[test]
    fn copies_are_whole_lines_and_two_percent() {
        let (lines, made) = lines(&Wish { events: 100_000, seed: 1, odd_percent: 5 });
        let mut times: BTreeMap<&str, u64> = BTreeMap::new();
        for line in &lines {
            *times.entry(line).or_default() += 1;
        }
        assert_eq!(lines.len() as u64 - times.len() as u64, made.copies);
        assert!((1_800..2_200).contains(&made.copies), "{}", made.copies);
        let ids: std::collections::BTreeSet<&str> =
            times.keys().map(|line| line.split(r#""id":"#).nth(1).unwrap().get(1..33).unwrap()).collect();
        assert_eq!(ids.len(), times.len(), "no id stands on two different lines");
    }

    #[test]
    fn a_line_is_about_190_bytes_and_a_share_is_odd() {
        let (plain, made) = lines(&Wish { events: 20_000, seed: 1, odd_percent: 0 });
        let shape =
            |line: &&String| line.starts_with(r#"{"specversion":"1.0","id":""#) && !line.contains("sdk");
        assert!((185..200).contains(&(made.bytes / made.events)), "{}", made.bytes / made.events);
        assert!(plain.iter().all(|line| shape(&line)));
        let (odd, _) = lines(&Wish { events: 20_000, seed: 1, odd_percent: 5 });
        let plain = odd.iter().filter(shape).count();
        assert!((18_800..19_200).contains(&plain), "{plain}");
    }
}
