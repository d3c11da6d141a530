//! JSON read strictly: numbers keep their text, keys are unique, levels are bounded.

use std::borrow::Cow;
use std::fmt;

use metering::{Code, DEPTH_MAX, Rejection, Value};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::excerpt::excerpt;

/// The members of an object, sorted by key, each key once; values not yet read.
pub(crate) struct Members<'a> {
    text: &'a str,
    sorted: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Members<'a> {
    /// The members of the one object that some bytes are.
    ///
    /// **Errors**: `invalid_utf8`, `json_syntax`, `not_an_object`, `duplicate_key`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let text = utf8(bytes)?;
        if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            return Err(match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Rejection::new(
                    Code::NotAnObject,
                    format!("expected a JSON object, found `{}`", excerpt(text.trim())),
                ),
                Err(error) => syntax(text, text, &error),
            });
        }
        Ok(Self { text, sorted: members(text, text)? })
    }

    fn at(&self, key: &str) -> Option<usize> {
        self.sorted.binary_search_by(|(held, _)| held.as_bytes().cmp(key.as_bytes())).ok()
    }

    /// Whether there is a member, null or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.at(key).is_some()
    }

    /// The text of a member as it is written; nothing for null.
    pub(crate) fn written(&self, key: &str) -> Option<&'a str> {
        let (_, raw) = self.sorted.get(self.at(key)?)?;
        (raw.get() != "null").then(|| raw.get())
    }

    /// A member that is a string; nothing where it is absent, null or something else.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.written(key)?).ok()
    }

    /// The value of a member that is neither absent nor null.
    pub(crate) fn value(&self, key: &str) -> Result<Option<Value>, Rejection> {
        self.written(key).map(|raw| value(self.text, raw, DEPTH_MAX - 1)).transpose()
    }

    /// The keys, sorted.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.sorted.iter().map(|(key, _)| key.as_ref())
    }
}

/// The one object that some bytes are: its members, sorted.
///
/// **Errors**: as [`Members::read`], and `too_deep`.
pub(crate) fn read_object(bytes: &[u8]) -> Result<Vec<(String, Value)>, Rejection> {
    let members = Members::read(bytes)?;
    let text = members.text;
    let read = |(key, raw): (Cow<'_, str>, &RawValue)| {
        Ok((key.into_owned(), value(text, raw.get(), DEPTH_MAX - 1)?))
    };
    members.sorted.into_iter().map(read).collect()
}

/// The one value that a text is.
///
/// **Errors**: as [`read_object`], without `not_an_object`.
pub(crate) fn read_value(text: &str) -> Result<Value, Rejection> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| syntax(text, text, &error))?;
    value(text, raw.get(), DEPTH_MAX)
}

/// Bytes as text.
///
/// **Errors**: `invalid_utf8`.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let found = bytes.get(at).map_or_else(String::new, |byte| format!("\\x{byte:02x}"));
        Rejection::new(
            Code::InvalidUtf8,
            format!("expected UTF-8, found at column {} the byte `{found}`", at + 1),
        )
    })
}

/// The value of a text that is one whole JSON value, part of a larger text.
fn value(whole: &str, raw: &str, levels: usize) -> Result<Value, Rejection> {
    let inner = || {
        levels.checked_sub(1).ok_or_else(|| {
            let message = format!("expected at most `{DEPTH_MAX}` levels of lists and objects");
            Rejection::new(Code::TooDeep, message)
        })
    };
    Ok(match raw.as_bytes().first() {
        Some(b'{') => {
            let levels = inner()?;
            let members = members(whole, raw)?.into_iter();
            let read: Result<Vec<_>, _> = members
                .map(|(key, raw)| value(whole, raw.get(), levels).map(|value| (key.into_owned(), value)))
                .collect();
            Value::Object(read?)
        }
        Some(b'[') => {
            let levels = inner()?;
            let items: Vec<&RawValue> = parse(whole, raw)?;
            let items: Result<_, _> =
                items.into_iter().map(|item| value(whole, item.get(), levels)).collect();
            Value::List(items?)
        }
        Some(b'"') => Value::Text(parse(whole, raw)?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => Value::number(raw).map_err(|error| Rejection::new(error.code(), error.to_string()))?,
    })
}

fn parse<'a, T: Deserialize<'a>>(whole: &str, raw: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(raw).map_err(|error| syntax(whole, raw, &error))
}

fn members<'a>(whole: &str, raw: &'a str) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, Rejection> {
    let Pairs(mut pairs) = parse(whole, raw)?;
    pairs.sort_by(|(left, _), (right, _)| left.as_bytes().cmp(right.as_bytes()));
    match pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let message =
                format!("expected each key once in an object, found twice `{}`", excerpt(&pair[0].0));
            Err(Rejection::new(Code::DuplicateKey, message))
        }
        None => Ok(pairs),
    }
}

struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some(Key(key)) = access.next_key()? {
                    pairs.push((key, access.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A refusal that names the column, in bytes from 1, of the whole text.
fn syntax(whole: &str, part: &str, error: &serde_json::Error) -> Rejection {
    let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let before: usize = part.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (offset + before + error.column()).min(whole.len());
    let line_start =
        whole.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
    let place = match whole.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() {
        0 => format!("column {at}"),
        feeds => format!("line {}, column {}", feeds + 1, at - line_start),
    };
    let message = if error.is_eof() {
        format!("expected a complete JSON value, it ends at {place} behind `{}`", tail(whole))
    } else {
        let told = error.to_string();
        let reason = told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason);
        let start = (0..at).rev().find(|start| whole.is_char_boundary(*start)).unwrap_or(0);
        format!("expected JSON ({reason}), found at {place} `{}`", excerpt(&whole[start..]))
    };
    Rejection::new(Code::JsonSyntax, message)
}

/// The last few characters.
fn tail(text: &str) -> String {
    let trimmed = text.trim_end();
    let start = trimmed.char_indices().rev().nth(23).map_or(0, |(at, _)| at);
    excerpt(&trimmed[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        match read_value(text) {
            Ok(value) => assert_eq!(value.to_canonical_json(), expect),
            Err(rejection) => assert_eq!(rejection.to_string(), expect),
        }
    }

    #[test]
    fn values() {
        check(
            " { \"b\" : [ 1.50, -0, 1E2, null ] , \"a\" : {\"\\u00e9\":\"\\ud83d\\ude00\"} } ",
            "{\"a\":{\"é\":\"😀\"},\"b\":[1.5,0,100,null]}",
        );
        let digits = "1234567890".repeat(4);
        check(&digits, &digits);
        check(&format!("0.{digits}1"), &format!("0.{digits}1"));
        check("true", "true");
    }

    #[test]
    fn refusals_name_the_column() {
        let cases = [
            ("{\"a\":}", "json_syntax: expected JSON (expected value), found at column 6 `}`"),
            (
                "{\"a\":1",
                "json_syntax: expected a complete JSON value, it ends at column 6 behind `{\"a\":1`",
            ),
            ("{\"a\":NaN}", "json_syntax: expected JSON (expected value), found at column 6 `NaN}`"),
            ("{\"a\":01}", "json_syntax: expected JSON (invalid number), found at column 7 `1}`"),
            ("{\"a\":1} {", "json_syntax: expected JSON (trailing characters), found at column 9 `{`"),
            ("{\"a\":1,}", "json_syntax: expected JSON (key must be a string), found at column 8 `}`"),
            (
                "{\"é\":[1,\"\\ud800\"]}",
                "json_syntax: expected JSON (unexpected end of hex escape), found at column 17 `\"]}`",
            ),
            (
                "{\"a\":1e9999999999999999}",
                "quantity_out_of_range: expected a number with an exponent of at most 15 digits, found `1e9999999999999999`",
            ),
            ("{\n \"a\": x}", "json_syntax: expected JSON (expected value), found at line 2, column 7 `x}`"),
            (
                "{\"a\":{\"b\":1,\"b\":1}}",
                "duplicate_key: expected each key once in an object, found twice `b`",
            ),
            (
                "{\"a\":1,\"\\u0061\":1}",
                "duplicate_key: expected each key once in an object, found twice `a`",
            ),
        ];
        for (text, expect) in cases {
            check(text, expect);
        }
    }

    #[test]
    fn levels() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(&nested(DEPTH_MAX), &nested(DEPTH_MAX));
        check(&nested(DEPTH_MAX + 1), "too_deep: expected at most `32` levels of lists and objects");
        check(&nested(100_000), "too_deep: expected at most `32` levels of lists and objects");
    }

    #[test]
    fn objects_only() {
        let told = |bytes: &[u8]| read_object(bytes).unwrap_err().to_string();
        assert_eq!(told(b" [1] "), "not_an_object: expected a JSON object, found `[1]`");
        assert_eq!(told(b"7"), "not_an_object: expected a JSON object, found `7`");
        assert_eq!(
            told(b"{\"a\":\"\xff\"}"),
            "invalid_utf8: expected UTF-8, found at column 7 the byte `\\xff`"
        );
        assert!(told(b"").starts_with("json_syntax"));
    }
}
