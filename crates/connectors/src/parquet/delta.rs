//! Whole numbers as packed differences.

use std::sync::Arc;

use super::hybrid::bits;
use super::thrift::{Compact, Fault};

/// Reads numbers in the encoding DELTA_BINARY_PACKED, as many at a time as are wanted.
#[derive(Debug)]
pub(super) struct Delta {
    bytes: Arc<Vec<u8>>,
    /// Behind what was read.
    at: usize,
    block: usize,
    miniblocks: usize,
    /// How many numbers were not given yet.
    left: u64,
    is_first: bool,
    last: i64,
    smallest: i64,
    /// Bits of each miniblock of this block, the next one first.
    widths: Vec<u8>,
    /// The miniblock that is being read: bits of a number, where the next begins, how many are left.
    width: usize,
    bit: usize,
    in_miniblock: usize,
}

impl Delta {
    /// Numbers in `bytes` from a byte on.
    pub fn new(bytes: Arc<Vec<u8>>, at: usize) -> Result<Self, String> {
        let mut read = Compact::new(bytes.get(at..).unwrap_or(&[]));
        let mut number = || unsigned(&mut read);
        let (block, miniblocks, left) = (number()?, number()?, number()?);
        let last = read.integer().map_err(told)?;
        let is_sound = miniblocks > 0 && miniblocks <= 1024 && block <= 1 << 20 && block % miniblocks == 0;
        if !is_sound || (block / miniblocks) % 8 != 0 || block == 0 {
            return Err(format!("expected blocks of differences, found `{block}` in `{miniblocks}`"));
        }
        let at = at + read.position();
        Ok(Self {
            bytes,
            at,
            block: block as usize,
            miniblocks: miniblocks as usize,
            left,
            is_first: true,
            last,
            smallest: 0,
            widths: Vec::new(),
            width: 0,
            bit: 0,
            in_miniblock: 0,
        })
    }

    /// How many numbers are left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Behind the last number, once all were read.
    pub fn end(&self) -> usize {
        self.at
    }

    /// Appends the next numbers.
    pub fn read(&mut self, mut count: usize, out: &mut Vec<i64>) -> Result<(), String> {
        if count as u64 > self.left {
            return Err(format!("expected {count} more numbers, found `{}`", self.left));
        }
        self.left -= count as u64;
        if count > 0 && self.is_first {
            self.is_first = false;
            out.push(self.last);
            count -= 1;
        }
        while count > 0 {
            if self.in_miniblock == 0 {
                self.open_miniblock()?;
            }
            let taken = count.min(self.in_miniblock);
            for _ in 0..taken {
                let difference = wide_bits(&self.bytes, self.bit, self.width) as i64;
                self.last = self.last.wrapping_add(self.smallest).wrapping_add(difference);
                self.bit += self.width;
                out.push(self.last);
            }
            self.in_miniblock -= taken;
            count -= taken;
        }
        Ok(())
    }

    fn open_miniblock(&mut self) -> Result<(), String> {
        if self.widths.is_empty() {
            let mut read = Compact::new(self.bytes.get(self.at..).unwrap_or(&[]));
            self.smallest = read.integer().map_err(told)?;
            self.at += read.position();
            let widths = self.bytes[self.at..].get(..self.miniblocks).ok_or_else(|| told(Fault::Ends))?;
            self.widths = widths.iter().rev().copied().collect();
            self.at += self.miniblocks;
        }
        let width = self.widths.pop().map_or(0, usize::from);
        if width > 64 {
            return Err(format!("expected differences of at most 64 bits, found `{width}`"));
        }
        let numbers = self.block / self.miniblocks;
        let length = numbers / 8 * width;
        if self.bytes.len() - self.at < length {
            return Err(told(Fault::Ends));
        }
        (self.width, self.bit, self.in_miniblock) = (width, self.at * 8, numbers);
        self.at += length;
        Ok(())
    }
}

fn unsigned(read: &mut Compact<'_>) -> Result<u64, String> {
    // Counts are written without a sign; undoing the sign that `integer` reads gives them back.
    let signed = read.integer().map_err(told)?;
    Ok(((signed << 1) ^ (signed >> 63)) as u64)
}

fn told(fault: Fault) -> String {
    match fault {
        Fault::Ends => "expected more differences, found the end of the page".to_owned(),
        Fault::Wrong(message) => message,
    }
}

/// A number of up to 64 bits that begins at a bit.
fn wide_bits(bytes: &[u8], bit: usize, width: usize) -> u64 {
    match width.checked_sub(32) {
        None => bits(bytes, bit, width),
        Some(high) => bits(bytes, bit, 32) | bits(bytes, bit + 32, high) << 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], steps: &[usize]) -> Result<Vec<i64>, String> {
        let mut delta = Delta::new(Arc::new(bytes.to_vec()), 0)?;
        let mut out = Vec::new();
        steps.iter().try_for_each(|count| delta.read(*count, &mut out))?;
        assert_eq!((delta.left(), delta.end()), (0, bytes.len()));
        Ok(out)
    }

    #[test]
    fn the_examples_of_the_format() {
        // 1, 2, 3, 4, 5: the first, the smallest difference 1, and four miniblocks of no bits.
        assert_eq!(all(&[0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0], &[2, 3]), Ok(vec![1, 2, 3, 4, 5]));
        // 7, 5, 3, 1, 2, 3, 4, 5: the smallest difference -2, then 0, 0, 0, 3, 3, 3, 3 in two bits.
        let bytes = [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert_eq!(all(&bytes, &[1, 1, 6]), Ok(vec![7, 5, 3, 1, 2, 3, 4, 5]));
        assert_eq!(all(&[0x80, 1, 4, 1, 9], &[1]), Ok(vec![-5]));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let cases: [&[u8]; 6] = [
            &[],
            &[0x80, 1, 0, 5, 2],
            &[0x80, 1, 3, 5, 2],
            &[0x80, 1, 4, 5, 2, 2, 65, 0, 0, 0],
            &[0x80, 1, 4, 5, 2, 2, 8, 0, 0, 0],
            &[0x80, 1, 4, 5, 2, 2, 0, 0],
        ];
        for bytes in cases {
            assert!(all(bytes, &[5]).is_err(), "{bytes:?}");
        }
        assert!(all(&[0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0], &[6]).is_err());
    }
}
