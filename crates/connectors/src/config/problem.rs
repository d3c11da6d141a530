//! Mistakes in configuration.

use std::cell::RefCell;

/// A mistake in a file of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Where in its document, such as `items.base.fee`; empty for the document itself.
    pub path: String,
    /// A stable name.
    pub code: &'static str,
    /// What was expected, and what was found.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// A mistake in a document, wherever that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermProblem {
    /// Where in the document; empty for the document itself.
    pub path: String,
    /// A stable name.
    pub code: &'static str,
    /// What was expected, and what was found.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Collects mistakes, so that all are told at once.
#[derive(Default)]
pub(crate) struct Problems(RefCell<Vec<TermProblem>>);

impl Problems {
    pub(crate) fn add(&self, path: &str, code: &'static str, message: String, hint: impl Into<String>) {
        let problem = TermProblem { path: path.to_owned(), code, message, hint: hint.into() };
        self.0.borrow_mut().push(problem);
    }

    pub(crate) fn into_vec(self) -> Vec<TermProblem> {
        self.0.into_inner()
    }
}
