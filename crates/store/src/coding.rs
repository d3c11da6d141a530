//! Variable-length numbers and texts of the binary parts; reading never trusts a length.

/// Bytes that end too early or say something impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCoding(pub &'static str);

/// Appends an unsigned number, seven bits a byte, low bits first.
#[inline]
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 0x4000 {
        out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
    } else {
        put_large(out, value);
    }
}

fn put_large(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number, zigzag coded.
#[inline]
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends bytes after their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a text after its length, or a 0 byte for none and a 1 before one.
pub fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_bytes(out, text.as_bytes());
    }
}

/// Reads what the functions above wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader from the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Refuses bytes that are left over.
    pub fn finish(self) -> Result<(), BadCoding> {
        if self.bytes.is_empty() { Ok(()) } else { Err(BadCoding("bytes are left over")) }
    }

    /// The next bytes as they are.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], BadCoding> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(BadCoding("bytes end too early"))?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, BadCoding> {
        let (head, tail) = self.bytes.split_first().ok_or(BadCoding("bytes end too early"))?;
        self.bytes = tail;
        Ok(*head)
    }

    /// The next unsigned number.
    pub fn u64(&mut self) -> Result<u64, BadCoding> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BadCoding("a number is longer than 64 bits"))
    }

    /// The next signed number.
    pub fn i64(&mut self) -> Result<i64, BadCoding> {
        let value = self.u64()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next number as an index of 32 bits.
    pub fn u32(&mut self) -> Result<u32, BadCoding> {
        u32::try_from(self.u64()?).map_err(|_| BadCoding("an index is longer than 32 bits"))
    }

    /// The next number as a count of things that take at least `least_bytes` each: it can't be more than fit.
    pub fn count(&mut self, least_bytes: usize) -> Result<usize, BadCoding> {
        let count = usize::try_from(self.u64()?).map_err(|_| BadCoding("a count is too large"))?;
        if count > self.bytes.len() / least_bytes.max(1) {
            return Err(BadCoding("a count is larger than its bytes"));
        }
        Ok(count)
    }

    /// The next bytes after their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], BadCoding> {
        let length = usize::try_from(self.u64()?).map_err(|_| BadCoding("a length is too large"))?;
        self.take(length)
    }

    /// The next text after its length.
    pub fn text(&mut self) -> Result<&'a str, BadCoding> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BadCoding("a text is not UTF-8"))
    }

    /// The next text, or none.
    pub fn optional(&mut self) -> Result<Option<String>, BadCoding> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(self.text()?.to_owned())),
            _ => Err(BadCoding("a presence byte is neither 0 nor 1")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_come_back() {
        for value in [0, 1, 127, 128, u64::MAX, u64::MAX - 1, 1 << 63] {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            put_i64(&mut out, value as i64);
            put_optional(&mut out, None);
            put_optional(&mut out, Some("é"));
            let mut reader = Reader::new(&out);
            assert_eq!(reader.u64(), Ok(value));
            assert_eq!(reader.i64(), Ok(value as i64));
            assert_eq!(reader.optional(), Ok(None));
            assert_eq!(reader.optional(), Ok(Some("é".to_owned())));
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn hostile_bytes_are_refused() {
        assert_eq!(Reader::new(&[0xff; 11]).u64(), Err(BadCoding("a number is longer than 64 bits")));
        assert_eq!(Reader::new(&[200, 200, 1]).count(1), Err(BadCoding("a count is larger than its bytes")));
        assert_eq!(Reader::new(&[4, 1]).bytes(), Err(BadCoding("bytes end too early")));
        assert_eq!(Reader::new(&[1, 0xff]).text(), Err(BadCoding("a text is not UTF-8")));
        assert_eq!(Reader::new(&[2]).optional(), Err(BadCoding("a presence byte is neither 0 nor 1")));
    }
}
