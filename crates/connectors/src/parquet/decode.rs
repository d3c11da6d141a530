//! From rows of columns to events.
//!
//! What fits goes into the batch column by column. Any other row is written as the CloudEvent that it would have
//! been, and read as one: so it is refused for the same reason, and kept in the same form.

use std::collections::BTreeMap;
use std::sync::Arc;

use metering::{Batch, Instant, Kind as Member, NAME_BYTES_MAX, PROPERTIES_BYTES_MAX, Row, Span};

use super::render;
use super::schema::{Kind, Layout, Role};
use super::slice::{ColumnSlice, NULL, NumberPiece, Piece, Segment, TextPiece};
use super::texts::{Texts, Values};
use crate::chunk::Chunk;
use crate::decoder::Decoder;
use crate::record::{Feed, RawRecord};

/// The span of no value, and of a value that goes the general way.
const NONE: Span = Span { at: u32::MAX, length: 0 };
const BAD: Span = Span { at: u32::MAX, length: 1 };
/// The number of a name that goes the general way, and of one that was not looked at yet.
const BAD_NAME: u32 = u32::MAX;
const NEW_NAME: u32 = u32::MAX - 1;
/// The number of a name that was met and is looked at next.
const MET_NAME: u32 = u32::MAX - 2;
/// The time that goes the general way; it is not on the time line.
const BAD_TIME: i64 = i64::MIN;

/// Decodes a slice.
pub(crate) fn decode(decoder: &Decoder, feed: &Feed, slice: &ColumnSlice, seed: u64) -> Chunk {
    let layout = &*slice.layout;
    let mut arena = String::with_capacity(slice.bytes + slice.rows * 8);
    let mut spans: Vec<Vec<Spans>> = Vec::with_capacity(slice.segments.len());
    for segment in &slice.segments {
        let written = segment.pieces.iter().zip(&layout.columns).map(|(piece, column)| match column.role {
            Role::Id | Role::Property => write(&mut arena, piece, column.kind),
            _ => Spans::Other,
        });
        spans.push(written.collect());
    }
    let mut chunk = Chunk::in_arena(arena, seed);
    chunk.places.reserve(slice.rows);
    chunk.batch.reserve(slice.rows, slice.rows / 2);
    let mut rows = Rows::new(decoder, feed, slice);
    for (segment, spans) in slice.segments.iter().zip(spans) {
        rows.add(&mut chunk, segment, spans);
    }
    chunk
}

/// Where the values of a column are.
enum Spans {
    /// In the arena, one a row.
    Rows(Vec<Span>),
    /// In a dictionary, or no texts.
    Other,
}

/// Writes values that are in no dictionary into the arena.
fn write(arena: &mut String, piece: &Piece, kind: Kind) -> Spans {
    match piece {
        Piece::Texts(TextPiece::Values { values, first, count, places }) => {
            let spans = write_texts(arena, values, *first, *count);
            Spans::Rows(match places {
                None => spans,
                Some(places) => places
                    .iter()
                    .map(|place| if *place == NULL { NONE } else { spans[*place as usize] })
                    .collect(),
            })
        }
        Piece::Numbers(numbers) => Spans::Rows(write_numbers(arena, numbers, kind)),
        Piece::Texts(TextPiece::Dictionary { .. }) | Piece::Bools(_) => Spans::Other,
    }
}

fn write_texts(arena: &mut String, values: &Values, first: usize, count: usize) -> Vec<Span> {
    let base = arena.len() as u32;
    let region = values.region(first, count);
    // One copy of all of them, and of the lengths between them, which nobody points at.
    if let Ok(text) = std::str::from_utf8(region) {
        let is_whole = |at: u32, length: u32| {
            text.is_char_boundary(at as usize) && text.is_char_boundary((at + length) as usize)
        };
        if text.is_ascii() || values.places(first, count).all(|(at, length)| is_whole(at, length)) {
            arena.push_str(text);
            return values.places(first, count).map(|(at, length)| Span { at: base + at, length }).collect();
        }
    }
    let one = |number| match std::str::from_utf8(values.bytes(number)) {
        Ok(text) => {
            let span = Span { at: arena.len() as u32, length: text.len() as u32 };
            arena.push_str(text);
            span
        }
        Err(_) => BAD,
    };
    (first..first + count).map(one).collect()
}

fn write_numbers(arena: &mut String, numbers: &NumberPiece, kind: Kind) -> Vec<Span> {
    let rows = numbers.rows();
    let mut digits = Vec::with_capacity(rows * 8);
    let mut spans = Vec::with_capacity(rows);
    numbers.each(|number| {
        let at = digits.len();
        spans.push(match number {
            None => NONE,
            Some(number) => {
                render::number(&mut digits, number, kind);
                Span { at: (arena.len() + at) as u32, length: (digits.len() - at) as u32 }
            }
        });
    });
    // Digits and minus signs are ASCII.
    match std::str::from_utf8(&digits) {
        Ok(digits) => arena.push_str(digits),
        Err(_) => unreachable!("a number is written in digits, a sign and a point"),
    }
    spans
}

/// What is known of a slice while its rows are added.
struct Rows<'a> {
    decoder: &'a Decoder,
    feed: &'a Feed,
    layout: &'a Layout,
    row: u64,
    /// Sources, types and accounts of the dictionaries that were met last.
    names: [Names; 3],
    /// The same of the texts of properties, by the place of the column.
    texts: Vec<SharedTexts>,
    /// Shapes by what each property has: see [`State`].
    shapes: BTreeMap<Vec<State>, u32>,
    /// How many rows the slice has: a dictionary that is much longer is not numbered as a whole.
    rows: usize,
    /// Bytes of the names of all properties in canonical form, at most.
    names_bytes: usize,
}

/// What a row has of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    None,
    Number,
    Text,
    False,
    True,
}

impl<'a> Rows<'a> {
    fn new(decoder: &'a Decoder, feed: &'a Feed, slice: &'a ColumnSlice) -> Self {
        let layout = &*slice.layout;
        Self {
            decoder,
            feed,
            layout,
            row: slice.first_row,
            names: Default::default(),
            texts: layout.columns.iter().map(|_| SharedTexts::default()).collect(),
            shapes: BTreeMap::new(),
            rows: slice.rows,
            names_bytes: layout.properties.iter().map(|at| layout.columns[*at].name.len() * 6 + 4).sum(),
        }
    }

    fn add(&mut self, chunk: &mut Chunk, segment: &Segment, mut spans: Vec<Spans>) {
        let layout = self.layout;
        let at = |role| layout.place(role);
        let batch = &mut chunk.batch;
        let [sources, types, accounts] = [Role::Source, Role::Type, Role::Account].map(|role| {
            let names = &mut self.names[role as usize - Role::Source as usize];
            names.number(batch, &segment.pieces[at(role)], segment.rows, self.rows)
        });
        let ids = self.texts[at(Role::Id)].spans(batch, segment, at(Role::Id), &mut spans, self.rows);
        let times = times(&segment.pieces[at(Role::Time)], layout.columns[at(Role::Time)].kind, segment.rows);
        let mut properties = Vec::with_capacity(layout.properties.len());
        for place in &layout.properties {
            properties.push(match &segment.pieces[*place] {
                Piece::Bools(bools) => Property::Bools(bools),
                piece => Property::Spans {
                    state: if matches!(piece, Piece::Texts(_)) { State::Text } else { State::Number },
                    spans: self.texts[*place].spans(batch, segment, *place, &mut spans, self.rows),
                },
            });
        }
        let prepared = Prepared { sources, types, accounts, ids, times, properties };
        self.add_rows(chunk, segment, &prepared);
    }

    fn add_rows(&mut self, chunk: &mut Chunk, segment: &Segment, prepared: &Prepared<'_>) {
        let Prepared { sources, types, accounts, ids, times, properties } = prepared;
        let is_short = self.names_bytes + longest(properties) <= PROPERTIES_BYTES_MAX;
        let is_uniform = is_short && properties.iter().all(Property::is_full);
        let mut states: Vec<State> = properties.iter().map(|property| property.state(0)).collect();
        let mut shape = self.shape(&mut chunk.batch, &states);
        for row in 0..segment.rows {
            let number = self.row;
            self.row += 1;
            if !prepared.is_good(row) || !is_uniform && !self.is_good(properties, row, is_short) {
                self.add_one(chunk, segment, row, number);
                continue;
            }
            if !is_uniform {
                states.iter_mut().zip(properties).for_each(|(state, property)| *state = property.state(row));
                shape = self.shape(&mut chunk.batch, &states);
            }
            let (source, event_type, account) = (sources[row], types[row], accounts[row]);
            let (id, occurred_at, values) = (ids[row], Instant(times[row]), 0);
            let event = Row { source, event_type, account, shape, id, occurred_at, values };
            chunk.batch.append(event, properties.iter().filter_map(|property| property.span(row)));
            chunk.placed(number, Span::default());
        }
    }

    /// Whether the properties of a row are UTF-8, and certainly not too long.
    fn is_good(&self, properties: &[Property<'_>], row: usize, is_short: bool) -> bool {
        properties.iter().all(|property| property.is_good(row)) && (is_short || self.fits(properties, row))
    }

    /// Whether the properties of a row are certainly not too long.
    fn fits(&self, properties: &[Property<'_>], row: usize) -> bool {
        let values: usize = properties.iter().map(|property| property.bytes_at(row)).sum();
        self.names_bytes + values <= PROPERTIES_BYTES_MAX
    }

    fn shape(&mut self, batch: &mut Batch, states: &[State]) -> u32 {
        if let Some(shape) = self.shapes.get(states) {
            return *shape;
        }
        let mut members = Vec::with_capacity(states.len());
        for (state, place) in states.iter().zip(&self.layout.properties) {
            let kind = match state {
                State::None => continue,
                State::Number => Member::Number,
                State::Text => Member::Text,
                State::False => Member::False,
                State::True => Member::True,
            };
            members.push((self.layout.columns[*place].name.as_str(), kind));
        }
        let shape = batch.shape(&members);
        self.shapes.insert(states.to_vec(), shape);
        shape
    }

    /// The general way.
    fn add_one(&self, chunk: &mut Chunk, segment: &Segment, row: usize, number: u64) {
        let (bytes, bytes_total) = render::row(self.layout, segment, row);
        let record = RawRecord { bytes_total, ..RawRecord::new(number, bytes) };
        chunk.decode_one(self.decoder, self.feed, &record, Span::default());
    }
}

/// A segment, a value a row.
struct Prepared<'a> {
    sources: Vec<u32>,
    types: Vec<u32>,
    accounts: Vec<u32>,
    ids: Vec<Span>,
    times: Vec<i64>,
    properties: Vec<Property<'a>>,
}

impl Prepared<'_> {
    /// Whether a row has all that an event must have.
    fn is_good(&self, row: usize) -> bool {
        let (source, event_type, account) = (self.sources[row], self.types[row], self.accounts[row]);
        let id = self.ids[row];
        let has_names = source != BAD_NAME && event_type != BAD_NAME && account != BAD_NAME;
        let has_id = id.at != u32::MAX && id.length > 0 && id.length as usize <= NAME_BYTES_MAX;
        has_names && has_id && self.times[row] != BAD_TIME
    }
}

/// The values of a property in a segment.
enum Property<'a> {
    Spans { state: State, spans: Vec<Span> },
    Bools(&'a [u8]),
}

impl Property<'_> {
    fn state(&self, row: usize) -> State {
        match self {
            Self::Spans { state, spans } => {
                if spans[row] == NONE {
                    State::None
                } else {
                    *state
                }
            }
            Self::Bools(bools) => match bools[row] {
                0 => State::False,
                1 => State::True,
                _ => State::None,
            },
        }
    }

    /// Whether all rows have a value of one state.
    fn is_full(&self) -> bool {
        match self {
            Self::Spans { spans, .. } => spans.iter().all(|span| span.at != u32::MAX),
            Self::Bools(bools) => bools.iter().all(|bool| *bool == bools[0]),
        }
    }

    /// Where the value of a row is; nothing for a boolean.
    fn span(&self, row: usize) -> Option<Span> {
        match self {
            Self::Spans { spans, .. } => Some(spans[row]).filter(|span| *span != NONE),
            Self::Bools(_) => None,
        }
    }

    fn is_good(&self, row: usize) -> bool {
        match self {
            Self::Spans { spans, .. } => spans[row] != BAD,
            Self::Bools(_) => true,
        }
    }

    /// Bytes of a value in canonical form, at most: a character below U+0020 takes six.
    fn bytes_at(&self, row: usize) -> usize {
        match self {
            Self::Spans { spans, .. } => spans[row].length as usize * 6 + 2,
            Self::Bools(_) => 5,
        }
    }
}

/// Bytes of the longest values of all properties in canonical form, at most.
fn longest(properties: &[Property<'_>]) -> usize {
    let of = |property: &Property<'_>| match property {
        Property::Spans { spans, .. } => spans.iter().map(|span| span.length as usize * 6 + 2).max(),
        Property::Bools(_) => Some(5),
    };
    properties.iter().filter_map(of).sum()
}

/// Numbers of the batch for the texts of a dictionary.
#[derive(Default)]
struct Names {
    texts: Option<Arc<Texts>>,
    numbers: Vec<u32>,
}

impl Names {
    /// A number a row, or [`BAD_NAME`].
    fn number(&mut self, batch: &mut Batch, piece: &Piece, rows: usize, rows_of_slice: usize) -> Vec<u32> {
        let Piece::Texts(piece) = piece else { return vec![BAD_NAME; rows] };
        let intern = |batch: &mut Batch, text: Option<&str>| match text {
            Some(text) if !text.is_empty() && text.len() <= NAME_BYTES_MAX => batch.intern_text(text),
            _ => BAD_NAME,
        };
        match piece {
            TextPiece::Dictionary { texts, numbers } if is_much_longer(texts, rows_of_slice) => numbers
                .iter()
                .map(|number| intern(batch, if *number == NULL { None } else { texts.text(*number) }))
                .collect(),
            TextPiece::Dictionary { texts, numbers } => {
                if !self.texts.as_ref().is_some_and(|known| Arc::ptr_eq(known, texts)) {
                    self.texts = Some(Arc::clone(texts));
                    self.numbers.clear();
                    self.numbers.resize(texts.len(), NEW_NAME);
                }
                let known = &mut self.numbers;
                if texts.len() / 16 <= rows {
                    // New names in the order of the dictionary: its texts are then read one after another.
                    for number in numbers.iter().filter(|number| **number != NULL) {
                        let slot = &mut known[*number as usize];
                        *slot = if *slot == NEW_NAME { MET_NAME } else { *slot };
                    }
                    for (slot, number) in known.iter_mut().zip(0..) {
                        if *slot == MET_NAME {
                            *slot = intern(batch, texts.text(number));
                        }
                    }
                }
                let number = |number: &u32| {
                    if *number == NULL {
                        return BAD_NAME;
                    }
                    let slot = &mut known[*number as usize];
                    if *slot == NEW_NAME {
                        *slot = intern(batch, texts.text(*number));
                    }
                    *slot
                };
                numbers.iter().map(number).collect()
            }
            TextPiece::Values { .. } => {
                let text = |row| piece.bytes(row).and_then(|bytes| std::str::from_utf8(bytes).ok());
                (0..rows).map(|row| intern(batch, text(row))).collect()
            }
        }
    }
}

/// Whether a dictionary has so many more texts than a slice has rows that most of them are not met.
fn is_much_longer(texts: &Texts, rows: usize) -> bool {
    texts.len() / 16 > rows
}

/// Spans of the arena for the texts of a dictionary.
#[derive(Default)]
struct SharedTexts {
    texts: Option<Arc<Texts>>,
    spans: Vec<Span>,
}

impl SharedTexts {
    /// The span of a text that was not looked at yet.
    const NEW: Span = Span { at: u32::MAX, length: 2 };

    /// A span a row, [`NONE`] or [`BAD`].
    fn spans(
        &mut self,
        batch: &mut Batch,
        segment: &Segment,
        place: usize,
        written: &mut [Spans],
        rows_of_slice: usize,
    ) -> Vec<Span> {
        if let Spans::Rows(spans) = std::mem::replace(&mut written[place], Spans::Other) {
            return spans;
        }
        let Piece::Texts(TextPiece::Dictionary { texts, numbers }) = &segment.pieces[place] else {
            return vec![BAD; segment.rows];
        };
        let push = |batch: &mut Batch, number| texts.text(number).map_or(BAD, |text| batch.push_text(text));
        if is_much_longer(texts, rows_of_slice) {
            let span = |number: &u32| if *number == NULL { NONE } else { push(batch, *number) };
            return numbers.iter().map(span).collect();
        }
        if !self.texts.as_ref().is_some_and(|known| Arc::ptr_eq(known, texts)) {
            self.texts = Some(Arc::clone(texts));
            self.spans.clear();
            self.spans.resize(texts.len(), Self::NEW);
        }
        let span = |number: &u32| {
            if *number == NULL {
                return NONE;
            }
            let slot = &mut self.spans[*number as usize];
            if *slot == Self::NEW {
                *slot = push(batch, *number);
            }
            *slot
        };
        numbers.iter().map(span).collect()
    }
}

/// A time a row, or [`BAD_TIME`].
fn times(piece: &Piece, kind: Kind, rows: usize) -> Vec<i64> {
    match (piece, kind) {
        (Piece::Numbers(numbers), Kind::Time { unit_ns }) => {
            let mut times = Vec::with_capacity(rows);
            numbers.each(|number| {
                times.push(render::instant(number, unit_ns).map_or(BAD_TIME, |instant| instant.0));
            });
            times
        }
        (Piece::Texts(texts), _) => (0..rows)
            .map(|row| {
                let text = texts.bytes(row).and_then(|bytes| std::str::from_utf8(bytes).ok());
                text.and_then(|text| Instant::parse_rfc3339(text).ok()).map_or(BAD_TIME, |instant| instant.0)
            })
            .collect(),
        _ => vec![BAD_TIME; rows],
    }
}
