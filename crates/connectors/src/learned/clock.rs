//! Times that mostly lie in the minute of the time before.

use metering::Instant;

use super::words::{wide, word};

const NS_A_SECOND: i64 = 1_000_000_000;

/// The minute that was read last.
pub(super) struct Clock {
    /// How it is written: `2026-08-01T12:34`.
    written: u128,
    /// Where it begins.
    begin: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        // No text is written so.
        Self { written: u128::MAX, begin: Instant::MIN }
    }

    /// As [`Instant::read_plain_utc`] of the bytes from a place on.
    #[inline(always)]
    pub(super) fn read(&mut self, bytes: &[u8], at: usize) -> Option<(Instant, usize)> {
        let written = wide(bytes, at);
        if written == self.written
            && let Some(nanoseconds) = milliseconds(word(bytes, at + 16))
        {
            return Some((Instant(self.begin.0 + nanoseconds), 24));
        }
        self.read_whole(bytes, at, written)
    }

    #[inline(never)]
    fn read_whole(&mut self, bytes: &[u8], at: usize, written: u128) -> Option<(Instant, usize)> {
        let (instant, length) = Instant::read_plain_utc(bytes.get(at..)?)?;
        *self = Self { written, begin: Instant(instant.0 - instant.0.rem_euclid(60 * NS_A_SECOND)) };
        Some((instant, length))
    }
}

/// Nanoseconds of a minute that end like `:56.789Z`.
#[inline(always)]
fn milliseconds(word: u64) -> Option<i64> {
    let value = word ^ u64::from_le_bytes(*b":00.000Z");
    // What is added carries a digit beyond 9, and any other byte that differs, into its high bit.
    let carry = u64::from_le_bytes([0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76, 0x76, 0x7f]);
    if (value.wrapping_add(carry) | value) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let digit = |place: u32| i64::from((value >> (8 * place)) as u8);
    let second = digit(1) * 10 + digit(2);
    let millisecond = digit(4) * 100 + digit(5) * 10 + digit(6);
    (second < 60).then_some(second * NS_A_SECOND + millisecond * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minute_before_changes_nothing() {
        let mut clock = Clock::new();
        let times = [
            "2026-08-01T12:34:56.789Z",
            "2026-08-01T12:34:00.000Z",
            "2026-08-01T12:34:59.999Z",
            "2026-08-01T12:34:60.000Z",
            "2026-08-01T12:34:56Z",
            "2026-08-01T12:34:56.7Z",
            "2026-08-01T12:34:56.789123456Z",
            "2026-08-01T12:34:56.789z",
            "2026-08-01T12:34:56.78:Z",
            "1969-12-31T23:59:59.001Z",
            "1969-12-31T23:59:58.999Z",
            "1700-01-01T00:00:00.000Z",
            "1700-01-01T00:00:59.999Z",
            "2026-02-30T12:34:56.789Z",
            "2026-02-30T12:34:56.789Z",
        ];
        let mut known = 0;
        for first in times {
            for text in times {
                clock.read(first.as_bytes(), 0);
                let expected = Instant::read_plain_utc(text.as_bytes());
                assert_eq!(clock.read(text.as_bytes(), 0), expected, "{first} {text}");
                known += usize::from(expected.is_some());
                for at in 16..text.len() {
                    for byte in 0..128 {
                        let mut bytes = text.as_bytes().to_vec();
                        bytes[at] = byte;
                        let expected = Instant::read_plain_utc(&bytes);
                        assert_eq!(clock.read(&bytes, 0), expected, "{first} {text} {byte} at {at}");
                    }
                }
            }
        }
        assert_eq!(known, times.len() * 10);
    }
}
