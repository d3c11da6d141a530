//! Events in CSV: rows, lines, identity, times, numbers, and what is kept of them.
#![allow(missing_docs)]

use std::path::Path;

use connectors::{
    Decoder, Feed, LINE_BYTES_MAX, RawRecord, decode_kept, open_input, parse_mapping, set_json,
};
use metering::{Draft, check_form};
use money::Sum;

const MAPPING: &str = "kind: csv_mapping\nid: line\ntype: {constant: inference}\naccount: {column: Tenant}\n\
    time: {column: TIMESTAMP, format: \"%Y-%m-%d %H:%M:%S%.f\", zone: UTC}\n\
    properties:\n  context: {column: Context, as: number}\n  generated: {column: Generated, as: number}\n  \
    model: {column: Model}\n";
const HEADER: &str = "TIMESTAMP,Tenant,Context,Generated,Model\n";

fn feed() -> Feed {
    Feed { name: "calls".to_owned(), source: "calls.csv".to_owned() }
}

fn decoder(change: (&str, &str)) -> Decoder {
    assert!(MAPPING.contains(change.0));
    Decoder::csv(parse_mapping("m.yaml", &MAPPING.replacen(change.0, change.1, 1)).unwrap())
}

fn records(decoder: &Decoder, text: &str) -> Vec<RawRecord> {
    decoder.records(text.as_bytes()).map(|record| record.unwrap()).collect()
}

fn one(decoder: &Decoder, row: &str) -> Result<Draft, String> {
    let records = records(decoder, &format!("{HEADER}{row}"));
    assert_eq!(records.len(), 1);
    decoder.decode(&feed(), &records[0]).map_err(|refused| refused.to_string())
}

const ROW: &str = "2023-11-16 18:15:46.6805900,t-1,374,44,m";

#[test]
fn one_row_is_one_event_with_several_numbers() {
    let event = check_form(one(&decoder(("", "")), ROW).unwrap()).unwrap();
    assert_eq!((event.source.as_str(), event.id.as_str()), ("calls.csv", "2"));
    assert_eq!((event.event_type.as_str(), event.account.as_str()), ("inference", "t-1"));
    assert_eq!(event.occurred_at.to_string(), "2023-11-16T18:15:46.68059Z");
    assert_eq!(event.occurred_at.0 % 1_000_000_000, 680_590_000, "all seven digits");
    assert_eq!(event.properties.to_canonical_json(), r#"{"context":374,"generated":44,"model":"m"}"#);
}

#[test]
fn lines_count_blanks_and_quoted_line_ends() {
    let decoder = decoder(("", ""));
    let text = format!(
        "\u{feff}\n{HEADER}\n{ROW}\r\n2023-11-16 18:15:46,t-1,1,1,\"two\n\nlines, \"\"so\"\"\"\n\n{ROW}"
    );
    let found = records(&decoder, &text);
    assert_eq!(found.iter().map(|record| record.line).collect::<Vec<_>>(), [4, 5, 9]);
    let draft = decoder.decode(&feed(), &found[1]).unwrap();
    assert_eq!(draft.properties.get("model").unwrap().as_text().unwrap(), "two\n\nlines, \"so\"");
    assert_eq!(draft.id.as_deref(), Some("5"));
    assert!(found.iter().all(|record| decoder.decode(&feed(), record).is_ok()));
}

#[test]
fn refused_rows_cost_no_other() {
    let decoder = decoder(("", ""));
    for (row, expect) in [
        (
            "2023-11-16 18:15:46,t-1,NaN,44,m",
            "quantity_not_a_number: expected a number in context, found `NaN`",
        ),
        (
            "2023-11-16 18:15:46,t-1,abc,44,m",
            "quantity_not_a_number: expected a number in context, found `abc`",
        ),
        (
            "2023-11-16 18:15:46,t-1,1,\"1,000\",m",
            "quantity_not_a_number: expected a number in generated, found `1,000`",
        ),
        (
            "2023-11-16 18:15:46,t-1,1, 2,m",
            "quantity_not_a_number: expected a number in generated, found ` 2`",
        ),
        (
            "2023-11-16 18:15:46,t-1,1,0x10,m",
            "quantity_not_a_number: expected a number in generated, found `0x10`",
        ),
        (
            "2023-11-16 18:15:46,t-1,1e9999999999999999,2,m",
            "quantity_out_of_range: expected a number with an exponent of at most 15 digits, found `1e9999999999999999`",
        ),
        ("2023-11-16 18:15:46,t-1,1,2", "csv_syntax: expected 5 fields, as in the header, found `4`"),
        ("2023-11-16 18:15:46,t-1,1,2,m,n", "csv_syntax: expected 5 fields, as in the header, found `6`"),
        (
            "2023-11-16 18:15:46,t-1,1,2,\"m\"n",
            "csv_syntax: expected a delimiter behind the closing quote, found at column 32 `n`",
        ),
        (
            "2023-11-16 18:15:46,t-1,1,2,\"m",
            "csv_syntax: expected a quoted field that is closed, found at column 29 `\"m`",
        ),
    ] {
        let text = format!("{HEADER}{ROW}\n{row}\n{ROW}\n{ROW}");
        let found = records(&decoder, &text);
        assert_eq!(found.len(), 4, "{row}");
        let told: Vec<_> = found.iter().map(|record| decoder.decode(&feed(), record)).collect();
        let refused = told[1].as_ref().unwrap_err();
        assert_eq!(refused.to_string(), expect);
        assert_eq!((refused.source.as_deref(), refused.id.as_deref()), (Some("calls.csv"), Some("3")));
        let ids: Vec<_> = told.iter().flatten().map(|draft| draft.id.clone().unwrap()).collect();
        assert_eq!(ids, ["2", "4", "5"]);
    }
}

#[test]
fn other_refusals() {
    let decoder = decoder(("", ""));
    let text = [HEADER.as_bytes(), b"2023-11-16 18:15:46,t-\xff,1,2,m\n"].concat();
    let record = decoder.records(text.as_slice()).next().unwrap().unwrap();
    let told = decoder.decode(&feed(), &record).unwrap_err().to_string();
    assert_eq!(told, "invalid_utf8: expected UTF-8, found at column 23 the byte `\\xff`");
    let (format, body) = decoder.kept_body(&feed(), &record);
    assert!(String::from_utf8(body.clone()).unwrap().contains("\"row_hex\":\"323032332d"));
    assert_eq!(decode_kept(&format, &body).unwrap().account, None);

    let text = format!("{HEADER}{}\n{ROW}\n", "x".repeat(LINE_BYTES_MAX + 1));
    let found = records(&decoder, &text);
    let told = decoder.decode(&feed(), &found[0]).unwrap_err().to_string();
    assert!(
        told.starts_with("line_too_long: expected a record of at most 1048576 bytes, found `10485"),
        "{told}"
    );
    assert_eq!((found.len(), found[1].line), (2, 3));

    // A quote that is never closed, in front of more than the longest record.
    let many = format!("{ROW}\n").repeat(LINE_BYTES_MAX / ROW.len() + 2);
    let text = format!("{HEADER}2023-11-16 18:15:46,t-1,1,2,\"m\n{many}");
    let found = records(&decoder, &text);
    assert_eq!(found.len(), 1 + many.lines().count());
    assert!(decoder.decode(&feed(), &found[0]).is_err());
    assert!(found[1..].iter().zip(3..).all(|(record, line)| record.line == line));
}

#[test]
fn an_empty_field_is_absent() {
    let draft = one(&decoder(("", "")), ",,,44,").unwrap();
    assert_eq!((&draft.account, &draft.occurred_at), (&None, &None));
    assert_eq!(draft.properties.to_canonical_json(), r#"{"generated":44}"#);
    let draft = one(&decoder(("id: line", "id: {column: Tenant}")), ",\"\",1,44,").unwrap();
    assert_eq!(draft.id, None);
}

#[test]
fn identity() {
    let identity = |change, row: &str| {
        let draft = one(&decoder(change), row).unwrap();
        (draft.source.unwrap(), draft.id.unwrap())
    };
    let pair = |source: &str, id: &str| (source.to_owned(), id.to_owned());
    assert_eq!(identity(("", ""), ROW), pair("calls.csv", "2"));
    assert_eq!(identity(("id: line", "id: {column: Model}"), ROW), pair("calls.csv", "m"));
    assert_eq!(identity(("id: line", "id: line\nsource: {constant: azure}"), ROW), pair("azure", "2"));
    assert_eq!(identity(("id: line", "id: line\nsource: {column: Tenant}"), ROW), pair("t-1", "calls.csv:2"));
}

#[test]
fn times() {
    let time = |format: &str, written: &str| {
        let decoder = decoder(("format: \"%Y-%m-%d %H:%M:%S%.f\", zone: UTC", format));
        let draft = one(&decoder, &ROW.replacen("2023-11-16 18:15:46.6805900", written, 1)).unwrap();
        check_form(draft)
            .map(|event| event.occurred_at.to_string())
            .map_err(|rejection| rejection.code.as_str())
    };
    assert_eq!(time("format: rfc3339", "2026-08-01T02:00:00+02:00").unwrap(), "2026-08-01T00:00:00Z");
    assert_eq!(time("format: unix_seconds", "1785542400.5").unwrap(), "2026-08-01T00:00:00.5Z");
    assert_eq!(time("format: unix_milliseconds", "1785542400500").unwrap(), "2026-08-01T00:00:00.5Z");
    let berlin = "format: \"%d.%m.%Y %H:%M\", zone: Europe/Berlin";
    assert_eq!(time(berlin, "01.08.2026 02:00").unwrap(), "2026-08-01T00:00:00Z");
    assert_eq!(time(berlin, "29.03.2026 02:30"), Err("time_unparseable"));
    assert_eq!(time(berlin, "soon"), Err("time_unparseable"));
}

#[test]
fn other_delimiters() {
    let decoder = decoder(("id: line", "id: line\ndelimiter: ';'"));
    let text = format!("{HEADER}{ROW}").replace(',', ";");
    let found = records(&decoder, &text);
    assert_eq!(decoder.decode(&feed(), &found[0]).unwrap().account.as_deref(), Some("t-1"));
}

#[test]
fn headers() {
    let decoder = decoder(("", ""));
    let told = |text: &str| {
        let mut records = decoder.records(text.as_bytes());
        let told = records.next().map(|record| record.unwrap_err().to_string());
        assert!(records.next().is_none());
        told.unwrap_or_else(|| "nothing".to_owned())
    };
    let header = "expected a header with the columns of the mapping: ";
    assert_eq!(told(""), "nothing");
    assert_eq!(told(&format!("{ROW}\n{ROW}")), format!("{header}expected the column Context, found `{ROW}`"));
    assert_eq!(
        told(&HEADER.replace("Model", "Tenant")),
        format!("{header}expected the column Model, found `TIMESTAMP,Tenant,Context,Generated,Tenant`")
    );
    assert_eq!(
        told(&HEADER.replace("Generated,Model", "Generated,Model,Tenant")),
        format!("{header}expected each column once, found twice `Tenant`")
    );
    assert!(records(&decoder, &HEADER.replace(",Model", ", Model ,More")).is_empty());
}

#[test]
fn a_kept_row_is_repaired_by_name() {
    let decoder = decoder(("", ""));
    let found = records(&decoder, &format!("{HEADER}2023-11-16 18:15:46.6805900,,abc,44,m\n"));
    let (format, body) = decoder.kept_body(&feed(), &found[0]);
    assert_eq!(format, "csv-draft");
    assert_eq!(
        String::from_utf8(body.clone()).unwrap(),
        r#"{"account":null,"id":"2","numbers":["context","generated"],"properties":{"context":"abc","generated":"44","model":"m"},"row":"2023-11-16 18:15:46.6805900,,abc,44,m","source":"calls.csv","time":"2023-11-16 18:15:46.6805900","time_format":"%Y-%m-%d %H:%M:%S%.f","time_zone":"UTC","type":"inference"}"#
    );
    assert_eq!(decode_kept(&format, &body), decoder.decode(&feed(), &found[0]));
    let body = set_json(&body, "properties.context", "374").unwrap();
    let body = set_json(&body, "account", "\"t-1\"").unwrap();
    let repaired = check_form(decode_kept(&format, &body).unwrap()).unwrap();
    let whole = check_form(one(&decoder, ROW).unwrap()).unwrap();
    assert_eq!(repaired, whole);
}

#[test]
fn a_kept_row_that_cannot_be_read() {
    let code = |body: &str| decode_kept("csv-draft", body.as_bytes()).unwrap_err().rejection.code.as_str();
    assert_eq!(code("[]"), "not_an_object");
    assert_eq!(code(r#"{"source":5}"#), "json_syntax");
    assert_eq!(code(r#"{"properties":[]}"#), "json_syntax");
    assert_eq!(code(r#"{"time_format":"%Q"}"#), "time_unparseable");
    assert_eq!(decode_kept("parquet", b"{}").unwrap_err().rejection.code.as_str(), "json_syntax");
}

#[test]
fn the_azure_traces() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let mapping = "kind: csv_mapping\nid: line\ntype: {constant: inference}\naccount: {constant: a}\n\
        time: {column: TIMESTAMP, format: \"%Y-%m-%d %H:%M:%S%.f\", zone: UTC}\n\
        properties:\n  context: {column: ContextTokens, as: number}\n  generated: {column: GeneratedTokens, as: number}\n";
    let decoder = Decoder::csv(parse_mapping("m.yaml", mapping).unwrap());
    for (name, rows, context, generated) in [
        ("azure_llm_2023_conv.csv", 19_366, "22361870", "4088665"),
        ("azure_llm_2023_code.csv", 8_819, "18059974", "245896"),
    ] {
        let Ok(input) = open_input(&folder.join(name)) else {
            println!("skipped: {name} is not beside the repository");
            continue;
        };
        let (mut count, mut sums) = (0, [Sum::ZERO; 2]);
        for record in decoder.records(input) {
            let event = check_form(decoder.decode(&feed(), &record.unwrap()).unwrap()).unwrap();
            count += 1;
            assert_eq!(event.id, (count + 1).to_string());
            for (sum, property) in sums.iter_mut().zip(["context", "generated"]) {
                let text = event.properties.get(property).unwrap().as_text().unwrap().into_owned();
                *sum = sum.add(money::Quantity::parse(&text).unwrap());
            }
        }
        assert_eq!(
            (count, sums[0].to_string().as_str(), sums[1].to_string().as_str()),
            (rows, context, generated)
        );
    }
}
