//! A small world of journal rows and log blocks, made from a seed, and a disk in memory.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use metering::{Code, Instant};
use money::Sum;
use serde_json::{Value, json};
use store::tables::Tables;
use store::{
    Block, BlockDraft, Class, Counter, CounterKey, Cut, Disk, DiskFile, Effect, FirstSight, Hash, Kept, Mode,
    Row, RowDraft,
};

/// Chance that repeats: a seed gives the same numbers for ever.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// The lines of a dump, each with its table.
pub type Lines = Vec<(&'static str, String)>;

/// What a journal and a log hold.
pub struct World {
    pub rows: Vec<Row>,
    pub blocks: Vec<Block>,
    /// What they derive to, by the row and position reached.
    dumps: Mutex<BTreeMap<(u64, u64), Lines>>,
}

pub const ACCOUNTS: u64 = 6;

impl World {
    pub fn new(seed: u64, rows: u64, blocks: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut world = Self { rows: Vec::new(), blocks: Vec::new(), dumps: Mutex::default() };
        let mut invoices = Invoices { drafts: Vec::new(), issued: 0, made: 0 };
        let mut versions = BTreeMap::new();
        for _ in 0..rows {
            let effects = effects(&mut chance, &mut invoices, &mut versions, blocks * 40);
            world.add_row(effects);
        }
        for _ in 0..blocks {
            let draft = block(&mut chance, world.blocks.len() as u64);
            world.add_block(draft);
        }
        world
    }

    pub fn add_row(&mut self, effects: Vec<Effect>) {
        let number = self.rows.len() as u64 + 1;
        self.rows.push(Row {
            number,
            previous: self.rows.last().map_or(Hash::ZERO, |row| row.hash),
            hash: Hash::of(format!("row {number} {effects:?}").as_bytes()),
            recorded_at: Instant(1_700_000_000_000_000_000 + i64::try_from(number).unwrap()),
            log_durable_through: 0,
            journal_durable_through: number - 1,
            draft: RowDraft {
                class: Class::Terms,
                actor: "ada".to_owned(),
                reason: None,
                idempotency_key: number.is_multiple_of(3).then(|| format!("key-{}", number % 9)),
                command: "apply".to_owned(),
                command_version: 1,
                input: Value::Null,
                result: json!({ "row": number }),
                effects,
                cut: None,
                references: Vec::new(),
            },
        });
    }

    pub fn add_block(&mut self, draft: BlockDraft) {
        let position = self.blocks.last().map_or(0, Block::end);
        self.blocks.push(Block {
            position,
            hash: Hash::of(format!("block {position} {draft:?}").as_bytes()),
            previous: self.blocks.last().map_or(Hash::ZERO, |block| block.hash),
            durable_through: position,
            draft,
        });
    }

    /// Everything applied in one go, in memory: what any other way must come to.
    pub fn derived(&self) -> Tables {
        self.derived_up_to(self.rows.len(), self.blocks.len())
    }

    pub fn derived_up_to(&self, rows: usize, blocks: usize) -> Tables {
        let mut tables = Tables::in_memory().unwrap();
        tables.begin().unwrap();
        self.rows[..rows].iter().for_each(|row| tables.apply_row(row).unwrap());
        self.blocks[..blocks].iter().for_each(|block| tables.apply_block(block).unwrap());
        tables.commit().unwrap();
        tables
    }

    /// Asserts that tables hold what the rows and blocks they say they applied derive to.
    pub fn assert_derived(&self, tables: &Tables) {
        let applied = tables.applied();
        let mut dumps = self.dumps.lock().unwrap();
        let expect = dumps.entry(applied).or_insert_with(|| {
            let blocks = self.blocks.iter().filter(|block| block.end() <= applied.1).count();
            dump(&self.derived_up_to(usize::try_from(applied.0).unwrap(), blocks))
        });
        assert_eq!(&dump(tables), expect);
    }

    /// Asserts that tables hold all that the whole world derives to.
    pub fn assert_complete(&self, tables: &Tables) {
        let end = (self.rows.len() as u64, self.blocks.last().map_or(0, Block::end));
        assert_eq!(tables.applied(), end);
        self.assert_derived(tables);
    }

    /// Applies all that these tables have not seen.
    pub fn catch_up(&self, tables: &mut Tables) -> Result<(), store::StoreError> {
        tables.begin()?;
        self.rows.iter().try_for_each(|row| tables.apply_row(row))?;
        self.blocks.iter().try_for_each(|block| tables.apply_block(block))?;
        tables.commit()
    }
}

struct Invoices {
    drafts: Vec<String>,
    issued: u64,
    made: u64,
}

fn account(chance: &mut Chance) -> String {
    format!("org/{}", chance.below(ACCOUNTS))
}

fn effects(
    chance: &mut Chance,
    invoices: &mut Invoices,
    versions: &mut BTreeMap<(String, String), u32>,
    positions: u64,
) -> Vec<Effect> {
    match chance.below(7) {
        0 => vec![term(chance, versions, "plan"), term(chance, versions, "account")],
        1 => vec![personal(chance), personal(chance)],
        2 => vec![seal(chance)],
        3 | 4 => {
            let again = chance.below(3) == 0 && !invoices.drafts.is_empty();
            let invoice = if again {
                invoices.drafts[0].clone()
            } else {
                invoices.made += 1;
                let invoice = format!("payer/c/{}/invoice/1", invoices.made);
                invoices.drafts.push(invoice.clone());
                invoice
            };
            vec![draft(chance, &invoice)]
        }
        5 => match invoices.drafts.pop() {
            Some(invoice) => {
                invoices.issued += 1;
                vec![issue(chance, &invoice, invoices.issued)]
            }
            None => Vec::new(),
        },
        _ => vec![Effect::Quarantine {
            position: chance.below(positions.max(1)),
            status: if chance.below(2) == 0 { "replayed" } else { "dismissed" }.to_owned(),
        }],
    }
}

fn term(chance: &mut Chance, versions: &mut BTreeMap<(String, String), u32>, kind: &str) -> Effect {
    let name = account(chance);
    let version = versions.entry((kind.to_owned(), name.clone())).or_insert(0);
    *version += 1;
    Effect::Term {
        kind: kind.to_owned(),
        name,
        version: *version,
        effective_at: Instant(i64::try_from(chance.below(1_000)).unwrap()),
        body: json!({ "z": chance.below(10), "a": { "d": "1.5", "c": [] } }),
    }
}

pub fn personal_hash(value: &str) -> String {
    Hash::of(value.as_bytes()).to_string()
}

fn personal(chance: &mut Chance) -> Effect {
    let value = chance.below(4);
    Effect::Personal {
        account: account(chance),
        field: ["name", "email"][usize::try_from(chance.below(2)).unwrap()].to_owned(),
        hash: (value > 0).then(|| personal_hash(&format!("value {value}"))),
    }
}

fn seal(chance: &mut Chance) -> Effect {
    Effect::Seal {
        seller: "demo".to_owned(),
        period: format!("2026-{:02}", chance.below(12) + 1),
        end: Instant(5),
        cut: Cut { shard: 0, incarnation: 1, position: chance.below(100), block_hash: Hash::of(b"cut") },
        override_reason: (chance.below(2) == 0).then(|| "early".to_owned()),
    }
}

fn body(chance: &mut Chance) -> Value {
    let lines: Vec<Value> = (1..=chance.below(4) + 1)
        .map(|line| {
            let amount = format!("{}.{:02}", chance.below(50), chance.below(100));
            let key = format!("payer/org~1{}/c/item{line}/2026-08-01", chance.below(ACCOUNTS));
            json!({ "line": line, "key": key, "amount": amount })
        })
        .collect();
    json!({ "total": "12.34", "currency": "USD", "lines": lines, "padding": "x".repeat(600) })
}

fn draft(chance: &mut Chance, invoice: &str) -> Effect {
    Effect::Draft {
        invoice: invoice.to_owned(),
        account: account(chance),
        seller: "demo".to_owned(),
        period: format!("2026-{:02}", chance.below(3) + 8),
        body: body(chance),
        envelope: json!({ "known_at": 3 }),
    }
}

pub fn entry(document: &str, index: u64, ledger_account: &str, side: &str, amount: &str) -> Value {
    json!({
        "command": format!("issue/{document}"), "index": index, "seller": "demo", "payer": "payer",
        "account": "org/1", "document": document, "document_line": 1, "line_key": "payer/org~11/c/i/2026-08-01",
        "ledger_account": ledger_account, "posting_type": "rated", "cause": "issue_invoice",
        "accounting_date": "2026-09-02", "service_period": { "first": "2026-08-01", "next": "2026-09-01" },
        "recorded_position": 7, "side": side, "amount": amount, "currency": "USD"
    })
}

fn issue(chance: &mut Chance, invoice: &str, sequence: u64) -> Effect {
    let number = format!("DEMO-{sequence:06}");
    let amount = format!("{}.{:02}", chance.below(50), chance.below(100));
    Effect::Issue {
        invoice: invoice.to_owned(),
        series: "DEMO".to_owned(),
        sequence,
        body: body(chance),
        envelope: json!({ "known_at": 3, "issued_at": "now" }),
        entries: vec![
            entry(&number, 0, "receivable", "debit", &amount),
            entry(&number, 1, "contract_position", "credit", &amount),
        ],
        number,
    }
}

fn block(chance: &mut Chance, place: u64) -> BlockDraft {
    let records = u32::try_from(chance.below(40) + 2).unwrap();
    let kept: Vec<Kept> = (0..chance.below(3))
        .map(|index| Kept {
            index: u32::try_from(index).unwrap(),
            code: if index == 0 { Code::Conflict } else { Code::JsonSyntax },
            message: format!("expected JSON, found `{}`", chance.below(100)),
            feed: format!("file-{}", place % 2),
            line: chance.below(1_000),
            format: "cloudevents".to_owned(),
            source: (index == 0).then(|| "api".to_owned()),
            id: (index == 0).then(|| format!("e-{}", chance.below(100))),
            body: b"{".to_vec(),
        })
        .collect();
    let counter = |fate: &'static str, code, source: Option<&str>, records| Counter {
        key: CounterKey {
            feed: format!("file-{}", place % 2),
            source: source.map(str::to_owned),
            fate,
            code,
        },
        records,
        units: Sum::parse("0.1").unwrap(),
    };
    let conflicts = u64::from(!kept.is_empty());
    let rejected = kept.len() as u64 - conflicts;
    let accepted = u64::from(records) - kept.len() as u64;
    BlockDraft {
        records,
        known_at: 1,
        known_hash: Hash::ZERO,
        received_at: Instant(i64::try_from(place).unwrap()),
        counters: vec![
            counter("accepted", None, Some("api"), accepted),
            counter("conflict", None, Some("api"), conflicts),
            counter("rejected", Some(Code::JsonSyntax), None, rejected),
        ],
        first_sight: (0..chance.below(2))
            .map(|index| FirstSight { account: account(chance), index: u32::try_from(index).unwrap() })
            .collect(),
        accepted: store::Accepted::none(),
        kept,
    }
}

/// The dump as one list.
pub fn dump(tables: &Tables) -> Lines {
    tables.dump().map(Result::unwrap).collect()
}

/// Asserts that two derivations agree, naming the first row on which they do not.
pub fn assert_same(stored: &Tables, derived: &Tables) {
    assert_eq!(stored.first_difference(derived).unwrap(), None);
    assert_eq!(dump(stored), dump(derived));
}

type Names = BTreeMap<String, Arc<Bytes>>;

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    names: Arc<Mutex<Names>>,
}

#[derive(Debug, Default)]
struct Bytes(Mutex<Vec<u8>>);

impl MemoryDisk {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap()
    }

    pub fn get(&self, name: &str) -> Vec<u8> {
        self.names()[name].0.lock().unwrap().clone()
    }

    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        self.names().insert(name.to_owned(), Arc::new(Bytes(Mutex::new(bytes))));
    }

    /// A disk with the same content that shares nothing.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        for name in self.list("").unwrap() {
            copy.put(&name, self.get(&name));
        }
        copy
    }

    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }
}

fn no_such(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_owned())
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names();
        match (names.get(name), mode) {
            (Some(file), Mode::Read | Mode::Write) => Ok(Arc::clone(file) as Arc<dyn DiskFile>),
            (None, Mode::CreateNew) => {
                let file = Arc::new(Bytes::default());
                names.insert(name.to_owned(), Arc::clone(&file));
                Ok(file)
            }
            (None, _) => Err(no_such(name)),
            (Some(_), _) => Err(io::Error::new(io::ErrorKind::AlreadyExists, name.to_owned())),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        assert_eq!(folder, "", "the tables lie in the root");
        Ok(self.names().keys().cloned().collect())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        Ok(self.names().contains_key(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut names = self.names();
        let file = names.remove(from).ok_or_else(|| no_such(from))?;
        names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.names().remove(name).map(|_| ()).ok_or_else(|| no_such(name))
    }

    fn create_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }
}

impl DiskFile for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let from = usize::try_from(offset).unwrap().min(bytes.len());
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let end = from + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[from..end].copy_from_slice(new);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
