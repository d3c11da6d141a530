//! Damage, read from the bytes of the fuzzer: five of them each.

/// One piece of damage to one of some files.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    file: u8,
    at: u16,
    how: u8,
    value: u8,
}

pub fn edits(data: &[u8]) -> impl Iterator<Item = Edit> {
    // So many are enough to meet anything; more take time only.
    data.chunks_exact(5).take(64).map(|bytes| Edit {
        file: bytes[0],
        at: u16::from_le_bytes([bytes[1], bytes[2]]),
        how: bytes[3],
        value: bytes[4],
    })
}

impl Edit {
    /// Which of so many files.
    pub fn file(self, count: usize) -> usize {
        usize::from(self.file) % count
    }

    /// Which bit of so many bytes, where it is one flipped bit and nothing else.
    pub fn flip(self, bytes: usize) -> Option<usize> {
        (self.how % 8 < 4 && bytes > 0).then(|| self.place(bytes) * 8 + usize::from(self.value % 8))
    }

    fn place(self, bytes: usize) -> usize {
        usize::from(self.at) * bytes / 65_536
    }

    /// Damages bytes.
    pub fn apply(self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes.len());
        let length = usize::from(self.value) + 1;
        let end = (at + length).min(bytes.len());
        match (self.flip(bytes.len()), self.how % 8) {
            (Some(bit), _) => bytes[bit / 8] ^= 1 << (bit % 8),
            (None, 4) => bytes[at..end].fill(0),
            (None, 5) => bytes[at..end].fill(self.how),
            (None, 6) => bytes.truncate(at),
            (None, _) => bytes.extend(std::iter::repeat_n(self.how, length)),
        }
    }

    /// Damages what stands at a place so that a number there becomes another: small, large, or the largest.
    pub fn apply_inside(self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        let at = self.place(bytes.len());
        let length = 1 << (self.how % 4);
        let end = (at + length).min(bytes.len());
        match self.how / 4 % 4 {
            0 => bytes[at] = self.value,
            1 => bytes[at] ^= 1 << (self.value % 8),
            2 => bytes[at..end].fill(self.value),
            _ => bytes[at..end].fill(0xff),
        }
    }
}
