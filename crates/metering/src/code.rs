//! Why a record was refused.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::excerpt::excerpt;

/// A refusal: a code for programs, a message for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// Why.
    pub code: Code,
    /// What was expected, and what was found.
    pub message: String,
}

impl Rejection {
    /// A refusal.
    pub fn new(code: Code, message: String) -> Self {
        Self { code, message }
    }
}

/// A text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected a rejection code such as missing_id, found `{text}`")]
pub struct UnknownCode {
    /// The text, cut after 64 characters.
    pub text: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $code:ident $text:literal $hint:literal)+) => {
        /// The code of a rejection; `conflict` marks a conflicting record that is kept aside.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])+ $code,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];

            /// Its stable text, in snake case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)+
                }
            }

            /// What the sender can do, in one line.
            pub fn hint(self) -> &'static str {
                match self {
                    $(Self::$code => $hint,)+
                }
            }
        }
    };
}

codes! {
    /// A line that is no JSON.
    JsonSyntax "json_syntax" "send one JSON value a line; a broken line is kept, the lines around it are taken"
    /// JSON, or properties, that are no object.
    NotAnObject "not_an_object" "send an object in braces, one event each"
    /// A key twice in one object.
    DuplicateKey "duplicate_key" "write each key once; readers disagree about which of two counts"
    /// Lists and objects in each other, more than 32 levels.
    TooDeep "too_deep" "flatten the properties to at most 32 levels"
    /// A line beyond the reader's limit.
    LineTooLong "line_too_long" "send one event a line, and large content by reference"
    /// Bytes that are no UTF-8.
    InvalidUtf8 "invalid_utf8" "encode the input as UTF-8"
    /// A row that does not fit the header.
    CsvSyntax "csv_syntax" "give each row the header's number of fields and close its quotes"
    /// No id, or an empty one.
    MissingId "missing_id" "send the id that the source gave the event, and the same one on every retry"
    /// No source, or an empty one.
    MissingSource "missing_source" "name the system that emitted the event"
    /// No type, or an empty one.
    MissingType "missing_type" "name the type of the event; meters count by it"
    /// No account, or an empty one.
    MissingAccount "missing_account" "name the account that the usage belongs to; none is assumed"
    /// No time, or an empty one.
    MissingTime "missing_time" "send the time of use; the time of receipt is not taken for it"
    /// A time that cannot be read.
    TimeUnparseable "time_unparseable" "write the time as RFC 3339 with an offset, such as 2026-08-01T00:00:00Z, or as the mapping says"
    /// A time too far ahead of its receipt.
    TimeInFuture "time_in_future" "correct the clock or the unit of the time, then replay the event from quarantine"
    /// A type that no meter names at that time.
    UnknownType "unknown_type" "apply a meter that names this type and is effective at that time, then replay the event from quarantine"
    /// An account that is not known.
    UnknownAccount "unknown_account" "apply the account, or a policy with first_sight: create, then replay the event from quarantine"
    /// No quantity where a meter sums it.
    QuantityMissing "quantity_missing" "send the summed property; a missing quantity is neither 0 nor 1"
    /// A quantity that is no JSON number.
    QuantityNotANumber "quantity_not_a_number" "send the quantity as a JSON number without quotes; NaN and Infinity are none"
    /// A quantity beyond ±10^20.
    QuantityOutOfRange "quantity_out_of_range" "send a quantity from -10^20 to 10^20, or use a larger unit"
    /// A quantity with more than 12 decimals.
    QuantityTooPrecise "quantity_too_precise" "send at most 12 decimals, or use a smaller unit; nothing is rounded"
    /// A negative quantity that the meter does not allow.
    QuantityNegative "quantity_negative" "take usage back by a retraction, or set allow_negative on the meter"
    /// A name or the properties beyond the limit.
    FieldTooLong "field_too_long" "keep source, id, type and account to 256 bytes each, and the properties to 64 KiB"
    /// Older than what can be checked for duplicates. Reserved.
    BeyondHorizon "beyond_horizon" "load old events as a backfill; this one can no longer be checked for duplicates"
    /// A CloudEvents version other than 1.0.
    CloudeventsVersion "cloudevents_version" "send specversion 1.0"
    /// A Sentry outcome that is not known.
    OutcomeUnknown "outcome_unknown" "send one of the outcome numbers that the decoder lists"
    /// A Sentry category that is not known.
    CategoryUnknown "category_unknown" "send one of the category numbers that the decoder lists; none is assumed"
    /// Same identity, other content.
    Conflict "conflict" "give each event its own id; the first content stands, this one is kept aside"
}

impl Code {
    /// The code of its text.
    ///
    /// **Errors**: [`UnknownCode`].
    pub fn parse(text: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().copied().find(|code| code.as_str() == text);
        found.ok_or_else(|| UnknownCode { text: excerpt(text) })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_unique_and_helps() {
        assert_eq!(Code::ALL.len(), 27);
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let hints: BTreeSet<&str> = Code::ALL.iter().map(|code| code.hint()).collect();
        assert_eq!((texts.len(), hints.len()), (27, 27));
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Ok(*code));
            let is_snake = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(code.as_str().bytes().all(is_snake), "{code}");
            assert!(!code.hint().is_empty() && !code.hint().contains('\n') && !code.hint().ends_with('.'));
        }
    }

    #[test]
    fn the_text_is_the_name_in_snake_case() {
        for code in Code::ALL {
            let name = format!("{code:?}");
            let snake: String = name.chars().enumerate().fold(String::new(), |text, (at, c)| {
                let gap = if at > 0 && c.is_ascii_uppercase() { "_" } else { "" };
                format!("{text}{gap}{}", c.to_ascii_lowercase())
            });
            assert_eq!(snake, code.as_str());
        }
    }

    #[test]
    fn other_texts_are_no_code() {
        for text in ["", "Missing_id", "missing-id", "missing_id ", "late"] {
            assert_eq!(Code::parse(text), Err(UnknownCode { text: text.to_owned() }));
        }
    }
}
