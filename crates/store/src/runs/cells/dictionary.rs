//! What the numbers of a run mean: texts and tuples in the order in which they compare.

use std::collections::BTreeSet;

use super::super::table::CellLimits;
use crate::coding::BadCoding;
use crate::error::{ErrorKind, StoreError};

/// Sorted texts in one arena.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Texts {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, number: u32) -> Option<&str> {
        let number = number as usize;
        let from = number.checked_sub(1).map_or(0, |before| self.ends.get(before).copied().unwrap_or(0));
        self.text.get(from as usize..*self.ends.get(number)? as usize)
    }

    pub fn last(&self) -> Option<&str> {
        self.get(self.ends.len().checked_sub(1)? as u32)
    }

    /// Appends a text behind all others.
    pub fn push(&mut self, text: &str) -> Result<(), StoreError> {
        let end = self.text.len() + text.len();
        self.ends.push(u32::try_from(end).map_err(|_| too_large("texts of 4 GiB"))?);
        self.text.push_str(text);
        Ok(())
    }

    pub fn find(&self, text: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.ends.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)?.cmp(text) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).filter_map(|number| self.get(number))
    }
}

/// Sorted tuples of dimension values: for each 0 for none or the number of a value + 1. The empty tuple is not among
/// them: it is number 0 of every meter, and the first of these is number 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuples {
    values: Vec<u32>,
    ends: Vec<u32>,
}

impl Tuples {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The values of a tuple.
    pub fn get(&self, number: u32) -> Option<&[u32]> {
        let Some(at) = number.checked_sub(1) else { return Some(&[]) };
        let from = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before as usize).copied())?;
        self.values.get(from as usize..*self.ends.get(at as usize)? as usize)
    }

    pub fn push(&mut self, tuple: &[u32]) -> Result<(), StoreError> {
        self.values.extend_from_slice(tuple);
        self.ends.push(u32::try_from(self.values.len()).map_err(|_| too_large("2^32 dimension values"))?);
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (1..=self.ends.len() as u32).filter_map(|number| self.get(number))
    }

    /// The same tuples of values with other numbers.
    fn renumbered(&self, numbers: &[u32]) -> Self {
        let value = |value: &u32| {
            let number = value.checked_sub(1).and_then(|value| numbers.get(value as usize));
            number.map_or(0, |number| number + 1)
        };
        Self { values: self.values.iter().map(value).collect(), ends: self.ends.clone() }
    }
}

fn too_large(what: &str) -> StoreError {
    StoreError::new(
        ErrorKind::Invalid,
        "cells_too_many",
        format!("a run of cells would hold {what} or more"),
        "name fewer accounts, or dimensions with fewer values",
    )
}

/// A meter version of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterTuples {
    /// Name and version.
    pub name: (String, u32),
    /// Whether its dimensions had too many values to be kept.
    pub overflowed: bool,
    /// Its tuples.
    pub tuples: Tuples,
}

/// The dictionary of a run. Meter 0 is the base cell, meter n the n-th of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// Accounts.
    pub accounts: Texts,
    /// Types and sources.
    pub names: Texts,
    /// Dimension values.
    pub values: Texts,
    /// Meter versions, sorted.
    pub meters: Vec<MeterTuples>,
}

/// A cell's key in numbers of a dictionary; compares as the key does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    pub meter: u32,
    pub account: u32,
    pub event_type: u32,
    pub source: u32,
    pub tuple: u32,
    /// In cell widths since 1970.
    pub start: i32,
}

/// From the numbers of one run to those of the run that it is merged into.
#[derive(Default)]
pub struct Renumbering {
    accounts: Vec<u32>,
    names: Vec<u32>,
    /// For each meter its number, and for each of its tuples that one's; without tuples all are number 0.
    meters: Vec<(u32, Option<Vec<u32>>)>,
}

impl Renumbering {
    /// Goes on from the merged run to one that it is merged into, which has every number of the first.
    pub fn then(&mut self, next: &Self) {
        let go_on = |numbers: &mut Vec<u32>, next: &[u32]| {
            for number in numbers {
                *number = next[*number as usize];
            }
        };
        go_on(&mut self.accounts, &next.accounts);
        go_on(&mut self.names, &next.names);
        for (meter, tuples) in &mut self.meters {
            let (number, next) = &next.meters[*meter as usize - 1];
            *meter = *number;
            match (tuples.as_mut(), next) {
                (Some(tuples), Some(next)) => {
                    for tuple in tuples.iter_mut().filter(|tuple| **tuple > 0) {
                        *tuple = next[*tuple as usize - 1];
                    }
                }
                _ => *tuples = None,
            }
        }
    }

    pub fn key(&self, key: RowKey) -> Result<RowKey, BadCoding> {
        let unknown = BadCoding("a number is not in the dictionary");
        let of = |numbers: &[u32], number: u32| numbers.get(number as usize).copied().ok_or(unknown);
        let (meter, tuple) = match (key.meter.checked_sub(1), key.tuple) {
            (None, 0) => (0, 0),
            (None, _) => return Err(unknown),
            (Some(meter), tuple) => {
                let (meter, tuples) = self.meters.get(meter as usize).ok_or(unknown)?;
                let tuple = match (tuples, tuple.checked_sub(1)) {
                    (None, _) | (_, None) => 0,
                    (Some(tuples), Some(tuple)) => of(tuples, tuple)?,
                };
                (*meter, tuple)
            }
        };
        let account = of(&self.accounts, key.account)?;
        let (event_type, source) = (of(&self.names, key.event_type)?, of(&self.names, key.source)?);
        Ok(RowKey { meter, account, event_type, source, tuple, start: key.start })
    }
}

impl Dictionary {
    /// Whether the dimensions of a meter (n + 1) are not kept.
    pub fn is_overflowed(&self, meter: u32) -> bool {
        let meter = meter.checked_sub(1).and_then(|meter| self.meters.get(meter as usize));
        meter.is_some_and(|meter| meter.overflowed)
    }

    /// What two dictionaries say together, and how to get there from each. A meter that overflowed in one of them,
    /// or has more tuples in all than the limits allow, has none.
    pub fn union(
        &self,
        other: &Self,
        limits: CellLimits,
    ) -> Result<(Self, Renumbering, Renumbering), StoreError> {
        let (accounts, [own_accounts, other_accounts]) = union_texts([&self.accounts, &other.accounts])?;
        let (names, [own_names, other_names]) = union_texts([&self.names, &other.names])?;
        let (values, value_numbers) = union_texts([&self.values, &other.values])?;
        let mut renumberings = [
            Renumbering { accounts: own_accounts, names: own_names, meters: Vec::new() },
            Renumbering { accounts: other_accounts, names: other_names, meters: Vec::new() },
        ];
        let parts = [self, other];
        let names_of_meters: BTreeSet<&(String, u32)> =
            parts.iter().flat_map(|part| part.meters.iter().map(|meter| &meter.name)).collect();
        let mut meters = Vec::with_capacity(names_of_meters.len());
        for name in names_of_meters {
            let number = meters.len() as u32 + 1;
            let of = |part: &Self| part.meters.binary_search_by(|meter| meter.name.cmp(name)).ok();
            let places = parts.map(of);
            let found = || parts.iter().zip(places).map(|(part, place)| place.map(|at| &part.meters[at]));
            let mut overflowed = found().flatten().any(|meter| meter.overflowed);
            let mut union = None;
            if !overflowed {
                let mut lists = [Tuples::default(), Tuples::default()];
                for ((list, meter), numbers) in lists.iter_mut().zip(found()).zip(&value_numbers) {
                    if let Some(meter) = meter {
                        *list = meter.tuples.renumbered(numbers);
                    }
                }
                union = union_tuples(&lists, &values, limits)?;
                overflowed = union.is_none();
            }
            let (tuples, numbers) = match union {
                Some((tuples, numbers)) => (tuples, numbers.map(Some)),
                None => (Tuples::default(), [None, None]),
            };
            for ((renumbering, place), numbers) in renumberings.iter_mut().zip(places).zip(numbers) {
                if place.is_some() {
                    renumbering.meters.push((number, numbers));
                }
            }
            meters.push(MeterTuples { name: name.clone(), overflowed, tuples });
        }
        let mut union = Self { accounts, names, values, meters };
        union.drop_unused_values()?;
        let [own, of_other] = renumberings;
        Ok((union, own, of_other))
    }

    /// Values that no tuple names any more go.
    fn drop_unused_values(&mut self) -> Result<(), StoreError> {
        let mut is_used = vec![false; self.values.len()];
        for value in self.meters.iter().flat_map(|meter| &meter.tuples.values) {
            if let Some(used) = value.checked_sub(1).and_then(|value| is_used.get_mut(value as usize)) {
                *used = true;
            }
        }
        if is_used.iter().all(|used| *used) {
            return Ok(());
        }
        let mut values = Texts::default();
        let mut numbers = Vec::with_capacity(is_used.len());
        for (text, is_used) in self.values.iter().zip(is_used) {
            numbers.push(values.len() as u32);
            if is_used {
                values.push(text)?;
            }
        }
        self.values = values;
        for meter in &mut self.meters {
            meter.tuples = meter.tuples.renumbered(&numbers);
        }
        Ok(())
    }
}

/// All tuples, each once, and the new number of each; none where they are more than the limits allow.
#[expect(clippy::type_complexity, reason = "as of texts, or none")]
fn union_tuples(
    lists: &[Tuples; 2],
    values: &Texts,
    limits: CellLimits,
) -> Result<Option<(Tuples, [Vec<u32>; 2])>, StoreError> {
    let mut union = Tuples::default();
    let mut numbers = [Vec::new(), Vec::new()];
    let mut bytes = 0;
    loop {
        // The tuples that were numbered are as many as their new numbers.
        let heads = lists.iter().zip(&numbers).map(|(list, numbers)| list.get(numbers.len() as u32 + 1));
        let Some(least) = heads.flatten().min() else { return Ok(Some((union, numbers))) };
        union.push(least)?;
        let texts = least.iter().filter_map(|value| values.get(value.checked_sub(1)?));
        bytes += texts.map(str::len).sum::<usize>() as u64;
        if union.len() as u64 > u64::from(limits.tuples) || bytes > limits.tuple_bytes {
            return Ok(None);
        }
        for (list, numbers) in lists.iter().zip(&mut numbers) {
            if list.get(numbers.len() as u32 + 1) == Some(least) {
                numbers.push(union.len() as u32);
            }
        }
    }
}

/// All texts, each once, and the new number of each.
fn union_texts(lists: [&Texts; 2]) -> Result<(Texts, [Vec<u32>; 2]), StoreError> {
    let mut union = Texts::default();
    let mut numbers = lists.map(|list| Vec::with_capacity(list.len()));
    loop {
        let heads = lists.iter().zip(&numbers).map(|(list, numbers)| list.get(numbers.len() as u32));
        let Some(least) = heads.flatten().min() else { return Ok((union, numbers)) };
        let number = union.len() as u32;
        for (list, numbers) in lists.iter().zip(&mut numbers) {
            if list.get(numbers.len() as u32) == Some(least) {
                numbers.push(number);
            }
        }
        union.push(least)?;
    }
}
