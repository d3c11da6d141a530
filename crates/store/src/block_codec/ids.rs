//! Ids, packed where their exact spelling can be told in a tag.

use crate::coding::{BadCoding, Reader, put_bytes, put_i64};

const RAW: u8 = 0;
const HEX_LOWER: u8 = 1;
const HEX_UPPER: u8 = 2;
const UUID_LOWER: u8 = 3;
const UUID_UPPER: u8 = 4;
const DECIMAL: u8 = 5;

/// The bytes of a UUID between its dashes.
const UUID_GROUPS: [usize; 5] = [4, 2, 2, 2, 6];

/// Packs a column of ids: the tags, then the contents.
pub(super) fn encode<'a>(ids: impl Iterator<Item = &'a str> + Clone, out: &mut Vec<u8>) {
    let mut contents = Vec::new();
    let mut decimal_before = 0u64;
    for id in ids {
        let tag = pack(id, &mut decimal_before, &mut contents);
        out.push(tag);
    }
    out.extend_from_slice(&contents);
}

fn pack(id: &str, decimal_before: &mut u64, contents: &mut Vec<u8>) -> u8 {
    if let Some((upper, bytes)) = hex128(id) {
        contents.extend_from_slice(&bytes);
        return if upper { HEX_UPPER } else { HEX_LOWER };
    }
    if let Some((upper, bytes)) = uuid(id) {
        contents.extend_from_slice(&bytes);
        return if upper { UUID_UPPER } else { UUID_LOWER };
    }
    if let Some(value) = decimal(id) {
        put_i64(contents, value.wrapping_sub(*decimal_before) as i64);
        *decimal_before = value;
        return DECIMAL;
    }
    put_bytes(contents, id.as_bytes());
    RAW
}

/// Unpacks a column of `count` ids.
pub(super) fn decode(count: usize, reader: &mut Reader<'_>) -> Result<Vec<String>, BadCoding> {
    let tags = reader.take(count)?;
    let mut decimal_before = 0u64;
    tags.iter().map(|tag| unpack(*tag, &mut decimal_before, reader)).collect()
}

fn unpack(tag: u8, decimal_before: &mut u64, reader: &mut Reader<'_>) -> Result<String, BadCoding> {
    match tag {
        RAW => Ok(reader.text()?.to_owned()),
        HEX_LOWER | HEX_UPPER => Ok(spell(reader.take(16)?, tag == HEX_UPPER)),
        UUID_LOWER | UUID_UPPER => {
            let bytes = reader.take(16)?;
            let mut out = String::with_capacity(36);
            let mut at = 0;
            for group in UUID_GROUPS {
                if at > 0 {
                    out.push('-');
                }
                out.push_str(&spell(&bytes[at..at + group], tag == UUID_UPPER));
                at += group;
            }
            Ok(out)
        }
        DECIMAL => {
            *decimal_before = decimal_before.wrapping_add(reader.i64()? as u64);
            Ok(decimal_before.to_string())
        }
        _ => Err(BadCoding("an id has an unknown spelling")),
    }
}

fn spell(bytes: &[u8], upper: bool) -> String {
    let digits = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(digits[usize::from(nibble)]))
        .collect()
}

/// 32 hex digits of one case; digits alone count as lower.
fn hex128(id: &str) -> Option<(bool, [u8; 16])> {
    one_case(id.as_bytes())
}

fn uuid(id: &str) -> Option<(bool, [u8; 16])> {
    let bytes = id.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut digits = [0; 32];
    let (mut at, mut filled) = (0, 0);
    for group in UUID_GROUPS {
        if at > 0 {
            if bytes[at] != b'-' {
                return None;
            }
            at += 1;
        }
        digits[filled..filled + 2 * group].copy_from_slice(&bytes[at..at + 2 * group]);
        at += 2 * group;
        filled += 2 * group;
    }
    one_case(&digits)
}

fn one_case(digits: &[u8]) -> Option<(bool, [u8; 16])> {
    if digits.len() != 32 {
        return None;
    }
    let (mut lower, mut upper) = (false, false);
    let mut out = [0; 16];
    for (place, digit) in digits.iter().enumerate() {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => {
                lower = true;
                digit - b'a' + 10
            }
            b'A'..=b'F' => {
                upper = true;
                digit - b'A' + 10
            }
            _ => return None,
        };
        out[place / 2] = (out[place / 2] << 4) | nibble;
    }
    (!(lower && upper)).then_some((upper, out))
}

/// A decimal that is spelt as it would be printed.
fn decimal(id: &str) -> Option<u64> {
    let bytes = id.as_bytes();
    let canonical = match bytes.first()? {
        b'0' => bytes.len() == 1,
        first => first.is_ascii_digit(),
    };
    if canonical && bytes.iter().all(u8::is_ascii_digit) { id.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricky_spellings_come_back_exactly() {
        let ids = [
            "",
            "0",
            "00",
            "-1",
            "+1",
            "18446744073709551615",
            "18446744073709551616",
            "01234567890123456789012345678901",
            "0123456789abcdef0123456789abcdef",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789aBcdef0123456789abcdef",
            "0123456789abcdef0123456789abcde",
            "01234567-89ab-cdef-0123-456789abcdef",
            "01234567-89AB-CDEF-0123-456789ABCDEF",
            "01234567-89AB-cdef-0123-456789abcdef",
            "01234567-0123-0123-0123-012345678901",
            "0123456-789ab-cdef-0123-456789abcdef",
            "{01234567-89ab-cdef-0123-456789abcd}",
            "é1234567-89ab-cdef-0123-456789abcde",
            "12",
            "11",
            "\u{0}",
        ];
        let mut out = Vec::new();
        encode(ids.iter().copied(), &mut out);
        let mut reader = Reader::new(&out);
        assert_eq!(decode(ids.len(), &mut reader).expect("ids"), ids);
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn packed_ids_are_short() {
        let check = |id: &str, bytes: usize| {
            let mut out = Vec::new();
            encode([id].into_iter(), &mut out);
            assert_eq!(out.len(), bytes, "{id}");
        };
        check("0123456789abcdef0123456789abcdef", 17);
        check("01234567-89ab-cdef-0123-456789abcdef", 17);
        check("60", 2);
        check("x60", 5);
    }
}
