//! Every bit of `tables.db` is covered: a page that is not what was written is named.

mod tables_world;

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use store::tables::{PageFinding, Tables, check_pages};
use store::{Disk, Effect, ErrorKind, RealDisk};
use tables_world::{Chance, MemoryDisk, World, assert_same, dump};

const PAGE: usize = 4096;

/// Tables of some size with pages on the free list: erased values and remade drafts leave them.
fn with_free_pages() -> (World, MemoryDisk) {
    let (mut world, disk) = (World::new(11, 120, 40), MemoryDisk::default());
    let mut tables = Tables::open(disk.shared()).unwrap();
    let long = |n: u64| format!("value {n} {}", "y".repeat(9_000));
    let hash = |n: u64| tables_world::personal_hash(&long(n));
    let personal =
        |n: u64, hash| Effect::Personal { account: format!("p-{n}"), field: "note".to_owned(), hash };
    world.add_row((0..20).map(|n| personal(n, Some(hash(n)))).collect());
    world.catch_up(&mut tables).unwrap();
    for n in 0..20 {
        tables.put_personal(&format!("p-{n}"), "note", &long(n), &hash(n)).unwrap();
    }
    world.add_row((5..15).map(|n| personal(n, None)).collect());
    world.catch_up(&mut tables).unwrap();
    tables.close().unwrap();
    (world, disk)
}

fn findings(disk: &MemoryDisk) -> Vec<PageFinding> {
    check_pages(disk).unwrap().findings
}

/// The pages on SQLite's free list, by reading its chain.
fn free_pages(bytes: &[u8]) -> BTreeSet<u64> {
    let number = |at: usize| u64::from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()));
    let (mut trunk, mut free) = (number(32), BTreeSet::new());
    while trunk != 0 {
        free.insert(trunk);
        let at = usize::try_from(trunk - 1).unwrap() * PAGE;
        free.extend((0..usize::try_from(number(at + 4)).unwrap()).map(|leaf| number(at + 8 + 4 * leaf)));
        trunk = number(at);
    }
    free
}

#[test]
fn a_stock_sqlite_reads_the_file() {
    let (world, memory) = with_free_pages();
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::create(folder.path()).unwrap());
    let mut tables = Tables::open(Arc::clone(&disk)).unwrap();
    world.catch_up(&mut tables).unwrap();
    assert_same(&tables, &world.derived());
    tables.close().unwrap();
    assert_eq!(check_pages(disk.as_ref()).unwrap().findings, []);

    std::fs::write(folder.path().join("tables.db"), memory.get("tables.db")).unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let stock = Connection::open_with_flags(folder.path().join("tables.db"), flags).unwrap();
    let text = |sql: &str| stock.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let count = |sql: &str| stock.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(count("PRAGMA page_size"), 4096);
    assert!(count("PRAGMA freelist_count") >= 10);
    assert_eq!(count("SELECT count(*) FROM commands"), i64::try_from(world.rows.len()).unwrap());
}

#[test]
fn every_flipped_bit_is_found_and_its_page_named() {
    let (_, disk) = with_free_pages();
    let whole = disk.get("tables.db");
    assert_eq!(findings(&disk), []);
    let free: Vec<u64> = free_pages(&whole).into_iter().collect();
    assert!(free.len() >= 10, "{} free pages", free.len());
    let mut chance = Chance::new(77);
    let anywhere = (0..60).map(|_| chance.below(whole.len() as u64)).collect::<Vec<_>>();
    let in_free = (0..40).map(|n| (free[n % free.len()] - 1) * PAGE as u64 + chance.below(PAGE as u64));
    let header = 0..16_u64;
    for place in anywhere.into_iter().chain(in_free).chain(header) {
        let at = usize::try_from(place).unwrap();
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            disk.put("tables.db", bytes);
            let found = findings(&disk);
            assert_eq!(found.len(), 1, "byte {at} bit {bit}");
            assert_eq!(found[0].page, place / PAGE as u64 + 1, "byte {at} bit {bit}");
        }
    }
}

#[test]
fn pages_lost_moved_cut_or_of_another_moment_are_found() {
    let (_, disk) = with_free_pages();
    let whole = disk.get("tables.db");
    let pages = whole.len() / PAGE;
    let page = |number: usize| (number - 1) * PAGE..number * PAGE;
    let check = |what: &str, bytes: Vec<u8>, expect: &[u64]| {
        disk.put("tables.db", bytes);
        let found: Vec<u64> = findings(&disk).into_iter().map(|finding| finding.page).collect();
        assert_eq!(found, expect, "{what}");
    };
    let mut zeroed = whole.clone();
    zeroed[page(7)].fill(0);
    check("a page of zeros", zeroed, &[7]);
    let mut swapped = whole.clone();
    let (third, fourth) = (whole[page(3)].to_vec(), whole[page(4)].to_vec());
    swapped[page(3)].copy_from_slice(&fourth);
    swapped[page(4)].copy_from_slice(&third);
    check("two pages that changed places", swapped, &[3, 4]);
    check("a page less", whole[..whole.len() - PAGE].to_vec(), &[pages as u64]);
    check("half a page less", whole[..whole.len() - PAGE / 2].to_vec(), &[pages as u64]);
    let mut longer = whole.clone();
    longer.extend_from_slice(&whole[page(2)]);
    check("a page more", longer, &[pages as u64 + 1]);
    check("nothing", Vec::new(), &[1]);
    check("one page", whole[..PAGE].to_vec(), &[2]);
    check("all of it", whole, &[]);
}

/// Whatever bit is flipped: what is read is right, or refused as corrupt. Never wrong, never a panic.
#[test]
fn reading_rotten_tables_never_gives_other_values() {
    let (world, disk) = with_free_pages();
    let whole = disk.get("tables.db");
    let expect = dump(&world.derived());
    let mut chance = Chance::new(5);
    let (mut refused, mut right) = (0, 0);
    let random = (0..400).map(|_| chance.below(whole.len() as u64 * 8)).collect::<Vec<_>>();
    for bit in random.into_iter().chain(0..800) {
        let mut bytes = whole.clone();
        bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        disk.put("tables.db", bytes);
        let read =
            Tables::open(disk.shared()).and_then(|tables| tables.dump().collect::<Result<Vec<_>, _>>());
        match read {
            Ok(rows) => {
                assert_eq!(rows, expect, "bit {bit}");
                right += 1;
            }
            Err(error) => {
                assert_eq!((error.kind, error.code), (ErrorKind::Corrupt, "corrupt"), "bit {bit}: {error}");
                assert!(error.message.contains("in `tables.db` at page "), "bit {bit}: {error}");
                refused += 1;
            }
        }
        disk.put("tables.db", Vec::new());
    }
    assert!(refused > 800 && right > 0, "{refused} refused, {right} of free pages");
    let mut tables = Tables::recreate(disk.shared()).unwrap();
    world.catch_up(&mut tables).unwrap();
    assert_same(&tables, &world.derived());
}

#[test]
fn a_flip_in_a_page_that_a_change_needs_is_refused() {
    let (mut world, disk) = with_free_pages();
    let whole = disk.get("tables.db");
    let last_free = *free_pages(&whole).iter().next().unwrap();
    let mut bytes = whole;
    bytes[usize::try_from(last_free - 1).unwrap() * PAGE + 5] ^= 4;
    disk.put("tables.db", bytes);
    for n in 0..200 {
        world.add_row(vec![Effect::Quarantine { position: n, status: "z".repeat(4_000) }]);
    }
    let mut tables = Tables::open(disk.shared()).unwrap();
    let before = tables.applied();
    let error = world.catch_up(&mut tables).unwrap_err();
    assert_eq!(
        error.message,
        format!("a page whose checksum does not match in `tables.db` at page {last_free}")
    );
    drop(tables);
    assert_eq!(Tables::open(disk.shared()).unwrap().applied(), before);
}
