//! The compact protocol of Thrift, as far as Parquet needs it: read from bytes that may be hostile.

/// Levels of structs and lists that are skipped in each other.
const DEPTH_MAX: u32 = 32;

/// Why bytes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There are too few of them.
    Ends,
    /// They say something that cannot be.
    Wrong(String),
}

impl Fault {
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong(message.into())
    }
}

/// What a field or an element of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    /// Of 16, 32 or 64 bits: all are written alike.
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(code: u8) -> Result<Self, Fault> {
        Ok(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            other => return Err(Fault::Wrong(format!("expected a type of Thrift, found `{other}`"))),
        })
    }
}

/// Reads structs field by field.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The number and kind of the next field of a struct; nothing at its end. `last` is the number before, 0 at
    /// first.
    pub fn field(&mut self, last: &mut i64) -> Result<Option<(i64, Kind)>, Fault> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let number = match head >> 4 {
            0 => self.integer()?,
            step => *last + i64::from(step),
        };
        // Field numbers have 16 bits; so none overflows.
        if i16::try_from(number).is_err() {
            return Err(Fault::Wrong(format!("expected the number of a field, found `{number}`")));
        }
        *last = number;
        Ok(Some((number, Kind::of(head & 0x0f)?)))
    }

    /// How many elements a list has, and what they are. Each takes a byte at least, so that there are no more
    /// than bytes.
    pub fn list(&mut self) -> Result<(usize, Kind), Fault> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.unsigned()?,
            count => u64::from(count),
        };
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(Fault::Ends);
        }
        Ok((count as usize, Kind::of(head & 0x0f)?))
    }

    pub fn integer(&mut self) -> Result<i64, Fault> {
        let unsigned = self.unsigned()?;
        Ok((unsigned >> 1) as i64 ^ -((unsigned & 1) as i64))
    }

    pub fn binary(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.unsigned()?;
        let length = usize::try_from(length).map_err(|_| Fault::Ends)?;
        self.take(length)
    }

    /// Passes over the value of a field.
    pub fn skip(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::True | Kind::False => Ok(()),
            other => self.skip_within(other, DEPTH_MAX),
        }
    }

    fn skip_within(&mut self, kind: Kind, levels: u32) -> Result<(), Fault> {
        let inner = || levels.checked_sub(1).ok_or_else(|| Fault::wrong("expected fewer levels of structs"));
        match kind {
            // In lists a boolean is a byte of its own.
            Kind::True | Kind::False | Kind::Byte => self.take(1).map(|_| ()),
            Kind::Integer => self.unsigned().map(|_| ()),
            Kind::Double => self.take(8).map(|_| ()),
            Kind::Uuid => self.take(16).map(|_| ()),
            Kind::Binary => self.binary().map(|_| ()),
            Kind::List => {
                let levels = inner()?;
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_within(kind, levels))
            }
            Kind::Map => {
                let levels = inner()?;
                let count = self.unsigned()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?);
                for _ in 0..count {
                    self.skip_within(key, levels)?;
                    self.skip_within(value, levels)?;
                }
                Ok(())
            }
            Kind::Struct => {
                let levels = inner()?;
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    if !matches!(kind, Kind::True | Kind::False) {
                        self.skip_within(kind, levels)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes[self.at..].get(..length).ok_or(Fault::Ends)?;
        self.at += length;
        Ok(taken)
    }

    fn unsigned(&mut self) -> Result<u64, Fault> {
        let (value, length) = varint(&self.bytes[self.at..])?;
        self.at += length;
        Ok(value)
    }
}

/// An unsigned number of seven bits a byte, and its length.
pub(super) fn varint(bytes: &[u8]) -> Result<(u64, usize), Fault> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if place == 9 && bits > 1 {
            break;
        }
        value |= bits << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((value, place + 1));
        }
    }
    if bytes.len() < 10 {
        Err(Fault::Ends)
    } else {
        Err(Fault::wrong("expected a number of at most 64 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let mut read =
            Compact::new(&[0, 1, 2, 0xfe, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        let found: Vec<_> = (0..5).map(|_| read.integer().unwrap()).collect();
        assert_eq!(found, [0, -1, 1, 127, i64::MIN]);
        assert_eq!(read.integer(), Err(Fault::Ends));
        assert!(matches!(varint(&[0xff; 10]), Err(Fault::Wrong(_))));
        assert_eq!(varint(&[0x80; 9]), Err(Fault::Ends));
    }

    #[test]
    fn fields_are_skipped_whatever_they_are() {
        let mut bytes = vec![0x11, 0x13, 7, 0x15, 0x02, 0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 2, b'a', b'b'];
        bytes.extend([
            0x19, 0x21, 1, 2, 0x1b, 1, 0x85, 1, b'k', 2, 0x1c, 0x12, 0x00, 0x05, 0x40, 0x0a, 0x00, 9,
        ]);
        let mut read = Compact::new(&bytes);
        let (mut last, mut found) = (0, Vec::new());
        while let Some((number, kind)) = read.field(&mut last).unwrap() {
            found.push(number);
            read.skip(kind).unwrap();
        }
        assert_eq!(found, [1, 2, 3, 4, 5, 6, 7, 8, 32]);
        assert_eq!(read.position(), bytes.len() - 1);
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_refused() {
        let deep = [0x1c; 1000];
        assert!(matches!(Compact::new(&deep).skip(Kind::Struct), Err(Fault::Wrong(_))));
        assert_eq!(Compact::new(&[0xf5, 0xff, 0xff, 0xff, 0x07]).list(), Err(Fault::Ends));
        assert_eq!(Compact::new(&[0xff, 0xff, 0xff, 0x07]).binary(), Err(Fault::Ends));
    }
}
