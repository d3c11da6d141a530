//! The footer of an index run: what it covers and the first key of each page.

use super::super::manifest::RunFact;

const FORMAT: u32 = 2;
const KEY_BYTES: usize = 8;

/// The last record of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub from: u64,
    pub to: u64,
    pub entries: u64,
    /// The top 64 bits of the first identity of each page.
    pub firsts: Vec<u64>,
}

impl Footer {
    /// Format (4 bytes), from, to, entries, number of pages (8 each), then 8 bytes a page; least significant first.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(36 + self.firsts.len() * KEY_BYTES);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        for number in [self.from, self.to, self.entries, self.firsts.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for first in &self.firsts {
            out.extend_from_slice(&first.to_le_bytes());
        }
        out
    }

    /// Reads the footer of the run that the checkpoint names.
    ///
    /// **Errors**: it is none, or another run's, in words.
    pub fn decode(bytes: &[u8], fact: &RunFact, pages: u64) -> Result<Self, &'static str> {
        let (format, rest) = bytes.split_first_chunk::<4>().ok_or("not a footer")?;
        match u32::from_le_bytes(*format) {
            FORMAT => {}
            later if later > FORMAT => return Err("a newer format"),
            _ => return Err("not a footer"),
        }
        let (numbers, keys) = rest.split_at_checked(4 * KEY_BYTES).ok_or("not a footer")?;
        let numbers: Vec<u64> = numbers_of(numbers).collect();
        let [from, to, entries, count] = numbers[..] else { return Err("not a footer") };
        if keys.len() % KEY_BYTES != 0 || count != (keys.len() / KEY_BYTES) as u64 {
            return Err("the footer is cut");
        }
        if (from, to, entries) != (fact.from, fact.to, fact.entries) {
            return Err("another run's footer");
        }
        let firsts: Vec<u64> = numbers_of(keys).collect();
        if count != pages || entries < count || (count == 0 && entries > 0) {
            return Err("pages and entries do not fit together");
        }
        if !firsts.is_sorted() {
            return Err("pages are out of order");
        }
        Ok(Self { from, to, entries, firsts })
    }
}

fn numbers_of(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(KEY_BYTES).map(|chunk| {
        let mut number = [0; KEY_BYTES];
        number.copy_from_slice(chunk);
        u64::from_le_bytes(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;

    fn fact(entries: u64) -> RunFact {
        let name = "index/a.run".to_owned();
        RunFact { name, from: 5, to: 900, entries, footer: 24, length: 0, hash: Hash::ZERO }
    }

    #[test]
    fn a_footer_comes_back() {
        let footer = Footer { from: 5, to: 900, entries: 700, firsts: vec![0, 7, u64::MAX] };
        assert_eq!(Footer::decode(&footer.encode(), &fact(700), 3), Ok(footer));
        let empty = Footer { from: 5, to: 900, entries: 0, firsts: Vec::new() };
        assert_eq!(Footer::decode(&empty.encode(), &fact(0), 0), Ok(empty));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = Footer { from: 5, to: 900, entries: 700, firsts: vec![1, 2, 3] };
        let check = |bytes: &[u8], entries: u64, pages: u64, expected: &str| {
            assert_eq!(Footer::decode(bytes, &fact(entries), pages), Err(expected));
        };
        let bytes = good.encode();
        check(&bytes, 699, 3, "another run's footer");
        check(&bytes, 700, 4, "pages and entries do not fit together");
        check(&bytes[..bytes.len() - 1], 700, 3, "the footer is cut");
        check(&bytes[..bytes.len() - 8], 700, 3, "the footer is cut");
        check(&bytes[..35], 700, 3, "not a footer");
        check(&[], 700, 3, "not a footer");
        check(&[&[1, 0, 0, 0], &bytes[4..]].concat(), 700, 3, "not a footer");
        check(&[&[3, 0, 0, 0], &bytes[4..]].concat(), 700, 3, "a newer format");
        let back = Footer { firsts: vec![1, 3, 2], ..good };
        check(&back.encode(), 700, 3, "pages are out of order");
        let few = Footer { entries: 2, firsts: vec![1, 2, 3], ..back };
        check(&few.encode(), 2, 3, "pages and entries do not fit together");
    }
}
