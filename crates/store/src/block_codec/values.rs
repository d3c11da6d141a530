//! Property values in binary: every text and every number's text comes back exactly.

use metering::Value;

use crate::coding::{BadCoding, Reader, put_bytes, put_u64};

use super::dictionary::Strings;

/// How deep values may be nested; the decoders of events refuse less.
pub(super) const DEPTH_MAX: usize = 128;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const LIST: u8 = 5;
const OBJECT: u8 = 6;

/// Appends a value; the names of members stand in it.
pub(super) fn encode(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("a property is nested deeper than {DEPTH_MAX}"));
    }
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Number(text) => {
            out.push(NUMBER);
            put_bytes(out, text.as_bytes());
        }
        Value::Text(text) => {
            out.push(TEXT);
            put_bytes(out, text.as_bytes());
        }
        Value::List(items) => {
            out.push(LIST);
            put_u64(out, items.len() as u64);
            for item in items {
                encode(item, depth + 1, out)?;
            }
        }
        Value::Object(members) => {
            out.push(OBJECT);
            put_u64(out, members.len() as u64);
            for (name, member) in members {
                put_bytes(out, name.as_bytes());
                encode(member, depth + 1, out)?;
            }
        }
    }
    Ok(())
}

/// Reads what [`encode`] wrote.
pub(super) fn decode_own(reader: &mut Reader<'_>, depth: usize) -> Result<Value, BadCoding> {
    decode(reader, &|reader| reader.text().map(str::to_owned), depth)
}

/// Reads a value of format 1, whose names are numbers of the dictionary.
pub(super) fn decode_numbered(reader: &mut Reader<'_>, strings: &Strings<'_>) -> Result<Value, BadCoding> {
    decode(reader, &|reader| strings.get(reader).map(str::to_owned), 0)
}

/// Reads a value.
type Name<'n> = &'n dyn Fn(&mut Reader<'_>) -> Result<String, BadCoding>;

fn decode(reader: &mut Reader<'_>, name: Name<'_>, depth: usize) -> Result<Value, BadCoding> {
    if depth > DEPTH_MAX {
        return Err(BadCoding("a property is nested too deep"));
    }
    Ok(match reader.byte()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        NUMBER => Value::Number(reader.text()?.to_owned()),
        TEXT => Value::Text(reader.text()?.to_owned()),
        LIST => {
            let count = reader.count(1)?;
            // Grown as items are read: a count costs no memory before its bytes were seen.
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(decode(reader, name, depth + 1)?);
            }
            Value::List(items)
        }
        OBJECT => {
            let count = reader.count(2)?;
            let mut members = Vec::new();
            for _ in 0..count {
                let key = name(reader)?;
                members.push((key, decode(reader, name, depth + 1)?));
            }
            Value::Object(members)
        }
        _ => return Err(BadCoding("a property of an unknown kind")),
    })
}
