use std::collections::BTreeMap;

use metering::Cell;
use proptest::prelude::*;

use super::super::cell_of;
use super::*;

type Map = BTreeMap<CellPlace, Cell>;

fn update(n: u32) -> CellUpdate {
    CellUpdate {
        account: n % 37,
        series: n % 5,
        start: (n % 1_000) as i32 - 500,
        records: 1,
        units: i128::from(n),
        digest: Digest(u128::from(n)),
    }
}

fn sum<'a>(into: &mut Map, entries: impl IntoIterator<Item = &'a CellUpdate>) {
    for entry in entries {
        into.entry(entry.place()).or_insert(Cell::ZERO).merge(&cell_of(entry));
    }
}

fn sum_of<'a>(entries: impl IntoIterator<Item = &'a CellUpdate>) -> Map {
    let mut map = Map::new();
    sum(&mut map, entries);
    map
}

/// Everything that a slab answers is what a map says.
fn check(slab: &Slab, expected: &Map) {
    let mut all = Map::new();
    let mut last = None;
    for part in slab.parts() {
        assert!(part.is_sorted_by_key(CellUpdate::place));
        assert!(
            part.first().is_none_or(|first| last.is_none_or(|last| partition_of(first.account) > last)),
            "an account lies in one part"
        );
        last = part.last().map(|entry| partition_of(entry.account)).or(last);
        sum(&mut all, part.iter());
    }
    assert_eq!(&all, expected);
    let accounts = expected.keys().map(|place| place.0 + 1).max().unwrap_or(0) + 1;
    let by = ByAccount::new(slab, accounts as usize);
    for account in 0..accounts {
        let entries = slab.of_account(account);
        assert!(entries.is_sorted_by_key(CellUpdate::place));
        let of = sum_of(entries.iter());
        assert!(of.iter().eq(expected.range((account, 0, i32::MIN)..=(account, u32::MAX, i32::MAX))));
        let mut walked = Map::new();
        by.each(account, &mut |number, entry| {
            assert_eq!(by.entry(account, number), entry);
            sum(&mut walked, [entry]);
        });
        assert_eq!(walked, of);
        assert_eq!(by.has(account), !of.is_empty());
    }
    for (place, cell) in expected {
        assert_eq!(sum_of(slab.of_cell(*place).iter()), Map::from([(*place, cell.clone())]));
    }
    let held: usize = slab.partitions.iter().map(Partition::bytes).sum();
    assert_eq!(slab.bytes, held + slab.partitions.capacity() * size_of::<Partition>());
}

#[test]
fn sums_are_those_of_a_map() {
    let updates: Vec<CellUpdate> =
        (0..100_000).map(|n: u32| update(n.wrapping_mul(2_654_435_761) >> 8)).collect();
    let (mut slab, mut expected) = (Slab::new(), Map::new());
    check(&slab, &expected);
    for (round, updates) in updates.chunks(33_333).enumerate() {
        updates.chunks(333).for_each(|some| slab.add(some));
        sum(&mut expected, updates);
        check(&slab, &expected);
        if round == 1 {
            slab.settle();
            assert_eq!(slab.entries(), expected.len());
            check(&slab, &expected);
        }
    }
}

#[test]
fn room_is_that_of_cells_and_not_of_updates() {
    let mut slab = Slab::new();
    let some: Vec<CellUpdate> = (0..1_000).map(update).collect();
    for _ in 0..300 {
        slab.add(&some);
    }
    // 37 accounts: the tails of as many partitions at most.
    assert!(slab.memory_bytes() < (37 * TAIL_MIN + 2 * some.len()) * size_of::<CellUpdate>() * 5 / 4);
    // And few cells more than what there are, where all are different.
    let mut slab = Slab::new();
    for n in 0..1_000_000 {
        slab.add(&[CellUpdate { account: n % 5_000, start: n as i32, ..update(n) }]);
    }
    assert!(slab.memory_bytes() < 1_000_000 * size_of::<CellUpdate>() * 8 / 5);
}

#[test]
fn a_sum_that_no_entry_holds_is_held_by_several() {
    let most = CellUpdate { units: i128::MAX, ..update(1) };
    let many = CellUpdate { records: u32::MAX, units: 0, ..update(2) };
    let updates = [most, update(1), many, update(2), update(3), update(2)];
    let (mut slab, mut expected) = (Slab::new(), Map::new());
    for round in 0..3 {
        slab.add(&updates);
        sum(&mut expected, &updates);
        check(&slab, &expected);
        slab.settle();
        check(&slab, &expected);
        let several = |cells: usize| slab.entries() > cells && slab.entries() <= 5 + 4 * round;
        assert!(several(expected.len()), "{}", slab.entries());
    }
}

fn updates() -> impl Strategy<Value = Vec<CellUpdate>> {
    let units = prop_oneof![4 => -5..5_i128, 1 => Just(i128::MAX), 1 => Just(i128::MIN), 1 => any::<i128>()];
    let records = prop_oneof![4 => 0..3_u32, 1 => Just(u32::MAX)];
    let start = prop_oneof![4 => -3..3_i32, 1 => Just(i32::MIN), 1 => Just(i32::MAX)];
    let one = (0..40_u32, 0..4_u32, start, records, units, any::<u128>());
    let one = one.prop_map(|(account, series, start, records, units, digest)| CellUpdate {
        // Some accounts are many.
        account: account.saturating_sub(20),
        series,
        start,
        records,
        units,
        digest: Digest(digest),
    });
    prop::collection::vec(one, 1..1_500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn reads_between_adds_are_those_of_a_map(rounds in prop::collection::vec((updates(), 0..4_u8), 1..6)) {
        let (mut slab, mut expected) = (Slab::new(), Map::new());
        for (updates, then) in rounds {
            updates.chunks(100).for_each(|some| slab.add(some));
            sum(&mut expected, &updates);
            check(&slab, &expected);
            if then == 0 {
                slab.settle();
                check(&slab, &expected);
            }
        }
    }
}
