//! `demo`: a seeded month, counted, priced, invoiced and explained in a fresh folder.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use connectors::config::read_documents;
use connectors::{Decoder, Feed};
use engine::{Engine, FeedOptions, FeedReport, FixedClock, PeriodName, report_json};
use serde_json::{Value, json};
use store::tables::{InvoiceFilter, StoredInvoice};

use crate::args::{Format, Global, WorldArgs};
use crate::commands::ingest::fates_table;
use crate::context;
use crate::output::{self, Failure, Outcome, grouped, note, table};
use crate::world::{AFTER_END, LATE, MonthStream, PERIOD, SEAL, Sent, World, configuration};

/// Accounts shown by name; the rest is summed.
const SHOWN: usize = 8;

pub fn run(global: &Global, args: &WorldArgs) -> Result<Outcome, Failure> {
    let folder = fresh_folder(global)?;
    note(&format!(
        "demo: {} records, seed {}, in {}",
        grouped(&args.events.to_string()),
        args.seed,
        folder.display()
    ));
    let clock = Arc::new(FixedClock::at(metering::Instant(0)));
    let world = Arc::new(Mutex::new(World::new(args.events, args.seed, Some(Arc::clone(&clock)))));
    let mut engine = context::open_at(&folder, Arc::clone(&clock) as Arc<dyn engine::Clock>, global)?;
    configure(&mut engine, global)?;
    let month = ingest(
        &mut engine,
        global,
        "month",
        Box::new(MonthStream::new(Arc::clone(&world))),
        Some(args.events),
    )?;
    let (sent, (after_end, after_count), (late, late_count)) = {
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        (world.sent(), world.take_after_end(), world.take_late())
    };
    clock.set(AFTER_END);
    let after_end = ingest(&mut engine, global, "after-end", Box::new(Cursor::new(after_end)), None)?;
    clock.set(SEAL);
    let period: PeriodName = PERIOD.parse()?;
    let billed = engine.invoice_run(&context::caller(global), period, None, false)?;
    clock.set(LATE);
    let late = ingest(&mut engine, global, "late", Box::new(Cursor::new(late)), None)?;
    let reports = [month, after_end, late];
    check(&engine, &reports, sent, after_count, late_count)?;
    let invoices = engine.tables().invoices(&InvoiceFilter::default()).map_err(Failure::from_store)?;
    let explained = explain_one(&engine, &invoices)?;
    let late_now = engine.late()?.iter().map(|late| late.records).sum();
    engine.close()?;
    let seen = Seen { folder, reports, invoices, explained, late_now, problems: billed.problems.len() };
    match global.format {
        Format::Json => output::json_data(&seen.to_json())?,
        Format::Text => output::data(&seen.to_text())?,
    }
    Ok(Outcome::Done)
}

/// `counterfoil-demo`, or the next name that is free: nothing that is there is touched.
fn fresh_folder(global: &Global) -> Result<PathBuf, Failure> {
    if global.data != Path::new("counterfoil-data") {
        if global.data.exists() {
            return Err(Failure::could_not(
                "folder_taken",
                format!("`{}` is there already; the demo wants a fresh folder", global.data.display()),
                "name another with --data, or leave the flag out",
            ));
        }
        return Ok(global.data.clone());
    }
    let free = (1..1_000)
        .map(|n| if n == 1 { "counterfoil-demo".to_owned() } else { format!("counterfoil-demo-{n}") })
        .map(PathBuf::from)
        .find(|folder| !folder.exists());
    free.ok_or_else(|| {
        Failure::could_not("folder_taken", "a thousand demo folders are here", "delete some of them")
    })
}

fn configure(engine: &mut Engine, global: &Global) -> Result<(), Failure> {
    let documents = read_documents("demo.yaml", &configuration())
        .map_err(|problems| crate::commands::apply::refused(&problems))?;
    let plan = engine.plan(&documents)?.map_err(|problems| crate::commands::apply::refused(&problems))?;
    engine.apply(&context::caller(global), &plan)?;
    Ok(())
}

fn ingest(
    engine: &mut Engine,
    global: &Global,
    name: &str,
    input: Box<dyn std::io::BufRead + Send>,
    length: Option<u64>,
) -> Result<FeedReport, Failure> {
    let feed = Feed { name: name.to_owned(), source: name.to_owned() };
    let bar = output::progress(length, name);
    let decoder = Decoder::cloud_events();
    let report = engine.ingest(
        &context::caller(global),
        &decoder,
        &feed,
        decoder.chunks(input),
        FeedOptions::default(),
        &mut |received| bar.set_position(received),
    )?;
    bar.finish_and_clear();
    Ok(report)
}

/// Lays the engine's counts beside what the world knows it sent.
fn check(
    engine: &Engine,
    reports: &[FeedReport; 3],
    sent: Sent,
    after: u64,
    late: u64,
) -> Result<(), Failure> {
    let mut wrong = engine.check_sums()?;
    let expected = [
        ("month", "accepted", sent.fresh),
        ("month", "duplicate", sent.repeated),
        ("month", "conflict", sent.altered),
        ("month", "rejected", sent.broken),
        ("after-end", "accepted", after),
        ("late", "accepted", late),
    ];
    for (feed, fate, count) in expected {
        let counted: u64 =
            reports.iter().filter(|report| report.feed == feed).map(|report| report.records(fate)).sum();
        if counted != count {
            wrong.push(format!(
                "the world sent {count} records to be {fate} in `{feed}`, counted were {counted}"
            ));
        }
    }
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(Failure::could_not("sums_differ", first, "report this: it must never happen")),
    }
}

/// The dearest line of the largest invoice that has tiers; of any, where none has.
fn explain_one(engine: &Engine, invoices: &[StoredInvoice]) -> Result<Option<Value>, Failure> {
    let Some(invoice) = invoices.iter().max_by_key(|invoice| minor(&invoice.total)) else { return Ok(None) };
    let lines = invoice.body.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or(&[]);
    let tiers = |line: &Value| line.get("tiers").and_then(Value::as_array).map_or(0, Vec::len);
    let amount = |line: &Value| line.get("amount").and_then(Value::as_str).map_or(0, minor);
    let best = lines
        .iter()
        .max_by_key(|line| {
            let (costs, metered) = (amount(line) > 0, line.get("meter").is_some());
            (costs && tiers(line) > 1, costs && metered, amount(line))
        })
        .and_then(|line| line.get("line"))
        .and_then(Value::as_u64);
    match best.and_then(|line| u32::try_from(line).ok()) {
        Some(line) => Ok(Some(engine.explain(&invoice.invoice, line)?)),
        None => Ok(None),
    }
}

/// Digits of a total, for ordering amounts of one currency.
fn minor(total: &str) -> i128 {
    total.replace('.', "").parse().unwrap_or(0)
}

struct Seen {
    folder: PathBuf,
    reports: [FeedReport; 3],
    invoices: Vec<StoredInvoice>,
    explained: Option<Value>,
    late_now: u64,
    problems: usize,
}

impl Seen {
    fn total(&self) -> String {
        let sum: i128 = self.invoices.iter().map(|invoice| minor(&invoice.total)).sum();
        format!("{}.{:02}", sum / 100, sum % 100)
    }

    fn accepted(&self) -> u64 {
        self.reports.iter().map(|report| report.records("accepted")).sum()
    }

    fn to_json(&self) -> Value {
        json!({
            "folder": self.folder.display().to_string(),
            "feeds": self.reports.iter().map(report_json).collect::<Vec<_>>(),
            "on_time": (self.accepted() - self.late_now).to_string(),
            "late": self.late_now.to_string(),
            "invoices": self.invoices.len(),
            "total": self.total(),
            "currency": "USD",
            "problems": self.problems,
            "explained": self.explained,
        })
    }

    fn to_text(&self) -> String {
        let mut text = String::from("Every record has one fate\n\n");
        text.push_str(&fates_table(&self.reports));
        text.push_str(&format!(
            "\naccepted {} = {} on time + {} late (counted, not yet billed)\n\nSpend in {PERIOD}\n\n",
            grouped(&self.accepted().to_string()),
            grouped(&(self.accepted() - self.late_now).to_string()),
            grouped(&self.late_now.to_string()),
        ));
        text.push_str(&self.spend());
        if let Some(explained) = &self.explained {
            text.push_str("\nOne line, explained\n\n");
            text.push_str(&invoicing::explanation_text(explained));
        }
        text.push_str(&self.next());
        text
    }

    fn spend(&self) -> String {
        let mut ranked: Vec<&StoredInvoice> = self.invoices.iter().collect();
        ranked.sort_by_key(|invoice| std::cmp::Reverse(minor(&invoice.total)));
        let mut rows: Vec<Vec<String>> = ranked
            .iter()
            .take(SHOWN)
            .map(|invoice| {
                let number = invoice.number.clone().unwrap_or_else(|| "(draft)".to_owned());
                vec![invoice.account.clone(), number, grouped(&invoice.total)]
            })
            .collect();
        if ranked.len() > SHOWN {
            let rest: i128 = ranked.iter().skip(SHOWN).map(|invoice| minor(&invoice.total)).sum();
            let count = ranked.len() - SHOWN;
            rows.push(vec![
                format!("{count} more"),
                String::new(),
                grouped(&format!("{}.{:02}", rest / 100, rest % 100)),
            ]);
        }
        rows.push(vec!["all".to_owned(), String::new(), grouped(&self.total())]);
        table(&["account", "invoice", "USD"], &[2], &rows)
    }

    fn next(&self) -> String {
        let folder = self.folder.display();
        let first = self.invoices.iter().find_map(|invoice| invoice.number.as_deref()).unwrap_or("NUMBER");
        format!(
            "\nTry next\n\n  \
             counterfoil --data {folder} invoice show {first}\n  \
             counterfoil --data {folder} explain {first}\n  \
             counterfoil --data {folder} usage --by account --meter error --from 2026-08-01 --to 2026-08-02\n  \
             counterfoil --data {folder} usage --late\n  \
             counterfoil --data {folder} quarantine list\n  \
             counterfoil --data {folder} verify\n"
        )
    }
}
