//! Cells in memory, packed: every string once, a cell in about a hundred bytes.

use std::collections::HashMap;
use std::hash::Hash as StdHash;

use metering::{CELL_NS, Cell, CellKey, Instant};

/// Numbers things in the order in which they are first seen.
struct Interner<T> {
    ids: HashMap<T, u32>,
    things: Vec<T>,
}

impl<T: Clone + Eq + StdHash> Interner<T> {
    fn new() -> Self {
        Self { ids: HashMap::new(), things: Vec::new() }
    }

    fn id<Q>(&mut self, thing: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
        Q: StdHash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(id) = self.ids.get(thing) {
            return *id;
        }
        let id = self.things.len() as u32;
        assert!(id < u32::MAX, "a cell table numbers fewer than 2^32 strings");
        self.things.push(thing.to_owned());
        self.ids.insert(thing.to_owned(), id);
        id
    }

    fn known<Q>(&self, thing: &Q) -> Option<u32>
    where
        T: std::borrow::Borrow<Q>,
        Q: StdHash + Eq + ?Sized,
    {
        self.ids.get(thing).copied()
    }
}

/// A cell's key by numbers; 0 in `meter` is the base cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Packed {
    pub meter: u32,
    pub account: u32,
    pub event_type: u32,
    pub source: u32,
    pub dimensions: u32,
    /// In cell widths since 1970.
    pub start: i64,
}

/// A set of cells; adding a key twice merges.
pub struct CellTable {
    strings: Interner<String>,
    meters: Interner<(String, u32)>,
    dimensions: Interner<Vec<u32>>,
    cells: HashMap<Packed, Cell>,
}

impl Default for CellTable {
    fn default() -> Self {
        Self {
            strings: Interner::new(),
            meters: Interner::new(),
            dimensions: Interner::new(),
            cells: HashMap::new(),
        }
    }
}

/// The cells of a table in the order of a run, with the numbers of its dictionary.
pub(super) struct Sorted {
    pub strings: Vec<String>,
    pub meters: Vec<(String, u32)>,
    /// Each tuple of dimension values; 0 is "none", n the n-th string + 1.
    pub dimensions: Vec<Vec<u32>>,
    pub cells: Vec<(Packed, Cell)>,
}

impl CellTable {
    /// Adds a cell, merging it with the one of the same key.
    pub fn add(&mut self, key: &CellKey, cell: &Cell) {
        let packed = Packed {
            meter: key.meter.as_ref().map_or(0, |meter| 1 + self.meters.id(meter)),
            account: self.strings.id(key.account.as_str()),
            event_type: self.strings.id(key.event_type.as_str()),
            source: self.strings.id(key.source.as_str()),
            dimensions: {
                let strings = &mut self.strings;
                let tuple: Vec<u32> = key
                    .dimensions
                    .iter()
                    .map(|value| value.as_ref().map_or(0, |value| 1 + strings.id(value.as_str())))
                    .collect();
                self.dimensions.id(&tuple)
            },
            start: key.start.0.div_euclid(CELL_NS),
        };
        self.cells.entry(packed).and_modify(|held| held.merge(cell)).or_insert_with(|| cell.clone());
    }

    /// How many cells it holds.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Visits the cells of a meter version (`None`: base cells) and, where given, of one account.
    pub fn scan(
        &self,
        meter: Option<&(String, u32)>,
        account: Option<&str>,
        visit: &mut dyn FnMut(&CellKey, &Cell),
    ) {
        let meter = match meter {
            None => 0,
            Some(meter) => match self.meters.known(meter) {
                Some(id) => id + 1,
                None => return,
            },
        };
        let account = match account {
            None => None,
            Some(account) => match self.strings.known(account) {
                Some(id) => Some(id),
                None => return,
            },
        };
        for (packed, cell) in &self.cells {
            if packed.meter == meter && account.is_none_or(|account| packed.account == account) {
                visit(&self.key(packed), cell);
            }
        }
    }

    /// Visits all cells, in no order.
    pub fn all(&self, visit: &mut dyn FnMut(&CellKey, &Cell)) {
        for (packed, cell) in &self.cells {
            visit(&self.key(packed), cell);
        }
    }

    /// A key at which two tables differ, with this table's cell and the other's.
    pub fn difference(&self, other: &Self) -> Option<(CellKey, Option<Cell>, Option<Cell>)> {
        let differs = |mine: &Self, theirs: &Self| {
            mine.cells.iter().find_map(|(packed, cell)| {
                let key = mine.key(packed);
                (theirs.get(&key) != Some(cell)).then_some(key)
            })
        };
        let key = differs(self, other).or_else(|| differs(other, self))?;
        let (mine, theirs) = (self.get(&key).cloned(), other.get(&key).cloned());
        Some((key, mine, theirs))
    }

    /// The cell of a key.
    pub fn get(&self, key: &CellKey) -> Option<&Cell> {
        let meter = match &key.meter {
            None => 0,
            Some(meter) => 1 + self.meters.known(meter)?,
        };
        let mut tuple = Vec::with_capacity(key.dimensions.len());
        for value in &key.dimensions {
            tuple.push(match value {
                None => 0,
                Some(value) => 1 + self.strings.known(value.as_str())?,
            });
        }
        self.cells.get(&Packed {
            meter,
            account: self.strings.known(key.account.as_str())?,
            event_type: self.strings.known(key.event_type.as_str())?,
            source: self.strings.known(key.source.as_str())?,
            dimensions: self.dimensions.known(&tuple)?,
            start: key.start.0.div_euclid(CELL_NS),
        })
    }

    fn key(&self, packed: &Packed) -> CellKey {
        let text = |id: u32| self.strings.things[id as usize].clone();
        CellKey {
            meter: packed.meter.checked_sub(1).map(|id| self.meters.things[id as usize].clone()),
            account: text(packed.account),
            event_type: text(packed.event_type),
            source: text(packed.source),
            dimensions: self.dimensions.things[packed.dimensions as usize]
                .iter()
                .map(|id| id.checked_sub(1).map(text))
                .collect(),
            start: Instant(packed.start * CELL_NS),
        }
    }

    /// The cells with numbers that compare as their strings do, sorted.
    pub(super) fn sorted(&self) -> Sorted {
        let (strings, string_rank) = ranked(&self.strings.things);
        let (meters, meter_rank) = ranked(&self.meters.things);
        let renumbered: Vec<Vec<u32>> = self
            .dimensions
            .things
            .iter()
            .map(|tuple| tuple.iter().map(|id| renumber(*id, &string_rank)).collect())
            .collect();
        let (dimensions, dimension_rank) = ranked(&renumbered);
        let mut cells: Vec<(Packed, Cell)> = self
            .cells
            .iter()
            .map(|(packed, cell)| {
                let packed = Packed {
                    meter: renumber(packed.meter, &meter_rank),
                    account: string_rank[packed.account as usize],
                    event_type: string_rank[packed.event_type as usize],
                    source: string_rank[packed.source as usize],
                    dimensions: dimension_rank[packed.dimensions as usize],
                    start: packed.start,
                };
                (packed, cell.clone())
            })
            .collect();
        cells.sort_unstable_by_key(|(packed, _)| *packed);
        Sorted { strings, meters, dimensions, cells }
    }
}

/// 0 stays; n is the thing n − 1.
fn renumber(id: u32, rank: &[u32]) -> u32 {
    id.checked_sub(1).map_or(0, |id| 1 + rank[id as usize])
}

/// Things sorted, and the place of each in that order.
fn ranked<T: Clone + Ord>(things: &[T]) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<u32> = (0..things.len() as u32).collect();
    order.sort_unstable_by(|a, b| things[*a as usize].cmp(&things[*b as usize]));
    let mut rank = vec![0; things.len()];
    for (place, id) in order.iter().enumerate() {
        rank[*id as usize] = place as u32;
    }
    (order.into_iter().map(|id| things[id as usize].clone()).collect(), rank)
}
