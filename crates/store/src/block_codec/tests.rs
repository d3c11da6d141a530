//! Laws of the block's encoding.

use metering::{Code, Event, Instant, Value};
use money::Sum;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::block::{Accepted, BlockDraft, Counter, CounterKey, FirstSight, Kept};

const PLACE: BlockPlace =
    BlockPlace { position: 1_000, previous: Hash([7; 32]), durable_through: 900, key_generation: 1 };

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,8}", ".{0,12}", Just(String::new())]
}

/// Ids that are almost packable.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,22}",
        "[0-9a-f]{31,33}",
        "[0-9A-F]{32}",
        "[0-9a-fA-F]{32}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}",
        "[0-9a-fA-F-]{36}",
        ".{0,20}",
        "\\PC{34,38}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-?[0-9]{1,30}(\\.[0-9]{1,9})?(e[0-9]{1,3})?".prop_map(Value::Number),
        text().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec((text(), inner), 0..4).prop_map(Value::Object),
        ]
    })
}

/// A canonical object, often of the same few shapes.
fn properties() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        (
            "[ab]",
            prop_oneof![
                (0..3_000u32).prop_map(|n| Value::Number(n.to_string())),
                text().prop_map(Value::Text)
            ]
        ),
        (text(), value()),
    ];
    vec(member, 0..4).prop_map(|members| {
        let mut unique: std::collections::BTreeMap<String, Value> = members.into_iter().collect();
        unique.values_mut().for_each(|value| {
            *value = std::mem::replace(value, Value::Null).into_canonical().unwrap_or(Value::Bool(true));
        });
        Value::Object(unique.into_iter().collect())
    })
}

prop_compose! {
    fn accepted()(
        texts in (text(), text(), text()),
        id in id(),
        time in prop_oneof![any::<i64>(), any::<i32>().prop_map(|ms| i64::from(ms) * 1_000_000)],
        properties in properties(),
    ) -> Event {
        let (source, event_type, account) = texts;
        Event { source, id, event_type, account, occurred_at: Instant(time), properties }
    }
}

prop_compose! {
    fn kept()(
        texts in (text(), text(), text()),
        code in prop_oneof![Just(Code::Conflict), Just(Code::JsonSyntax), Just(Code::MissingId)],
        line in any::<u64>(),
        source in proptest::option::of(text()),
        id in proptest::option::of(id()),
        body in vec(any::<u8>(), 0..200),
    ) -> Kept {
        let (message, feed, format) = texts;
        Kept { index: 0, code, message, feed, line, format, source, id, body }
    }
}

/// A record of each fate in any order.
#[derive(Clone, Debug)]
enum Record {
    Accepted(Box<Event>),
    Kept(Box<Kept>),
    Duplicate,
}

fn draft() -> impl Strategy<Value = BlockDraft> {
    let record = prop_oneof![
        4 => accepted().prop_map(|accepted| Record::Accepted(Box::new(accepted))),
        2 => kept().prop_map(|kept| Record::Kept(Box::new(kept))),
        1 => Just(Record::Duplicate),
    ];
    (vec(record, 1..12), vec((text(), any::<u32>()), 0..3), any::<(u64, [u8; 32], i64)>(), text()).prop_map(
        |(records, sights, (known_at, known_hash, received_at), feed)| {
            let total = records.len() as u32;
            let mut draft = BlockDraft {
                records: total,
                known_at,
                known_hash: Hash(known_hash),
                received_at: Instant(received_at),
                counters: Vec::new(),
                first_sight: sights
                    .into_iter()
                    .map(|(account, index)| FirstSight { account, index })
                    .collect(),
                accepted: Accepted::none(),
                kept: Vec::new(),
            };
            let mut events = Vec::new();
            for (index, record) in (0..).zip(records) {
                let (fate, code) = match record {
                    Record::Accepted(event) => {
                        events.push((index, *event));
                        ("accepted", None)
                    }
                    Record::Kept(mut kept) => {
                        kept.index = index;
                        let code = kept.code;
                        draft.kept.push(*kept);
                        (if code == Code::Conflict { "conflict" } else { "rejected" }, Some(code))
                    }
                    Record::Duplicate => ("duplicate", None),
                };
                let key = CounterKey { feed: feed.clone(), source: None, fate, code };
                let units = Sum::parse("-0.000000000001").expect("a sum");
                draft.counters.push(Counter { key, records: 1, units });
            }
            draft.accepted = Accepted::of_events(events.iter().map(|(index, event)| (*index, event)));
            draft
        },
    )
}

fn encode(place: BlockPlace, draft: &BlockDraft) -> Result<(Vec<u8>, Hash), String> {
    super::encode(place, draft, &mut Workspace::default())
}

proptest! {
    #[test]
    fn every_block_comes_back(draft in draft()) {
        prop_assert_eq!(check_balance(&draft), Ok(()));
        let (record, hash) = encode(PLACE, &draft).expect("encoded");
        let block = decode(&record).expect("decoded");
        prop_assert_eq!(&block.draft, &draft);
        prop_assert_eq!((block.position, block.hash, block.previous), (PLACE.position, hash, PLACE.previous));
        let link = link(&record).expect("a link");
        prop_assert_eq!((link.first, link.count, link.hash), (block.position, u64::from(draft.records), hash));
        // The same draft gives the same bytes.
        prop_assert_eq!(encode(PLACE, &draft).expect("encoded").0, record);
    }

    #[test]
    fn hostile_bytes_are_refused_without_a_panic(
        draft in draft(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        // Every section's raw bytes, changed below its hashes and its compression.
        let mut work = Workspace::default();
        work.numbered().begin(&draft.accepted.batch);
        let (rows, ids) = columns::encode(&draft.accepted, &mut work).expect("encoded");
        let strings = work.numbered().encode(&draft.accepted.batch);
        let kept = kept::encode(&draft.kept);
        let change = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if !bytes.is_empty() {
                for (at, byte) in &changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                bytes.truncate(cut.index(bytes.len()) + 1);
            }
            bytes
        };
        let _ = kept::decode(&change(&kept));
        let rotten = change(&strings);
        let _ = Strings::decode(&rotten);
        let whole = Strings::decode(&strings).expect("strings");
        let _ = columns::decode(&change(&rows), &ids, &whole);
        let _ = columns::decode(&rows, &change(&ids), &whole);
        let _ = accepted::decode(&change(&rows), &whole);
        let _ = decode_first_sight(&change(&rows), &whole);
        let (record, _) = encode(PLACE, &draft).expect("encoded");
        let rotten = change(&record);
        prop_assert!(rotten == record || decode(&rotten).is_err() || header_only(&record, &rotten));
    }
}

/// A change inside the header may give another valid header: the hash of the header is not in the record but in the
/// next one, and in the checksums of the sectors.
fn header_only(record: &[u8], rotten: &[u8]) -> bool {
    let length = u32::from_le_bytes(*record.first_chunk().expect("a length")) as usize;
    record.len() == rotten.len() && record[4 + length..] == rotten[4 + length..]
}

#[test]
fn a_section_that_claims_to_be_huge_costs_nothing() {
    let check = |raw_length: u64, stored: &[u8], expected: &str| {
        let fact = SectionFact {
            kind: "kept".to_owned(),
            tenant: String::new(),
            codec: "zstd".to_owned(),
            length: stored.len() as u64,
            raw_length,
            hash: Hash::of(stored),
        };
        let facts = [fact];
        let mut sections = section::Sections::read(&facts, stored).expect("hashes agree");
        assert_eq!(sections.take(SectionKind::Kept), Err(expected.to_owned()));
    };
    let bomb = zstd::bulk::compress(&vec![0; 1 << 20], 1).expect("compressed");
    check(1 << 19, &bomb, "the section `kept` of a block cannot be decompressed");
    check(1 << 21, &bomb, "the section `kept` of a block has another length than its header says");
    check(u64::MAX, &bomb, "the section `kept` of a block is too long");
    check(1 << 30, &bomb, "the section `kept` of a block has another length than its header says");
    check(10, b"no zstd", "the section `kept` of a block cannot be decompressed");
}

#[test]
fn a_block_is_small() {
    let events: Vec<(u32, Event)> = (0..1000u32)
        .map(|index| {
            let id = u128::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);
            let event = Event {
                source: "api".to_owned(),
                id: format!("{id:032x}"),
                event_type: "call".to_owned(),
                account: format!("org-{}", index % 50),
                occurred_at: Instant(1_785_542_400_000_000_000 + i64::from(index) * 1_000_000),
                properties: Value::Object(vec![("quantity".to_owned(), Value::Number("1".to_owned()))]),
            };
            (index, event)
        })
        .collect();
    let rows = Accepted::of_events(events.iter().map(|(index, event)| (*index, event)));
    let key = CounterKey { feed: "f".to_owned(), source: None, fate: "accepted", code: None };
    let draft = BlockDraft {
        records: 1000,
        known_at: 1,
        known_hash: Hash::ZERO,
        received_at: Instant(0),
        counters: vec![Counter { key, records: 1000, units: Sum::ZERO }],
        first_sight: Vec::new(),
        accepted: rows,
        kept: Vec::new(),
    };
    let (record, _) = encode(PLACE, &draft).expect("encoded");
    // 16 bytes of id, 24 of keys, and the rest.
    assert!(record.len() < 1000 * 48, "{} bytes for 1000 events", record.len());
}
