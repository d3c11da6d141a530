//! The contract of the tables: they are a function of journal and log, however the two arrive.

mod tables_world;

use proptest::prelude::*;
use store::tables::{InvoiceFilter, InvoiceStatus, QuarantineFilter, Tables};
use store::{Effect, ErrorKind, Hash};
use tables_world::{Chance, MemoryDisk, World, assert_same, dump, personal_hash};

/// Applies a world in any interleaving, some of it twice, in batches of any size, closing in between.
fn apply_somehow(world: &World, disk: &MemoryDisk, seed: u64) -> Tables {
    let mut chance = Chance::new(seed);
    let mut tables = Tables::open(disk.shared()).unwrap();
    let (mut row, mut block) = (0, 0);
    while row < world.rows.len() || block < world.blocks.len() {
        match chance.below(12) {
            0 => tables.begin().unwrap(),
            1 => tables.commit().unwrap(),
            2 => {
                tables.close().unwrap();
                tables = Tables::open(disk.shared()).unwrap();
            }
            3 if row > 0 => tables.apply_row(&world.rows[row - 1]).unwrap(),
            4 if block > 0 => tables.apply_block(&world.blocks[block - 1]).unwrap(),
            n if n % 2 == 1 && row < world.rows.len() => {
                tables.apply_row(&world.rows[row]).unwrap();
                row += 1;
            }
            _ if block < world.blocks.len() => {
                tables.apply_block(&world.blocks[block]).unwrap();
                block += 1;
            }
            _ => {}
        }
    }
    tables.commit().unwrap();
    tables
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn any_interleaving_gives_the_same_tables(seed in any::<u64>(), order in any::<u64>()) {
        let world = World::new(seed, 40, 12);
        let disk = MemoryDisk::default();
        let tables = apply_somehow(&world, &disk, order);
        prop_assert_eq!(tables.applied(), (40, world.blocks.last().unwrap().end()));
        assert_same(&tables, &world.derived());
        let check = store::tables::check_pages(&disk).unwrap();
        prop_assert_eq!(check.findings, Vec::new());
    }

    #[test]
    fn deriving_anew_equals_deriving_step_by_step(seed in any::<u64>(), order in any::<u64>()) {
        let world = World::new(seed, 30, 8);
        let disk = MemoryDisk::default();
        let mut tables = apply_somehow(&world, &disk, order);
        let before = dump(&tables);
        tables.reset().unwrap();
        prop_assert_eq!(tables.applied(), (0, 0));
        world.catch_up(&mut tables).unwrap();
        prop_assert_eq!(dump(&tables), before.clone());
        tables.close().unwrap();
        let mut tables = Tables::recreate(disk.shared()).unwrap();
        world.catch_up(&mut tables).unwrap();
        prop_assert_eq!(dump(&tables), before);
    }
}

#[test]
fn a_difference_is_named_by_table_and_row() {
    let world = World::new(3, 30, 8);
    let (all, fewer) = (world.derived(), world.derived_up_to(29, 8));
    let difference = all.first_difference(&fewer).unwrap().unwrap();
    assert_eq!(difference.table, "commands");
    assert!(difference.stored.unwrap().starts_with("[30,"));
    assert_eq!(difference.derived, None);
    let difference = fewer.first_difference(&all).unwrap().unwrap();
    assert_eq!((difference.table, difference.stored), ("commands", None));
}

#[test]
fn what_leaves_a_gap_or_continues_another_chain_is_refused() {
    let (world, other) = (World::new(1, 3, 3), World::new(2, 3, 3));
    let mut tables = world.derived_up_to(1, 1);
    let before = dump(&tables);
    for (code, result) in [
        ("tables_gap", tables.apply_row(&world.rows[2])),
        ("tables_gap", tables.apply_block(&world.blocks[2])),
        ("tables_contradicted", tables.apply_row(&other.rows[1])),
    ] {
        assert_eq!(result.unwrap_err().code, code);
    }
    let mut foreign = world.blocks[1].clone();
    foreign.previous = Hash::of(b"another log");
    assert_eq!(tables.apply_block(&foreign).unwrap_err().code, "tables_contradicted");
    assert_eq!(dump(&tables), before);
}

#[test]
fn a_row_that_cannot_follow_changes_nothing() {
    for in_transaction in [false, true] {
        let mut world = World::new(1, 4, 0);
        let issue = Effect::Issue {
            invoice: "none".to_owned(),
            series: "S".to_owned(),
            sequence: 1,
            number: "S-1".to_owned(),
            body: serde_json::json!({ "total": "1", "currency": "USD" }),
            envelope: serde_json::Value::Null,
            entries: Vec::new(),
        };
        let seen = Effect::Quarantine { position: 9, status: "replayed".to_owned() };
        world.add_row(vec![seen, issue]);
        let mut tables = world.derived_up_to(3, 0);
        if in_transaction {
            tables.begin().unwrap();
        }
        tables.apply_row(&world.rows[3]).unwrap();
        let error = tables.apply_row(&world.rows[4]).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Corrupt, "tables_contradicted"));
        assert_eq!(error.message, "journal row 5: expected a draft to issue, found none of id `none`");
        tables.commit().unwrap();
        assert_same(&tables, &world.derived_up_to(4, 0));
    }
}

#[test]
fn quarantine_states_do_not_depend_on_what_comes_first() {
    let mut world = World::new(5, 0, 20);
    let open = world.derived();
    let all = open.quarantine(&QuarantineFilter::default()).unwrap();
    let (one, other) = (all[0].position, all[1].position);
    let status = |position, status: &str| Effect::Quarantine { position, status: status.to_owned() };
    world.add_row(vec![status(one, "dismissed"), status(one, "replayed"), status(1_000_000, "replayed")]);
    let rows_last = world.derived();
    let mut rows_first = world.derived_up_to(1, 0);
    world.catch_up(&mut rows_first).unwrap();
    assert_same(&rows_first, &rows_last);
    let state = |position| QuarantineFilter { position: Some(position), ..QuarantineFilter::default() };
    assert_eq!(rows_first.quarantine(&state(one)).unwrap()[0].status, "replayed");
    assert_eq!(rows_first.quarantine(&state(other)).unwrap()[0].status, "open");
    for (filter, expect) in [
        (QuarantineFilter { status: Some("open".to_owned()), ..QuarantineFilter::default() }, all.len() - 1),
        (QuarantineFilter { status: Some("dismissed".to_owned()), ..QuarantineFilter::default() }, 0),
        (QuarantineFilter { feed: Some("nowhere".to_owned()), ..QuarantineFilter::default() }, 0),
        (
            QuarantineFilter { code: Some("conflict".to_owned()), ..QuarantineFilter::default() },
            all.iter().filter(|row| row.code == "conflict").count(),
        ),
    ] {
        assert_eq!(rows_first.quarantine(&filter).unwrap().len(), expect, "{filter:?}");
    }
}

#[test]
fn fates_add_up_to_what_was_received() {
    let world = World::new(8, 0, 30);
    let tables = world.derived();
    let fates = tables.fates().unwrap();
    assert_eq!(fates.iter().map(|fate| fate.records).sum::<u64>(), tables.applied().1);
    assert_eq!(fates.len(), 6, "two feeds, three fates each");
    assert_eq!(fates[0].units.to_string(), "1.5", "fifteen blocks of 0.1 each, exactly");
}

#[test]
fn terms_are_read_as_known_at_a_row() {
    let world = World::new(4, 60, 0);
    let tables = world.derived();
    for row in [0, 1, 17, 60] {
        let known = tables.terms_as_known_at(row).unwrap();
        let before = world.derived_up_to(usize::try_from(row).unwrap(), 0);
        assert_eq!(known, before.terms().unwrap());
    }
    let term = &tables.terms().unwrap()[0];
    let versions = tables.term(&term.kind, &term.name).unwrap();
    assert_eq!(versions[0], *term);
    assert!(versions.iter().zip(1..).all(|(term, version)| term.version == version));
    assert_eq!(serde_json::to_string(&term.body).unwrap().find("\"a\""), Some(1));
}

#[test]
fn invoices_sequences_and_balances_follow_their_rows() {
    let world = World::new(6, 80, 0);
    let tables = world.derived();
    let all = tables.invoices(&InvoiceFilter::default()).unwrap();
    let of = |status| InvoiceFilter { status: Some(status), ..InvoiceFilter::default() };
    let issued = tables.invoices(&of(InvoiceStatus::Issued)).unwrap();
    let drafts = tables.invoices(&of(InvoiceStatus::Draft)).unwrap();
    assert!(!issued.is_empty() && !drafts.is_empty());
    assert_eq!(issued.len() + drafts.len(), all.len());
    assert_eq!(tables.next_sequence("demo", "DEMO").unwrap(), issued.len() as u64 + 1);
    assert_eq!(tables.next_sequence("demo", "OTHER").unwrap(), 1);
    for invoice in &issued {
        assert_eq!(tables.invoice(invoice.number.as_deref().unwrap()).unwrap().as_ref(), Some(invoice));
        assert_eq!(tables.invoice(&invoice.invoice).unwrap().as_ref(), Some(invoice));
    }
    assert_eq!(tables.invoice("DEMO-999999").unwrap(), None);
    let keys: usize = (0..tables_world::ACCOUNTS)
        .map(|n| tables.billed_line_keys(&format!("org/{n}")).unwrap().len())
        .sum();
    let mut expect: Vec<&str> = all
        .iter()
        .flat_map(|invoice| invoice.body["lines"].as_array().unwrap())
        .map(|line| line["key"].as_str().unwrap())
        .collect();
    expect.sort_unstable();
    expect.dedup();
    assert_eq!(keys, expect.len());
    let balances = tables.balances().unwrap();
    assert_eq!(balances.len(), 2);
    assert_eq!(balances[1].ledger_account, "receivable");
    let debits: i128 = tables
        .entries(&Default::default())
        .unwrap()
        .iter()
        .filter(|entry| entry.side == "debit")
        .map(|entry| entry.amount.minor())
        .sum();
    assert!(debits > 0);
    assert_eq!(balances.iter().map(|balance| balance.balance.minor()).collect::<Vec<_>>(), [-debits, debits]);
}

#[test]
fn the_first_row_of_an_idempotency_key_answers() {
    let tables = World::new(6, 20, 0).derived();
    let (number, result) = tables.command_by_key("key-3").unwrap().unwrap();
    assert_eq!((number, result), (3, serde_json::json!({ "row": 3 })));
    assert_eq!(tables.command_by_key("key-5").unwrap(), None);
}

fn personal(field: &str, value: Option<&str>) -> Effect {
    Effect::Personal { account: "org".to_owned(), field: field.to_owned(), hash: value.map(personal_hash) }
}

#[test]
fn personal_values_survive_a_rebuild_and_leave_no_trace_when_erased() {
    let disk = MemoryDisk::default();
    let mut world = World::new(0, 0, 0);
    world.add_row(vec![personal("name", Some("Ada")), personal("email", Some("first@example.org"))]);
    world.add_row(vec![personal("name", None)]);
    world.add_row(vec![personal("name", Some("Grace Hopper"))]);
    let mut tables = Tables::open(disk.shared()).unwrap();
    let early = tables.put_personal("org", "name", "Ada", &personal_hash("Ada")).unwrap_err();
    assert_eq!(early.code, "personal_not_stated");
    tables.apply_row(&world.rows[0]).unwrap();
    tables.put_personal("org", "name", "Ada", &personal_hash("Ada")).unwrap();
    tables.put_personal("org", "email", "first@example.org", &personal_hash("first@example.org")).unwrap();
    tables.apply_row(&world.rows[1]).unwrap();
    let held = |tables: &Tables| -> Vec<(String, Option<String>)> {
        tables.personal("org").unwrap().into_iter().map(|field| (field.field, field.value)).collect()
    };
    let email = ("email".to_owned(), Some("first@example.org".to_owned()));
    assert_eq!(held(&tables), [email.clone(), ("name".to_owned(), None)]);
    tables.apply_row(&world.rows[2]).unwrap();
    assert_eq!(held(&tables), [email.clone(), ("name".to_owned(), None)], "stated, its value not held yet");
    tables.put_personal("org", "name", "Grace Hopper", &personal_hash("Grace Hopper")).unwrap();
    tables.reset().unwrap();
    assert_eq!(held(&tables), []);
    world.catch_up(&mut tables).unwrap();
    assert_eq!(held(&tables), [email.clone(), ("name".to_owned(), Some("Grace Hopper".to_owned()))]);
    assert!(!dump(&tables).iter().any(|(_, line)| line.contains("Grace")));

    world.add_row(vec![personal("name", None)]);
    world.catch_up(&mut tables).unwrap();
    assert_eq!(held(&tables), [email, ("name".to_owned(), None)]);
    tables.close().unwrap();
    let bytes = disk.get("tables.db");
    assert!(!bytes.windows(6).any(|window| window == b"Hopper"), "an erased value is in the file");
    assert!(bytes.windows(5).any(|window| window == b"first"));
    assert_eq!(disk.copy().shared().list("").unwrap(), ["tables.db"], "no journal after a clean close");
}

#[test]
fn tables_open_for_reading_write_nothing() {
    let (world, disk) = (World::new(9, 30, 10), MemoryDisk::default());
    assert!(Tables::open_read_only(disk.shared()).unwrap().is_none());
    assert!(disk.shared().list("").unwrap().is_empty());
    let mut tables = Tables::open(disk.shared()).unwrap();
    world.catch_up(&mut tables).unwrap();
    tables.close().unwrap();
    let before = disk.get("tables.db");
    let mut tables = Tables::open_read_only(disk.shared()).unwrap().unwrap();
    assert_same(&tables, &world.derived());
    let error = tables.reset().unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Invalid, "tables_read_only"));
    drop(tables);
    assert_eq!(disk.get("tables.db"), before);
    let tables = Tables::open(disk.shared()).unwrap();
    assert_same(&tables, &world.derived());
    drop(tables);
    assert_eq!(disk.get("tables.db"), before, "opening without a change changes no byte");
}
