//! The strings of one block, each once.

use metering::Batch;

use crate::coding::{BadCoding, Reader, put_bytes, put_u64};

/// Numbers the strings of a block in the order in which they come.
#[derive(Default)]
pub(super) struct Numbered {
    /// Number + 1 of each string of the batch, or 0.
    of_batch: Vec<u32>,
    strings: Vec<NumberedText>,
}

enum NumberedText {
    /// A string of the batch.
    OfBatch(u32),
    /// A string that the batch does not have.
    Own(String),
}

impl Numbered {
    /// Begins a block over a batch.
    pub fn begin(&mut self, batch: &Batch) {
        self.of_batch.clear();
        self.of_batch.resize(batch.string_count(), 0);
        self.strings.clear();
    }

    /// The number of a string of the batch.
    pub fn number(&mut self, string: u32) -> u32 {
        let known = &mut self.of_batch[string as usize];
        if *known == 0 {
            self.strings.push(NumberedText::OfBatch(string));
            *known = self.strings.len() as u32;
        }
        *known - 1
    }

    /// The number of a text.
    pub fn number_of(&mut self, batch: &Batch, text: &str) -> u32 {
        match batch.find(text) {
            Some(string) => self.number(string),
            None => {
                self.strings.push(NumberedText::Own(text.to_owned()));
                self.strings.len() as u32 - 1
            }
        }
    }

    pub fn encode(&self, batch: &Batch) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.strings.is_empty() {
            put_u64(&mut out, self.strings.len() as u64);
        }
        for string in &self.strings {
            let text = match string {
                NumberedText::OfBatch(string) => batch.string(*string),
                NumberedText::Own(text) => text,
            };
            put_bytes(&mut out, text.as_bytes());
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
    /// All strings as strings of a batch, by number.
    pub fn intern(&self, batch: &mut Batch) -> Vec<u32> {
        self.0.iter().map(|string| batch.intern_text(string)).collect()
    }

    pub fn get(&self, reader: &mut Reader<'_>) -> Result<&'a str, BadCoding> {
        let number = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        self.0.get(number).copied().ok_or(BadCoding("a string that is not in the dictionary"))
    }
}
