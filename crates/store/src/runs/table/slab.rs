//! Cells in entries of 48 bytes, summed late.
//!
//! An update is appended to the tail of its account's partition, so that adding one looks nothing up. A tail that has
//! grown as long as what is sorted is sorted, summed and merged into it: few moves a cell, and at most twice its bytes.
//!
//! **Invariant**: a cell is the sum of its entries. In the sorted part they stand side by side, and there is more than
//! one only where one could not hold their sum.

use std::borrow::Cow;

use metering::Digest;

const PARTITION_BITS: u32 = 9;
/// No tail is merged before it holds this many entries.
const TAIL_MIN: usize = 1024;
/// The room of the first tail of a partition: most tables are small.
const TAIL_FIRST: usize = 4;

/// What is added to one cell. Also an entry as the slab holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellUpdate {
    /// The number of the account's text.
    pub account: u32,
    /// The number of the series: meter, type, source, dimensions.
    pub series: u32,
    /// When the cell starts, in cell widths since 1970.
    pub start: i32,
    /// How many events.
    pub records: u32,
    /// Units of 10^-12.
    pub units: i128,
    /// The digest of the events.
    pub digest: Digest,
}

/// Which cell: account, series, start.
pub(super) type CellPlace = (u32, u32, i32);

impl CellUpdate {
    #[inline]
    pub(super) fn place(&self) -> CellPlace {
        (self.account, self.series, self.start)
    }

    pub(super) fn is_same_cell(&self, other: &Self) -> bool {
        self.place() == other.place()
    }

    /// Adds another update; false, and nothing is added, where the sum cannot be held.
    fn add(&mut self, other: &Self) -> bool {
        let (Some(records), Some(units)) =
            (self.records.checked_add(other.records), self.units.checked_add(other.units))
        else {
            return false;
        };
        self.records = records;
        self.units = units;
        self.digest = self.digest.add(other.digest);
        true
    }
}

#[derive(Clone, Default)]
struct Partition {
    /// By place.
    sorted: Vec<CellUpdate>,
    tail: Vec<CellUpdate>,
}

impl Partition {
    fn bytes(&self) -> usize {
        (self.sorted.capacity() + self.tail.capacity()) * size_of::<CellUpdate>()
    }

    /// Makes room in a full tail.
    fn make_room(&mut self, order: &mut Vec<u64>) {
        let (room, most) = (self.tail.capacity(), TAIL_MIN.max(self.sorted.len()));
        if room < most {
            self.tail.reserve_exact((room * 2).clamp(TAIL_FIRST, most) - room);
        } else {
            self.settle(order);
        }
    }

    /// Merges the tail into what is sorted, from the last entry to the first; `order` is memory to work in.
    fn settle(&mut self, order: &mut Vec<u64>) {
        let Self { sorted, tail } = self;
        let number_of = sort(tail, order);
        // What is not moved yet ends here, and what is in its place starts there.
        let mut left = sorted.len();
        sorted.reserve_exact(tail.len());
        sorted.extend_from_slice(tail);
        let mut right = sorted.len();
        for key in order.iter().rev() {
            let entry = &tail[(*key & number_of) as usize];
            let place = entry.place();
            while left > 0 && sorted[left - 1].place() > place {
                (left, right) = (left - 1, right - 1);
                sorted[right] = sorted[left];
            }
            let is_in = sorted.get_mut(right).is_some_and(|next| next.place() == place && next.add(entry))
                || left > 0 && sorted[left - 1].place() == place && sorted[left - 1].add(entry);
            if !is_in {
                right -= 1;
                sorted[right] = *entry;
            }
        }
        sorted.drain(left..right);
        sorted.shrink_to_fit();
        tail.clear();
    }

    fn whole(&self) -> Cow<'_, [CellUpdate]> {
        all_of(&self.sorted, &self.tail)
    }
}

fn all_of<'a>(sorted: &'a [CellUpdate], tail: &[CellUpdate]) -> Cow<'a, [CellUpdate]> {
    if tail.is_empty() {
        return Cow::Borrowed(sorted);
    }
    let mut all = Partition { sorted: sorted.to_vec(), tail: tail.to_vec() };
    all.settle(&mut Vec::new());
    Cow::Owned(all.sorted)
}

/// Sorts entries by place: `order` is then their numbers, below bits that the answer masks out.
fn sort(entries: &[CellUpdate], order: &mut Vec<u64>) -> u64 {
    order.clear();
    let Some(first) = entries.first() else { return 0 };
    let (mut least, mut most) = (first.place(), first.place());
    for (account, series, start) in entries.iter().map(CellUpdate::place) {
        least = (least.0.min(account), least.1.min(series), least.2.min(start));
        most = (most.0.max(account), most.1.max(series), most.2.max(start));
    }
    let bits = |span: u32| u32::BITS - span.leading_zeros();
    let number = bits(entries.len() as u32);
    let start = number + bits(most.2.abs_diff(least.2));
    let series = start + bits(most.1 - least.1);
    let account = series + bits(most.0 - least.0);
    // Mostly a place and a number fit one word, which is sorted far quicker than places that are looked up.
    if account <= u64::BITS {
        order.extend((0..).zip(entries).map(|(at, entry): (u64, _)| {
            let start_high = u64::from(entry.start.abs_diff(least.2)).unbounded_shl(number);
            let series_high = u64::from(entry.series - least.1).unbounded_shl(start);
            u64::from(entry.account - least.0).unbounded_shl(series) | series_high | start_high | at
        }));
        order.sort_unstable();
        return (1 << number) - 1;
    }
    order.extend(0..entries.len() as u64);
    order.sort_unstable_by_key(|at| entries[*at as usize].place());
    u64::MAX
}

/// Entries by (account, series, start).
pub(super) struct Slab {
    /// By bits of a product of the account's number.
    partitions: Vec<Partition>,
    bytes: usize,
    order: Vec<u64>,
}

impl Slab {
    pub(super) fn new() -> Self {
        let partitions = vec![Partition::default(); 1 << PARTITION_BITS];
        let bytes = partitions.capacity() * size_of::<Partition>();
        Self { partitions, bytes, order: Vec::new() }
    }

    /// How many entries there are: no fewer than cells.
    pub(super) fn entries(&self) -> usize {
        self.partitions.iter().map(|partition| partition.sorted.len() + partition.tail.len()).sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes + self.order.capacity() * size_of::<u64>()
    }

    /// Adds updates.
    pub(super) fn add(&mut self, updates: &[CellUpdate]) {
        for update in updates {
            let partition = &mut self.partitions[partition_of(update.account)];
            if partition.tail.len() == partition.tail.capacity() {
                self.bytes -= partition.bytes();
                partition.make_room(&mut self.order);
                self.bytes += partition.bytes();
            }
            partition.tail.push(*update);
        }
    }

    /// Merges all tails.
    pub(super) fn settle(&mut self) {
        for partition in self.partitions.iter_mut().filter(|partition| !partition.tail.is_empty()) {
            self.bytes -= partition.bytes();
            partition.settle(&mut self.order);
            self.bytes += partition.bytes();
        }
    }

    /// All entries by place, some accounts at a time.
    pub(super) fn parts(&self) -> impl Iterator<Item = Cow<'_, [CellUpdate]>> {
        self.partitions.iter().map(Partition::whole)
    }

    /// The entries of an account by place.
    pub(super) fn of_account(&self, account: u32) -> Cow<'_, [CellUpdate]> {
        self.within((account, 0, i32::MIN), (account, u32::MAX, i32::MAX))
    }

    /// The entries of a cell.
    pub(super) fn of_cell(&self, place: CellPlace) -> Cow<'_, [CellUpdate]> {
        self.within(place, place)
    }

    /// The entries from one place to another of the same account, both included.
    fn within(&self, from: CellPlace, to: CellPlace) -> Cow<'_, [CellUpdate]> {
        let Partition { sorted, tail } = &self.partitions[partition_of(from.0)];
        let start = sorted.partition_point(|entry| entry.place() < from);
        let sorted = &sorted[start..];
        let sorted = &sorted[..sorted.partition_point(|entry| entry.place() <= to)];
        let is_in = |entry: &&CellUpdate| (from..=to).contains(&entry.place());
        all_of(sorted, &tail.iter().filter(is_in).copied().collect::<Vec<_>>())
    }
}

fn partition_of(account: u32) -> usize {
    // Numbers are dense, or every n-th is an account: a product spreads both.
    (account.wrapping_mul(0x9e37_79b9) >> (u32::BITS - PARTITION_BITS)) as usize
}

/// Where the entries of each account lie, for a walk over accounts in any order.
pub(super) struct ByAccount<'a> {
    slab: &'a Slab,
    /// For each account its first entry in the sorted part, and its first one in `tails`.
    first: Vec<[u32; 2]>,
    /// The entries of all tails, each tail by place.
    tails: Vec<CellUpdate>,
}

/// Beyond all entries: an account has none there.
const NONE: u32 = u32::MAX;

impl<'a> ByAccount<'a> {
    pub(super) fn new(slab: &'a Slab, accounts: usize) -> Self {
        let mut first = vec![[NONE; 2]; accounts];
        let mut note = |part: usize, from: usize, entries: &[CellUpdate]| {
            let mut last = None;
            for (at, entry) in entries.iter().enumerate() {
                if last.replace(entry.account) != Some(entry.account) {
                    first[entry.account as usize][part] = (from + at) as u32;
                }
            }
        };
        let mut tails =
            Vec::with_capacity(slab.partitions.iter().map(|partition| partition.tail.len()).sum());
        let mut order = Vec::new();
        for Partition { sorted, tail } in &slab.partitions {
            note(0, 0, sorted);
            let (from, number_of) = (tails.len(), sort(tail, &mut order));
            tails.extend(order.iter().map(|key| tail[(*key & number_of) as usize]));
            note(1, from, &tails[from..]);
        }
        Self { slab, first, tails }
    }

    /// Whether an account has entries.
    pub(super) fn has(&self, account: u32) -> bool {
        self.first[account as usize] != [NONE; 2]
    }

    /// Visits the entries of an account, each with its number, in no order.
    pub(super) fn each(&self, account: u32, visit: &mut dyn FnMut(u32, &CellUpdate)) {
        let (sorted, tails) = self.parts(account);
        let own = |(_, entry): &(usize, &CellUpdate)| entry.account == account;
        let in_sorted =
            sorted.iter().enumerate().skip(self.first[account as usize][0] as usize).take_while(own);
        in_sorted.for_each(|(at, entry)| visit(at as u32, entry));
        let in_tails = tails.iter().enumerate().take_while(own);
        in_tails.for_each(|(at, entry)| visit((sorted.len() + at) as u32, entry));
    }

    /// The entry of a number that [`ByAccount::each`] told.
    pub(super) fn entry(&self, account: u32, number: u32) -> &CellUpdate {
        let (sorted, tails) = self.parts(account);
        let number = number as usize;
        sorted.get(number).unwrap_or_else(|| &tails[number - sorted.len()])
    }

    /// What is sorted with an account, and the tails from its first entry on.
    fn parts(&self, account: u32) -> (&[CellUpdate], &[CellUpdate]) {
        let from = self.first[account as usize][1] as usize;
        let sorted = &self.slab.partitions[partition_of(account)].sorted;
        (sorted, self.tails.get(from..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
