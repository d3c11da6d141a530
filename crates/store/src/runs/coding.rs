//! Sums in run files, beside the numbers of [`crate::coding`].

use money::Sum;

use crate::coding::{BadCoding, Reader};

/// Appends a sum: a length byte, then its little-endian bytes without repeated sign bytes.
pub fn put_sum(out: &mut Vec<u8>, sum: Sum) {
    let bytes = sum.to_le_bytes();
    let sign = if bytes[31] & 0x80 == 0 { 0x00 } else { 0xff };
    let mut length = 32;
    while length > 1 && bytes[length - 1] == sign && (bytes[length - 2] & 0x80 == 0) == (sign == 0) {
        length -= 1;
    }
    out.push(length as u8);
    out.extend_from_slice(&bytes[..length]);
}

/// The next sum. Fewer than 2^64 quantities take 22 bytes; so many sums of 24 bytes can be added without a check.
pub fn take_sum(reader: &mut Reader<'_>) -> Result<Sum, BadCoding> {
    let length = usize::from(reader.byte()?);
    if !(1..=24).contains(&length) {
        return Err(BadCoding("a sum has an impossible length"));
    }
    let head = reader.take(length)?;
    let sign = if head[length - 1] & 0x80 == 0 { 0x00 } else { 0xff };
    let mut bytes = [sign; 32];
    bytes[..length].copy_from_slice(head);
    Ok(Sum::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back() {
        for text in
            ["0", "-1", "1", "0.000000000001", "-0.000000000001", "100000000000000000000", "-128", "255"]
        {
            let sum = Sum::ZERO.add(money::Quantity::parse(text).expect("a quantity"));
            let mut out = Vec::new();
            put_sum(&mut out, sum);
            let mut reader = Reader::new(&out);
            assert_eq!(take_sum(&mut reader), Ok(sum), "{text}");
            assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn hostile_bytes_are_refused() {
        assert!(take_sum(&mut Reader::new(&[33; 40])).is_err());
        assert!(take_sum(&mut Reader::new(&[4, 1])).is_err());
    }
}
