//! CloudEvents of a shape that was seen before, read without building a tree of values.
//!
//! A *template* is what two lines of one producer have in common: every byte outside the values. It is learned from
//! a line that the general decoder accepted, and takes a line only where it is certain that the general decoder
//! would give the same event: all other bytes equal, strings without escapes, readable names and time. Any other
//! line goes to the general decoder whole.

mod clock;
mod learning;
mod names;
mod template;
mod words;

use metering::{Instant, Row, Span, Value};

use crate::chunk::{Chunk, Raw, RawChunk};
use crate::decoder::Decoder;
use crate::line_chunks::{LineChunk, lines, record_of};
use crate::lines::is_blank;
use crate::record::Feed;
use clock::Clock;
use names::Names;
use template::{Node, SLOTS_MAX, Template};

/// Templates that a line is compared with.
const TEMPLATES_MAX: usize = 16;
/// Lines of a chunk from which templates may be learned, whatever comes of it.
const LESSONS_MIN: u32 = 64;
/// So many lines that a template took pay for one more lesson.
const LINES_A_LESSON: u32 = 32;
/// Bytes of a line for which room is made.
const BYTES_A_LINE: usize = 160;

impl Decoder {
    /// As [`Decoder::decode_chunk`], with every record decoded the general way: slower, and the reference that the
    /// quick way is compared with.
    pub fn decode_chunk_general(&self, feed: &Feed, raw: RawChunk, seed: u64) -> Chunk {
        match raw.0 {
            Raw::Lines(LineChunk { first_line, bytes, cut: None }) => match String::from_utf8(bytes) {
                Ok(text) => general(self, feed, text, first_line, seed),
                Err(error) => {
                    let lines = LineChunk { first_line, bytes: error.into_bytes(), cut: None };
                    self.decode_chunk(feed, RawChunk(Raw::Lines(lines)), seed)
                }
            },
            other => self.decode_chunk(feed, RawChunk(other), seed),
        }
    }
}

fn general(decoder: &Decoder, feed: &Feed, text: String, first_line: u64, seed: u64) -> Chunk {
    let copy = text.clone();
    let mut chunk = Chunk::in_arena(text, seed);
    for (line, from, bytes) in lines(copy.as_bytes(), first_line) {
        let raw = Span { at: from as u32, length: bytes.len() as u32 };
        chunk.decode_one(decoder, feed, &record_of(line, bytes), raw);
    }
    chunk
}

/// Decodes the lines of a chunk.
pub(crate) fn decode(decoder: &Decoder, feed: &Feed, text: String, first_line: u64, seed: u64) -> Chunk {
    let length = text.len();
    let mut learner = Learner::new(Chunk::in_arena(text, seed), seed);
    let (mut from, mut line) = (0, first_line);
    while from < length {
        from = match learner.quick(from, length, line) {
            Some(next) => next,
            None => learner.slow(decoder, feed, from, length, line),
        };
        line += 1;
    }
    learner.chunk
}

/// The values of a line that a template takes.
pub(crate) struct Found {
    /// Of each slot.
    spans: [Span; SLOTS_MAX],
    /// By [`template::Field`].
    names: [Name; 4],
    clock: Clock,
    occurred_at: Instant,
    /// Numbers that are not written canonically: the slot, the canonical text.
    numbers: Vec<(usize, String)>,
    /// Objects, in the order of their keys.
    trees: Vec<Span>,
}

/// A name in a line.
#[derive(Clone, Copy, Default)]
pub(crate) struct Name {
    span: Span,
    /// Its bytes, the first in the lowest bits, filled up with zeros, which no name of a template has; 0 for a name of
    /// 16 bytes or more.
    short: u128,
}

struct Learner {
    chunk: Chunk,
    /// Those that took most lines first.
    templates: Vec<Template>,
    lessons: u32,
    found: Found,
    names: Names,
}

impl Learner {
    fn new(mut chunk: Chunk, seed: u64) -> Self {
        let rows = chunk.batch.arena().len() / BYTES_A_LINE;
        chunk.batch.reserve(rows, rows / 2);
        chunk.places.reserve(rows);
        let found = Found {
            spans: [Span::default(); SLOTS_MAX],
            names: [Name::default(); 4],
            clock: Clock::new(),
            occurred_at: Instant::MIN,
            numbers: Vec::new(),
            trees: Vec::new(),
        };
        Self { chunk, templates: Vec::new(), lessons: 0, found, names: Names::new(seed) }
    }

    /// Adds the line that begins at a place of the first `length` bytes, if a template takes it; answers where the
    /// next begins.
    fn quick(&mut self, from: usize, length: usize, line: u64) -> Option<usize> {
        let bytes = self.chunk.batch.arena().as_bytes().get(..length)?;
        let found = &mut self.found;
        let (taken, end, next) = self.templates.iter().enumerate().find_map(|(at, template)| {
            let end = template.take(bytes, from, found)?;
            Some((at, end, next_line(bytes, end)?))
        })?;
        self.add(taken);
        self.chunk.placed(line, Span { at: from as u32, length: (end - from) as u32 });
        self.chunk.learned += 1;
        self.count(taken);
        Some(next)
    }

    /// Appends what was found as a row.
    fn add(&mut self, taken: usize) {
        let Self { chunk, templates, found, names, .. } = self;
        let (template, batch) = (&mut templates[taken], &mut chunk.batch);
        for (slot, text) in found.numbers.drain(..) {
            found.spans[slot] = batch.push_text(&text);
        }
        let [id, source, event_type, account] = &found.names;
        template.id_length = id.span.length as usize;
        let row = Row {
            source: names.source(batch, source),
            event_type: names.event_type(batch, event_type),
            account: names.account(batch, account),
            shape: template.shape,
            id: id.span,
            occurred_at: found.occurred_at,
            values: 0,
        };
        let spans = &found.spans;
        let is_tree = |node: &&Node| matches!(node, Node::Object(_));
        found.trees.clear();
        found.trees.extend(template.values.iter().filter(is_tree).map(|node| {
            let tree = tree(node, |slot| batch.text(spans[slot]));
            batch.push_tree(tree)
        }));
        let mut trees = found.trees.iter();
        let value = |node: &Node| match node {
            Node::Slot(_, slot) => spans[*slot],
            _ => match trees.next() {
                Some(tree) => *tree,
                None => unreachable!("a tree was made for each object"),
            },
        };
        batch.append(row, template.values.iter().map(value));
    }

    /// A template that takes more lines than the one before it is tried before it.
    fn count(&mut self, taken: usize) {
        self.templates[taken].lines += 1;
        if taken > 0 && self.templates[taken].lines > self.templates[taken - 1].lines {
            self.templates.swap(taken, taken - 1);
        }
    }

    /// Adds a line by the general way and learns from it; answers where the next begins.
    fn slow(&mut self, decoder: &Decoder, feed: &Feed, from: usize, length: usize, line: u64) -> usize {
        let rest = &self.chunk.batch.arena().as_bytes()[from..length];
        let next = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let bytes = rest[..next].strip_suffix(b"\n").unwrap_or(&rest[..next]);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if !is_blank(bytes) {
            let record = record_of(line, bytes);
            let raw = Span { at: from as u32, length: bytes.len() as u32 };
            let rows = self.chunk.batch.len();
            self.chunk.decode_one(decoder, feed, &record, raw);
            if self.chunk.batch.len() > rows
                && self.lessons < LESSONS_MIN + self.chunk.learned / LINES_A_LESSON
            {
                self.lessons += 1;
                self.learn(raw);
            }
        }
        from + next
    }

    /// Learns from the line of the last row.
    fn learn(&mut self, raw: Span) {
        let batch = &mut self.chunk.batch;
        let Some(row) = batch.rows().last() else { return };
        let Some(template) = learning::learn(batch.text(raw), &batch.properties(row)) else { return };
        if self.templates.iter().any(|known| known.is_like(&template)) {
            return;
        }
        let shape = batch.shape(&template.members());
        if self.templates.len() == TEMPLATES_MAX {
            self.templates.pop();
        }
        self.templates.push(Template { shape, ..template });
    }
}

/// Where the next line begins, if one ends at a place.
fn next_line(bytes: &[u8], end: usize) -> Option<usize> {
    match bytes.get(end..)? {
        [b'\n', ..] => Some(end + 1),
        [b'\r', b'\n', ..] => Some(end + 2),
        [b'\r'] => Some(end + 1),
        [] => Some(end),
        _ => None,
    }
}

/// The value that a node stands for, with the texts of its slots.
fn tree<'a>(node: &Node, text: impl Fn(usize) -> &'a str + Copy) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(bit) => Value::Bool(*bit),
        Node::Slot(template::Scalar::Number, slot) => Value::Number(text(*slot).to_owned()),
        Node::Slot(template::Scalar::Text, slot) => Value::Text(text(*slot).to_owned()),
        Node::Object(members) => {
            Value::Object(members.iter().map(|(key, node)| (key.clone(), tree(node, text))).collect())
        }
    }
}
