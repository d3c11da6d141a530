//! Byte arrays of a page: a dictionary of texts, or values one after another.

use std::sync::Arc;

/// A dictionary of texts.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: String,
    /// Where each text ends.
    ends: Vec<u32>,
    /// Those that are no UTF-8: number, where in `broken_bytes` it ends. In `text` they are empty.
    broken: Vec<(u32, u32)>,
    broken_bytes: Vec<u8>,
    longest: usize,
}

impl Texts {
    /// The texts of a dictionary page.
    pub fn read(bytes: &[u8], count: u32) -> Result<Self, String> {
        let mut texts = Self { text: String::with_capacity(bytes.len()), ..Self::default() };
        let mut rest = bytes;
        for number in 0..count {
            let value;
            (value, rest) = split_value(rest)
                .ok_or_else(|| format!("expected a dictionary of {count} texts, found `{number}`"))?;
            texts.longest = texts.longest.max(value.len());
            match std::str::from_utf8(value) {
                Ok(text) => texts.text.push_str(text),
                Err(_) => {
                    texts.broken_bytes.extend_from_slice(value);
                    texts.broken.push((number, texts.broken_bytes.len() as u32));
                }
            }
            texts.ends.push(texts.text.len() as u32);
        }
        Ok(texts)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the longest.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Bytes of memory.
    pub fn held(&self) -> usize {
        let broken = self.broken.capacity() * 8 + self.broken_bytes.capacity();
        self.text.capacity() + self.ends.capacity() * 4 + broken
    }

    /// A text; nothing where it is no UTF-8.
    pub fn text(&self, number: u32) -> Option<&str> {
        if self.broken_at(number).is_some() {
            return None;
        }
        let at = number as usize;
        let from = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        self.text.get(from..self.ends[at] as usize)
    }

    pub fn bytes(&self, number: u32) -> &[u8] {
        match self.broken_at(number) {
            Some(at) => {
                let from = if at == 0 { 0 } else { self.broken[at - 1].1 };
                &self.broken_bytes[from as usize..self.broken[at].1 as usize]
            }
            None => match self.text(number) {
                Some(text) => text.as_bytes(),
                None => unreachable!("a text that is not broken stands between two ends"),
            },
        }
    }

    fn broken_at(&self, number: u32) -> Option<usize> {
        if self.broken.is_empty() {
            return None;
        }
        self.broken.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

/// Values one after another, each perhaps behind its length.
#[derive(Debug)]
pub(crate) struct Values {
    bytes: Arc<Vec<u8>>,
    /// Where each value begins, and where one behind the last would.
    starts: Vec<u32>,
    /// Bytes between the end of a value and the next.
    gap: u32,
}

impl Values {
    /// The values of a page in the encoding PLAIN, from a byte on.
    pub fn plain(bytes: Arc<Vec<u8>>, from: usize, count_max: u32) -> Result<Self, String> {
        let mut starts = Vec::with_capacity((count_max as usize).min(bytes.len() / 4) + 1);
        let mut at = from;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (value, _) = split_value(rest).ok_or("expected whole byte arrays, found a cut one")?;
            starts.push((at + 4) as u32);
            at += 4 + value.len();
        }
        starts.push((at + 4) as u32);
        Self { bytes, starts, gap: 4 }.with_at_most(count_max)
    }

    /// Values that lie behind one another in the bytes from a byte on, of these lengths.
    pub fn of_lengths(bytes: Arc<Vec<u8>>, from: usize, lengths: &[i64]) -> Result<Self, String> {
        let mut starts = Vec::with_capacity(lengths.len() + 1);
        let mut at = from;
        for length in lengths {
            starts.push(at as u32);
            let end = usize::try_from(*length).ok().and_then(|length| at.checked_add(length));
            at = end.filter(|end| *end <= bytes.len()).ok_or("expected byte arrays within their page")?;
        }
        starts.push(at as u32);
        if at == bytes.len() {
            Ok(Self { bytes, starts, gap: 0 })
        } else {
            Err("expected a page that ends with its last value, found more".to_owned())
        }
    }

    /// Values of which each begins with so many bytes of the one before; the rest of each lies in the bytes from
    /// a byte on, with these lengths. Together they may take `bytes_max`.
    pub fn of_prefixes(
        bytes: &[u8],
        from: usize,
        prefixes: &[i64],
        lengths: &[i64],
        bytes_max: usize,
    ) -> Result<Self, String> {
        let wrong = || "expected byte arrays within their page, as many beginnings as ends".to_owned();
        let mut rest = bytes.get(from..).ok_or_else(wrong)?;
        let mut whole: Vec<u8> = Vec::with_capacity(rest.len());
        let mut starts = Vec::with_capacity(lengths.len() + 1);
        let mut last = 0;
        if prefixes.len() != lengths.len() {
            return Err(wrong());
        }
        for (prefix, length) in prefixes.iter().zip(lengths) {
            let prefix = usize::try_from(*prefix).ok().filter(|prefix| *prefix <= whole.len() - last);
            let length = usize::try_from(*length).map_err(|_| wrong())?;
            let prefix = prefix.ok_or_else(wrong)?;
            let suffix;
            (suffix, rest) = rest.split_at_checked(length).ok_or_else(wrong)?;
            if whole.len() + prefix + length > bytes_max {
                return Err(format!("expected values of at most {bytes_max} bytes in a page, found more"));
            }
            let start = whole.len();
            whole.extend_from_within(last..last + prefix);
            whole.extend_from_slice(suffix);
            starts.push(start as u32);
            last = start;
        }
        starts.push(whole.len() as u32);
        if rest.is_empty() { Ok(Self { bytes: Arc::new(whole), starts, gap: 0 }) } else { Err(wrong()) }
    }

    fn with_at_most(self, count_max: u32) -> Result<Self, String> {
        if self.len() <= count_max as usize {
            Ok(self)
        } else {
            Err(format!("expected at most {count_max} values in the page, found `{}`", self.len()))
        }
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Bytes of memory.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * 4
    }

    pub fn bytes(&self, number: usize) -> &[u8] {
        &self.bytes[self.starts[number] as usize..(self.starts[number + 1] - self.gap) as usize]
    }

    /// The bytes from the first of some values to the end of the last, with what lies between them.
    pub fn region(&self, first: usize, count: usize) -> &[u8] {
        if count == 0 {
            return &[];
        }
        &self.bytes[self.starts[first] as usize..(self.starts[first + count] - self.gap) as usize]
    }

    /// Where the values lie in their region: from and length.
    pub fn places(&self, first: usize, count: usize) -> impl Iterator<Item = (u32, u32)> {
        let starts = &self.starts[first..=first + count];
        let base = starts[0];
        starts.windows(2).map(move |pair| (pair[0] - base, pair[1] - self.gap - pair[0]))
    }
}

/// A value behind its length in four bytes, and what follows.
fn split_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] = b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0\xff\x03\0\0\0xyz";

    #[test]
    fn a_dictionary() {
        let texts = Texts::read(PAGE, 4).unwrap();
        let found: Vec<_> = (0..4).map(|number| (texts.text(number), texts.bytes(number))).collect();
        assert_eq!(
            found,
            [(Some("ab"), &b"ab"[..]), (Some(""), b""), (None, b"\xff"), (Some("xyz"), b"xyz")]
        );
        assert_eq!((texts.len(), texts.longest()), (4, 3));
        assert!(Texts::read(PAGE, 5).is_err());
    }

    #[test]
    fn plain_values() {
        let values = Values::plain(Arc::new([b"??", PAGE].concat()), 2, 4).unwrap();
        let found: Vec<_> = (0..values.len()).map(|number| values.bytes(number)).collect();
        assert_eq!(found, [&b"ab"[..], b"", b"\xff", b"xyz"]);
        assert_eq!(values.region(0, 2), b"ab\0\0\0\0");
        assert_eq!(values.region(3, 1), b"xyz");
        assert_eq!(values.region(4, 0), b"");
        assert_eq!(values.places(0, 4).collect::<Vec<_>>(), [(0, 2), (6, 0), (10, 1), (15, 3)]);
        assert_eq!(values.places(3, 1).collect::<Vec<_>>(), [(0, 3)]);
        assert!(Values::plain(Arc::new(PAGE.to_vec()), 0, 3).is_err(), "more values than rows");
        for cut in 1..PAGE.len() {
            let whole = [6, 10, 15].contains(&cut);
            assert_eq!(Values::plain(Arc::new(PAGE[..cut].to_vec()), 0, 9).is_ok(), whole, "cut after {cut}");
        }
    }

    #[test]
    fn values_of_lengths() {
        let values = Values::of_lengths(Arc::new(b"--abxyz".to_vec()), 2, &[2, 0, 3]).unwrap();
        let found: Vec<_> = (0..values.len()).map(|number| values.bytes(number)).collect();
        assert_eq!(found, [&b"ab"[..], b"", b"xyz"]);
        let bytes = b"--abcxyz";
        let values = Values::of_prefixes(bytes, 2, &[0, 1, 2, 0], &[3, 1, 0, 2], 11).unwrap();
        let found: Vec<_> = (0..values.len()).map(|number| values.bytes(number)).collect();
        assert_eq!(found, [&b"abc"[..], b"ax", b"ax", b"yz"]);
        assert!(Values::of_prefixes(bytes, 2, &[0, 1, 2, 0], &[3, 1, 0, 2], 8).is_err(), "too long");
        for (prefixes, lengths) in
            [(&[1][..], &[6][..]), (&[0], &[5]), (&[0, 0], &[6]), (&[0, -1], &[3, 3]), (&[0], &[7])]
        {
            assert!(
                Values::of_prefixes(bytes, 2, prefixes, lengths, 99).is_err(),
                "{prefixes:?} {lengths:?}"
            );
        }
        for lengths in [&[2, 4][..], &[5, -1, 1], &[2, 2], &[i64::MAX, 1]] {
            assert!(Values::of_lengths(Arc::new(b"--abxyz".to_vec()), 2, lengths).is_err(), "{lengths:?}");
        }
    }
}
