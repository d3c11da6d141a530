//! The cells of a table in the order of a run, with the numbers of the run's dictionary.

use metering::Cell;

use super::super::cells::{Dictionary, MeterTuples, RowKey, Texts, Tuples};
use super::numbered::Strings;
use super::{CellTable, WideKey, cell_of};
use crate::error::StoreError;

/// How many cells are fetched at once.
const GATHERED: usize = 256;

/// A table made ready to be written.
pub(in super::super) struct Sorted<'a> {
    pub dictionary: Dictionary,
    table: &'a CellTable,
    /// For each cell of the slab (account, series by rank, start, number), sorted within each meter.
    order: Vec<u128>,
    /// The meter, type, source and tuple of a series, by its rank.
    series: Vec<[u32; 4]>,
    wide: Vec<(RowKey, &'a Cell)>,
}

/// For each number of the table its number in the run.
struct Ranks {
    accounts: Vec<u32>,
    /// The rank of each series among all.
    series: Vec<u32>,
}

/// A dictionary, and what the numbers of the table are in it.
struct Numbered {
    dictionary: Dictionary,
    accounts: Vec<u32>,
    /// The meter, type, source and tuple of each series.
    series: Vec<[u32; 4]>,
}

impl CellTable {
    /// Numbers that compare as their texts do, and the cells in their order. The dimensions of an overflowed meter are
    /// left out.
    pub(in super::super) fn sorted(&self) -> Result<Sorted<'_>, StoreError> {
        let Numbered { dictionary, accounts, series: mut all } = self.dictionary()?;
        let mut by_rank: Vec<u32> = (1..all.len() as u32).collect();
        by_rank.sort_unstable_by_key(|number| all[*number as usize]);
        let mut ranks = Ranks { accounts, series: vec![0; all.len()] };
        let mut series: Vec<[u32; 4]> = Vec::with_capacity(all.len());
        for number in by_rank {
            let parts = all[number as usize];
            if series.last() != Some(&parts) {
                series.push(parts);
            }
            ranks.series[number as usize] = series.len() as u32 - 1;
        }
        all.clear();
        let mut sorted =
            Sorted { dictionary, table: self, order: self.order(&ranks, &series), series, wide: Vec::new() };
        let row_key = |at: &WideKey| {
            let series = ranks.series[at.1 as usize];
            sorted.row_key(ranks.accounts[at.0 as usize], series, at.2)
        };
        let mut wide: Vec<_> = self.wide.iter().map(|(at, cell)| (row_key(at), cell)).collect();
        wide.sort_unstable_by_key(|(key, _)| *key);
        sorted.wide = wide;
        Ok(sorted)
    }

    /// Sorts texts, meters and tuples.
    fn dictionary(&self) -> Result<Numbered, StoreError> {
        let count = self.strings.len();
        let (mut is_account, mut is_name, mut is_value) =
            (vec![false; count], vec![false; count], vec![false; count]);
        for (account, is_account) in is_account.iter_mut().enumerate() {
            *is_account = self.slab.of_account(account as u32).next().is_some();
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
        let (accounts, account_ranks) = ranked(&self.strings, &is_account)?;
        let (names, name_ranks) = ranked(&self.strings, &is_name)?;
        let (values, value_ranks) = ranked(&self.strings, &is_value)?;
        let renumbered =
            |value: &u32| value.checked_sub(1).map_or(0, |value| 1 + value_ranks[value as usize]);

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
                name_ranks[event_type],
                name_ranks[source],
                tuple_ranks[series.tuple as usize],
            ]
        };
        // Number 0 is no series.
        let all: Vec<[u32; 4]> =
            std::iter::once([0; 4]).chain((1..self.series.len() as u32).map(series)).collect();
        let dictionary = Dictionary { accounts, names, values, meters };
        Ok(Numbered { dictionary, accounts: account_ranks, series: all })
    }

    fn order(&self, ranks: &Ranks, series: &[[u32; 4]]) -> Vec<u128> {
        // A counting sort by meter, then each meter by the rest of the key.
        let meter_of = |rank: u32| series[rank as usize][0] as usize;
        let mut ends = vec![0_usize; self.meters.len() + 1];
        let mut series_cells = vec![0_usize; series.len()];
        for entry in self.slab.iter() {
            series_cells[ranks.series[entry.series as usize] as usize] += 1;
        }
        for (rank, count) in series_cells.iter().enumerate() {
            ends[meter_of(rank as u32)] += count;
        }
        let mut next = Vec::with_capacity(ends.len());
        let mut sum = 0;
        for end in &mut ends {
            next.push(sum);
            sum += *end;
            *end = sum;
        }
        let starts = next.clone();
        let mut order = vec![0_u128; sum];
        for (number, entry) in self.slab.iter().enumerate() {
            let rank = ranks.series[entry.series as usize];
            let account = ranks.accounts[entry.account as usize];
            let start = (entry.start as u32) ^ (1 << 31);
            let high = u64::from(account) << 32 | u64::from(rank);
            let low = u64::from(start) << 32 | number as u64;
            let place = &mut next[meter_of(rank)];
            order[*place] = u128::from(high) << 64 | u128::from(low);
            *place += 1;
        }
        for (start, end) in starts.into_iter().zip(ends) {
            order[start..end].sort_unstable();
        }
        order
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
        let mut wide = self.wide.iter().peekable();
        let mut held: Option<(RowKey, Cell)> = None;
        let mut take = |key: RowKey, cell: &Cell| match &mut held {
            Some((last, sum)) if *last == key => {
                sum.merge(cell);
                Ok(())
            }
            _ => match held.replace((key, cell.clone())) {
                Some((key, cell)) => put(&key, &cell),
                None => Ok(()),
            },
        };
        let mut entries = Vec::with_capacity(GATHERED);
        for places in self.order.chunks(GATHERED) {
            // Cells lie anywhere: the memory of many is asked for at once.
            entries.clear();
            entries.extend(places.iter().map(|place| *self.table.slab.get(*place as u32)));
            for (place, entry) in places.iter().zip(&entries) {
                let key = self.row_key((place >> 96) as u32, (place >> 64) as u32, entry.start);
                while let Some((before, cell)) = wide.next_if(|(other, _)| *other <= key) {
                    take(*before, cell)?;
                }
                take(key, &cell_of(entry))?;
            }
        }
        for (key, cell) in wide {
            take(*key, cell)?;
        }
        held.map_or(Ok(()), |(key, cell)| put(&key, &cell))
    }
}

/// Some texts sorted, and the place of each in that order.
fn ranked(strings: &Strings, is_in: &[bool]) -> Result<(Texts, Vec<u32>), StoreError> {
    let mut order: Vec<u32> = (0..is_in.len() as u32).filter(|number| is_in[*number as usize]).collect();
    order.sort_unstable_by_key(|number| strings.get(*number));
    let mut ranks = vec![0; is_in.len()];
    let mut texts = Texts::default();
    for (rank, number) in order.into_iter().enumerate() {
        texts.push(strings.get(number))?;
        ranks[number as usize] = rank as u32;
    }
    Ok((texts, ranks))
}
