//! The form of an event: every refusal, their order, and what becomes canonical.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{AUGUST, draft, event, number, object, text};
use metering::{Code, DEPTH_MAX, Draft, NAME_BYTES_MAX, PROPERTIES_BYTES_MAX, Value, check_form};

fn check(change: impl FnOnce(&mut Draft), expect: Code) -> String {
    let mut draft = draft();
    change(&mut draft);
    let rejection = check_form(draft).unwrap_err();
    assert_eq!(rejection.code, expect, "{rejection}");
    rejection.message
}

#[test]
fn a_whole_draft_is_an_event() {
    let event = check_form(draft()).unwrap();
    assert_eq!(event, self::event(&[("quantity", number("1"))]));
    assert_eq!(event.occurred_at, AUGUST);
}

#[test]
fn nothing_missing_is_made_up() {
    check(|draft| draft.id = None, Code::MissingId);
    check(|draft| draft.id = Some(String::new()), Code::MissingId);
    check(|draft| draft.source = None, Code::MissingSource);
    check(|draft| draft.source = Some(String::new()), Code::MissingSource);
    check(|draft| draft.event_type = None, Code::MissingType);
    check(|draft| draft.event_type = Some(String::new()), Code::MissingType);
    check(|draft| draft.account = None, Code::MissingAccount);
    check(|draft| draft.account = Some(String::new()), Code::MissingAccount);
    check(|draft| draft.occurred_at = None, Code::MissingTime);
    check(|draft| draft.occurred_at = Some(String::new()), Code::MissingTime);
    check(|draft| draft.occurred_at = Some("yesterday".to_owned()), Code::TimeUnparseable);
    check(|draft| draft.properties = Value::Null, Code::NotAnObject);
    check(|draft| draft.properties = Value::List(Vec::new()), Code::NotAnObject);
}

#[test]
fn the_first_problem_is_told() {
    let mut worst = draft();
    worst.properties = Value::Null;
    let mut expected = vec![Code::NotAnObject];
    type Step = (fn(&mut Draft), Code);
    let steps: [Step; 5] = [
        (|draft| draft.occurred_at = None, Code::MissingTime),
        (|draft| draft.account = None, Code::MissingAccount),
        (|draft| draft.event_type = None, Code::MissingType),
        (|draft| draft.source = Some("s".repeat(257)), Code::FieldTooLong),
        (|draft| draft.id = None, Code::MissingId),
    ];
    let mut found = vec![check_form(worst.clone()).unwrap_err().code];
    for (change, code) in steps {
        change(&mut worst);
        expected.push(code);
        found.push(check_form(worst.clone()).unwrap_err().code);
    }
    assert_eq!(found, expected);
}

#[test]
fn names_have_a_limit_in_bytes() {
    let fields: [fn(&mut Draft) -> &mut Option<String>; 4] = [
        |draft| &mut draft.id,
        |draft| &mut draft.source,
        |draft| &mut draft.event_type,
        |draft| &mut draft.account,
    ];
    for field in fields {
        for (name, fits) in [
            ("a".repeat(256), true),
            ("a".repeat(257), false),
            ("é".repeat(128), true),
            ("é".repeat(129), false),
        ] {
            let mut draft = draft();
            *field(&mut draft) = Some(name.clone());
            match check_form(draft) {
                Ok(_) => assert!(fits, "{name}"),
                Err(rejection) => {
                    assert!(!fits, "{rejection}");
                    assert_eq!(rejection.code, Code::FieldTooLong);
                }
            }
        }
    }
    assert_eq!(NAME_BYTES_MAX, 256);
    let message = check(|draft| draft.id = Some("x".repeat(300)), Code::FieldTooLong);
    assert_eq!(message, format!("expected an id of at most 256 bytes, found 300: `{}…`", "x".repeat(64)));
}

#[test]
fn properties_have_a_limit_in_canonical_bytes() {
    // {"p":"…"} is 8 bytes longer than its text.
    let fits = object(&[("p", text(&"x".repeat(PROPERTIES_BYTES_MAX - 8)))]);
    assert_eq!(fits.to_canonical_json().len(), PROPERTIES_BYTES_MAX);
    let mut draft = draft();
    draft.properties = fits;
    assert!(check_form(draft).is_ok());
    check(
        |draft| draft.properties = object(&[("p", text(&"x".repeat(PROPERTIES_BYTES_MAX - 7)))]),
        Code::FieldTooLong,
    );
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(object(&[]), |inner, level| {
        if level % 2 == 0 { object(&[("a", inner)]) } else { object(&[("l", Value::List(vec![inner]))]) }
    })
}

#[test]
fn properties_have_a_limit_in_depth() {
    let list = |levels: usize| (1..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let mut draft = draft();
    draft.properties = object(&[("deep", list(DEPTH_MAX))]);
    assert!(check_form(draft).is_ok());
    check(|draft| draft.properties = object(&[("deep", list(DEPTH_MAX + 1))]), Code::TooDeep);
    check(|draft| draft.properties = nested(40), Code::TooDeep);
}

#[test]
fn properties_become_canonical() {
    let mut draft = draft();
    let loose = |key: &str, text: &str| (key.to_owned(), Value::Number(text.to_owned()));
    draft.properties = Value::Object(vec![loose("b", "1.50"), loose("a", "1e2"), loose("é", "-0")]);
    assert_eq!(check_form(draft).unwrap().properties.to_canonical_json(), r#"{"a":100,"b":1.5,"é":0}"#);
    let twice = || Value::Object(vec![loose("a", "1"), loose("b", "1"), loose("a", "1")]);
    check(|draft| draft.properties = twice(), Code::DuplicateKey);
    check(
        |draft| draft.properties = Value::Object(vec![("l".to_owned(), Value::List(vec![twice()]))]),
        Code::DuplicateKey,
    );
    check(|draft| draft.properties = Value::Object(vec![loose("a", "NaN")]), Code::JsonSyntax);
    check(
        |draft| draft.properties = Value::Object(vec![loose("a", "1e9999999999999999")]),
        Code::QuantityOutOfRange,
    );
}

#[test]
fn canonical_strings() {
    let check = |value: &str, expect: &str| assert_eq!(text(value).to_canonical_json(), expect);
    check("", r#""""#);
    check("plain é 😀 \u{2028}/", "\"plain é 😀 \u{2028}/\"");
    check("a\"b\\c", r#""a\"b\\c""#);
    check("\u{8}\t\n\u{c}\r", r#""\b\t\n\f\r""#);
    check("\u{0}\u{1f}\u{7f}", "\"\\u0000\\u001f\u{7f}\"");
    // One letter written two ways stays two strings: nothing is normalised.
    assert_ne!(text("\u{e9}").to_canonical_json(), text("e\u{301}").to_canonical_json());
    let value =
        Value::List(vec![Value::Null, Value::Bool(true), Value::Bool(false), number("1"), object(&[])]);
    assert_eq!(value.to_canonical_json(), "[null,true,false,1,{}]");
    // UTF-8 order, where UTF-16 order would put the emoji first.
    assert_eq!(
        object(&[("😀", Value::Null), ("\u{ff5e}", Value::Null)]).to_canonical_json(),
        "{\"\u{ff5e}\":null,\"😀\":null}"
    );
}
