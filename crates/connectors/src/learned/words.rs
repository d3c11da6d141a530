//! Eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes from a place on, the first in the lowest bits; zeros behind the end.
#[inline(always)]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => last_word(bytes, at),
    }
}

#[cold]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    for (to, byte) in word.iter_mut().zip(bytes.get(at..).unwrap_or(&[])) {
        *to = *byte;
    }
    u64::from_le_bytes(word)
}

/// Sixteen bytes from a place on, the first in the lowest bits; zeros behind the end.
#[inline(always)]
pub(super) fn wide(bytes: &[u8], at: usize) -> u128 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => u128::from(last_word(bytes, at)) | u128::from(last_word(bytes, at + 8)) << 64,
    }
}

/// How many of the bytes, from the lowest on, stand in a plain string: up to a quote, a backslash or a control
/// character, which a zero is; 16 where none is among them.
#[inline(always)]
pub(super) fn plain(wide: u128) -> usize {
    // The high bit of each byte that ends a plain string: of those below 0x80, the ones that a subtraction takes below
    // zero. The lowest is exact; above it a borrow may have made one too many.
    let ends = |word: u64| {
        let control = word.wrapping_sub(ONES * 0x20);
        let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
        (control | quote | backslash) & !word & HIGHS
    };
    let found = u128::from(ends(wide as u64)) | u128::from(ends((wide >> 64) as u64)) << 64;
    (found.trailing_zeros() / 8) as usize
}

/// The first place from `at` on, before `limit`, where a plain string ends, or a place not before `limit` up to which
/// it has not ended.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize, limit: usize) -> usize {
    while at < limit {
        let count = plain(wide(bytes, at));
        at += count;
        if count < 16 {
            break;
        }
    }
    at
}

/// Whether bytes stand in a plain string as they are; nothing told of fewer than 16.
#[inline(always)]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let no_end = |chunk: &[u8; 16]| {
        chunk.iter().fold(true, |all, byte| all & (*byte >= b' ') & (*byte != b'"') & (*byte != b'\\'))
    };
    let (chunks, rest) = bytes.as_chunks();
    let Some(last) = bytes.last_chunk() else { return false };
    chunks.iter().all(no_end) && (rest.is_empty() || no_end(last))
}

/// The first place from `at` on, before `limit`, where a byte is no digit, or a place not before `limit` up to which
/// all are digits.
#[inline(always)]
pub(super) fn digits_end(bytes: &[u8], mut at: usize, limit: usize) -> usize {
    while at < limit {
        let value = word(bytes, at) ^ (ONES * 0x30);
        let found = (value.wrapping_add(ONES * 0x76) | value) & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// Bytes that a line must have at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// The first sixteen, filled up with zeros.
    first: u128,
    /// Which bits of them count.
    mask: u128,
    /// The last sixteen, where there are more than that.
    last: u128,
    /// What stands between both.
    middle: Box<[u8]>,
    length: usize,
}

impl Literal {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let length = bytes.len();
        Self {
            first: wide(bytes, 0),
            mask: low_bytes(length.min(16)),
            last: if length > 16 { wide(bytes, length - 16) } else { 0 },
            middle: bytes.get(16..length.saturating_sub(16)).unwrap_or(&[]).into(),
            length,
        }
    }

    /// The place behind it, where it stands at a place.
    #[inline(always)]
    pub(super) fn skip(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if wide(bytes, at) & self.mask != self.first {
            return None;
        }
        let end = at + self.length;
        if self.length > 16 {
            if wide(bytes, end - 16) != self.last {
                return None;
            }
            if !self.middle.is_empty() && bytes.get(at + 16..end - 16) != Some(&*self.middle) {
                return None;
            }
        }
        Some(end)
    }
}

/// The bits of so many bytes.
#[inline(always)]
pub(super) fn low_bytes(count: usize) -> u128 {
    LOW_BYTES[count & 31]
}

const LOW_BYTES: [u128; 32] = {
    let mut masks = [u128::MAX; 32];
    let mut count = 0;
    while count < 16 {
        masks[count] = (1 << (8 * count)) - 1;
        count += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_where_single_bytes_say() {
        for byte in 0..=255_u8 {
            for before in 0..20 {
                for filler in [b'a', b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff, b'0', b'9', b'/', b':'] {
                    let mut bytes = vec![filler; before];
                    bytes.push(byte);
                    bytes.extend_from_slice(b"a9\"\\\n9a9");
                    for from in 0..=before {
                        let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
                        let plain = (from..).find(|at| !is_plain(bytes[*at])).unwrap();
                        assert_eq!(plain_end(&bytes, from, 1000), plain, "{bytes:?}");
                        let digits = (from..).find(|at| !bytes[*at].is_ascii_digit()).unwrap();
                        assert_eq!(digits_end(&bytes, from, 1000), digits, "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_end_of_the_bytes_ends_all() {
        for length in 0..20 {
            assert_eq!(plain_end(&vec![b'a'; length], 0, 1000), length);
            assert_eq!(digits_end(&vec![b'7'; length], 0, 1000), length);
        }
        assert_eq!(plain_end(&[b'a'; 100], 0, 17), 32);
    }

    #[test]
    fn literals_compare_every_byte() {
        let text = b"0123456789abcdefghijklmnopqrstuvwxyz{|}~+-*/";
        for length in 0..=text.len() {
            let literal = Literal::new(&text[..length]);
            for behind in ["", "x", "a longer rest"] {
                let mut line = b"..".to_vec();
                line.extend_from_slice(&text[..length]);
                line.extend_from_slice(behind.as_bytes());
                assert_eq!(literal.skip(&line, 2), Some(length + 2));
                for at in 0..length {
                    let mut other = line.clone();
                    other[at + 2] ^= 1;
                    assert_eq!(literal.skip(&other, 2), None);
                }
                assert_eq!(literal.skip(&line[..line.len() - behind.len()], 2), Some(length + 2));
                if length > 0 {
                    assert_eq!(literal.skip(&line[..length + 1], 2), None);
                }
            }
        }
    }
}
