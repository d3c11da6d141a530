//! Files of documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use invoicing::terms::Version;
use metering::{Instant, Zone};
use serde_json::{Map, Value};

use super::account;
use super::fields::Fields;
use super::problem::{Problem, Problems};
use super::term::{KINDS, parse_term, refuse_kind};
use super::values::text;
use super::yaml::{self, YamlDocument, line_of};

/// Bytes of a file of configuration.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Fields of a document of any kind that are no part of its body.
pub(super) const SPLIT_OFF: [&str; 1] = ["effective_at"];
/// The same of an account.
pub(super) const SPLIT_OFF_ACCOUNT: [&str; 2] = ["effective_at", PERSONAL];
const PERSONAL: &str = "personal";
const FIRST: Version = Version { version: 1, effective_at: Instant(0), recorded_at: 0 };

/// One document of configuration that shows no mistake by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The file, as it was named.
    pub file: String,
    /// The line it begins on.
    pub line: u64,
    /// Its kind, such as `meter`.
    pub kind: String,
    /// Its name, unique within its kind.
    pub name: String,
    /// From when it holds, if it says so.
    pub effective_at: Option<Instant>,
    /// What it says, `kind` and name included, without `effective_at` and `personal`.
    pub body: Value,
    /// The personal fields of an account: (field, value), by field.
    pub personal: Vec<(String, String)>,
    lines: BTreeMap<String, u64>,
}

impl Document {
    /// The line of a path such as `items.base.fee`, or of the nearest that encloses it.
    pub fn line_of(&self, path: &str) -> u64 {
        line_of(&self.lines, path).unwrap_or(self.line)
    }

    pub(super) fn problem(&self, path: &str, code: &'static str, message: String, hint: String) -> Problem {
        let (file, line) = (self.file.clone(), self.line_of(path));
        Problem { file, line, path: path.to_owned(), code, message, hint }
    }
}

/// The documents of a file, or of the files `*.yaml` and `*.yml` of a folder in the order of their names.
///
/// **Errors**: every mistake in all of them.
pub fn load_path(path: &Path) -> Result<Vec<Document>, Vec<Problem>> {
    let files = files_of(path).map_err(|problem| vec![problem])?;
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.display().to_string();
        match read_file(&file).and_then(|text| read_documents(&name, &text)) {
            Ok(more) => documents.extend(more),
            Err(found) => problems.extend(found),
        }
    }
    if documents.is_empty() && problems.is_empty() {
        let message = format!("expected documents of configuration, found none in `{}`", path.display());
        problems.push(whole_file(
            path,
            "no_documents",
            message,
            "write YAML documents with a `kind` into *.yaml",
        ));
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |error| unreadable(path, &error);
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// A file of configuration as text.
pub(crate) fn read_file(path: &Path) -> Result<String, Vec<Problem>> {
    let unreadable = |error| vec![unreadable(path, &error)];
    let bytes_total = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes_total > FILE_BYTES_MAX {
        let message = format!("expected a file of at most {FILE_BYTES_MAX} bytes, found `{bytes_total}`");
        return Err(vec![whole_file(path, "too_large", message, "split the file")]);
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let message =
        format!("expected a file of configuration that can be read: {error}, found `{}`", path.display());
    whole_file(path, "file_unreadable", message, "check the name, the permissions, and that it is UTF-8 text")
}

fn whole_file(path: &Path, code: &'static str, message: String, hint: &str) -> Problem {
    let file = path.display().to_string();
    Problem { file, line: 1, path: String::new(), code, message, hint: hint.to_owned() }
}

/// The documents of a text; `file` is the name that problems carry.
///
/// **Errors**: every mistake in it.
pub fn read_documents(file: &str, text: &str) -> Result<Vec<Document>, Vec<Problem>> {
    let (found, mut problems) = yaml::read(file, text);
    let mut documents = Vec::new();
    for yaml in found {
        let noted = Problems::default();
        if let Some(document) = read_document(file, &yaml, &noted) {
            documents.push(document);
        }
        problems.extend(noted.into_vec().into_iter().map(|problem| Problem {
            file: file.to_owned(),
            line: yaml.line_of(&problem.path),
            path: problem.path,
            code: problem.code,
            message: problem.message,
            hint: problem.hint,
        }));
    }
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

fn read_document(file: &str, yaml: &YamlDocument, problems: &Problems) -> Option<Document> {
    let fields = Fields::open(&yaml.value, "", problems)?;
    let kind = fields.text("kind", "meter")?;
    if !KINDS.contains(&kind) {
        refuse_kind(kind, problems);
        return None;
    }
    let zone = fields.get("zone").and_then(Value::as_str).and_then(|name| Zone::parse(name).ok());
    let effective_at = fields.instant_if_any("effective_at", &zone.unwrap_or_else(Zone::utc));
    let split_off: &[&str] = if kind == "account" { &SPLIT_OFF_ACCOUNT } else { &SPLIT_OFF };
    let members: Map<String, Value> = fields
        .each()
        .filter(|(name, _, _)| !split_off.contains(name))
        .map(|(name, _, value)| (name.to_owned(), value.clone()))
        .collect();
    let personal = match fields.get(PERSONAL) {
        Some(value) if kind == "account" => account::personal(value, problems),
        _ => Vec::new(),
    };
    let body = Value::Object(members);
    let parsed = parse_term(kind, &body, FIRST);
    let name = body.get(kind).and_then(|name| text(name, kind, &Problems::default()));
    match (parsed, name) {
        (Ok(_), Some(name)) => Some(Document {
            file: file.to_owned(),
            line: yaml.line,
            kind: kind.to_owned(),
            name: name.to_owned(),
            effective_at,
            body: body.clone(),
            personal,
            lines: yaml.lines.clone(),
        }),
        (Err(found), _) => {
            found.into_iter().for_each(|p| problems.add(&p.path, p.code, p.message, p.hint));
            None
        }
        (Ok(_), None) => None,
    }
}
