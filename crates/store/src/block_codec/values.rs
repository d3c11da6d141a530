//! Property values in binary: every text and every number's text comes back exactly.

use metering::Value;

use crate::coding::{BadCoding, Reader, put_bytes, put_u64};

use super::dictionary::{Dictionary, Strings};

/// How deep values may be nested; the decoders of events refuse less.
pub(super) const DEPTH_MAX: usize = 128;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const LIST: u8 = 5;
const OBJECT: u8 = 6;

/// Appends a value; its member names go through the dictionary.
pub(super) fn encode<'a>(
    value: &'a Value,
    dictionary: &mut Dictionary<'a>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
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
                encode(item, dictionary, depth + 1, out)?;
            }
        }
        Value::Object(members) => {
            out.push(OBJECT);
            put_u64(out, members.len() as u64);
            for (name, member) in members {
                put_u64(out, dictionary.number(name));
                encode(member, dictionary, depth + 1, out)?;
            }
        }
    }
    Ok(())
}

/// Reads a value.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    strings: &Strings<'_>,
    depth: usize,
) -> Result<Value, BadCoding> {
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
                items.push(decode(reader, strings, depth + 1)?);
            }
            Value::List(items)
        }
        OBJECT => {
            let count = reader.count(2)?;
            let mut members = Vec::new();
            for _ in 0..count {
                let name = strings.get(reader)?.to_owned();
                members.push((name, decode(reader, strings, depth + 1)?));
            }
            Value::Object(members)
        }
        _ => return Err(BadCoding("a property of an unknown kind")),
    })
}
