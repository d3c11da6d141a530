//! Making a template of a line.

use metering::Value;

use super::template::{Field, LINE_BYTES_MAX, Node, SLOTS_MAX, Scalar, Slot, Template};
use super::words::Literal;

/// Levels of objects below the event's.
const LEVELS_MAX: usize = 4;
/// Id, source, type, account and time: every event has them, each once.
const FIELDS: usize = 5;

/// The template of a line that the general decoder accepted as an event with these properties. There is none where
/// the line has lists, too many values, or anything that is in doubt.
pub(super) fn learn(line: &str, properties: &Value) -> Option<Template> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let mut sketch = Sketch { line, at: 0, literal: 0, pieces: Vec::new() };
    let mut fields = Fields::default();
    sketch.skip_space();
    sketch.object(|sketch, key| fields.read(sketch, key))?;
    sketch.skip_space();
    if sketch.at != line.len() {
        return None;
    }
    let described = Node::Object(fields.properties()?);
    if !described.describes(properties) {
        return None;
    }
    let Node::Object(properties) = described else { return None };
    let has_value = |node: &&Node| matches!(node, Node::Slot(..) | Node::Object(_));
    if fields.count != FIELDS {
        return None;
    }
    Some(Template {
        tail: Literal::new(&line.as_bytes()[sketch.literal..]),
        pieces: sketch.pieces,
        values: properties.iter().map(|(_, node)| node).filter(has_value).cloned().collect(),
        properties,
        shape: 0,
        id_length: 0,
        lines: 0,
    })
}

/// The attributes of a line.
#[derive(Default)]
struct Fields {
    /// How many of the [`FIELDS`] there are.
    count: usize,
    data: Vec<(String, Node)>,
    extensions: Vec<(String, Node)>,
}

impl Fields {
    fn read(&mut self, sketch: &mut Sketch<'_>, key: String) -> Option<()> {
        match key.as_str() {
            "id" => self.field(sketch, Slot::Name(Field::Id))?,
            "source" => self.field(sketch, Slot::Name(Field::Source))?,
            "type" => self.field(sketch, Slot::Name(Field::Type))?,
            "subject" => self.field(sketch, Slot::Name(Field::Account))?,
            "time" => self.field(sketch, Slot::Time)?,
            // What they say stays as it is: all of it belongs to the bytes that are compared.
            "specversion" | "datacontenttype" => sketch.skip_scalar()?,
            "data" => match sketch.value(LEVELS_MAX)? {
                Node::Object(members) => self.data = members,
                Node::Null => {}
                Node::Bool(_) | Node::Slot(..) => return None,
            },
            "data_base64" => return None,
            _ => match sketch.value(LEVELS_MAX)? {
                Node::Null => {}
                node => self.extensions.push((key, node)),
            },
        }
        Some(())
    }

    fn field(&mut self, sketch: &mut Sketch<'_>, slot: Slot) -> Option<()> {
        self.count += 1;
        sketch.string(slot).map(|_| ())
    }

    /// As [`crate::cloud_events`] names them.
    fn properties(&mut self) -> Option<Vec<(String, Node)>> {
        let mut properties = std::mem::take(&mut self.data);
        for (name, node) in std::mem::take(&mut self.extensions) {
            let is_taken = |(held, _): &(String, Node)| *held == name;
            let in_data = properties.iter().any(is_taken);
            properties.push((if in_data { format!("ce.{name}") } else { name }, node));
        }
        sorted(properties)
    }
}

/// Sorted by the bytes of the keys; nothing where a key comes twice.
fn sorted(mut members: Vec<(String, Node)>) -> Option<Vec<(String, Node)>> {
    members.sort_by(|(left, _), (right, _)| left.as_bytes().cmp(right.as_bytes()));
    members.windows(2).all(|pair| pair[0].0 != pair[1].0).then_some(members)
}

/// A line, read up to a place.
struct Sketch<'a> {
    line: &'a str,
    at: usize,
    /// Where the bytes begin that belong to no piece yet.
    literal: usize,
    pieces: Vec<(Literal, Slot)>,
}

impl Sketch<'_> {
    fn byte(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// But for carriage returns, which JSON allows: before a line feed one belongs to the end of the line.
    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn skip(&mut self, text: &str) -> Option<()> {
        self.line.get(self.at..)?.starts_with(text).then(|| self.at += text.len())
    }

    /// Reads an object; `member` reads the value behind a key.
    fn object(&mut self, mut member: impl FnMut(&mut Self, String) -> Option<()>) -> Option<()> {
        self.skip("{")?;
        self.skip_space();
        if self.byte() == Some(b'}') {
            return self.skip("}");
        }
        loop {
            self.skip_space();
            let from = self.at;
            self.skip_string()?;
            let key: String = serde_json::from_str(self.line.get(from..self.at)?).ok()?;
            self.skip_space();
            self.skip(":")?;
            self.skip_space();
            member(self, key)?;
            self.skip_space();
            match self.byte()? {
                b',' => self.skip(",")?,
                _ => return self.skip("}"),
            }
        }
    }

    fn value(&mut self, levels: usize) -> Option<Node> {
        match self.byte()? {
            b'"' => self.string(Slot::Property(Scalar::Text)).map(|slot| Node::Slot(Scalar::Text, slot)),
            b'-' | b'0'..=b'9' => {
                let from = self.at;
                self.skip_number();
                let slot = self.slot(from, self.at, Slot::Property(Scalar::Number))?;
                Some(Node::Slot(Scalar::Number, slot))
            }
            b't' => self.skip("true").map(|()| Node::Bool(true)),
            b'f' => self.skip("false").map(|()| Node::Bool(false)),
            b'n' => self.skip("null").map(|()| Node::Null),
            b'{' => {
                let levels = levels.checked_sub(1)?;
                let mut members = Vec::new();
                self.object(|sketch, key| {
                    members.push((key, sketch.value(levels)?));
                    Some(())
                })?;
                sorted(members).map(Node::Object)
            }
            _ => None,
        }
    }

    /// Makes a slot of the characters of a string.
    fn string(&mut self, slot: Slot) -> Option<usize> {
        let from = self.at;
        self.skip_string()?;
        self.slot(from + 1, self.at - 1, slot)
    }

    fn slot(&mut self, from: usize, end: usize, slot: Slot) -> Option<usize> {
        let number = self.pieces.len();
        if number == SLOTS_MAX {
            return None;
        }
        self.pieces.push((Literal::new(&self.line.as_bytes()[self.literal..from]), slot));
        self.literal = end;
        Some(number)
    }

    fn skip_scalar(&mut self) -> Option<()> {
        match self.byte()? {
            b'"' => self.skip_string(),
            _ => self.skip("null"),
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.skip("\"")?;
        loop {
            match self.byte()? {
                b'"' => return self.skip("\""),
                // Whatever is escaped, the byte behind the backslash ends nothing.
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    fn skip_number(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
            self.at += 1;
        }
    }
}
