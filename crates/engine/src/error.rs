//! The one error of the engine: its kind tells the caller what to do.

use std::fmt;

pub use store::ErrorKind;
use store::StoreError;

/// An error of the engine.
#[derive(Clone, Debug)]
pub struct EngineError {
    /// What to do.
    pub kind: ErrorKind,
    /// A stable code, such as `period_open`.
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// What to try.
    pub hint: String,
}

impl From<connectors::InputError> for EngineError {
    fn from(error: connectors::InputError) -> Self {
        Self::invalid("batch_unreadable", error.to_string(), "send the records in the format of the decoder")
    }
}

impl EngineError {
    /// An error with its parts.
    pub fn new(
        kind: ErrorKind,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { kind, code, message: message.into(), hint: hint.into() }
    }

    /// A request that must be changed.
    pub fn invalid(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message, hint)
    }

    /// Something of that name is not there.
    pub fn not_found(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, code, message, hint)
    }

    /// A number that left the exact range; nothing was posted.
    pub fn arithmetic(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::invalid(
            "number_overflow",
            format!("{doing}: {error}"),
            "check the quantities and prices; exact numbers here reach far beyond any real bill",
        )
    }

    /// A stored document that this build cannot read.
    pub fn stored(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Corrupt,
            "stored_document_unreadable",
            format!("{what} cannot be read back: {error}"),
            "run `counterfoil verify`",
        )
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self { kind: error.kind, code: error.code, message: error.message, hint: error.hint }
    }
}
