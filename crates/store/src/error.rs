//! The one error of the store: its kind tells the caller what to do.

use std::fmt;
use std::io;

/// What the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Fix the request.
    Invalid,
    /// There is nothing of that name.
    NotFound,
    /// Read again: somebody else was first, or another process has the folder.
    Conflict,
    /// Try again later: the disk is full or failed; nothing unacknowledged was promised.
    Unavailable,
    /// Stop: bytes are not what was written. Verify, then restore.
    Corrupt,
    /// The store stopped (after a failed sync) and must be reopened.
    Closed,
    /// The folder was written by a newer version.
    Newer,
}

/// An error of the store.
#[derive(Debug)]
pub struct StoreError {
    /// What to do.
    pub kind: ErrorKind,
    /// A stable code, such as `folder_locked`.
    pub code: &'static str,
    /// What happened, with the file and place.
    pub message: String,
    /// What to try.
    pub hint: String,
    /// Where, for bytes that are not what was written.
    pub at: Option<Box<Place>>,
}

/// A place in the store's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// Where in it, such as `sector 7`.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl StoreError {
    /// An error with its parts.
    pub fn new(
        kind: ErrorKind,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { kind, code, message: message.into(), hint: hint.into(), at: None }
    }

    /// Bytes that are not what was written, with file and place.
    pub fn corrupt(file: &str, place: impl fmt::Display, what: impl fmt::Display) -> Self {
        let error = Self::new(
            ErrorKind::Corrupt,
            "corrupt",
            format!("{what} in `{file}` at {place}"),
            "run `counterfoil verify`, then restore that file from a backup",
        );
        let at = Place { file: file.to_owned(), place: place.to_string(), what: what.to_string() };
        Self { at: Some(Box::new(at)), ..error }
    }

    /// An input/output error, with what was being done.
    pub fn io(doing: impl fmt::Display, error: &io::Error) -> Self {
        let (code, hint) = match error.kind() {
            io::ErrorKind::StorageFull => ("disk_full", "free some space and run the command again"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ("folder_unwritable", "choose a folder you can write with --data")
            }
            _ => ("disk_failed", "check the disk and run the command again"),
        };
        Self::new(ErrorKind::Unavailable, code, format!("could not {doing}: {error}"), hint)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}
