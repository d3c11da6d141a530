//! The strings of one block, each once.

use std::collections::HashMap;

use crate::coding::{BadCoding, Reader, put_bytes, put_u64};

/// Numbers strings in the order in which they come.
#[derive(Default)]
pub(super) struct Dictionary<'a> {
    numbers: HashMap<&'a str, u64>,
    strings: Vec<&'a str>,
}

impl<'a> Dictionary<'a> {
    pub fn number(&mut self, string: &'a str) -> u64 {
        let next = self.strings.len() as u64;
        let number = *self.numbers.entry(string).or_insert(next);
        if number == next {
            self.strings.push(string);
        }
        number
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.strings.is_empty() {
            put_u64(&mut out, self.strings.len() as u64);
        }
        for string in &self.strings {
            put_bytes(&mut out, string.as_bytes());
        }
        out
    }
}

/// The strings of a block that is read.
pub(super) struct Strings<'a>(Vec<&'a str>);

impl<'a> Strings<'a> {
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BadCoding> {
        if bytes.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut reader = Reader::new(bytes);
        let count = reader.count(1)?;
        let mut strings = Vec::with_capacity(count);
        for _ in 0..count {
            strings.push(reader.text()?);
        }
        reader.finish()?;
        Ok(Self(strings))
    }

    /// The string whose number comes next.
    pub fn get(&self, reader: &mut Reader<'_>) -> Result<&'a str, BadCoding> {
        let number = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        self.0.get(number).copied().ok_or(BadCoding("a string that is not in the dictionary"))
    }
}
