//! The cells of a table in the order of a run, with the numbers of the run's dictionary.

use metering::Cell;

use super::super::cells::{Dictionary, MeterTuples, RowKey, Texts, Tuples};
use super::numbered::Strings;
use super::slab::ByAccount;
use super::{CellTable, cell_of};
use crate::error::StoreError;

/// A table made ready to be written.
pub(in super::super) struct Sorted<'a> {
    pub dictionary: Dictionary,
    cells: ByAccount<'a>,
    /// The account of the table by its rank.
    accounts: Vec<u32>,
    /// The rank of each series of the table.
    series_ranks: Vec<u32>,
    /// The meter, type, source and tuple of a series, by its rank.
    series: Vec<[u32; 4]>,
    /// Each key once.
    wide: Vec<(RowKey, Cell)>,
}

/// A dictionary, and what the numbers of the table are in it.
struct Numbered {
    dictionary: Dictionary,
    accounts: Ranked,
    /// The meter, type, source and tuple of each series.
    series: Vec<[u32; 4]>,
}

/// Texts in their order: the number of each, and the place of a number.
struct Ranked {
    order: Vec<u32>,
    ranks: Vec<u32>,
}

impl CellTable {
    /// Numbers that compare as their texts do, and the cells in their order. The dimensions of an overflowed meter are
    /// left out.
    pub(in super::super) fn sorted(&self) -> Result<Sorted<'_>, StoreError> {
        let cells = ByAccount::new(&self.slab, self.strings.len());
        let Numbered { dictionary, accounts, series: all } = self.dictionary(&cells)?;
        let mut by_rank: Vec<u32> = (1..all.len() as u32).collect();
        by_rank.sort_unstable_by_key(|number| all[*number as usize]);
        let mut series_ranks = vec![0; all.len()];
        let mut series: Vec<[u32; 4]> = Vec::with_capacity(all.len());
        for number in by_rank {
            let parts = all[number as usize];
            if series.last() != Some(&parts) {
                series.push(parts);
            }
            series_ranks[number as usize] = series.len() as u32 - 1;
        }
        let Ranked { order, ranks } = accounts;
        let wide = Vec::with_capacity(self.wide.len());
        let mut sorted = Sorted { dictionary, cells, accounts: order, series_ranks, series, wide };
        for ((account, series, start), cell) in &self.wide {
            let series = sorted.series_ranks[*series as usize];
            let key = sorted.row_key(ranks[*account as usize], series, *start);
            sorted.wide.push((key, cell.clone()));
        }
        sorted.wide.sort_unstable_by_key(|(key, _)| *key);
        sorted.wide.dedup_by(|(key, cell), (kept, sum)| {
            let is_same = key == kept;
            if is_same {
                sum.merge(cell);
            }
            is_same
        });
        Ok(sorted)
    }

    /// Sorts texts, meters and tuples.
    fn dictionary(&self, cells: &ByAccount<'_>) -> Result<Numbered, StoreError> {
        let count = self.strings.len();
        let (mut is_account, mut is_name, mut is_value) =
            (vec![false; count], vec![false; count], vec![false; count]);
        for (account, is_account) in is_account.iter_mut().enumerate() {
            *is_account = cells.has(account as u32);
        }
        for (account, ..) in self.wide.keys() {
            is_account[*account as usize] = true;
        }
        for number in 1..self.series.len() as u32 {
            let series = self.series_of(number);
            is_name[series.event_type as usize] = true;
            is_name[series.source as usize] = true;
        }
        let kept = |tuple: &&[u32]| tuple.first().is_some_and(|meter| !self.is_overflowed(*meter));
        let tuples = || (0..self.tuples.len() as u32).map(|number| self.tuples.get(number));
        for value in tuples().filter(kept).flat_map(|tuple| &tuple[1..]) {
            if let Some(value) = value.checked_sub(1) {
                is_value[value as usize] = true;
            }
        }
        let (accounts, account_numbers) = ranked(&self.strings, &is_account)?;
        let (names, name_ranks) = ranked(&self.strings, &is_name)?;
        let (values, value_ranks) = ranked(&self.strings, &is_value)?;
        let renumbered =
            |value: &u32| value.checked_sub(1).map_or(0, |value| 1 + value_ranks.ranks[value as usize]);

        let mut order: Vec<u32> = (0..self.meters.len() as u32).collect();
        order.sort_unstable_by_key(|number| &self.meters[*number as usize].name);
        let mut meter_ranks = vec![0; self.meters.len() + 1];
        for (rank, number) in order.iter().enumerate() {
            meter_ranks[*number as usize + 1] = rank as u32 + 1;
        }
        let mut of_meter: Vec<Vec<(Vec<u32>, u32)>> = vec![Vec::new(); self.meters.len()];
        for (number, tuple) in tuples().enumerate().filter(|(_, tuple)| kept(tuple)) {
            let meter = meter_ranks[tuple[0] as usize] as usize - 1;
            of_meter[meter].push((tuple[1..].iter().map(renumbered).collect(), number as u32));
        }
        let mut tuple_ranks = vec![0; self.tuples.len()];
        let mut meters = Vec::with_capacity(order.len());
        for (number, mut found) in order.iter().zip(of_meter) {
            found.sort_unstable();
            let mut tuples = Tuples::default();
            for (rank, (values, tuple)) in found.iter().enumerate() {
                tuples.push(values)?;
                tuple_ranks[*tuple as usize] = rank as u32 + 1;
            }
            let state = &self.meters[*number as usize];
            meters.push(MeterTuples { name: state.name.clone(), overflowed: state.overflowed, tuples });
        }
        let series = |number: u32| {
            let series = self.series_of(number);
            let (event_type, source) = (series.event_type as usize, series.source as usize);
            [
                meter_ranks[series.meter as usize],
                name_ranks.ranks[event_type],
                name_ranks.ranks[source],
                tuple_ranks[series.tuple as usize],
            ]
        };
        // Number 0 is no series.
        let all: Vec<[u32; 4]> =
            std::iter::once([0; 4]).chain((1..self.series.len() as u32).map(series)).collect();
        let dictionary = Dictionary { accounts, names, values, meters };
        Ok(Numbered { dictionary, accounts: account_numbers, series: all })
    }
}

impl Sorted<'_> {
    fn row_key(&self, account: u32, series: u32, start: i32) -> RowKey {
        let [meter, event_type, source, tuple] = self.series[series as usize];
        RowKey { meter, account, event_type, source, tuple, start }
    }

    /// Hands out each cell, in order.
    ///
    /// **Errors**: what `put` answers.
    pub fn each(
        &self,
        put: &mut dyn FnMut(&RowKey, &Cell) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut output = Output { put, wide: &self.wide };
        let mut order = Vec::new();
        // What is of no base cell waits for its meter: the rank of its account, and its number.
        let mut waiting: Vec<Vec<(u32, u32)>> = vec![Vec::new(); self.dictionary.meters.len() + 1];
        for (rank, account) in (0..).zip(&self.accounts) {
            order.clear();
            self.cells.each(*account, &mut |number, entry| {
                let series = self.series_ranks[entry.series as usize];
                match self.series[series as usize][0] {
                    0 => order.push(ordered(series, entry.start, number)),
                    meter => waiting[meter as usize].push((rank, number)),
                }
            });
            self.put_account(rank, &mut order, &mut output)?;
        }
        for of_meter in waiting {
            for of_account in of_meter.chunk_by(|one, other| one.0 == other.0) {
                let rank = of_account[0].0;
                let account = self.accounts[rank as usize];
                order.clear();
                order.extend(of_account.iter().map(|(_, number)| {
                    let entry = self.cells.entry(account, *number);
                    ordered(self.series_ranks[entry.series as usize], entry.start, *number)
                }));
                self.put_account(rank, &mut order, &mut output)?;
            }
        }
        output.finish()
    }

    /// Hands out the cells of an account and a meter.
    fn put_account(&self, rank: u32, order: &mut [u128], output: &mut Output<'_>) -> Result<(), StoreError> {
        order.sort_unstable();
        let entry_of = |place: &u128| self.cells.entry(self.accounts[rank as usize], *place as u32);
        for places in order.chunk_by(|one, other| one >> 32 == other >> 32) {
            let entry = entry_of(&places[0]);
            let mut cell = cell_of(entry);
            places[1..].iter().for_each(|place| cell.merge(&cell_of(entry_of(place))));
            output.take(&self.row_key(rank, (places[0] >> 64) as u32, entry.start), cell)?;
        }
        Ok(())
    }
}

/// Compares as the cells of an account and a meter do.
fn ordered(series: u32, start: i32, number: u32) -> u128 {
    u128::from(series) << 64 | u128::from(start as u32 ^ 1 << 31) << 32 | u128::from(number)
}

/// Puts what lies beside the slab among its cells.
struct Output<'a> {
    put: &'a mut dyn FnMut(&RowKey, &Cell) -> Result<(), StoreError>,
    /// What did not come yet, by key.
    wide: &'a [(RowKey, Cell)],
}

impl Output<'_> {
    fn take(&mut self, key: &RowKey, mut cell: Cell) -> Result<(), StoreError> {
        while let Some(((before, wide), rest)) = self.wide.split_first()
            && before <= key
        {
            self.wide = rest;
            if before == key {
                cell.merge(wide);
            } else {
                (self.put)(before, wide)?;
            }
        }
        (self.put)(key, &cell)
    }

    fn finish(self) -> Result<(), StoreError> {
        self.wide.iter().try_for_each(|(key, cell)| (self.put)(key, cell))
    }
}

/// Some texts sorted.
fn ranked(strings: &Strings, is_in: &[bool]) -> Result<(Texts, Ranked), StoreError> {
    let mut order: Vec<u32> = (0..is_in.len() as u32).filter(|number| is_in[*number as usize]).collect();
    order.sort_unstable_by_key(|number| strings.get(*number));
    let mut ranks = vec![0; is_in.len()];
    let mut texts = Texts::default();
    for (rank, number) in order.iter().enumerate() {
        texts.push(strings.get(*number))?;
        ranks[*number as usize] = rank as u32;
    }
    Ok((texts, Ranked { order, ranks }))
}
