//! Rows of a file, column by column, ready to be decoded anywhere.

use std::sync::Arc;

use super::schema::Layout;
use super::texts::{Texts, Values};

/// The number of no value.
pub(super) const NULL: u32 = u32::MAX;

/// Rows that lie behind one another.
#[derive(Debug)]
pub(crate) struct ColumnSlice {
    pub(super) layout: Arc<Layout>,
    /// The number of the first row, from 1.
    pub(super) first_row: u64,
    pub(super) rows: usize,
    /// Bytes that its texts and numbers take in an arena, at most.
    pub(super) bytes: usize,
    pub(super) segments: Vec<Segment>,
}

/// Rows that come of one page in each column.
#[derive(Debug)]
pub(super) struct Segment {
    pub rows: usize,
    /// A piece a column.
    pub pieces: Vec<Piece>,
}

/// The values of a column in a segment.
#[derive(Debug)]
pub(super) enum Piece {
    Texts(TextPiece),
    Numbers(NumberPiece),
    /// 0, 1, or 2 for none.
    Bools(Vec<u8>),
}

#[derive(Debug)]
pub(super) enum TextPiece {
    /// For each row its text's number in the dictionary, or [`NULL`].
    Dictionary { texts: Arc<Texts>, numbers: Vec<u32> },
    /// Values from `first` on. Where there are nulls, each row's place behind `first`, or [`NULL`].
    Values { values: Arc<Values>, first: usize, count: usize, places: Option<Vec<u32>> },
}

#[derive(Debug)]
pub(super) enum NumberPiece {
    /// For each row its number's place in the dictionary, or [`NULL`].
    Dictionary { dictionary: Arc<Vec<i64>>, places: Vec<u32> },
    /// A number a row; where there are nulls, which rows have one.
    Values { values: Vec<i64>, present: Option<Vec<bool>> },
}

impl TextPiece {
    /// The bytes of a row.
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Dictionary { texts, numbers } => (numbers[row] != NULL).then(|| texts.bytes(numbers[row])),
            Self::Values { values, first, places, .. } => match places {
                None => Some(values.bytes(first + row)),
                Some(places) => (places[row] != NULL).then(|| values.bytes(first + places[row] as usize)),
            },
        }
    }
}

impl NumberPiece {
    pub fn rows(&self) -> usize {
        match self {
            Self::Dictionary { places, .. } => places.len(),
            Self::Values { values, .. } => values.len(),
        }
    }

    /// The number of a row.
    pub fn get(&self, row: usize) -> Option<i64> {
        match self {
            Self::Dictionary { dictionary, places } => of_place(dictionary, places[row]),
            Self::Values { values, present } => {
                present.as_ref().is_none_or(|present| present[row]).then(|| values[row])
            }
        }
    }

    /// The number of each row.
    pub fn each(&self, mut take: impl FnMut(Option<i64>)) {
        match self {
            Self::Dictionary { dictionary, places } => {
                places.iter().for_each(|place| take(of_place(dictionary, *place)));
            }
            Self::Values { values, present: None } => values.iter().for_each(|value| take(Some(*value))),
            Self::Values { values, present: Some(present) } => {
                values.iter().zip(present).for_each(|(value, has)| take(has.then_some(*value)));
            }
        }
    }
}

fn of_place(dictionary: &[i64], place: u32) -> Option<i64> {
    (place != NULL).then(|| dictionary[place as usize])
}
