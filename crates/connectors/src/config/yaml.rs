//! YAML as far as configuration needs it: text, whole numbers, true and false, lists, mappings.
//!
//! What YAML readers disagree about is refused, not guessed: numbers with a point or an exponent, keys twice,
//! tags, merge keys. `yes`, `no`, `on` and `off` are text.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::problem::Problem;
use super::scalar::{looks_like_number, whole_number};
use crate::excerpt::excerpt;

/// Nodes of one file with its aliases expanded: a few lines of aliases can name billions.
const NODES_MAX: usize = 1_000_000;
/// Levels of lists and mappings.
const LEVELS_MAX: usize = 32;

/// One document of a file.
#[derive(Clone, Debug)]
pub(crate) struct YamlDocument {
    /// The line it begins on.
    pub(crate) line: u64,
    /// What it says.
    pub(crate) value: Value,
    /// The line of each path, such as `items.base.fee` or `tiers[1]`.
    pub(crate) lines: BTreeMap<String, u64>,
}

impl YamlDocument {
    /// The line of a path, or of the nearest that encloses it.
    pub(crate) fn line_of(&self, path: &str) -> u64 {
        line_of(&self.lines, path).unwrap_or(self.line)
    }
}

/// The line of a path, or of the nearest that encloses it.
pub(crate) fn line_of(lines: &BTreeMap<String, u64>, path: &str) -> Option<u64> {
    let mut path = path;
    loop {
        if let Some(line) = lines.get(path) {
            return Some(*line);
        }
        path = path.get(..path.rfind(['.', '['])?)?;
    }
}

/// `items` and `base` are `items.base`.
pub(crate) fn member_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The documents of a file that are not empty, and every mistake in it.
pub(crate) fn read(file: &str, text: &str) -> (Vec<YamlDocument>, Vec<Problem>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::new(file);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let taken = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => {
                let message = format!("expected YAML, found `{}`", excerpt(error.info()));
                let line = error.marker().line() as u64;
                builder.add(
                    line,
                    "yaml_syntax",
                    message,
                    "check indentation, quotes and colons on this line and the one before",
                );
                Err(Stop)
            }
        };
        if taken.is_err() {
            break;
        }
    }
    (builder.documents, builder.problems)
}

/// A mistake after which the rest of the file cannot be read.
struct Stop;

/// A list or mapping that is being read.
struct Open {
    path: String,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Mapping { members: Map<String, Value>, key: Option<String>, key_lines: HashMap<String, u64> },
}

struct Builder<'f> {
    file: &'f str,
    documents: Vec<YamlDocument>,
    problems: Vec<Problem>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    lines: BTreeMap<String, u64>,
    line: u64,
    nodes: usize,
}

impl<'f> Builder<'f> {
    fn new(file: &'f str) -> Self {
        Self {
            file,
            documents: Vec::new(),
            problems: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            lines: BTreeMap::new(),
            line: 1,
            nodes: 0,
        }
    }

    fn add(&mut self, line: u64, code: &'static str, message: String, hint: impl Into<String>) {
        let (file, path) = (self.file.to_owned(), self.path());
        self.problems.push(Problem { file, line, path, code, message, hint: hint.into() });
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        match self.open.last() {
            None => String::new(),
            Some(Open { path, content: Content::List(items), .. }) => format!("{path}[{}]", items.len()),
            Some(Open { path, content: Content::Mapping { key: Some(key), .. }, .. }) => {
                member_path(path, key)
            }
            Some(Open { path, .. }) => path.clone(),
        }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let line = span.start.line() as u64;
        match event {
            Event::DocumentStart(_) => {
                self.lines = BTreeMap::new();
                self.anchors = HashMap::new();
                self.line = 0;
            }
            Event::Scalar(text, style, anchor, tag) => {
                if self.awaits_key() {
                    return self.take_key(&text, line);
                }
                self.begin(line)?;
                self.refuse_tag(tag.as_deref(), line);
                let is_text = style != ScalarStyle::Plain || tag.is_some();
                let value = if is_text { Value::String(text.into_owned()) } else { self.plain(&text, line) };
                self.put(value, anchor, 1);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Content::List(Vec::new()), anchor, tag.as_deref(), line)?;
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Mapping { members: Map::new(), key: None, key_lines: HashMap::new() };
                self.open(content, anchor, tag.as_deref(), line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => return self.take_alias(anchor, line),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Mapping { key: None, .. }, .. }))
    }

    /// Notes the line of the value that begins.
    fn begin(&mut self, line: u64) -> Result<(), Stop> {
        self.count(1, line)?;
        if self.open.is_empty() {
            self.line = line;
        }
        let path = self.path();
        self.lines.entry(path).or_insert(line);
        Ok(())
    }

    fn count(&mut self, nodes: usize, line: u64) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message =
            format!("expected at most {NODES_MAX} values in a file, aliases expanded, found `more`");
        self.add(line, "too_large", message, "split the file, or write out what the aliases repeat");
        Err(Stop)
    }

    fn take_key(&mut self, text: &str, line: u64) -> Result<(), Stop> {
        self.count(1, line)?;
        if text == "<<" {
            let message = "expected no merge key, found `<<`".to_owned();
            self.add(line, "merge_key", message, "write the members out");
        }
        let Some(Open { path, content: Content::Mapping { key, key_lines, .. }, .. }) = self.open.last_mut()
        else {
            return Ok(());
        };
        *key = Some(text.to_owned());
        let path = member_path(path, text);
        match key_lines.insert(text.to_owned(), line) {
            None => {
                self.lines.insert(path, line);
            }
            Some(first) => {
                let message = format!(
                    "expected each key once, found on the lines {first} and {line} `{}`",
                    excerpt(text)
                );
                self.add(line, "duplicate_key", message, "keep one of the two");
            }
        }
        Ok(())
    }

    fn open(&mut self, content: Content, anchor: usize, tag: Option<&Tag>, line: u64) -> Result<(), Stop> {
        if self.awaits_key() {
            let message = "expected a key that is text, found `a list or mapping`".to_owned();
            self.add(line, "yaml_syntax", message, "write keys as plain text");
            return Err(Stop);
        }
        if self.open.len() == LEVELS_MAX {
            let message = format!("expected at most `{LEVELS_MAX}` levels of lists and mappings");
            self.add(line, "too_deep", message, "no document of configuration is this deep");
            return Err(Stop);
        }
        self.begin(line)?;
        self.refuse_tag(tag, line);
        let path = self.path();
        self.open.push(Open { path, anchor, content });
        Ok(())
    }

    fn close(&mut self) {
        let Some(Open { anchor, content, .. }) = self.open.pop() else { return };
        let value = match content {
            Content::List(items) => Value::Array(items),
            Content::Mapping { members, .. } => Value::Object(members),
        };
        let nodes = if anchor == 0 { 0 } else { nodes_of(&value) };
        self.put(value, anchor, nodes);
    }

    fn take_alias(&mut self, anchor: usize, line: u64) -> Result<(), Stop> {
        if self.awaits_key() {
            let message = "expected a key that is text, found `an alias`".to_owned();
            self.add(line, "yaml_syntax", message, "write keys as plain text");
            return Err(Stop);
        }
        let Some((value, nodes)) = self.anchors.get(&anchor).cloned() else {
            let message = "expected an alias of a value that is complete, found `one of itself`".to_owned();
            self.add(line, "yaml_syntax", message, "write the value out");
            return Err(Stop);
        };
        self.begin(line)?;
        self.count(nodes, line)?;
        self.put(value, 0, 0);
        Ok(())
    }

    /// Places a value that is complete.
    fn put(&mut self, value: Value, anchor: usize, nodes: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        match self.open.last_mut() {
            None => {
                let lines = std::mem::take(&mut self.lines);
                if value != Value::Null {
                    self.documents.push(YamlDocument { line: self.line, value, lines });
                }
            }
            Some(Open { content: Content::List(items), .. }) => items.push(value),
            Some(Open { content: Content::Mapping { members, key, .. }, .. }) => {
                if let Some(key) = key.take() {
                    members.insert(key, value);
                }
            }
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, line: u64) {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == "str")) {
            let message = format!("expected no tag, found `{}`", excerpt(&tag.to_string()));
            self.add(line, "tag", message, "write text in quotes instead");
        }
    }

    /// What a scalar without quotes stands for.
    fn plain(&mut self, text: &str, line: u64) -> Value {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            _ => {}
        }
        if let Some(whole) = whole_number(text) {
            return Value::from(whole);
        }
        if looks_like_number(text) {
            let message = format!("expected a decimal in quotes, found `{}`", excerpt(text));
            self.add(line, "number_not_quoted", message, format!("write \"{}\"", excerpt(text)));
        }
        Value::String(text.to_owned())
    }
}

fn nodes_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(nodes_of).sum::<usize>() + 1,
        Value::Object(members) => members.values().map(nodes_of).sum::<usize>() + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        let (documents, problems) = read("f.yaml", text);
        assert_eq!(problems, []);
        assert_eq!(documents.len(), 1);
        documents[0].value.clone()
    }

    /// Line, path, code of each mistake.
    #[track_caller]
    fn refused(text: &str, expect: &[(u64, &str, &str)]) -> Vec<Problem> {
        let (_, problems) = read("f.yaml", text);
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.path.as_str(), p.code)).collect();
        assert_eq!(found, expect, "{problems:?}");
        problems
    }

    #[test]
    fn values() {
        assert_eq!(
            value("a: 1\nb: [x, 'yes', \"1.5\", true]\nc: {d: ~, e: 2026-08-01}\n"),
            json!({"a": 1, "b": ["x", "yes", "1.5", true], "c": {"d": null, "e": "2026-08-01"}})
        );
        assert_eq!(value("a: &x {b: c}\nd: *x\n"), json!({"a": {"b": "c"}, "d": {"b": "c"}}));
        assert_eq!(value("a: |\n  two\n  lines\n"), json!({"a": "two\nlines\n"}));
        assert_eq!(value("1: one\ntrue: two\n"), json!({"1": "one", "true": "two"}));
        assert_eq!(value("a: !!str 1.5\n"), json!({"a": "1.5"}));
    }

    #[test]
    fn norway_is_no_boolean() {
        for text in ["no", "NO", "No", "yes", "on", "off", "y", "n", "True", "FALSE"] {
            assert_eq!(value(&format!("country: {text}\n")), json!({"country": text}));
        }
    }

    #[test]
    fn numbers_that_readers_disagree_about() {
        for text in [
            "1.5",
            "0.00036",
            "-1.5",
            "1e3",
            "1.",
            ".5",
            "+1",
            "007",
            "0x1F",
            "0o17",
            ".inf",
            "-.INF",
            ".nan",
            "99999999999999999999",
            "-0",
            "1E-3",
        ] {
            let problems = refused(&format!("a:\n  - {text}\n"), &[(2, "a[0]", "number_not_quoted")]);
            assert_eq!(problems[0].hint, format!("write \"{text}\""));
            assert_eq!(problems[0].message, format!("expected a decimal in quotes, found `{text}`"));
        }
        for text in ["1.2.3", "12:30", "1_000", "1,5", "e5", "1e", "0x", ".", "2026-08-01", "v1", "1/3"] {
            assert_eq!(value(&format!("a: {text}\n")), json!({"a": text}));
        }
    }

    #[test]
    fn lines_of_paths() {
        let (documents, _) = read("f.yaml", "\n# c\na: 1\nb:\n  - x\n  - c: d\n    e:\n      f\n---\nz: 1\n");
        let line = |path: &str| documents[0].line_of(path);
        assert_eq!(documents[0].line, 3);
        for (path, expect) in [
            ("", 3),
            ("a", 3),
            ("b", 4),
            ("b[0]", 5),
            ("b[1].c", 6),
            ("b[1].e", 7),
            ("b[1].zz.y", 6),
            ("q", 3),
        ] {
            assert_eq!(line(path), expect, "{path}");
        }
        assert_eq!((documents[1].line, documents[1].line_of("z")), (10, 10));
    }

    #[test]
    fn empty_documents_are_none() {
        assert_eq!(read("f.yaml", "").0.len(), 0);
        assert_eq!(read("f.yaml", "# only words\n").0.len(), 0);
        assert_eq!(read("f.yaml", "---\na: 1\n---\n---\nb: 1\n").0.len(), 2);
    }

    #[test]
    fn mistakes() {
        let problems = refused(
            "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n",
            &[(5, "b.c", "duplicate_key"), (6, "a", "duplicate_key")],
        );
        assert_eq!(problems[1].message, "expected each key once, found on the lines 1 and 6 `a`");
        refused("a: &x {b: 1}\nc:\n  <<: *x\n", &[(3, "c", "merge_key")]);
        refused("a: !!float 1\n", &[(1, "a", "tag")]);
        refused("a: !mine x\n", &[(1, "a", "tag")]);
        refused("a: *nowhere\n", &[(1, "a", "yaml_syntax")]);
        refused("a: [1\nb: 2\n", &[(2, "a[0]", "yaml_syntax")]);
        refused("? [a]\n: b\n", &[(1, "", "yaml_syntax")]);
        refused("a: &x [*x]\n", &[(1, "a[0]", "yaml_syntax")]);
    }

    #[test]
    fn bombs_are_bounded() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let last = level - 1;
            let aliases = vec![format!("*a{last}"); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let (_, problems) = read("f.yaml", &text);
        assert_eq!(problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["too_large"]);
        let (_, problems) = read("f.yaml", &format!("{}{}", "[".repeat(100), "]".repeat(100)));
        assert_eq!(problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["too_deep"]);
    }
}
