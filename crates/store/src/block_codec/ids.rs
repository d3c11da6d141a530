//! Ids, packed where their exact spelling can be told in a tag.

use metering::{Batch, Span};

use crate::coding::{BadCoding, Reader, put_bytes, put_i64};

const RAW: u8 = 0;
const HEX_LOWER: u8 = 1;
const HEX_UPPER: u8 = 2;
const UUID_LOWER: u8 = 3;
const UUID_UPPER: u8 = 4;
const DECIMAL: u8 = 5;

/// The bytes of a UUID between its dashes.
const UUID_GROUPS: [usize; 5] = [4, 2, 2, 2, 6];

/// Packs ids: a tag each, and their contents.
pub(super) fn encode<'a>(ids: impl Iterator<Item = &'a [u8]>, tags: &mut Vec<u8>, contents: &mut Vec<u8>) {
    let mut decimal_before = 0u64;
    for id in ids {
        let tag = pack(id, &mut decimal_before, contents);
        tags.push(tag);
    }
}

/// Whether ids with these tags are random bytes, which no compression makes shorter.
pub(super) fn are_random(contents: usize, tags: usize) -> bool {
    contents == tags * 16
}

fn pack(id: &[u8], decimal_before: &mut u64, contents: &mut Vec<u8>) -> u8 {
    if let Some((upper, bytes)) = one_case(id) {
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
    put_bytes(contents, id);
    RAW
}

/// Unpacks `count` ids of format 1: the tags, then the contents.
pub(super) fn decode_texts(count: usize, reader: &mut Reader<'_>) -> Result<Vec<String>, BadCoding> {
    let tags = reader.take(count)?;
    let mut decimal_before = 0u64;
    tags.iter().map(|tag| unpack(*tag, &mut decimal_before, reader)).collect()
}

/// Unpacks `count` ids into a batch.
pub(super) fn decode(
    count: usize,
    tags: &[u8],
    contents: &[u8],
    batch: &mut Batch,
) -> Result<Vec<Span>, BadCoding> {
    if tags.len() != count {
        return Err(BadCoding("ids and their spellings differ in number"));
    }
    let mut reader = Reader::new(contents);
    let mut decimal_before = 0u64;
    let mut out = Vec::with_capacity(count);
    for tag in tags {
        out.push(match *tag {
            HEX_LOWER | HEX_UPPER => {
                let digits = if *tag == HEX_UPPER { UPPER } else { LOWER };
                let mut spelt = [0; 32];
                for (pair, byte) in spelt.chunks_exact_mut(2).zip(reader.take(16)?) {
                    pair[0] = digits[usize::from(byte >> 4)];
                    pair[1] = digits[usize::from(byte & 15)];
                }
                let spelt = std::str::from_utf8(&spelt).map_err(|_| BadCoding("an id is not UTF-8"))?;
                batch.push_text(spelt)
            }
            tag => batch.push_text(&unpack(tag, &mut decimal_before, &mut reader)?),
        });
    }
    reader.finish()?;
    Ok(out)
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

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
    let digits = if upper { UPPER } else { LOWER };
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(digits[usize::from(nibble)]))
        .collect()
}

fn uuid(bytes: &[u8]) -> Option<(bool, [u8; 16])> {
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

/// 32 hex digits of one case; digits alone count as lower.
fn one_case(digits: &[u8]) -> Option<(bool, [u8; 16])> {
    let digits: &[u8; 32] = digits.try_into().ok()?;
    let mut values = [0; 32];
    let (mut bad, mut letters) = (0, 0);
    // Without a branch or a table, so that many are told at once.
    for (value, digit) in values.iter_mut().zip(digits) {
        let (number, letter) = (digit.wrapping_sub(b'0'), (digit | 0x20).wrapping_sub(b'a'));
        let is_letter = u8::from(letter < 6);
        bad |= 1 ^ (is_letter | u8::from(number < 10));
        letters |= is_letter << (digit >> 5 & 1);
        *value = if number < 10 { number } else { letter.wrapping_add(10) };
    }
    let (upper, lower) = (letters & 1 != 0, letters & 2 != 0);
    let mut out = [0; 16];
    for (byte, [high, low]) in out.iter_mut().zip(values.as_chunks::<2>().0) {
        *byte = high << 4 | low;
    }
    (bad == 0 && !(upper && lower)).then_some((upper, out))
}

/// A decimal that is spelt as it would be printed.
fn decimal(bytes: &[u8]) -> Option<u64> {
    let canonical = match bytes.first()? {
        b'0' => bytes.len() == 1,
        first => first.is_ascii_digit(),
    };
    let digits =
        std::str::from_utf8(bytes).ok().filter(|_| canonical && bytes.iter().all(u8::is_ascii_digit))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_to_be_a_digit_or_not() {
        for byte in 0..=u8::MAX {
            for other in [b'7', b'b', b'B'] {
                let mut digits = [b'0'; 32];
                (digits[9], digits[30]) = (byte, other);
                let value = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
                let is_upper = |byte: u8| byte.is_ascii_uppercase();
                let mixed = byte.is_ascii_alphabetic()
                    && other.is_ascii_alphabetic()
                    && is_upper(byte) != is_upper(other);
                let expected = value(byte).filter(|_| !mixed).map(|low| {
                    let mut bytes = [0; 16];
                    (bytes[4], bytes[15]) = (low, value(other).unwrap() << 4);
                    (is_upper(byte) || is_upper(other), bytes)
                });
                assert_eq!(one_case(&digits), expected, "{byte:#x} {other:#x}");
            }
        }
        assert_eq!((one_case(&[b'0'; 31]), one_case(&[b'0'; 33])), (None, None));
    }

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
        let (mut tags, mut contents) = (Vec::new(), Vec::new());
        encode(ids.iter().map(|id| id.as_bytes()), &mut tags, &mut contents);
        let mut batch = Batch::new(1);
        let spans = decode(ids.len(), &tags, &contents, &mut batch).expect("ids");
        assert_eq!(spans.iter().map(|span| batch.text(*span)).collect::<Vec<_>>(), ids);
        let old = [tags, contents].concat();
        let mut reader = Reader::new(&old);
        assert_eq!(decode_texts(ids.len(), &mut reader).expect("ids of format 1"), ids);
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn packed_ids_are_short() {
        let check = |id: &str, bytes: usize| {
            let (mut tags, mut contents) = (Vec::new(), Vec::new());
            encode([id.as_bytes()].into_iter(), &mut tags, &mut contents);
            assert_eq!(tags.len() + contents.len(), bytes, "{id}");
        };
        check("0123456789abcdef0123456789abcdef", 17);
        check("01234567-89ab-cdef-0123-456789abcdef", 17);
        check("60", 2);
        check("x60", 5);
    }
}
