//! What the measuring programs share: a store in a folder, and events that a number makes.
#![allow(dead_code, reason = "each program uses a part of it")]

use std::path::Path;
use std::sync::Arc;

use connectors::config::load_path;
use engine::{Caller, Engine, EngineError, MEMORY_BYTES, Options, SystemClock};
use metering::Keys;
use store::{RealDisk, SegmentSizes};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub const ACCOUNTS: u64 = 100_000;
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

pub fn caller() -> Caller {
    Caller { actor: "bench".to_owned(), reason: None, idempotency_key: None }
}

pub fn keys() -> Keys {
    Keys { identity: [11; 16], digest: [12; 16], personal: [13; 32], shard: [14; 16] }
}

pub fn open(folder: &Path) -> Result<Engine, EngineError> {
    open_with(folder, MEMORY_BYTES, true)
}

/// Opens a folder with so much memory, its runs written beside the path of events or on it.
pub fn open_with(folder: &Path, memory_bytes: usize, in_background: bool) -> Result<Engine, EngineError> {
    let disk = RealDisk::create(folder).map_err(|error| EngineError::stored("the folder", error))?;
    let options = Options {
        clock: Arc::new(SystemClock),
        random: Box::new(|bytes| bytes.fill(7)),
        keys: Some(keys()),
        actor: "bench".to_owned(),
        sizes: SegmentSizes::DEFAULT,
        memory_bytes,
        in_background,
    };
    Engine::open(Arc::new(disk), options)
}

/// Opens a folder and applies `examples/bench-world`.
pub fn open_configured(folder: &Path) -> Result<Engine, EngineError> {
    let mut engine = open(folder)?;
    configure(&mut engine)?;
    Ok(engine)
}

/// Applies `examples/bench-world`.
pub fn configure(engine: &mut Engine) -> Result<(), EngineError> {
    let world = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/bench-world");
    let documents = load_path(&world).unwrap_or_else(|problems| panic!("{problems:?}"));
    let plan = engine.plan(&documents)?.unwrap_or_else(|problems| panic!("{problems:?}"));
    engine.apply(&caller(), &plan)?;
    Ok(())
}

/// Spreads a number over 64 bits.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Appends the event of a number as a line; `content` makes other contents under the same id.
pub fn line(number: u64, content: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (high, low) = (mix(number * 2), mix(number * 2 + 1));
    out.extend_from_slice(br#"{"specversion":"1.0","id":""#);
    for word in [high, low] {
        for byte in word.to_be_bytes() {
            out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
    let draw = mix(high ^ low);
    out.extend_from_slice(br#"","source":"relay-"#);
    decimal(draw % 16, out);
    out.extend_from_slice(br#"","type":""#);
    out.extend_from_slice(TYPES[(draw >> 8) as usize % 12].as_bytes());
    out.extend_from_slice(br#"","subject":"org-"#);
    // The square of an even draw: few accounts have most events.
    let even = (draw >> 16) % 1000;
    decimal(even * even * (ACCOUNTS / 1000) / 1000 + (draw >> 40) % (even + 1), out);
    out.extend_from_slice(br#"","time":"2026-08-"#);
    // 100 million events are a month.
    let seconds = number / 40 % (28 * 86_400);
    two(1 + seconds / 86_400, out);
    out.push(b'T');
    two(seconds / 3600 % 24, out);
    out.push(b':');
    two(seconds / 60 % 60, out);
    out.push(b':');
    two(seconds % 60, out);
    out.push(b'.');
    let ms = draw >> 32 & 511;
    out.extend_from_slice(&[b'0' + (ms / 100) as u8]);
    two(ms % 100, out);
    out.extend_from_slice(br#"Z","data":{"quantity":"#);
    decimal(1 + (draw >> 20) % 1000 + content, out);
    out.extend_from_slice(br#","project":"p-"#);
    decimal((draw >> 48) % 1000, out);
    out.extend_from_slice(b"\"}}\n");
}

/// Batches of lines that differ in their ids alone: making one costs little beside taking it.
pub struct Batches {
    lines: Vec<u8>,
    /// Where the id of each line begins.
    ids: Vec<usize>,
}

impl Batches {
    /// Batches of so many lines.
    pub fn of(lines: u64, first: u64) -> Self {
        let (mut bytes, mut ids) = (Vec::new(), Vec::new());
        for number in first..first + lines {
            ids.push(bytes.len() + br#"{"specversion":"1.0","id":""#.len());
            line(number, 0, &mut bytes);
        }
        Self { lines: bytes, ids }
    }

    /// The batch whose events have numbers from here on, which no other batch has.
    pub fn numbered(&self, from: u64) -> Vec<u8> {
        let mut bytes = self.lines.clone();
        for (number, at) in (from..).zip(&self.ids) {
            hex(mix(number * 2), &mut bytes[*at..at + 16]);
            hex(mix(number * 2 + 1), &mut bytes[at + 16..at + 32]);
        }
        bytes
    }
}

/// 16 hexadecimal digits.
fn hex(number: u64, out: &mut [u8]) {
    for (digit, place) in out.iter_mut().enumerate() {
        let nibble = (number >> (60 - 4 * digit) & 15) as u8;
        *place = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
}

fn two(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
}

fn decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A figure of `/proc/self/status` in KiB.
pub fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// The n-th of a thousand of some sorted durations, in microseconds.
pub fn per_mille(sorted: &[u64], mille: usize) -> u64 {
    sorted[(sorted.len() - 1) * mille / 1000] / 1000
}
