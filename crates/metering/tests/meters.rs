//! What meters measure, what rules refuse, which cells an event makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{AUGUST, count, event, number, object, only, sum, text};
use metering::{
    Aggregation, CELL_NS, Cell, CellKey, Code, Derivation, Digest, Event, Instant, Meter, Rules, Value,
    aggregate, base_units, meter_cell,
};
use money::{Quantity, Sum};

fn measured(meter: &Meter, event: &Event) -> Result<Option<String>, Code> {
    let measure = meter.measure(event).map_err(|rejection| rejection.code)?;
    Ok(measure.map(|measure| measure.value.to_string()))
}

#[test]
fn a_sum_reads_only_exact_numbers() {
    let check = |value: Option<Value>, expect: Result<&str, Code>| {
        let members: Vec<(&str, Value)> = value.iter().map(|value| ("quantity", value.clone())).collect();
        let expect = expect.map(|text| Some(text.to_owned()));
        assert_eq!(measured(&sum("m"), &event(&members)), expect, "{value:?}");
    };
    check(Some(number("1.5")), Ok("1.5"));
    check(Some(number("0")), Ok("0"));
    check(Some(number("-0")), Ok("0"));
    check(Some(number("1e20")), Ok("100000000000000000000"));
    check(Some(number("0.000000000001")), Ok("0.000000000001"));
    check(None, Err(Code::QuantityMissing));
    check(Some(Value::Null), Err(Code::QuantityMissing));
    check(Some(text("1")), Err(Code::QuantityNotANumber));
    check(Some(text("NaN")), Err(Code::QuantityNotANumber));
    check(Some(Value::Bool(true)), Err(Code::QuantityNotANumber));
    check(Some(Value::List(vec![number("1")])), Err(Code::QuantityNotANumber));
    check(Some(object(&[("quantity", number("1"))])), Err(Code::QuantityNotANumber));
    check(Some(number("100000000000000000000.000000000001")), Err(Code::QuantityOutOfRange));
    check(Some(number("1e400")), Err(Code::QuantityOutOfRange));
    check(Some(number("-1e400")), Err(Code::QuantityOutOfRange));
    check(Some(number("1e-13")), Err(Code::QuantityTooPrecise));
    check(Some(number("1e-400")), Err(Code::QuantityTooPrecise));
    check(Some(number("-0.5")), Err(Code::QuantityNegative));
}

#[test]
fn messages_name_the_meter_and_the_property() {
    let message = |value: Value| sum("bytes").measure(&event(&[("quantity", value)])).unwrap_err().message;
    assert_eq!(message(text("7")), "expected a number, found \"7\" for the sum of meter bytes in `quantity`");
    assert_eq!(
        message(number("1e400")),
        "expected a quantity from -10^20 to 10^20, found 1e400 for the sum of meter bytes in `quantity`"
    );
    assert!(message(text(&"x".repeat(60_000))).len() < 200);
}

#[test]
fn a_signed_meter_takes_negative_quantities() {
    let signed = Meter { allow_negative: true, ..sum("m") };
    assert_eq!(measured(&signed, &event(&[("quantity", number("-2.5"))])), Ok(Some("-2.5".to_owned())));
}

#[test]
fn a_sum_reads_a_dotted_path() {
    let meter = Meter { aggregation: Aggregation::Sum { property: "tokens.input".to_owned() }, ..sum("m") };
    let found = measured(&meter, &event(&[("tokens", object(&[("input", number("12"))]))]));
    assert_eq!(found, Ok(Some("12".to_owned())));
}

#[test]
fn a_count_is_one_whatever_the_properties() {
    assert_eq!(measured(&count("m"), &event(&[])), Ok(Some("1".to_owned())));
    assert_eq!(measured(&count("m"), &event(&[("quantity", text("x"))])), Ok(Some("1".to_owned())));
}

#[test]
fn filters_compare_text() {
    let check = |condition: &[&str], value: Option<Value>, expect: bool| {
        let meter = Meter { filter: vec![only("outcome", condition)], ..count("m") };
        let members: Vec<(&str, Value)> = value.iter().map(|value| ("outcome", value.clone())).collect();
        assert_eq!(meter.counts(&event(&members)), expect, "{condition:?} {value:?}");
    };
    check(&["accepted"], Some(text("accepted")), true);
    check(&["accepted"], Some(text("Accepted")), false);
    check(&["accepted", "filtered"], Some(text("filtered")), true);
    check(&["accepted"], None, false);
    check(&["accepted", "null", ""], Some(Value::Null), false);
    check(&[], Some(text("accepted")), false);
    check(&["1.5"], Some(number("1.50")), true);
    check(&["1.50"], Some(number("1.50")), false);
    check(&["100"], Some(number("1e2")), true);
    check(&["true"], Some(Value::Bool(true)), true);
    check(&["false"], Some(Value::Bool(true)), false);
    check(&["[1]"], Some(Value::List(vec![number("1.0")])), true);
}

#[test]
fn every_condition_must_hold_and_a_filtered_event_needs_no_quantity() {
    let meter = Meter { filter: vec![only("a", &["1"]), only("b", &["2"])], ..sum("m") };
    let both = event(&[("a", number("1")), ("b", number("2"))]);
    let one = event(&[("a", number("1")), ("b", number("3"))]);
    assert_eq!(measured(&meter, &both), Err(Code::QuantityMissing));
    assert_eq!(measured(&meter, &one), Ok(None));
    let other_type = Event { event_type: "Request".to_owned(), ..both };
    assert_eq!(measured(&meter, &other_type), Ok(None));
}

#[test]
fn dimensions_keep_absent_apart_from_empty() {
    let dimensions = ["region", "size", "paid", "tags", "gone", "null"].map(str::to_owned).to_vec();
    let meter = Meter { dimensions, ..count("m") };
    let members = [
        ("region", text("")),
        ("size", number("2.0")),
        ("paid", Value::Bool(false)),
        ("tags", Value::List(vec![text("a")])),
        ("null", Value::Null),
    ];
    let measure = meter.measure(&event(&members)).unwrap().unwrap();
    let found: Vec<Option<&str>> = measure.dimensions.iter().map(Option::as_deref).collect();
    assert_eq!(found, [Some(""), Some("2"), Some("false"), Some("[\"a\"]"), None, None]);
}

const LIMIT_NS: i64 = 300_000_000_000;

fn refusal(meters: &[Meter], first_sight: bool, event: &Event) -> Option<Code> {
    let known_account = |account: &str| account == "acme";
    let rules = Rules { meters, first_sight, known_account: &known_account, future_limit_ns: LIMIT_NS };
    rules.check(event, AUGUST).err().map(|rejection| rejection.code)
}

#[test]
fn rules_are_checked_in_order() {
    let mut wrong = event(&[]);
    wrong.occurred_at = Instant(AUGUST.0 + LIMIT_NS + 1);
    wrong.event_type = "unknown".to_owned();
    wrong.account = "unknown".to_owned();
    assert_eq!(refusal(&[sum("m")], false, &wrong), Some(Code::TimeInFuture));
    wrong.occurred_at = Instant(AUGUST.0 + LIMIT_NS);
    assert_eq!(refusal(&[sum("m")], false, &wrong), Some(Code::UnknownType));
    wrong.event_type = "request".to_owned();
    assert_eq!(refusal(&[sum("m")], false, &wrong), Some(Code::UnknownAccount));
    assert_eq!(refusal(&[sum("m")], true, &wrong), Some(Code::QuantityMissing));
    wrong.account = "acme".to_owned();
    assert_eq!(refusal(&[sum("m")], false, &wrong), Some(Code::QuantityMissing));
    wrong.properties = object(&[("quantity", number("3"))]);
    assert_eq!(refusal(&[sum("m")], false, &wrong), None);
}

#[test]
fn of_several_refusals_the_first_meter_by_name_tells() {
    let other = Meter { aggregation: Aggregation::Sum { property: "bytes".to_owned() }, ..sum("a") };
    let event = event(&[("bytes", text("many")), ("quantity", number("-1"))]);
    assert_eq!(refusal(&[sum("b"), other.clone()], false, &event), Some(Code::QuantityNotANumber));
    assert_eq!(refusal(&[other, sum("b")], false, &event), Some(Code::QuantityNotANumber));
}

#[test]
fn an_event_that_no_filter_lets_through_is_no_problem() {
    let meter = Meter { filter: vec![only("outcome", &["accepted"])], ..sum("m") };
    assert_eq!(refusal(&[meter], false, &event(&[])), None);
}

#[test]
fn the_version_at_the_time_of_use_decides() {
    let later = Instant(AUGUST.0 - 10);
    let old = Meter { effective_at: Instant(AUGUST.0 - 100), ..sum("m") };
    let new = Meter { version: 2, recorded_at: 5, effective_at: later, ..count("m") };
    let at =
        |ns: i64, members: &[(&str, Value)]| Event { occurred_at: Instant(AUGUST.0 + ns), ..event(members) };
    let meters = [new.clone(), old.clone()];
    assert_eq!(refusal(&meters, false, &at(-101, &[])), Some(Code::UnknownType));
    assert_eq!(refusal(&meters, false, &at(-100, &[])), Some(Code::QuantityMissing));
    assert_eq!(refusal(&meters, false, &at(-11, &[])), Some(Code::QuantityMissing));
    assert_eq!(refusal(&meters, false, &at(-10, &[])), None);
    // A version that names other types takes the type away from then on.
    let renamed = Meter { event_types: vec!["call".to_owned()], ..new.clone() };
    assert_eq!(refusal(&[old.clone(), renamed], false, &at(-10, &[])), Some(Code::UnknownType));
    // Of two from the same moment, the one recorded later; then the greater version.
    let again = Meter { version: 3, recorded_at: 6, ..Meter { effective_at: later, ..sum("m") } };
    assert_eq!(
        refusal(&[again.clone(), new.clone(), old.clone()], false, &at(0, &[])),
        Some(Code::QuantityMissing)
    );
    let same_row = Meter { recorded_at: 5, ..again };
    assert_eq!(refusal(&[same_row, new, old], false, &at(0, &[])), Some(Code::QuantityMissing));
}

fn cells(meters: &[Meter], event: &Event) -> Vec<(CellKey, Cell)> {
    let mut cells = Vec::new();
    aggregate(event, Digest(5), meters, &mut |key, cell| cells.push((key.clone(), cell.clone())));
    cells
}

fn units(text: &str) -> Sum {
    Sum::ZERO.add(Quantity::parse(text).unwrap())
}

#[test]
fn an_event_makes_a_base_cell_and_one_a_version() {
    let first = Meter { dimensions: vec!["region".to_owned()], ..sum("m") };
    let condition = only("region", &["eu"]);
    let second =
        Meter { version: 2, effective_at: Instant(AUGUST.0 + 1), filter: vec![condition], ..count("m") };
    let filtered = Meter { filter: vec![only("region", &["us"])], ..count("us") };
    let event = Event {
        occurred_at: Instant(AUGUST.0 + CELL_NS + 1),
        ..event(&[("quantity", number("2.5")), ("region", text("eu"))])
    };
    let found = cells(&[first, second, filtered], &event);
    let base = CellKey {
        meter: None,
        account: "acme".to_owned(),
        event_type: "request".to_owned(),
        source: "api".to_owned(),
        dimensions: Vec::new(),
        start: Instant(AUGUST.0 + CELL_NS),
    };
    let cell = |units: Sum| Cell { records: 1, units, unmeasured: 0, digest: Digest(5) };
    let summed =
        CellKey { meter: Some(("m".to_owned(), 1)), dimensions: vec![Some("eu".to_owned())], ..base.clone() };
    let counted = CellKey { meter: Some(("m".to_owned(), 2)), ..base.clone() };
    let expect = [(base, cell(units("2.5"))), (summed, cell(units("2.5"))), (counted, cell(units("1")))];
    assert_eq!(found, expect);
}

#[test]
fn what_a_later_version_cannot_read_is_unmeasured() {
    let eu = Meter { dimensions: vec!["region".to_owned()], ..sum("m") };
    let found = cells(&[eu], &event(&[("quantity", text("7")), ("other", number("1"))]));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1, Cell { records: 1, units: Sum::ZERO, unmeasured: 0, digest: Digest(5) });
    assert_eq!(found[1].1, Cell { records: 1, units: Sum::ZERO, unmeasured: 1, digest: Digest(5) });
}

#[test]
fn a_derived_meter_stores_only_what_its_base_cell_gets_wrong() {
    let check = |meter: &Meter, members: &[(&str, Value)], expect: Option<&str>| {
        let event = event(members);
        let found = cells(std::slice::from_ref(meter), &event);
        let whole = meter_cell(&event, Digest(5), meter).expect("it counts").1;
        let mut derived = meter.derivation().expect("it is derived").cell(&found[0].1);
        let difference = found.get(1).map(|(key, cell)| {
            assert_eq!(key.meter, Some(("m".to_owned(), 1)));
            derived.merge(cell);
            cell.clone()
        });
        let expect =
            expect.map(|text| Cell { records: 0, units: units(text), unmeasured: 1, digest: Digest::ZERO });
        assert_eq!((difference, derived), (expect, whole));
    };
    let signed = Meter { allow_negative: true, ..sum("m") };
    for meter in [sum("m"), signed.clone()] {
        check(&meter, &[("quantity", number("2.5"))], None);
        check(&meter, &[("quantity", number("0"))], None);
        check(&meter, &[("quantity", number("1e400"))], Some("0"));
        check(&meter, &[("quantity", text("7"))], Some("0"));
        check(&meter, &[], Some("0"));
    }
    check(&sum("m"), &[("quantity", number("-2.5"))], Some("2.5"));
    check(&signed, &[("quantity", number("-2.5"))], None);
    check(&count("m"), &[("quantity", number("-2.5"))], None);
    check(&count("m"), &[], None);
}

#[test]
fn only_plain_meters_are_derived() {
    let filtered = Meter { filter: vec![only("region", &["us"])], ..count("m") };
    let by_region = Meter { dimensions: vec!["region".to_owned()], ..sum("m") };
    let other = Meter { aggregation: Aggregation::Sum { property: "bytes".to_owned() }, ..sum("m") };
    assert_eq!(count("m").derivation(), Some(Derivation::Records));
    assert_eq!(sum("m").derivation(), Some(Derivation::Units));
    assert_eq!([filtered, by_region, other].map(|meter| meter.derivation()), [None; 3]);
}

#[test]
fn base_units_are_the_quantity_where_there_is_one() {
    let check =
        |members: &[(&str, Value)], expect: &str| assert_eq!(base_units(&event(members)), units(expect));
    check(&[("quantity", number("2.5"))], "2.5");
    check(&[("quantity", number("-2.5"))], "-2.5");
    check(&[("quantity", number("1e400"))], "0");
    check(&[("quantity", text("1"))], "0");
    check(&[("amount", number("1"))], "0");
}
