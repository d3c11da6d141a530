//! A row written as the CloudEvent that says the same.

use metering::Instant;

use super::schema::{Kind, Layout, Role};
use super::slice::{Piece, Segment};
use crate::lines::{CUT_LINE_BYTES, LINE_BYTES_MAX};

/// The row as JSON, nulls absent, and how long it is. Of one that is longer than a line may be only the head is
/// written. Bytes that are no UTF-8 stay as they are, so that what is kept is refused for them again.
pub(super) fn row(layout: &Layout, segment: &Segment, row: usize) -> (Vec<u8>, u64) {
    let texts = segment.pieces.iter().map(|piece| match piece {
        Piece::Texts(texts) => texts.bytes(row).map_or(0, <[u8]>::len),
        _ => 0,
    });
    let texts_bytes: usize = texts.sum();
    let mut out = br#"{"specversion":"1.0""#.to_vec();
    for role in [Role::Id, Role::Source, Role::Type, Role::Account, Role::Time] {
        member(&mut out, layout, segment, (layout.place(role), row));
    }
    out.extend_from_slice(br#","data":{"#);
    let from = out.len();
    for place in &layout.properties {
        member(&mut out, layout, segment, (*place, row));
    }
    // The first member of the data stands behind no comma.
    if out.len() > from {
        out.remove(from);
    }
    out.extend_from_slice(b"}}");
    let length = out.len().max(texts_bytes);
    if length > LINE_BYTES_MAX {
        out.truncate(CUT_LINE_BYTES);
    }
    (out, length as u64)
}

fn member(out: &mut Vec<u8>, layout: &Layout, segment: &Segment, (place, row): (usize, usize)) {
    // What is cut anyway needs not be written to its end.
    if out.len() > LINE_BYTES_MAX {
        return;
    }
    let (column, from) = (&layout.columns[place], out.len());
    out.push(b',');
    string(out, column.name.as_bytes());
    out.push(b':');
    let is_there = match &segment.pieces[place] {
        Piece::Texts(texts) => texts.bytes(row).map(|bytes| string(out, bytes)).is_some(),
        Piece::Numbers(numbers) => {
            let written = numbers.get(row).map(|value| match column.kind {
                Kind::Time { unit_ns } => string(out, time(value, unit_ns).as_bytes()),
                kind => number(out, value, kind),
            });
            written.is_some()
        }
        Piece::Bools(bools) => {
            let text: &[u8] = match bools[row] {
                0 => b"false",
                1 => b"true",
                _ => b"",
            };
            out.extend_from_slice(text);
            !text.is_empty()
        }
    };
    if !is_there {
        out.truncate(from);
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes.iter().take(LINE_BYTES_MAX + 1) {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Appends the digits of a number.
pub(super) fn number(out: &mut Vec<u8>, number: i64, kind: Kind) {
    let is_signed = !matches!(kind, Kind::Number { is_signed: false, .. });
    let mut left = if is_signed { number.unsigned_abs() } else { number as u64 };
    if is_signed && number < 0 {
        out.push(b'-');
    }
    // 64 bits have at most 20 digits.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The moment of a number of units since 1970, if the time line has it.
pub(super) fn instant(number: Option<i64>, unit_ns: i64) -> Option<Instant> {
    let instant = Instant(number?.checked_mul(unit_ns)?);
    (Instant::MIN <= instant && instant < Instant::MAX).then_some(instant)
}

/// A time as RFC 3339 writes it; one that is not on the time line as it was found.
fn time(number: i64, unit_ns: i64) -> String {
    let unit = match unit_ns {
        1_000_000 => "ms",
        1_000 => "us",
        _ => "ns",
    };
    let found = || format!("{number} {unit} since 1970-01-01T00:00:00Z");
    instant(Some(number), unit_ns).map_or_else(found, |instant| instant.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let text = |value, is_signed| {
            let mut out = Vec::new();
            number(&mut out, value, Kind::Number { is_short: false, is_signed });
            String::from_utf8(out).unwrap()
        };
        for value in [0, 1, 9, 10, 100, -1, -10, i64::MAX, i64::MIN] {
            assert_eq!(text(value, true), value.to_string());
            assert_eq!(text(value, false), (value as u64).to_string());
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(1_785_542_400_250, 1_000_000), "2026-08-01T00:00:00.25Z");
        assert_eq!(time(-1, 1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(time(i64::MAX, 1_000_000), "9223372036854775807 ms since 1970-01-01T00:00:00Z");
        assert_eq!(instant(Some(Instant::MAX.0), 1), None);
        assert_eq!(instant(Some(Instant::MIN.0), 1), Some(Instant::MIN));
    }

    #[test]
    fn strings_keep_their_bytes() {
        let mut out = Vec::new();
        string(&mut out, b"a\"\\\n\xff\xc3\xa9");
        assert_eq!(out, b"\"a\\\"\\\\\\u000a\xff\xc3\xa9\"");
    }
}
