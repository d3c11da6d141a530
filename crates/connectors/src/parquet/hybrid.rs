//! Numbers in runs and packed bits: levels, and places in a dictionary.

use std::sync::Arc;

use super::thrift::varint;

/// Reads numbers of up to 32 bits.
///
/// **Source**: the encoding RLE of the format: runs of one number, and groups of eight in packed bits.
#[derive(Debug)]
pub(super) struct Hybrid {
    bytes: Arc<Vec<u8>>,
    at: usize,
    end: usize,
    width: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Repeated {
        value: u32,
        left: usize,
    },
    /// `bit` is where the next number begins, in bits from the start of the bytes.
    Packed {
        bit: usize,
        left: usize,
    },
}

impl Hybrid {
    /// Numbers of `width` bits in `bytes[at..end]`.
    pub fn new(bytes: Arc<Vec<u8>>, at: usize, end: usize, width: u8) -> Result<Self, String> {
        if width > 32 {
            return Err(format!("expected numbers of at most 32 bits, found `{width}`"));
        }
        let run = Run::Repeated { value: 0, left: 0 };
        let end = end.min(bytes.len());
        Ok(Self { bytes, at, end, width: usize::from(width), run })
    }

    /// Whether the next numbers are all this one; if so they are passed.
    pub fn pass(&mut self, count: usize, expected: u32) -> Result<bool, String> {
        self.open_run()?;
        match &mut self.run {
            Run::Repeated { value, left } if *value == expected && *left >= count => {
                *left -= count;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Appends the next numbers.
    pub fn read(&mut self, mut count: usize, out: &mut Vec<u32>) -> Result<(), String> {
        out.reserve(count);
        while count > 0 {
            self.open_run()?;
            match &mut self.run {
                Run::Repeated { value, left } => {
                    let taken = count.min(*left);
                    out.resize(out.len() + taken, *value);
                    *left -= taken;
                    count -= taken;
                }
                Run::Packed { bit, left } => {
                    let taken = count.min(*left);
                    unpack(&self.bytes[..self.end], *bit, self.width, taken, out);
                    *bit += taken * self.width;
                    *left -= taken;
                    count -= taken;
                }
            }
        }
        Ok(())
    }

    fn open_run(&mut self) -> Result<(), String> {
        let ends = || "expected as many levels and places as the page has rows, found fewer".to_owned();
        while matches!(self.run, Run::Repeated { left: 0, .. } | Run::Packed { left: 0, .. }) {
            let rest = self.bytes.get(self.at..self.end).unwrap_or(&[]);
            let (head, length) = varint(rest).map_err(|_| ends())?;
            let rest = &rest[length..];
            self.at += length;
            let count = usize::try_from(head >> 1).map_err(|_| ends())?;
            if head & 1 == 0 {
                let length = self.width.div_ceil(8);
                let bytes = rest.get(..length).ok_or_else(ends)?;
                let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
                self.at += length;
                self.run = Run::Repeated { value, left: count };
                continue;
            }
            // The last group may lack the bytes of numbers that are not there.
            let whole = count.checked_mul(self.width).ok_or_else(ends)?;
            let present = whole.min(rest.len());
            let numbers = count.checked_mul(8).ok_or_else(ends)?;
            let left = (present * 8).checked_div(self.width).map_or(numbers, |found| found.min(numbers));
            if left == 0 && count > 0 {
                return Err(ends());
            }
            self.run = Run::Packed { bit: self.at * 8, left };
            self.at += present;
        }
        Ok(())
    }
}

/// Appends numbers of up to 32 bits that lie side by side, the lowest bits first.
fn unpack(bytes: &[u8], bit: usize, width: usize, count: usize, out: &mut Vec<u32>) {
    out.extend((0..count).map(|index| bits(bytes, bit + index * width, width) as u32));
}

/// A number of up to 56 bits that begins at a bit; bits behind the end are 0.
pub(super) fn bits(bytes: &[u8], bit: usize, width: usize) -> u64 {
    let rest = bytes.get(bit / 8..).unwrap_or(&[]);
    let word = match rest.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    (word >> (bit % 8)) & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(bytes: &[u8], width: u8) -> Hybrid {
        Hybrid::new(Arc::new(bytes.to_vec()), 0, bytes.len(), width).unwrap()
    }

    #[test]
    fn runs_and_packed_groups() {
        // Eight numbers 0 to 7 in 3 bits each, as in the description of the format; then 4 times 5.
        let mut hybrid = over(&[0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010, 8, 5], 3);
        let mut out = Vec::new();
        hybrid.read(3, &mut out).unwrap();
        hybrid.read(6, &mut out).unwrap();
        assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7, 5]);
        assert!(!hybrid.pass(2, 4).unwrap());
        assert!(hybrid.pass(2, 5).unwrap());
        assert!(!hybrid.pass(2, 5).unwrap());
        hybrid.read(1, &mut out).unwrap();
        assert_eq!(out.last(), Some(&5));
        assert!(hybrid.read(1, &mut out).is_err());
    }

    #[test]
    fn widths_up_to_32() {
        for width in 1..=32u8 {
            let numbers: Vec<u32> = (0..24u32).map(|n| n.wrapping_mul(0x9e37_79b9) >> (32 - width)).collect();
            let mut packed = vec![0u8; usize::from(width) * 3];
            for (index, number) in numbers.iter().enumerate() {
                for bit in (0..usize::from(width)).filter(|bit| number >> bit & 1 == 1) {
                    let place = index * usize::from(width) + bit;
                    packed[place / 8] |= 1 << (place % 8);
                }
            }
            let mut bytes = vec![0b111];
            bytes.extend(packed);
            let mut out = Vec::new();
            let mut hybrid = over(&bytes, width);
            for count in [1, 7, 16] {
                hybrid.read(count, &mut out).unwrap();
            }
            assert_eq!(out, numbers);
            assert!(hybrid.read(1, &mut out).is_err());
        }
    }

    #[test]
    fn width_0_and_hostile_lengths() {
        let mut out = Vec::new();
        over(&[0xff, 0xff, 0xff, 0xff, 0x0f], 0).read(9, &mut out).unwrap();
        assert_eq!(out, [0; 9]);
        for bytes in [&[][..], &[0x80], &[4], &[3], &[0, 0, 0], &[0xff; 12]] {
            assert!(over(bytes, 9).read(1, &mut out).is_err(), "{bytes:?}");
        }
        assert!(Hybrid::new(Arc::default(), 0, 0, 33).is_err());
        assert!(Hybrid::new(Arc::default(), 9, 4, 3).unwrap().read(1, &mut out).is_err());
    }
}
