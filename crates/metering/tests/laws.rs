//! Laws of counting: what must not matter does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::{BTreeMap, HashMap};

use common::{AUGUST, count, keys, only, sum};
use metering::{
    Cell, CellKey, Digest, Event, Fate, Identity, Instant, Meter, PayloadHash, Probe, Value, aggregate,
    fingerprint, identity, probe,
};
use money::Quantity;
use proptest::prelude::*;

/// Exact equality of two decimals, by their digits and exponent.
#[derive(Debug, Clone)]
struct Spelled {
    digits: String,
    exponent: i32,
    zeros_before: usize,
    zeros_after: usize,
    shift: i32,
    letter: char,
    plus: bool,
}

impl Spelled {
    /// Digits × 10^exponent, with the point moved and zeros added that say nothing.
    fn text(&self) -> String {
        let fraction = format!("{}{}", self.digits, "0".repeat(self.zeros_after));
        let moved = self.exponent + i32::try_from(self.digits.len()).unwrap() + self.shift;
        let sign = if self.plus && moved >= 0 { "+" } else { "" };
        let zeros = "0".repeat(usize::try_from(self.shift).unwrap());
        format!(
            "0.{zeros}{fraction}{}{sign}{}{moved}",
            self.letter,
            "0".repeat(if moved < 0 { 0 } else { self.zeros_before })
        )
    }
}

fn spellings() -> impl Strategy<Value = Spelled> {
    let letter = prop_oneof![Just('e'), Just('E')];
    ("[1-9][0-9]{0,30}", -60..60_i32, 0..3_usize, 0..4_usize, 0..5_i32, letter, any::<bool>()).prop_map(
        |(digits, exponent, zeros_before, zeros_after, shift, letter, plus)| Spelled {
            digits,
            exponent,
            zeros_before,
            zeros_after,
            shift,
            letter,
            plus,
        },
    )
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-?[0-9]{1,3}".prop_filter_map("a number", |text| Value::number(&text).ok()),
        "\\PC{0,6}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::btree_map("[a-cé]{0,2}", inner, 0..4)
                .prop_map(|members| Value::object(members.into_iter().collect()).unwrap()),
        ]
    })
}

/// The same value with members in another order.
fn shuffled(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(shuffled).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(key, value)| (key.clone(), shuffled(value))).collect())
        }
        other => other.clone(),
    }
}

fn events() -> impl Strategy<Value = Event> {
    let quantity = prop_oneof![
        6 => (0..1_000_000_u32, 0..6_u32).prop_map(|(digits, scale)| format!("{digits}e-{scale}")),
        1 => Just("1e400".to_owned()),
        1 => Just("-3".to_owned()),
    ];
    let property =
        prop_oneof![9 => quantity.prop_map(|text| Value::number(&text).unwrap()), 1 => Just(Value::Null)];
    ("[ab]", "[0-9]", "request|call", "x|y", 0..4_000_i64, property, "eu|us").prop_map(
        |(source, id, event_type, account, seconds, quantity, region)| Event {
            source,
            id,
            event_type,
            account,
            occurred_at: Instant(AUGUST.0 + seconds * 1_000_000_000),
            properties: Value::object(vec![
                ("quantity".to_owned(), quantity),
                ("region".to_owned(), Value::Text(region)),
            ])
            .unwrap(),
        },
    )
}

fn meters() -> Vec<Meter> {
    let mut both = count("both");
    both.event_types.push("call".to_owned());
    both.dimensions.push("region".to_owned());
    let mut signed = sum("units");
    signed.version = 2;
    signed.allow_negative = true;
    let eu = Meter { filter: vec![only("region", &["eu"])], ..sum("eu") };
    vec![both, sum("units"), signed, eu]
}

type Cells = BTreeMap<CellKey, Cell>;

fn merge(into: &mut Cells, key: CellKey, cell: &Cell) {
    into.entry(key).or_insert(Cell::ZERO).merge(cell);
}

/// Accepts each new event once, as the engine does, and keeps the cells of the batch.
fn take(batch: &[Event], index: &mut HashMap<Identity, PayloadHash>, fates: &mut Vec<Fate>) -> Cells {
    let mut cells = Cells::new();
    for event in batch {
        let print = fingerprint(&keys(), "t", event);
        let (identity, payload, digest) = (print.identity, print.payload(), print.digest);
        fates.push(match probe(index.get(&identity).copied(), payload) {
            Probe::Duplicate => Fate::Duplicate,
            Probe::Conflict => Fate::Conflict,
            Probe::New => {
                index.insert(identity, payload);
                aggregate(event, digest, &meters(), &mut |key, cell| merge(&mut cells, key.clone(), cell));
                Fate::Accepted
            }
        });
    }
    cells
}

fn run(events: &[Event], batch: usize) -> (Cells, usize) {
    let (mut all, mut index, mut fates) = (Cells::new(), HashMap::new(), Vec::new());
    for batch in events.chunks(batch) {
        take(batch, &mut index, &mut fates).into_iter().for_each(|(key, cell)| merge(&mut all, key, &cell));
    }
    assert_eq!(fates.len(), events.len());
    (all, fates.iter().filter(|fate| **fate == Fate::Accepted).count())
}

/// One event an identity, so that no conflict makes the order matter.
fn without_conflicts(events: Vec<Event>) -> Vec<Event> {
    let mut first: BTreeMap<(String, String), Event> = BTreeMap::new();
    for event in events {
        first.entry((event.source.clone(), event.id.clone())).or_insert(event);
    }
    first.into_values().collect()
}

fn digest_of(events: &[Event]) -> Digest {
    events.iter().fold(Digest::ZERO, |sum, event| sum.add(fingerprint(&keys(), "t", event).digest))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn order_duplication_and_batching_do_not_matter(
        drafts in proptest::collection::vec(events(), 1..40),
        repeats in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        seed in any::<u64>(), batch in 1..9_usize,
    ) {
        let events = without_conflicts(drafts);
        let (expected, accepted) = run(&events, events.len());
        prop_assert_eq!(accepted, events.len());
        let mut mixed = events.clone();
        mixed.extend(repeats.iter().map(|at| at.get(&events).clone()));
        mixed.sort_by_key(|event| fingerprint(&keys(), &seed.to_string(), event).digest);
        prop_assert_eq!(run(&mixed, batch), (expected.clone(), accepted));
        let base: u64 = expected.iter().filter(|(key, _)| key.meter.is_none()).map(|(_, cell)| cell.records).sum();
        prop_assert_eq!(usize::try_from(base).unwrap(), accepted);
        for (key, cell) in &expected {
            let derived = meters().iter().any(|meter| {
                key.meter == Some((meter.name.clone(), meter.version)) && meter.derivation().is_some()
            });
            if derived {
                prop_assert!(cell.records == 0 && cell.digest == Digest::ZERO && cell.unmeasured > 0);
            } else {
                prop_assert!(cell.unmeasured <= cell.records && cell.records > 0);
            }
            prop_assert_eq!(key.start.0.rem_euclid(metering::CELL_NS), 0);
        }
    }

    #[test]
    fn stored_and_derived_cells_together_are_the_cells_of_each_event(
        events in proptest::collection::vec(events(), 0..40),
    ) {
        let counts = |name: &str| Meter { event_types: vec!["request".to_owned(), "call".to_owned()], ..count(name) };
        let meters: Vec<Meter> = meters().into_iter().chain([counts("n")]).collect();
        let (mut stored, mut whole) = (Cells::new(), Cells::new());
        for (event, number) in events.iter().zip(1..) {
            let digest = Digest(number << 100 | number);
            aggregate(event, digest, &meters, &mut |key, cell| merge(&mut stored, key.clone(), cell));
            for (key, cell) in meters.iter().filter_map(|meter| metering::meter_cell(event, digest, meter)) {
                merge(&mut whole, key, &cell);
            }
        }
        let base: Vec<_> = stored.extract_if(.., |key, _| key.meter.is_none()).collect();
        for meter in &meters {
            let Some(derivation) = meter.derivation() else { continue };
            for (key, cell) in base.iter().filter(|(key, _)| meter.names(&key.event_type)) {
                let key = CellKey { meter: Some((meter.name.clone(), meter.version)), ..key.clone() };
                merge(&mut stored, key, &derivation.cell(cell));
            }
        }
        prop_assert_eq!(stored, whole);
    }

    #[test]
    fn accepted_is_the_first_of_each_identity(events in proptest::collection::vec(events(), 0..60)) {
        let (cells, accepted) = run(&events, 7);
        let kept = without_conflicts(events);
        prop_assert_eq!(accepted, kept.len());
        let of_base = cells.iter().filter(|(key, _)| key.meter.is_none());
        let digest = of_base.fold(Digest::ZERO, |sum, (_, cell)| sum.add(cell.digest));
        prop_assert_eq!(digest, digest_of(&kept));
    }

    #[test]
    fn digests_forget_order_and_can_be_subtracted(events in proptest::collection::vec(events(), 0..20), cut in 0..20_usize) {
        let (left, right) = events.split_at(cut.min(events.len()));
        let mut turned = events.clone();
        turned.reverse();
        let whole = digest_of(&events);
        prop_assert_eq!(digest_of(&turned), whole);
        prop_assert_eq!(digest_of(left).add(digest_of(right)), whole);
        prop_assert_eq!(whole.subtract(digest_of(right)), digest_of(left));
        prop_assert_eq!(Digest::parse(&whole.to_string()), Ok(whole));
        prop_assert!(events.is_empty() || whole != Digest::ZERO);
    }

    #[test]
    fn identity_ignores_time_and_content(event in events(), other in events()) {
        let print = |event: &Event| fingerprint(&keys(), "t", event);
        let moved = Event { id: event.id.clone(), source: event.source.clone(), ..other };
        prop_assert_eq!(print(&event).identity, print(&moved).identity);
        let same_content = event == moved;
        prop_assert_eq!(print(&event).payload() == print(&moved).payload(), same_content);
        prop_assert_eq!(print(&event).digest == print(&moved).digest, same_content);
    }

    #[test]
    fn identity_tells_fields_apart(joined in "[a-c]{2,8}", one in 0..8_usize, two in 0..8_usize) {
        let at = |cut: usize| joined.split_at(cut.min(joined.len()));
        let of = |(source, id): (&str, &str)| identity(&keys(), "t", source, id);
        prop_assert_eq!(of(at(one)) == of(at(two)), at(one) == at(two));
    }

    #[test]
    fn canonical_form_ignores_member_order(value in values()) {
        let mixed = shuffled(&value);
        prop_assert_eq!(mixed.clone().into_canonical(), Ok(value.clone()));
        prop_assert_eq!(mixed.into_canonical().unwrap().to_canonical_json(), value.to_canonical_json());
        prop_assert_eq!(value.canonical_bytes(), value.to_canonical_json().len());
    }

    #[test]
    fn canonical_form_tells_values_apart(one in values(), two in values()) {
        prop_assert_eq!(one.to_canonical_json() == two.to_canonical_json(), one == two);
    }

    #[test]
    fn canonical_numbers_ignore_spelling(number in spellings()) {
        let plain = Value::number(&format!("{}e{}", number.digits, number.exponent)).unwrap();
        prop_assert_eq!(Value::number(&number.text()), Ok(plain.clone()), "{}", number.text());
        prop_assert_eq!(Value::number(&plain.to_canonical_json()), Ok(plain.clone()));
        // What a quantity makes of both is the same, error included.
        prop_assert_eq!(Quantity::parse(&number.text()).ok(), Quantity::parse(&plain.to_canonical_json()).ok());
        let next = Value::number(&format!("{}1e{}", number.digits, number.exponent - 1)).unwrap();
        prop_assert_ne!(plain, next);
    }

    #[test]
    fn canonical_numbers_of_plain_decimals_are_what_a_quantity_writes(pico in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
        let quantity = Quantity::from_pico(pico).unwrap();
        prop_assert_eq!(Value::number(&quantity.to_string()), Ok(Value::Number(quantity.to_string())));
    }
}
