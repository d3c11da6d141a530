//! The demo's world: a seeded month of a service like Sentry's, sent as CloudEvents.
//!
//! Everything follows from (records, seed): who sends what and when, what is sent twice, with other
//! content, broken, after the period's end, after its seal.

use std::fmt::Write as _;
use std::io::{BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use engine::FixedClock;
use metering::Instant;

/// How many accounts there are.
pub const ACCOUNTS: usize = 200;
/// The billing period.
pub const PERIOD: &str = "2026-08";
/// 2026-08-01T00:00:00Z in milliseconds.
const START_MS: i64 = 1_785_542_400_000;
const MONTH_MS: i64 = 31 * 86_400_000;
const MS: i64 = 1_000_000;
/// Records that may still be sent again.
const RECENT: usize = 50_000;
const BUFFER_BYTES: usize = 1 << 16;

/// When what arrives behind the period's end arrives.
pub const AFTER_END: Instant = Instant((START_MS + MONTH_MS + 6 * 3_600_000) * MS);
/// When usage is sealed: the end and one day of grace.
pub const SEAL: Instant = Instant((START_MS + MONTH_MS + 86_400_000) * MS);
/// When what is late arrives.
pub const LATE: Instant = Instant((START_MS + MONTH_MS + 2 * 86_400_000) * MS);

/// A category of event: its type, how often it is sent, the largest quantity of one record.
const CATEGORIES: [(&str, u64, u64); 12] = [
    ("error", 300, 1),
    ("transaction", 200, 4),
    ("span", 180, 500),
    ("log", 110, 20),
    ("log_byte", 60, 20_000),
    ("metric", 50, 50),
    ("replay", 30, 1),
    ("profile", 25, 1),
    ("attachment", 15, 1),
    ("attachment_byte", 12, 2_000_000),
    ("monitor", 10, 1),
    ("uptime", 8, 1),
];

/// A small generator with a long period: the world must be the same on every machine.
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// What the world sent so far, to be laid against the engine's own counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// First sendings of well-formed events.
    pub fresh: u64,
    /// Exact repetitions.
    pub repeated: u64,
    /// Repetitions with other content.
    pub altered: u64,
    /// Broken records.
    pub broken: u64,
}

/// A well-formed event as it is sent.
#[derive(Clone)]
struct Sending {
    id: u128,
    source: u64,
    category: usize,
    account: usize,
    project: u64,
    quantity: u64,
    at_ms: i64,
}

/// The generator.
pub struct World {
    chance: Chance,
    records: u64,
    made: u64,
    /// Cumulative weights of accounts: the n-th has 1/n of the first's traffic.
    accounts: Vec<u64>,
    recent: Vec<Sending>,
    after_end: Vec<u8>,
    late: Vec<u8>,
    /// What was put aside: sendings after the end, and late ones.
    aside: (u64, u64),
    sent: Sent,
    clock: Option<Arc<FixedClock>>,
}

impl World {
    /// A world that sends so many records.
    pub fn new(records: u64, seed: u64, clock: Option<Arc<FixedClock>>) -> Self {
        let mut accounts = Vec::with_capacity(ACCOUNTS);
        let mut sum = 0;
        for rank in 1..=ACCOUNTS as u64 {
            sum += 1_000_000 / rank;
            accounts.push(sum);
        }
        Self {
            chance: Chance(seed ^ 0xc0de_c0de_c0de_c0de),
            records,
            made: 0,
            accounts,
            recent: Vec::new(),
            after_end: Vec::new(),
            late: Vec::new(),
            aside: (0, 0),
            sent: Sent::default(),
            clock,
        }
    }

    /// What was sent in the month itself.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Takes the records that arrive behind the period's end, with their number.
    pub fn take_after_end(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.after_end), self.aside.0)
    }

    /// Takes the records that arrive behind the seal, with their number.
    pub fn take_late(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.late), self.aside.1)
    }

    /// Appends records of the month until the buffer is full; false when all are made.
    fn fill(&mut self, out: &mut Vec<u8>) -> bool {
        let mut line = String::with_capacity(512);
        let mut latest = START_MS;
        while out.len() < BUFFER_BYTES && self.made < self.records {
            line.clear();
            let draw = self.chance.below(100_000);
            match draw {
                0..2_000 if !self.recent.is_empty() => {
                    let again = self.pick_recent();
                    write_event(&mut line, &again);
                    self.sent.repeated += 1;
                }
                2_000..2_020 if !self.recent.is_empty() => {
                    let mut other = self.pick_recent();
                    other.quantity += 1;
                    write_event(&mut line, &other);
                    self.sent.altered += 1;
                }
                2_020..2_120 => {
                    let sending = self.sending();
                    self.write_broken(&mut line, &sending);
                    self.sent.broken += 1;
                }
                _ => {
                    let sending = self.sending();
                    latest = latest.max(sending.at_ms);
                    write_event(&mut line, &sending);
                    self.made += 1;
                    line.push('\n');
                    match draw {
                        2_120..3_120 => {
                            self.after_end.extend_from_slice(line.as_bytes());
                            self.aside.0 += 1;
                        }
                        3_120..3_220 => {
                            self.late.extend_from_slice(line.as_bytes());
                            self.aside.1 += 1;
                        }
                        _ => {
                            self.remember(sending);
                            self.sent.fresh += 1;
                            out.extend_from_slice(line.as_bytes());
                        }
                    }
                    continue;
                }
            }
            self.made += 1;
            line.push('\n');
            out.extend_from_slice(line.as_bytes());
        }
        if let Some(clock) = &self.clock {
            let arrived = (latest + 1_000) * MS;
            if engine::Clock::now(clock.as_ref()).0 < arrived {
                clock.set(Instant(arrived));
            }
        }
        !out.is_empty()
    }

    fn sending(&mut self) -> Sending {
        let (kinds, weight) = (CATEGORIES.len(), CATEGORIES.iter().map(|category| category.1).sum());
        let mut draw = self.chance.below(weight);
        let mut category = 0;
        while category + 1 < kinds && draw >= CATEGORIES[category].1 {
            draw -= CATEGORIES[category].1;
            category += 1;
        }
        let all = self.accounts.last().copied().unwrap_or(1);
        let draw = self.chance.below(all);
        let account = self.accounts.partition_point(|sum| *sum <= draw);
        // Records come roughly in the order of their time, a few minutes apart at most.
        let through = (i128::from(MONTH_MS) * i128::from(self.made) / i128::from(self.records.max(1))) as i64;
        let jitter = self.chance.below(180_000) as i64;
        Sending {
            id: (u128::from(self.chance.next()) << 64) | u128::from(self.chance.next()),
            source: self.chance.below(4),
            category,
            account,
            project: self.chance.below(3) + 1,
            quantity: 1 + self.chance.below(CATEGORIES[category].2),
            at_ms: START_MS + (through - jitter).max(0),
        }
    }

    fn remember(&mut self, sending: Sending) {
        if self.recent.len() < RECENT {
            self.recent.push(sending);
        } else {
            let slot = self.chance.below(RECENT as u64) as usize;
            self.recent[slot] = sending;
        }
    }

    fn pick_recent(&mut self) -> Sending {
        let slot = self.chance.below(self.recent.len() as u64) as usize;
        self.recent[slot].clone()
    }

    /// One of the ways in which senders get it wrong.
    fn write_broken(&mut self, line: &mut String, sending: &Sending) {
        write_event(line, sending);
        let quantity = format!("\"quantity\":{}", sending.quantity);
        match self.chance.below(9) {
            0 => line.truncate(line.len() / 2),
            1 => *line = line.replacen("\"id\":", "\"identity\":", 1),
            2 => *line = line.replacen("\"time\":", "\"at\":", 1),
            3 => *line = line.replacen("2026-08-", "2026-13-", 1),
            4 => *line = line.replacen("\"subject\":", "\"about\":", 1),
            5 => {
                let of_type = format!("\"type\":\"{}\"", CATEGORIES[sending.category].0);
                *line = line.replacen(&of_type, "\"type\":\"eror\"", 1);
            }
            6 => *line = line.replacen(&quantity, "\"quantity\":\"many\"", 1),
            7 => *line = line.replacen(&quantity, &format!("\"quantity\":-{}", sending.quantity), 1),
            _ => *line = line.replacen(&quantity, &format!("{quantity},{quantity}"), 1),
        }
    }
}

fn write_event(line: &mut String, sending: &Sending) {
    let offset = sending.at_ms - START_MS;
    let (day, rest) = (offset / 86_400_000, offset % 86_400_000);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
    let written = write!(
        line,
        "{{\"specversion\":\"1.0\",\"id\":\"{:032x}\",\"source\":\"relay-{}\",\"type\":\"{}\",\
         \"subject\":\"org-{}\",\"time\":\"2026-08-{:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z\",\
         \"data\":{{\"quantity\":{},\"project\":\"p-{}\"}}}}",
        sending.id,
        sending.source,
        CATEGORIES[sending.category].0,
        sending.account + 1,
        day + 1,
        sending.quantity,
        sending.project,
    );
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

/// The month's records as a stream, made while it is read.
pub struct MonthStream {
    world: Arc<Mutex<World>>,
    buffer: Vec<u8>,
    at: usize,
}

impl MonthStream {
    /// The stream of a world.
    pub fn new(world: Arc<Mutex<World>>) -> Self {
        Self { world, buffer: Vec::new(), at: 0 }
    }
}

impl Read for MonthStream {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let held = self.fill_buf()?;
        let count = held.len().min(out.len());
        out[..count].copy_from_slice(&held[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for MonthStream {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            self.world.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut self.buffer);
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

/// The configuration of the world as YAML: a seller, twelve meters, three plans, 200 accounts.
pub fn configuration() -> String {
    let mut yaml = String::from(
        "# A service like Sentry's: made by `counterfoil gen`.\n\
         kind: seller\nseller: demo\nseries: DEMO\nzone: UTC\ncurrency: USD\ngrace_days: 1\n",
    );
    for (name, _, _) in CATEGORIES {
        let dimensions = if name == "error" { "dimensions: [project]\n" } else { "" };
        yaml.push_str(&format!(
            "---\nkind: meter\nmeter: {name}\nevents: [{name}]\naggregate: sum\nproperty: quantity\n{dimensions}unit: {name}\n"
        ));
    }
    yaml.push_str(PRICES);
    for (plan, fee, included) in [("developer", "0", 1), ("team", "29", 10), ("business", "89", 50)] {
        yaml.push_str(&format!("---\nkind: plan\nplan: {plan}\ncurrency: USD\nitems:\n"));
        if fee != "0" {
            yaml.push_str(&format!("  base: {{fee: \"{fee}\", every: month, pay: after}}\n"));
        }
        for (name, _, most) in CATEGORIES {
            let allowance = u64::from(included as u8) * most.div_ceil(2) * 20;
            yaml.push_str(&format!(
                "  {name}: {{usage: {name}, included: \"{allowance}\", price: {name}}}\n"
            ));
        }
    }
    for account in 1..=ACCOUNTS {
        let plan = match account {
            1..=40 => "business",
            41..=120 => "team",
            _ => "developer",
        };
        yaml.push_str(&format!(
            "---\nkind: account\naccount: org-{account}\n---\nkind: contract\ncontract: org-{account}-2026\n\
             account: org-{account}\nseller: demo\nplan: {plan}\ncurrency: USD\nstart: 2026-08-01\n"
        ));
    }
    yaml
}

/// One price a category: every model that the engine sells.
const PRICES: &str = r#"---
{kind: price, price: error, currencies: {USD: {graduated: [{up_to: "100000", unit: "0.00089"}, {up_to: "500000", unit: "0.0005"}, {unit: "0.0003"}]}}}
---
{kind: price, price: transaction, currencies: {USD: {unit: "0.000075"}}}
---
{kind: price, price: span, currencies: {USD: {per: "1000000", graduated: [{up_to: "10000000", unit: "3.20"}, {unit: "2.88"}]}}}
---
{kind: price, price: log, currencies: {USD: {volume: [{up_to: "100000", unit: "0.0004"}, {unit: "0.0003"}]}}}
---
{kind: price, price: log_byte, currencies: {USD: {per: "1000000000", unit: "0.50"}}}
---
{kind: price, price: metric, currencies: {USD: {package: {size: "10000", price: "0.15"}}}}
---
{kind: price, price: replay, currencies: {USD: {graduated: [{up_to: "5000", unit: "0.003"}, {up_to: "10000", unit: "0.00285", flat: "1.00"}, {unit: "0.0025"}]}}}
---
{kind: price, price: profile, currencies: {USD: {unit: "0.006"}}}
---
{kind: price, price: attachment, currencies: {USD: {unit: "0.0001"}}}
---
{kind: price, price: attachment_byte, currencies: {USD: {package: {size: "1000000000", price: "0.25"}}}}
---
{kind: price, price: monitor, currencies: {USD: {unit: "0.00078"}}}
---
{kind: price, price: uptime, currencies: {USD: {volume: [{up_to: "1000", unit: "0.001"}, {unit: "0.0008"}]}}}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn month(records: u64, seed: u64) -> (String, Sent, u64, u64) {
        let world = Arc::new(Mutex::new(World::new(records, seed, None)));
        let mut text = String::new();
        MonthStream::new(Arc::clone(&world)).read_to_string(&mut text).expect("the stream is text");
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        let (after_end, late) = (world.take_after_end().1, world.take_late().1);
        (text, world.sent(), after_end, late)
    }

    #[test]
    fn a_seed_is_a_world() {
        assert_eq!(month(2_000, 5).0, month(2_000, 5).0);
        assert_ne!(month(2_000, 5).0, month(2_000, 6).0);
    }

    #[test]
    fn every_record_is_sent_once_somewhere() {
        let (text, sent, after_end, late) = month(50_000, 1);
        let in_month = text.lines().count() as u64;
        assert_eq!(in_month, sent.fresh + sent.repeated + sent.altered + sent.broken);
        assert_eq!(in_month + after_end + late, 50_000);
        assert!(sent.repeated > 800 && sent.altered > 0 && sent.broken > 20 && after_end > 300 && late > 10);
    }
}
