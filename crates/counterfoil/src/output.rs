//! What is printed: data on stdout, notes and errors on stderr.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use engine::EngineError;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::args::Format;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Done, and something needs a look.
    Problems,
}

impl Outcome {
    /// The exit status.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::from(0),
            Self::Problems => ExitCode::from(1),
        }
    }

    /// Problems where there are some.
    pub fn of(problems: bool) -> Self {
        if problems { Self::Problems } else { Self::Done }
    }
}

/// Why a command could not.
#[derive(Debug)]
pub struct Failure {
    /// The exit status: 2 usage error, 3 could not.
    pub status: u8,
    /// A stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to try.
    pub hint: String,
}

impl Failure {
    /// The command's words are off.
    pub fn usage(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: 2, code: code.to_owned(), message: message.into(), hint: hint.into() }
    }

    /// It could not be done.
    pub fn could_not(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: 3, code: code.to_owned(), message: message.into(), hint: hint.into() }
    }

    /// Prints it on stderr.
    pub fn report(&self, format: Format) -> ExitCode {
        let text = match format {
            Format::Text => format!("error: {} [{}]\nhint: {}", self.message, self.code, self.hint),
            Format::Json => {
                json!({ "code": self.code, "message": self.message, "hint": self.hint }).to_string()
            }
        };
        let _ = writeln!(anstream::stderr(), "{text}");
        ExitCode::from(self.status)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let status = match error.code {
            "bad_period" | "unknown_meter" | "unknown_dimension" | "unknown_row" => 2,
            _ => 3,
        };
        Self { status, code: error.code.to_owned(), message: error.message, hint: error.hint }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::could_not(
            "output_failed",
            format!("could not write the result: {error}"),
            "check where stdout goes",
        )
    }
}

/// Prints data on stdout. A reader that went away ends the program quietly.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Prints JSON data on stdout, pretty, one trailing newline.
pub fn json_data(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::could_not("output_failed", error.to_string(), "report this"))?;
    data(&format!("{text}\n"))
}

/// Prints a note on stderr.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a hint on stderr, only where a person sees it.
pub fn hint(text: &str) {
    if std::io::stderr().is_terminal() {
        note(text);
    }
}

/// A progress bar on stderr that vanishes, and is not there where no person sees it.
pub fn progress(length: Option<u64>, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = if length.is_some() {
        "{msg} [{bar:30}] {human_pos} of {human_len} ({per_sec})"
    } else {
        "{spinner} {msg} {human_pos} ({per_sec})"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A table for people: the first columns left, those named in `right` right-aligned.
pub fn table(head: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let mut text = String::new();
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            if column > 0 {
                text.push_str("  ");
            }
            if right.contains(&column) {
                text.push_str(&pad);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&pad);
            }
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(head.to_vec());
    text.push_str(&line(
        widths
            .iter()
            .map(|width| "-".repeat(*width))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect(),
    ));
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

/// A decimal or count with thousands separated, for people only.
pub fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{out}.{fraction}"),
        None => format!("{sign}{out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (plain, shown) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.891", "-1,234,567.891"),
            ("12345", "12,345"),
        ] {
            assert_eq!(grouped(plain), shown);
        }
    }

    #[test]
    fn columns_line_up() {
        let text = table(
            &["a", "n"],
            &[1],
            &[vec!["xx".to_owned(), "1".to_owned()], vec!["y".to_owned(), "22".to_owned()]],
        );
        assert_eq!(text, "a    n\n--  --\nxx   1\ny   22\n");
    }
}
