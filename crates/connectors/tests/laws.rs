//! Laws of decoding: nothing panics, spelling does not matter, what is kept decodes the same, rows are rows.
#![allow(missing_docs)]

use connectors::config::read_documents;
use connectors::{Decoder, Feed, Lines, RawRecord, decode_kept, parse_mapping, set_json};
use metering::check_form;
use proptest::prelude::*;

fn feed() -> Feed {
    Feed { name: "f".to_owned(), source: "f.x".to_owned() }
}

fn csv() -> Decoder {
    let mapping = "{kind: csv_mapping, id: line, type: {column: t}, account: {column: a}, \
        time: {column: w}, properties: {q: {column: q, as: number}}}";
    Decoder::csv(parse_mapping("m.yaml", mapping).unwrap())
}

fn decoders() -> [Decoder; 3] {
    [Decoder::cloud_events(), Decoder::sentry_outcomes(), csv()]
}

/// Decodes all records twice: as they came, and as they are kept; both give the same.
fn drive(decoder: &Decoder, input: &[u8]) -> Result<(), TestCaseError> {
    for record in decoder.records(input).filter_map(Result::ok) {
        let decoded = decoder.decode(&feed(), &record);
        let (format, body) = decoder.kept_body(&feed(), &record);
        let kept = decode_kept(&format, &body);
        if decoder.name() != "csv" {
            prop_assert_eq!(decoded.is_ok(), kept.is_ok());
        }
        if let Ok(draft) = decoded {
            let kept = kept.unwrap();
            prop_assert_eq!(check_form(draft), check_form(kept));
        }
    }
    Ok(())
}

/// Bytes that look like records, and bytes that do not.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"data\":{\"q\":1}}\n"[..]),
        Just(&b"{\"outcome\":0,\"category\":1,\"org_id\":1,\"timestamp\":\"2026-08-01T00:00:00Z\"}\n"[..]),
        Just(
            &b"{\"topic\":\"t\",\"partition\":1,\"offset\":2,\"value\":{\"outcome\":0,\"category\":1}}\n"[..]
        ),
        Just(&b"{\"remote_addr\":\"x\"}"[..]),
        Just(&b"t,a,w,q\n"[..]),
        Just(&b"call,a-1,2026-08-01T00:00:00Z,5\n"[..]),
        Just(&b"\""[..]),
        Just(&b"\\u00"[..]),
        Just(&b","[..]),
        Just(&b"[{"[..]),
        Just(&b"1e999"[..]),
        Just(&b"\n"[..]),
        Just(&b"\xff\xc3"[..]),
        Just(&b"\xef\xbb\xbf"[..]),
    ];
    let text = prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat());
    prop_oneof![text, prop::collection::vec(any::<u8>(), 0..200)]
}

#[derive(Clone, Debug)]
enum Json {
    Leaf(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn json() -> impl Strategy<Value = Json> {
    let number = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number.prop_map(|text| text),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_map(Json::Leaf).prop_recursive(4, 24, 4, |inner| {
        let members = prop::collection::btree_map(any::<String>(), inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Json::List),
            members.prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes JSON with spaces and an order of members drawn from `chance`.
fn write(json: &Json, chance: &mut u64, out: &mut String) {
    let mut draw = |below: usize| {
        *chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*chance >> 33) as usize % below
    };
    let space = [" ", "", "\t", "  "][draw(4)];
    match json {
        Json::Leaf(text) => out.push_str(text),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(space);
                write(item, chance, out);
                out.push_str(space);
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut shuffled: Vec<&(String, Json)> = members.iter().collect();
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, draw(at + 1));
            }
            out.push('{');
            for (at, (key, value)) in shuffled.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(space);
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push_str(space);
                out.push(':');
                out.push_str(space);
                write(value, chance, out);
            }
            out.push('}');
        }
    }
}

fn event(data: &[(String, Json)], extension: &Json) -> Json {
    let leaf = |text: &str| Json::Leaf(format!("\"{text}\""));
    let fields = [
        ("specversion", leaf("1.0")),
        ("id", leaf("i-1")),
        ("source", leaf("/s")),
        ("type", leaf("t")),
        ("subject", leaf("a")),
        ("time", leaf("2026-08-01T00:00:00.5+02:00")),
        ("data", Json::Object(data.to_vec())),
        ("traceparent", extension.clone()),
    ];
    Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic_and_what_is_kept_decodes_the_same(input in soup()) {
        for decoder in decoders() {
            drive(&decoder, &input)?;
        }
        for format in ["cloudevents", "sentry-outcomes", "csv-draft"] {
            let _ = decode_kept(format, &input);
        }
        let _ = set_json(&input, "a.b", "1");
    }

    #[test]
    fn no_text_panics_the_configuration(text in "[a-z:{}\\[\\]\"'&*!|>~ \n0-9.-]{0,120}") {
        let _ = read_documents("f.yaml", &text);
        let _ = parse_mapping("f.yaml", &text);
    }

    #[test]
    fn order_and_spaces_of_members_do_not_matter(
        data in prop::collection::btree_map("[a-z.é\"]{0,6}", json(), 0..5),
        extension in json(),
        seeds in (any::<u64>(), any::<u64>()),
    ) {
        let data: Vec<(String, Json)> = data.into_iter().collect();
        let event = event(&data, &extension);
        let read = |mut seed: u64| {
            let mut text = String::new();
            write(&event, &mut seed, &mut text);
            let draft = Decoder::cloud_events().decode(&feed(), &RawRecord::new(1, text.into_bytes()));
            draft.map(check_form)
        };
        let (one, other) = (read(seeds.0), read(seeds.1));
        prop_assert!(matches!(one, Ok(Ok(_))), "{one:?}");
        prop_assert_eq!(one, other);
    }

    #[test]
    fn json_is_accepted_where_serde_json_accepts_it(text in "[\\[\\]{}:,\"\\\\a1.e+ntu-]{0,16}") {
        // Behind a duplicate key or an endless exponent the two part: those are not drawn at this length.
        let line = format!("{{\"specversion\":\"1.0\",\"data\":{{\"v\":{text}}}}}");
        let ours = Decoder::cloud_events().decode(&feed(), &RawRecord::new(1, line.clone().into_bytes()));
        let is_json = serde_json::from_str::<serde_json::Value>(&line).is_ok();
        let is_refused_as_json = ours.as_ref().is_err_and(|refused| refused.rejection.code.as_str() == "json_syntax");
        // A number beyond the range of binary floating point is JSON, whatever serde_json makes of it.
        prop_assert!(is_json != is_refused_as_json || line.contains('e'), "{line}: {ours:?}");
    }

    #[test]
    fn lines_are_those_of_the_text(lines in prop::collection::vec("[ab \t]{0,5}", 0..12), ends in prop::collection::vec(any::<bool>(), 12), last in any::<bool>()) {
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            text.push_str(line);
            if at + 1 < lines.len() || last {
                text.push_str(if ends[at] { "\r\n" } else { "\n" });
            }
        }
        let found: Vec<(u64, Vec<u8>)> =
            Lines::new(text.as_bytes()).map(|line| line.unwrap()).map(|line| (line.number, line.bytes)).collect();
        let expect: Vec<(u64, Vec<u8>)> = (1..)
            .zip(&lines)
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| (number, line.clone().into_bytes()))
            .collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn rows_are_those_of_another_reader(
        rows in prop::collection::vec(prop::collection::vec("[ab,\"\n\r ;]{0,6}", 4), 1..6),
        crlf in any::<bool>(),
    ) {
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().terminator(end).quote_style(csv::QuoteStyle::NonNumeric).from_writer(Vec::new());
        writer.write_record(["w", "t", "a", "q"]).unwrap();
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        let bytes = writer.into_inner().unwrap();
        let decoder = Decoder::csv(parse_mapping("m.yaml", "{kind: csv_mapping, id: line, type: {column: t}, \
            account: {column: a}, time: {column: w}, properties: {q: {column: q}}}").unwrap());
        let found: Vec<[Option<String>; 4]> = decoder
            .records(bytes.as_slice())
            .map(|record| decoder.decode(&feed(), &record.unwrap()).unwrap())
            .map(|draft| {
                let q = draft.properties.get("q").and_then(|value| value.as_text()).map(String::from);
                [draft.occurred_at, draft.event_type, draft.account, q]
            })
            .collect();
        let present = |text: &String| (!text.is_empty()).then(|| text.clone());
        let expect: Vec<[Option<String>; 4]> =
            rows.iter().map(|row| [0, 1, 2, 3].map(|at| present(&row[at]))).collect();
        prop_assert_eq!(found, expect);
    }
}
