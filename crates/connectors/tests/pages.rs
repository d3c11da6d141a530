//! What the reference pages show is what the program does.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

use connectors::config::{check_references, read_documents};
use connectors::{Decoder, Feed, RawRecord, SENTRY_CATEGORIES, SENTRY_OUTCOMES, parse_mapping};
use invoicing::terms::Terms;
use metering::{Event, check_form};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of a language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn feed(source: &str) -> Feed {
    Feed { name: source.to_owned(), source: source.to_owned() }
}

fn decode(decoder: &Decoder, line: &str) -> Event {
    let record = RawRecord::new(1, line.trim().as_bytes().to_vec());
    check_form(decoder.decode(&feed("outcomes.ndjson"), &record).unwrap()).unwrap()
}

#[test]
fn the_configuration_is_good() {
    let page = page("configuration.md");
    let documents = read_documents("configuration.md", &blocks(&page, "yaml")[0]).unwrap();
    assert_eq!(documents.len(), 7);
    assert_eq!(check_references(&documents, &Terms::default()), []);
}

/// Every code of the page is told by the sources, and has a test.
#[test]
fn the_codes_of_configuration_are_all_listed() {
    let page = page("configuration.md");
    let tables = page.split("## Codes").nth(1).unwrap();
    let words = |text: &str, mark: char| -> BTreeSet<String> {
        let is_code =
            |word: &&str| word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        text.split(mark).filter(is_code).map(str::to_owned).collect()
    };
    let mut listed = words(tables, '`');
    // Told by `apply`, which knows what is stored.
    assert!(listed.remove("effective_at_missing"));
    listed.remove("tag");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
    let sources: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .map(|text| text.split("#[cfg(test)]").next().unwrap().to_owned())
        .collect();
    let in_sources = words(&sources, '"');
    let missing: Vec<&String> = listed.iter().filter(|code| !in_sources.contains(*code)).collect();
    assert_eq!(missing, Vec::<&String>::new(), "on the page only");
    let test = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)).unwrap()
    };
    let tested = test("config.rs") + &test("config_meters.rs");
    let yaml =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/yaml.rs")).unwrap();
    let asserted: BTreeSet<String> =
        &words(&tested, '"') | &words(yaml.split("#[cfg(test)]").nth(1).unwrap(), '"');
    let untested: Vec<&String> = listed.iter().filter(|code| !asserted.contains(*code)).collect();
    assert_eq!(untested, Vec::<&String>::new(), "without a test");
}

#[test]
fn the_mapping_makes_the_event() {
    let page = page("csv-mapping.md");
    let decoder = Decoder::csv(parse_mapping("m.yaml", &blocks(&page, "yaml")[0]).unwrap());
    let rows = blocks(&page, "csv").remove(0);
    let record = decoder.records(rows.as_bytes()).next().unwrap().unwrap();
    let event = check_form(decoder.decode(&feed("calls.csv"), &record).unwrap()).unwrap();
    let shown = [&event.source, &event.id, &event.event_type, &event.account, &event.occurred_at.to_string()];
    assert!(shown.iter().all(|text| page.contains(&format!("`{text}`"))), "{shown:?}");
    assert_eq!(
        event.properties.to_canonical_json(),
        r#"{"context_tokens":374,"generated_tokens":44,"region":"eu"}"#
    );
}

#[test]
fn the_event_has_its_properties() {
    let event = decode(&Decoder::cloud_events(), &blocks(&page("events.md"), "json")[0]);
    assert_eq!(event.account, "org-1");
    assert!(
        ["model", "region", "tokens.input", "tokens.output"]
            .iter()
            .all(|path| event.properties.get(path).is_some())
    );
}

#[test]
fn the_outcomes_decode_and_the_tables_are_ours() {
    let page = page("sentry-outcomes.md");
    let json = blocks(&page, "json");
    let plain = decode(&Decoder::sentry_outcomes(), &json[0]);
    assert_eq!((plain.source.as_str(), plain.event_type.as_str()), ("outcomes.ndjson", "log_byte"));
    let wrapped = decode(&Decoder::sentry_outcomes(), &json[1]);
    assert_eq!(wrapped.source, "sentry:outcomes-billing/4");
    assert_eq!(read_documents("sentry-outcomes.md", &blocks(&page, "yaml")[0]).unwrap().len(), 1);
    let outcomes =
        SENTRY_OUTCOMES.iter().enumerate().map(|(number, name)| format!("| {number} | `{name}` |\n"));
    let categories = SENTRY_CATEGORIES.iter().map(|category| {
        format!("| {} | `{}` | {} |\n", category.number, category.name, category.unit.as_str())
    });
    assert!(page.contains(&outcomes.collect::<String>()));
    assert!(page.contains(&categories.collect::<String>()));
}
