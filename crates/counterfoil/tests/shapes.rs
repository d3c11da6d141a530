//! Every JSON shape of the command line is published: as a schema, as an example, and on one page.
//!
//! `UPDATE_GOLDEN=1` writes the examples anew.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jsonschema::{Registry, Validator};
use metering::Code;
use serde_json::{Value, json};
use support::{CONFIG, Desk, call, newest, transfer};

const KEYS: &str = "identity = 000102030405060708090a0b0c0d0e0f\n\
    digest = 101112131415161718191a1b1c1d1e1f\n\
    personal = 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n\
    shard = 404142434445464748494a4b4c4d4e4f\n";

/// Where the schemas stand for each other; nothing is fetched.
const BASE: &str = "json-schema:///schemas/";

/// An example and the schema it follows.
const SHAPES: &[(&str, &str)] = &[
    ("apply", "apply"),
    ("demo", "demo"),
    ("error", "error"),
    ("export", "export"),
    ("export-usage", "export"),
    ("gen", "gen"),
    ("ingest", "ingest"),
    ("invoice-list", "invoice-list"),
    ("invoice-list-draft", "invoice-list"),
    ("invoice-run", "invoice-run"),
    ("invoice-run-draft", "invoice-run"),
    ("invoice-show", "invoice-show"),
    ("personal-erase", "personal-erase"),
    ("personal-show", "personal-show"),
    ("personal-show-erased", "personal-show"),
    ("quarantine-list", "quarantine-list"),
    ("quarantine-replay", "quarantine-replay"),
    ("quarantine-show", "quarantine-show"),
    ("rate", "rate"),
    ("usage", "usage"),
    ("usage-by", "usage-by"),
    ("usage-events", "usage-events"),
    ("usage-fates", "usage-fates"),
    ("usage-late", "usage-late"),
    ("usage-total", "usage"),
    ("verify", "verify"),
    ("verify-differs", "verify"),
    ("verify-head", "verify-head"),
];

/// What differs from one run or build to the next, and what the examples say in its place: the store's id is
/// drawn at random and the hashes of journal and log follow from it, the demo's folder is the test's own, how
/// many files there are follows from when runs are merged, the tz database moves on and with it what a footer says.
/// (Digests and personal
/// hashes stay: the tests give the keys.)
const MASKS: &[(&str, &str, Mask)] = &[
    ("demo", "/folder", Mask::Text("counterfoil-demo")),
    ("export", "/bytes", Mask::Text("4096")),
    ("export-usage", "/bytes", Mask::Text("4096")),
    ("invoice-show", "/envelope/store_id", Mask::Text(ID)),
    ("invoice-show", "/envelope/journal_hash", Mask::Text(HASH)),
    ("invoice-show", "/envelope/cut/block_hash", Mask::Text(HASH)),
    ("invoice-show", "/envelope/tz_database", Mask::Text("2026a")),
    ("verify", "/files", Mask::Number(12)),
    ("verify", "/head/hash", Mask::Text(HASH)),
    ("verify-differs", "/files", Mask::Number(12)),
    ("verify-differs", "/head/hash", Mask::Text(HASH)),
    ("verify-head", "/hash", Mask::Text(HASH)),
    ("verify-head", "/store_id", Mask::Text(ID)),
];
const ID: &str = "00000000000000000000000000000000";
const HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an example says in place of what was printed.
enum Mask {
    Text(&'static str),
    Number(u64),
}

/// Where objects are open: properties are the sender's own.
const OPEN: &[(&str, &str)] = &[("usage-events", "/properties")];

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file names in a folder, without their extension.
fn stems(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned())
        .collect()
}

/// The published schemas by their path below `schemas/`: those of the command line and those they refer to.
struct Schemas(BTreeMap<String, Validator>);

impl Schemas {
    fn load() -> Self {
        let folder = reference().join("schemas");
        let mut all = BTreeMap::new();
        for below in ["", "cli/"] {
            for stem in stems(&folder.join(below)) {
                let path = format!("{below}{stem}.json");
                let schema = read_json(&folder.join(&path));
                assert!(jsonschema::meta::is_valid(&schema), "{path}");
                all.insert(path, schema);
            }
        }
        let mut registry = Registry::new();
        for (path, schema) in &all {
            registry = registry.add(format!("{BASE}{path}"), schema).expect("a schema");
        }
        let registry = registry.prepare().expect("the schemas find each other");
        let build = |path: &String, schema: &Value| {
            jsonschema::options()
                .with_base_uri(format!("{BASE}{path}"))
                .with_registry(&registry)
                .build(schema)
                .unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        Self(all.iter().map(|(path, schema)| (path.clone(), build(path, schema))).collect())
    }

    #[track_caller]
    fn check(&self, path: &str, what: &str, value: &Value) {
        if let Err(error) = self.0[path].validate(value) {
            panic!("{what} by {path}: {error} at {} in {value:#}", error.instance_path());
        }
    }
}

/// An example as it is published.
fn example_path(name: &str) -> PathBuf {
    let extension = if name == "usage-events" { "ndjson" } else { "json" };
    reference().join("golden/cli").join(format!("{name}.{extension}"))
}

/// The values of an example: one, or one a line.
fn examples(name: &str) -> Vec<Value> {
    let path = example_path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if name == "usage-events" {
        return text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    }
    vec![serde_json::from_str(&text).expect("JSON")]
}

/// What was printed, checked against schemas and examples as it comes.
struct Printed {
    schemas: Schemas,
    seen: BTreeSet<&'static str>,
}

impl Printed {
    /// Checks a text against the schema and the example of its name; answers its values.
    fn check(&mut self, name: &'static str, text: &str) -> Value {
        let (_, schema) = SHAPES.iter().find(|(shape, _)| *shape == name).expect("a shape");
        let is_lines = name == "usage-events";
        let mut value: Value = match is_lines {
            true => text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect(),
            false => serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}:\n{text}")),
        };
        let parts: &[Value] = if is_lines { value.as_array().expect("lines") } else { &[value.clone()] };
        parts.iter().for_each(|part| self.schemas.check(&format!("cli/{schema}.json"), name, part));
        let printed = value.clone();
        for (_, pointer, mask) in MASKS.iter().filter(|(shape, ..)| *shape == name) {
            *value.pointer_mut(pointer).unwrap_or_else(|| panic!("{name} has no {pointer}")) = match mask {
                Mask::Text(text) => json!(text),
                Mask::Number(number) => json!(number),
            };
        }
        let shown = if is_lines { text.to_owned() } else { format!("{value:#}\n") };
        let path = example_path(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &shown).expect("the folder is writable");
        }
        assert_eq!(shown, std::fs::read_to_string(&path).expect("an example"), "{name}");
        assert!(self.seen.insert(name), "{name} is checked once");
        printed
    }

    /// Runs a command with JSON on stdout and checks that.
    fn run(&mut self, desk: &Desk, name: &'static str, status: i32, args: &str) -> Value {
        let ran = run(desk, status, args);
        let value = self.check(name, &ran);
        if name != "usage-events" {
            assert_eq!(ran, format!("{value:#}\n"), "{name}: pretty, sorted keys, one newline at the end");
        }
        value
    }
}

/// Runs a command with JSON on stdout.
#[track_caller]
fn run(desk: &Desk, status: i32, args: &str) -> String {
    let args: Vec<&str> =
        ["--keys", "keys.txt", "--format", "json"].into_iter().chain(args.split(' ')).collect();
    desk.run(&args).status(status).stdout
}

/// Σ of a member over rows; counts that are numbers and counts that are text.
fn sum(rows: &Value, member: &str) -> u64 {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a count");
    rows.as_array().expect("rows").iter().map(|row| number(&row[member])).sum()
}

/// Cents of an amount.
fn cents(amount: &Value) -> u64 {
    amount.as_str().expect("an amount").replace('.', "").parse().expect("digits")
}

#[test]
fn published_examples_are_what_is_printed() {
    let mut printed = Printed { schemas: Schemas::load(), seen: BTreeSet::new() };
    let desk = Desk::new();
    desk.write("keys.txt", KEYS);
    terms_and_events(&desk, &mut printed);
    refused(&desk, &mut printed);
    bills(&desk, &mut printed);
    persons(&desk, &mut printed);
    verified(&desk, &mut printed);
    without_a_store(&mut printed);
    assert_eq!(printed.seen, SHAPES.iter().map(|(name, _)| *name).collect(), "every example was made");
    let published: BTreeSet<&str> = SHAPES.iter().map(|(_, schema)| *schema).collect();
    assert_eq!(
        stems(&reference().join("schemas/cli")),
        published.iter().map(|name| (*name).to_owned()).collect()
    );
    let names: BTreeSet<String> = SHAPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems(&reference().join("golden/cli")), names);
}

/// A call from nowhere: its dimension is absent, as is its weight.
fn bare_call(id: &str, account: &str, time: &str) -> String {
    call(id, account, time).replace(r#""data":{"region":"eu"}"#, r#""data":{}"#)
}

fn terms_and_events(desk: &Desk, printed: &mut Printed) {
    desk.write("config.yaml", CONFIG);
    run(desk, 0, "apply -f config.yaml");
    let changed = CONFIG
        .replacen("kind: plan\n", "kind: plan\neffective_at: 2026-11-01\n", 1)
        .replacen("unit: \"0.013\"", "unit: \"0.014\"", 1)
        .replacen(
            "account: a-2\n",
            "account: a-2\npersonal: {name: Ada Example, email: ada@example.org}\n",
            1,
        );
    desk.write("config.yaml", changed + "---\n{kind: account, account: a-3}\n");
    let plan = printed.run(desk, "apply", 0, "apply -f config.yaml");
    let actions: BTreeSet<&str> =
        plan["changes"].as_array().expect("rows").iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, ["change", "create", "personal", "unchanged"].into());

    let weighed = call("c-1", "a-1", "2026-10-03T10:00:00Z").replace("\"eu\"", "\"eu\",\"weight\":0.5");
    let lines = [
        weighed.clone(),
        weighed.clone(),
        weighed.replace("0.5", "0.75"),
        bare_call("c-2", "a-2", "2026-10-04T10:00:00Z"),
        transfer("t-1", "a-1", "2026-10-31T23:59:59.999999999Z", "1500.25"),
        transfer("t-2", "a-1", "2026-10-05T00:00:00Z", "\"many\""),
        "{\"broken".to_owned(),
        transfer("t-3", "a-9", "2026-10-05T00:00:00Z", "7"),
    ];
    desk.write("events.ndjson", lines.join("\n"));
    // The head of a gzip member, and nothing behind it.
    desk.write("cut.ndjson.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    let reports = printed.run(desk, "ingest", 1, "ingest events.ndjson cut.ndjson.gz");
    assert_eq!((sum(&reports[0]["fates"], "records"), sum(&reports, "received")), (8, 8));
    assert!(reports[1]["broken"].is_string());

    // A meter over what is there: not every call has a weight, and it is sold by a plan that nobody has.
    desk.write(
        "weight.yaml",
        "{kind: meter, meter: weight, events: [call], aggregate: sum, property: weight, unit: gram}\n---\n\
            {kind: plan, plan: heavy, currency: USD, \
            items: {weight: {usage: weight, price: {unit: \"0.01\"}}}}",
    );
    run(desk, 0, "apply -f weight.yaml");
    let usage = printed.run(desk, "usage", 0, "usage --from 2026-10-04 --to 2026-11-01");
    assert_eq!((sum(&usage["meters"], "count"), sum(&usage["meters"], "unmeasured")), (3, 1));
    let total = printed.run(desk, "usage-total", 0, "usage --total");
    assert_eq!(sum(&total["meters"], "count"), 5);
    let by = printed.run(desk, "usage-by", 0, "usage --by account --by region --by day --meter calls");
    assert_eq!(sum(&by["meters"], "count"), 2);
    assert!(by["meters"][1]["region"].is_null());
    let fates = printed.run(desk, "usage-fates", 0, "usage --fates");
    assert_eq!((fates["received"].clone(), sum(&fates["fates"], "records")), (json!("8"), 8));
    let events = printed.run(desk, "usage-events", 0, "usage --events --meter weight");
    let values: Vec<&Value> = events.as_array().expect("lines").iter().map(|event| &event["value"]).collect();
    assert_eq!(values, [&json!("0.5"), &Value::Null]);
    let exported = printed.run(desk, "export", 0, "export events --output events.parquet");
    assert_eq!(exported["rows"], "3");
    printed.run(desk, "export-usage", 0, "export usage --meter calls --output calls.parquet");
}

fn refused(desk: &Desk, printed: &mut Printed) {
    printed.run(desk, "quarantine-show", 0, "quarantine show 2");
    let replayed = printed.run(desk, "quarantine-replay", 1, "quarantine replay 2 5 7 --set data.quantity=3");
    let fates: Vec<&str> =
        replayed.as_array().expect("rows").iter().filter_map(|row| row["fate"].as_str()).collect();
    assert_eq!(fates, ["conflict", "accepted", "rejected"]);
    assert_eq!(replayed[2]["code"], "unknown_account");
    let all = printed.run(desk, "quarantine-list", 0, "quarantine list --all");
    assert!(
        all.as_array().expect("rows").iter().any(|row| row["status"] == "replayed" && row["position"] == 5)
    );
}

fn bills(desk: &Desk, printed: &mut Printed) {
    let early = desk.run(&["--format", "json", "invoice", "show", "ACME-000001"]).status(3);
    assert!(early.stdout.is_empty());
    printed.check("error", &early.stderr);
    let run_draft = printed.run(desk, "invoice-run-draft", 1, "invoice run --period 2026-10 --draft");
    assert_eq!((run_draft["drafted"].clone(), run_draft["issued"].clone()), (json!(2), json!([])));
    let drafts = printed.run(desk, "invoice-list-draft", 0, "invoice list");
    let id = drafts[0]["invoice"].as_str().expect("an id");
    let shown: Value = serde_json::from_str(&run(desk, 0, &format!("invoice show {id}"))).expect("JSON");
    printed.schemas.check("cli/invoice-show.json", "a draft", &shown);
    printed.run(desk, "invoice-run", 1, "invoice run --period 2026-10");
    let list = printed.run(desk, "invoice-list", 0, "invoice list");
    let totals: Vec<u64> = list.as_array().expect("rows").iter().map(|row| cents(&row["total"])).collect();
    assert_eq!(totals, [2963, 2900]);
    let shown = printed.run(desk, "invoice-show", 0, "invoice show ACME-000001");
    let lines: u64 =
        shown["body"]["lines"].as_array().expect("lines").iter().map(|l| cents(&l["amount"])).sum();
    assert_eq!(lines, cents(&shown["body"]["total"]));
    documents(desk, printed, &shown);

    let late = [
        transfer("l-1", "a-1", "2026-10-09T10:00:00Z", "2.5"),
        transfer("l-2", "a-2", "2026-10-09T10:00:00Z", "4"),
    ];
    desk.write("late.ndjson", late.join("\n"));
    run(desk, 0, "ingest late.ndjson");
    let late = printed.run(desk, "usage-late", 0, "usage --late");
    assert_eq!(sum(&late["late"], "records"), 2);
}

/// Bodies, envelopes and explanations alone follow the schemas that were there before.
fn documents(desk: &Desk, printed: &Printed, shown: &Value) {
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(parse(&run(desk, 0, "invoice show ACME-000001 --body")), shown["body"]);
    assert_eq!(parse(&run(desk, 0, "invoice show ACME-000001 --envelope")), shown["envelope"]);
    let bodies = run(desk, 0, "invoice list --bodies");
    assert_eq!(bodies.lines().count(), 2);
    bodies.lines().for_each(|body| printed.schemas.check("invoice.json", "--bodies", &parse(body)));
    let all = parse(&run(desk, 0, "explain ACME-000001"));
    assert_eq!(all.as_array().map(Vec::len), Some(3));
    for explained in all.as_array().expect("lines") {
        printed.schemas.check("explanation.json", "explain", explained);
    }
    assert_eq!(parse(&run(desk, 0, "explain ACME-000001 2")), all[1]);
}

fn persons(desk: &Desk, printed: &mut Printed) {
    printed.run(desk, "personal-show", 0, "personal show a-2");
    printed.run(desk, "personal-erase", 0, "personal erase a-2");
    printed.run(desk, "personal-show-erased", 0, "personal show a-2");
}

fn verified(desk: &Desk, printed: &mut Printed) {
    let verified = printed.run(desk, "verify", 0, "verify --export-head head.json");
    let head = std::fs::read_to_string(desk.path("head.json")).expect("a file");
    let head = printed.check("verify-head", &head);
    assert_eq!(head["hash"], verified["head"]["hash"]);
    run(desk, 0, "verify --head head.json");
    let mut other = head.clone();
    other["store_id"] = json!(ID);
    desk.write("other.json", other.to_string());
    printed.run(desk, "verify-differs", 1, "verify --head other.json");

    let path = newest(&desk.data().join("log"));
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[700] ^= 1;
    std::fs::write(&path, bytes).expect("it is writable");
    let damaged: Value = serde_json::from_str(&run(desk, 1, "verify")).expect("JSON");
    printed.schemas.check("cli/verify.json", "a damaged file", &damaged);
    assert!(damaged["head"].is_null());
}

fn without_a_store(printed: &mut Printed) {
    let desk = Desk::new();
    desk.write("keys.txt", KEYS);
    desk.write(
        "price.yaml",
        "{kind: price, price: seats, currencies: {USD: {graduated: \
            [{up_to: \"3\", unit: \"0.3333\", flat: \"1\"}, {unit: \"0.25\"}]}}}",
    );
    desk.write("usage.csv", "key,quantity\none,5.5\nback,-5\nbad,many\n");
    printed.run(&desk, "rate", 1, "rate --price price.yaml --usage usage.csv");
    let files = printed.run(&desk, "gen", 0, "gen --events 6000 --out world");
    let demo = printed.run(&desk, "demo", 0, "demo --events 6000");
    let sent = ["month", "after_end", "late"].map(|part| files[part].as_str().expect("a count").to_owned());
    let received: Vec<String> =
        demo["feeds"].as_array().expect("feeds").iter().map(|feed| feed["received"].to_string()).collect();
    assert_eq!(received, sent);
    assert_eq!(sum(&demo["feeds"], "received"), 6000);
}

/// Calls with every value inside, and its pointer.
fn walk(value: &Value, pointer: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(pointer, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            walk(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| walk(item, &format!("{pointer}/{index}"), visit)),
        _ => {}
    }
}

#[test]
fn the_schemas_refuse_what_is_not_meant() {
    let schemas = Schemas::load();
    let mut tried = 0;
    for (name, schema) in SHAPES {
        for value in examples(name) {
            let path = format!("cli/{schema}.json");
            schemas.check(&path, name, &value);
            let mut refuse = |pointer: &str, what: &str, wrong: Value| {
                assert!(
                    !schemas.0[&path].is_valid(&wrong),
                    "{name}: {what} at {pointer} is taken: {wrong:#}"
                );
                tried += 1;
            };
            walk(&value, "", &mut |pointer, part| {
                if OPEN.iter().any(|(shape, open)| shape == name && pointer.starts_with(open)) {
                    return;
                }
                for (what, wrong) in wrong_values(part, may_lack(name, pointer)) {
                    let mut whole = value.clone();
                    *whole.pointer_mut(pointer).expect("a place") = wrong;
                    refuse(pointer, &what, whole);
                }
            });
        }
    }
    assert!(tried > 1_000, "{tried}");
}

/// What a part must not be: an object with more or fewer members, a number for text, a fraction for a count.
fn wrong_values(part: &Value, may_lack: &[&str]) -> Vec<(String, Value)> {
    match part {
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("more".to_owned(), json!(1));
            let mut wrong = vec![("one more".to_owned(), Value::Object(more))];
            wrong.extend(members.keys().filter(|name| !may_lack.contains(&name.as_str())).map(|name| {
                let mut fewer = members.clone();
                fewer.remove(name);
                (format!("no `{name}`"), Value::Object(fewer))
            }));
            wrong
        }
        Value::String(_) | Value::Null => vec![("a number".to_owned(), json!(7))],
        Value::Number(_) => vec![
            ("a fraction".to_owned(), serde_json::from_str("1.5").expect("JSON")),
            ("text".to_owned(), json!("7")),
        ],
        Value::Bool(_) | Value::Array(_) => vec![("text".to_owned(), json!("true"))],
    }
}

/// Members that may be absent: groups are named by the command line, and bodies, envelopes and explanations
/// have a schema of their own.
fn may_lack(name: &str, pointer: &str) -> &'static [&'static str] {
    let is_of_other_schema =
        ["/body", "/envelope", "/basis", "/explained"].iter().any(|part| pointer.contains(part));
    match name {
        "usage-by" => &["account", "region", "day", "value"],
        "usage" => &["value"],
        _ if is_of_other_schema => {
            &["number", "meter", "unit", "records", "tiers", "up_to", "issued_at", "note", "is", "plan"]
        }
        _ => &[],
    }
}

#[test]
fn the_schemas_are_closed_and_described() {
    let folder = reference().join("schemas/cli");
    for stem in stems(&folder) {
        let schema = read_json(&folder.join(format!("{stem}.json")));
        assert_eq!(schema["title"], json!(stem));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["description"].is_string(), "{stem}");
        walk(&schema, "", &mut |pointer, part| {
            if part["type"] == "object" && part["properties"].is_object() {
                let required: BTreeSet<&str> =
                    part["required"].as_array().expect("required").iter().filter_map(Value::as_str).collect();
                let properties = part["properties"].as_object().expect("properties");
                let mut names: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
                if pointer == "/$defs/row" && stem.starts_with("usage") {
                    // A meter that adds up has none: its sum is its value, and its row is as it always was.
                    names.remove("value");
                }
                assert_eq!(required, names, "{stem}{pointer}: what is printed is always printed");
                for (name, property) in properties {
                    let is_described = property["description"].is_string() || property["$ref"].is_string();
                    assert!(is_described, "{stem}{pointer}: `{name}` has no description");
                }
                let is_closed = part["additionalProperties"] == json!(false);
                let is_row_by = stem == "usage-by" && pointer == "/$defs/row";
                assert!(is_closed || is_row_by, "{stem}{pointer} is open");
            }
            assert_ne!(part["type"], "number", "{stem}{pointer}: decimals are text");
        });
    }
}

/// A place in the sources where an error gets its code.
struct Site {
    file: String,
    /// The constructor, such as `Failure::usage`.
    constructor: String,
    /// What it is given: the code first.
    arguments: Vec<String>,
}

/// The Rust files of a folder and the folders in it.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The arguments of a call, from behind its parenthesis.
fn arguments(code: &str) -> Vec<String> {
    let (mut all, mut current, mut depth, mut in_text) = (Vec::new(), String::new(), 0, false);
    let mut letters = code.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if in_text => {
                current.extend(letters.next());
                continue;
            }
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut current).trim().to_owned());
                continue;
            }
            _ => {}
        }
        current.push(letter);
    }
    all.push(current.trim().to_owned());
    all.retain(|argument| !argument.is_empty());
    all
}

/// A call that makes an error: its name, and the code and what follows it. `None` where the call is another.
fn constructor_call(before: &str, name: &str, behind: &str) -> Option<(String, Vec<String>)> {
    let owner = ["EngineError::", "StoreError::", "Failure::", "Self::"]
        .into_iter()
        .find(|owner| before.ends_with(owner));
    let mut arguments = arguments(behind);
    let has_kind = arguments.first()?.contains("ErrorKind::");
    if has_kind {
        arguments.remove(0);
    }
    // A helper of `store` has no path.
    let is_helper = name == "invalid"
        && before.ends_with([' ', '('])
        && arguments.first().and_then(|first| literal(first)).is_some_and(is_code);
    let is_constructor = owner.is_some() && (has_kind || name != "new");
    (is_constructor || is_helper).then(|| (format!("{}{name}", owner.unwrap_or("")), arguments))
}

/// Every call that makes an error, in the crates whose errors a user meets.
fn sites() -> Vec<Site> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sites = Vec::new();
    for path in
        ["engine", "store", "counterfoil"].iter().flat_map(|name| rust_files(&crates.join(name).join("src")))
    {
        let text = std::fs::read_to_string(&path).expect("a file");
        let file = path.strip_prefix(&crates).expect("below").to_str().expect("a name");
        for name in ["new", "invalid", "not_found", "usage", "could_not"] {
            for (at, call) in text.match_indices(&format!("{name}(")) {
                let found = constructor_call(&text[..at], name, &text[at + call.len()..]);
                sites.extend(found.map(|(constructor, arguments)| Site {
                    file: file.to_owned(),
                    constructor,
                    arguments,
                }));
            }
        }
    }
    sites
}

fn literal(argument: &str) -> Option<&str> {
    argument.strip_prefix('"')?.strip_suffix('"')
}

fn is_code(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// Constructors that are handed a code by others, and the codes that `StoreError::io` chooses from.
const HANDED_ON: [(&str, usize); 3] =
    [("engine/src/error.rs", 2), ("store/src/error.rs", 1), ("store/src/roots/append.rs", 1)];
const CHOSEN: [&str; 3] = ["disk_full", "folder_unwritable", "disk_failed"];
/// Told by `context.rs` itself, where no result can be returned.
const TOLD: &str = "no_randomness";

/// The rows of a page's tables whose first cell is a code: the code, and the rest.
fn rows(page: &str, head: &str) -> BTreeMap<String, String> {
    let table = page.split_once(head).unwrap_or_else(|| panic!("no table `{head}`")).1;
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        lines.map(|line| line.strip_prefix("| `").expect("a code").split_once("` | ").expect("a cell"));
    cells.map(|(code, rest)| (code.to_owned(), rest.to_owned())).collect()
}

#[test]
fn every_error_code_stands_on_the_page() {
    let page = std::fs::read_to_string(reference().join("cli.md")).expect("the page");
    let told = rows(&page, "| code | status | hint |");
    let output =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/output.rs")).expect("a file");
    let (_, words) = output.split_once("match error.code {").expect("the status of the engine's codes");
    let (words, _) = words.split_once("=> 2").expect("usage errors");
    let mut found: BTreeSet<String> = CHOSEN.iter().chain([&TOLD]).map(|code| (*code).to_owned()).collect();
    let mut handed_on: BTreeMap<String, usize> = BTreeMap::new();
    for site in sites() {
        let Some(code) = site.arguments.first().and_then(|first| literal(first)) else {
            assert_eq!(site.arguments.first().map(String::as_str), Some("code"), "{}", site.file);
            *handed_on.entry(site.file).or_insert(0) += 1;
            continue;
        };
        let row = told.get(code).unwrap_or_else(|| panic!("cli.md lacks `{code}` of {}", site.file));
        let status =
            if site.constructor.ends_with("usage") || words.contains(&format!("\"{code}\"")) { 2 } else { 3 };
        assert!(row.starts_with(&format!("{status} |")), "cli.md: the status of `{code}` is {status}");
        if let Some(hint) = site.arguments.get(2).and_then(|hint| literal(hint)) {
            assert!(row.contains(hint), "cli.md: the hint of `{code}` in {} is `{hint}`", site.file);
        }
        found.insert(code.to_owned());
    }
    assert_eq!(handed_on, HANDED_ON.map(|(file, calls)| (file.to_owned(), calls)).into());
    assert_eq!(
        told.into_keys().collect::<BTreeSet<_>>(),
        found,
        "the page has the codes of the sources, no others"
    );
    let source = |file: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file")
    };
    let io = source("../store/src/error.rs");
    assert!(CHOSEN.iter().all(|code| io.contains(&format!("(\"{code}\", "))));
    assert!(source("src/context.rs").contains(&format!("[{TOLD}]")));
}

#[test]
fn every_code_of_a_refused_record_stands_on_the_page() {
    let page = std::fs::read_to_string(reference().join("cli.md")).expect("the page");
    let told = rows(&page, "| code | what the sender can do |");
    let expected =
        Code::ALL.iter().map(|code| (code.as_str().to_owned(), format!("{} |", code.hint()))).collect();
    assert_eq!(told, expected);
}

#[test]
fn the_page_links_every_schema_and_example() {
    let page = std::fs::read_to_string(reference().join("cli.md")).expect("the page");
    for (name, schema) in SHAPES {
        let example = example_path(name);
        let file = example.file_name().and_then(|file| file.to_str()).expect("a name");
        for link in [format!("(schemas/cli/{schema}.json)"), format!("(golden/cli/{file})")] {
            assert!(page.contains(&link), "cli.md lacks {link}");
        }
    }
}
