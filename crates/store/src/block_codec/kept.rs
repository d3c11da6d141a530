//! The section of rejected and conflicting records: whole, and without the block's dictionary, so that erasing
//! it takes everything.

use metering::Code;

use crate::block::Kept;
use crate::coding::{BadCoding, Reader, put_bytes, put_optional, put_u64};

use super::section::{IndexReader, IndexWriter};

pub(super) fn encode(kept: &[Kept]) -> Vec<u8> {
    let mut out = Vec::new();
    if !kept.is_empty() {
        put_u64(&mut out, kept.len() as u64);
    }
    let mut indices = IndexWriter::default();
    for record in kept {
        indices.put(&mut out, record.index);
        put_bytes(&mut out, record.code.as_str().as_bytes());
        put_bytes(&mut out, record.message.as_bytes());
        put_bytes(&mut out, record.feed.as_bytes());
        put_u64(&mut out, record.line);
        put_bytes(&mut out, record.format.as_bytes());
        put_optional(&mut out, record.source.as_deref());
        put_optional(&mut out, record.id.as_deref());
        put_bytes(&mut out, &record.body);
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Kept>, BadCoding> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    let count = reader.count(9)?;
    let mut indices = IndexReader::default();
    let mut out = Vec::new();
    for _ in 0..count {
        out.push(Kept {
            index: indices.next(&mut reader)?,
            code: Code::parse(reader.text()?).map_err(|_| BadCoding("an unknown code"))?,
            message: reader.text()?.to_owned(),
            feed: reader.text()?.to_owned(),
            line: reader.u64()?,
            format: reader.text()?.to_owned(),
            source: reader.optional()?,
            id: reader.optional()?,
            body: reader.bytes()?.to_vec(),
        });
    }
    reader.finish()?;
    Ok(out)
}
