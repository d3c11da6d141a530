//! Sentry outcomes: every shape that producers write, and what must never be made up.
#![allow(missing_docs)]

use std::path::Path;

use connectors::{Decoder, Feed, RawRecord, SENTRY_CATEGORIES, SENTRY_OUTCOMES, decode_kept};
use metering::{Draft, Event, check_form};

fn feed() -> Feed {
    Feed { name: "outcomes".to_owned(), source: "outcomes.ndjson".to_owned() }
}

fn decode(line: &str) -> Result<Draft, String> {
    let record = RawRecord::new(12, line.as_bytes().to_vec());
    Decoder::sentry_outcomes().decode(&feed(), &record).map_err(|refused| refused.to_string())
}

fn event(line: &str) -> Event {
    check_form(decode(line).unwrap()).unwrap()
}

/// Source, id, type, account, time, properties.
#[track_caller]
fn check(line: &str, expect: [&str; 6]) {
    let event = event(line);
    let found = [
        event.source,
        event.id,
        event.event_type,
        event.account,
        event.occurred_at.to_string(),
        event.properties.to_canonical_json(),
    ];
    assert_eq!(found, expect);
}

#[test]
fn the_eight_shapes() {
    // Aggregated and rate limited, with a reason.
    check(
        r#"{"timestamp":"2026-09-01T10:00:00.000000Z","org_id":3,"project_id":5,"key_id":9,"outcome":2,"reason":"key_quota","source":"relay-a","category":1,"quantity":11}"#,
        [
            "outcomes.ndjson",
            "12",
            "error",
            "org-3",
            "2026-09-01T10:00:00Z",
            r#"{"category":"error","key_id":9,"outcome":"rate_limited","project":5,"quantity":11,"reason":"key_quota","source":"relay-a"}"#,
        ],
    );
    // Spike protection at an edge relay.
    check(
        r#"{"timestamp":"2026-09-01T10:01:00.000000Z","org_id":3,"project_id":5,"key_id":9,"outcome":2,"reason":"spike","source":"edge-eu","category":1,"quantity":640}"#,
        [
            "outcomes.ndjson",
            "12",
            "error",
            "org-3",
            "2026-09-01T10:01:00Z",
            r#"{"category":"error","key_id":9,"outcome":"rate_limited","project":5,"quantity":640,"reason":"spike","source":"edge-eu"}"#,
        ],
    );
    // Filtered by sampling rules.
    check(
        r#"{"timestamp":"2026-09-01T10:01:00.000000Z","org_id":3,"project_id":5,"key_id":9,"outcome":1,"reason":"Sampled:7,8","source":"relay-a","category":9,"quantity":1300}"#,
        [
            "outcomes.ndjson",
            "12",
            "transaction_indexed",
            "org-3",
            "2026-09-01T10:01:00Z",
            r#"{"category":"transaction_indexed","key_id":9,"outcome":"filtered","project":5,"quantity":1300,"reason":"Sampled:7,8","source":"relay-a"}"#,
        ],
    );
    // Dropped by a client, bytes of logs.
    check(
        r#"{"timestamp":"2026-09-01T10:01:00.000000Z","org_id":3,"project_id":5,"key_id":9,"outcome":5,"reason":"backoff","source":"relay-a","category":24,"quantity":77001}"#,
        [
            "outcomes.ndjson",
            "12",
            "log_byte",
            "org-3",
            "2026-09-01T10:01:00Z",
            r#"{"category":"log_byte","key_id":9,"outcome":"client_discard","project":5,"quantity":77001,"reason":"backoff","source":"relay-a"}"#,
        ],
    );
    // One event, accepted, with its id and a null reason.
    check(
        r#"{"timestamp":"2026-09-01T10:01:09.123456Z","org_id":3,"project_id":5,"key_id":9,"outcome":0,"reason":null,"event_id":"00112233445566778899aabbccddeeff","category":1,"quantity":1}"#,
        [
            "sentry:event_id",
            "00112233445566778899aabbccddeeff/error/accepted",
            "error",
            "org-3",
            "2026-09-01T10:01:09.123456Z",
            r#"{"category":"error","event_id":"00112233445566778899aabbccddeeff","key_id":9,"outcome":"accepted","project":5,"quantity":1}"#,
        ],
    );
    // Its attachment, in bytes, without a key.
    check(
        r#"{"timestamp":"2026-09-01T10:01:09.123456Z","org_id":3,"project_id":5,"key_id":null,"outcome":0,"reason":null,"event_id":"00112233445566778899aabbccddeeff","category":4,"quantity":4096}"#,
        [
            "sentry:event_id",
            "00112233445566778899aabbccddeeff/attachment/accepted",
            "attachment",
            "org-3",
            "2026-09-01T10:01:09.123456Z",
            r#"{"category":"attachment","event_id":"00112233445566778899aabbccddeeff","outcome":"accepted","project":5,"quantity":4096}"#,
        ],
    );
    // More than 2^32, and no reason at all.
    check(
        r#"{"timestamp":"2026-09-01T10:01:00.000000Z","org_id":3,"project_id":5,"key_id":0,"outcome":0,"category":24,"quantity":9876543210}"#,
        [
            "outcomes.ndjson",
            "12",
            "log_byte",
            "org-3",
            "2026-09-01T10:01:00Z",
            r#"{"category":"log_byte","key_id":0,"outcome":"accepted","project":5,"quantity":9876543210}"#,
        ],
    );
    // Spans, aggregated.
    check(
        r#"{"timestamp":"2026-09-01T10:01:00.000000Z","org_id":3,"project_id":5,"key_id":9,"outcome":0,"category":12,"quantity":250001}"#,
        [
            "outcomes.ndjson",
            "12",
            "span",
            "org-3",
            "2026-09-01T10:01:00Z",
            r#"{"category":"span","key_id":9,"outcome":"accepted","project":5,"quantity":250001}"#,
        ],
    );
}

fn outcome(change: (&str, &str)) -> String {
    let text = r#"{"timestamp":"2026-09-01T10:00:00Z","org_id":3,"project_id":5,"outcome":0,"category":1,"quantity":2}"#;
    assert!(text.contains(change.0));
    text.replacen(change.0, change.1, 1)
}

#[test]
fn every_number_has_its_name() {
    for category in SENTRY_CATEGORIES {
        let line = outcome((r#""category":1"#, &format!(r#""category":{}"#, category.number)));
        assert_eq!(event(&line).event_type, category.name);
    }
    for (number, name) in SENTRY_OUTCOMES.iter().enumerate() {
        let line = outcome((r#""outcome":0"#, &format!(r#""outcome":{number}"#)));
        assert_eq!(event(&line).properties.get("outcome").unwrap().as_text().unwrap(), *name);
    }
}

#[test]
fn what_is_missing_is_never_made_up() {
    let code = |line: &str| match decode(line) {
        Err(told) => told.split(':').next().unwrap().to_owned(),
        Ok(draft) => match check_form(draft) {
            Err(rejection) => rejection.code.as_str().to_owned(),
            Ok(_) => "accepted".to_owned(),
        },
    };
    for (change, expect) in [
        ((r#","category":1"#, ""), "category_unknown"),
        ((r#""category":1"#, r#""category":null"#), "category_unknown"),
        ((r#""category":1"#, r#""category":-1"#), "category_unknown"),
        ((r#""category":1"#, r#""category":39"#), "category_unknown"),
        ((r#""category":1"#, r#""category":"error""#), "category_unknown"),
        ((r#""outcome":0,"#, ""), "outcome_unknown"),
        ((r#""outcome":0"#, r#""outcome":7"#), "outcome_unknown"),
        ((r#""outcome":0"#, r#""outcome":true"#), "outcome_unknown"),
        ((r#""org_id":3,"#, ""), "missing_account"),
        ((r#""org_id":3"#, r#""org_id":null"#), "missing_account"),
        ((r#""org_id":3"#, r#""org_id":"3""#), "missing_account"),
        ((r#""org_id":3"#, r#""org_id":-3"#), "missing_account"),
        ((r#""timestamp":"2026-09-01T10:00:00Z","#, ""), "missing_time"),
        ((r#""2026-09-01T10:00:00Z""#, "1788256800"), "time_unparseable"),
        ((r#""2026-09-01T10:00:00Z""#, r#""2026-09-01 10:00""#), "time_unparseable"),
        ((r#""project_id":5,"#, ""), "accepted"),
    ] {
        assert_eq!(code(&outcome(change)), expect, "{change:?}");
    }
    for change in [(r#","quantity":2"#, ""), ("2}", "null}")] {
        assert_eq!(event(&outcome(change)).properties.get("quantity"), None, "absent, not 0 and not 1");
    }
    assert_eq!(
        decode(&outcome((r#","category":1"#, ""))).unwrap_err(),
        "category_unknown: expected a category from 0 (default) to 38 (snapshot_image), found `none`"
    );
}

#[test]
fn times_have_0_to_9_digits() {
    for (digits, shown) in [("", ""), (".1", ".1"), (".123456", ".123456"), (".123456789", ".123456789")] {
        let line = outcome(("10:00:00Z", &format!("10:00:00{digits}Z")));
        assert_eq!(event(&line).occurred_at.to_string(), format!("2026-09-01T10:00:00{shown}Z"));
    }
}

#[test]
fn identity() {
    let plain = outcome(("", ""));
    let with_id = outcome((r#""org_id""#, r#""event_id":"AB","org_id""#));
    let envelope = |value: &str| {
        format!(
            r#"{{"topic":"outcomes-billing","partition":4,"offset":9007199254740993,"key":null,"value":{value}}}"#
        )
    };
    let identity = |line: &str| {
        let event = event(line);
        (event.source, event.id)
    };
    let pair = |source: &str, id: &str| (source.to_owned(), id.to_owned());
    assert_eq!(identity(&plain), pair("outcomes.ndjson", "12"));
    assert_eq!(identity(&with_id), pair("sentry:event_id", "AB/error/accepted"));
    assert_eq!(identity(&envelope(&plain)), pair("sentry:outcomes-billing/4", "9007199254740993"));
    assert_eq!(identity(&envelope(&with_id)), pair("sentry:outcomes-billing/4", "9007199254740993"));
    let place = format!(r#"{{"feed":"other.ndjson","line":7,"value":{plain}}}"#);
    assert_eq!(identity(&place), pair("other.ndjson", "7"));
    let place = format!(r#"{{"feed":"other.ndjson","line":7,"value":{with_id}}}"#);
    assert_eq!(identity(&place), pair("sentry:event_id", "AB/error/accepted"));
    let empty = outcome((r#""org_id""#, r#""event_id":"","org_id""#));
    assert_eq!(identity(&empty), pair("outcomes.ndjson", "12"));
    assert_eq!(event(&envelope(&plain)).properties, event(&plain).properties, "an envelope adds nothing");
}

#[test]
fn envelopes_that_are_not_whole() {
    let plain = outcome(("", ""));
    for (envelope, expect) in [
        (
            format!(r#"{{"topic":"t","partition":4,"value":{plain}}}"#),
            "missing_id: expected a whole number for offset in the envelope, found `nothing`",
        ),
        (
            format!(r#"{{"topic":"t","partition":"4","offset":1,"value":{plain}}}"#),
            "missing_id: expected a whole number for partition in the envelope, found `\"4\"`",
        ),
        (
            format!(r#"{{"topic":"","partition":4,"offset":1,"value":{plain}}}"#),
            "missing_id: expected a name for topic in the envelope, found `\"\"`",
        ),
        (
            format!(r#"{{"partition":4,"offset":-1,"topic":"t","value":{plain}}}"#),
            "missing_id: expected a whole number for offset in the envelope, found `-1`",
        ),
        (
            r#"{"topic":"t","partition":4,"offset":1,"value":"text"}"#.to_owned(),
            "not_an_object: expected a JSON object in the envelope's member `value`",
        ),
    ] {
        assert_eq!(decode(&envelope).unwrap_err(), expect);
    }
}

#[test]
fn other_members_are_kept_under_their_names() {
    let line = outcome((r#""org_id""#, r#""project":"shadow","zone":{"a":[1.50,null]},"x":null,"org_id""#));
    assert_eq!(
        event(&line).properties.to_canonical_json(),
        r#"{"category":"error","outcome":"accepted","project":5,"quantity":2,"sentry.project":"shadow","zone":{"a":[1.5,null]}}"#
    );
}

#[test]
fn an_address_is_never_kept() {
    let decoder = Decoder::sentry_outcomes();
    for line in [
        outcome((r#""org_id""#, r#""remote_addr":"192.0.2.7","org_id""#)),
        outcome((r#""org_id""#, r#""remote\u005faddr":"192.0.2.7","org_id""#)),
        outcome((r#""org_id""#, r#""more":[{"remote_addr":"192.0.2.7"}],"org_id""#)),
        format!(
            r#"{{"topic":"t","partition":1,"offset":2,"value":{}}}"#,
            outcome((r#""org_id""#, r#""remote_addr":"192.0.2.7","org_id""#))
        ),
        r#"{"remote_addr": "192.0.2.7", "broken"#.to_owned(),
        r#"{"broken": 1, "remote_addr": "192.0.2.7"#.to_owned(),
        r#"{"remote_addr":"192.0.2.7","remote_addr":"192.0.2.7"}"#.to_owned(),
    ] {
        let record = RawRecord::new(12, line.clone().into_bytes());
        if let Ok(draft) = decoder.decode(&feed(), &record) {
            assert!(!draft.properties.to_canonical_json().contains("192.0.2.7"), "{line}");
        }
        let (_, body) = decoder.kept_body(&feed(), &record);
        let kept = String::from_utf8(body).unwrap();
        assert!(!kept.contains("192.0.2.7"), "{line}: {kept}");
    }
}

#[test]
fn what_is_kept_has_its_identity_with_it() {
    let decoder = Decoder::sentry_outcomes();
    let record = RawRecord::new(12, outcome(("", "")).into_bytes());
    let (format, body) = decoder.kept_body(&feed(), &record);
    assert_eq!(format, "sentry-outcomes");
    assert!(String::from_utf8_lossy(&body).starts_with(r#"{"feed":"outcomes.ndjson","line":12,"value":{"#));
    assert_eq!(decode_kept(&format, &body), decoder.decode(&feed(), &record));
    let bare = decode_kept(&format, &record.bytes).unwrap_err();
    assert_eq!(bare.rejection.code.as_str(), "missing_id");
}

#[test]
fn the_producers_own_shapes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sentry_outcomes.ndjson");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: the sample messages are not beside the repository");
        return;
    };
    let types: Vec<String> = text.lines().map(|line| event(line).event_type).collect();
    assert_eq!(types.len(), 8);
    assert!(text.lines().all(|line| event(line).properties.get("quantity").is_some()));
}

#[test]
fn the_tables_are_the_published_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sentry_categories.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: the published tables are not beside the repository");
        return;
    };
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = facts["data_categories"].as_array().unwrap().iter().filter(|row| row["id"] != -1);
    let published: Vec<(u64, &str, &str)> = rows
        .map(|row| {
            (row["id"].as_u64().unwrap(), row["name"].as_str().unwrap(), row["unit"].as_str().unwrap())
        })
        .collect();
    let ours: Vec<(u64, &str, &str)> = SENTRY_CATEGORIES
        .iter()
        .map(|category| (u64::from(category.number), category.name, category.unit.as_str()))
        .collect();
    assert_eq!(ours, published);
    let outcomes: Vec<&str> =
        facts["outcomes"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(SENTRY_OUTCOMES.as_slice(), outcomes);
}
