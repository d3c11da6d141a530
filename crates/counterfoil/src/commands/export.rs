//! `export`: events and usage as Parquet files.

use std::fs::File;

use connectors::{Column, ColumnType, Datum, TableError, TableWriter};
use engine::{AcceptedEvent, Engine, GroupBy, LogWindow, Measured, TermSet, Totals, UsageQuery, hour_order};
use metering::{Digest, Instant, Zone};
use money::Sum;
use serde_json::json;

use crate::args::{ExportArgs, ExportCommand, ExportedArgs, Format, Global};
use crate::context;
use crate::output::{self, Failure, Outcome, grouped};
use crate::partial_file::PartialFile;

pub fn run(global: &Global, args: &ExportArgs) -> Result<Outcome, Failure> {
    let (ExportCommand::Events(exported) | ExportCommand::Usage { exported, .. }) = &args.command;
    let zone = context::zone(&exported.selected.zone)?;
    let (start, end) =
        context::window(exported.selected.from.as_deref(), exported.selected.to.as_deref(), &zone)?;
    let engine = context::open_to_read(global)?;
    context::outside_of_store(global, &exported.output)?;
    if let Some(account) = &exported.selected.account {
        context::known_account(&engine, account)?;
    }
    let position = exported.selected.as_of.map_or(engine.end(), |position| position.min(engine.end()));
    let asked = Asked { exported, zone, start, end, position };
    let written = match &args.command {
        ExportCommand::Events(_) => events(&engine, &asked)?,
        ExportCommand::Usage { meter, known_at, .. } => usage(&engine, &asked, meter, *known_at)?,
    };
    engine.close()?;
    report(global, &asked, &written)?;
    Ok(Outcome::Done)
}

/// What of the store is exported.
struct Asked<'a> {
    exported: &'a ExportedArgs,
    zone: Zone,
    start: Instant,
    end: Instant,
    /// P: only records below it.
    position: u64,
}

/// What was written.
struct Written {
    kind: &'static str,
    known_at: u64,
    rows: u64,
    bytes: u64,
    digest: Digest,
}

/// A table on its way into a file.
struct Export {
    file: PartialFile,
    table: TableWriter<File>,
    digest: Digest,
}

impl Export {
    fn begin(exported: &ExportedArgs, columns: Vec<Column>) -> Result<Self, Failure> {
        let (file, out) = PartialFile::create(&exported.output, exported.overwrite)?;
        let table = TableWriter::new(out, columns).map_err(|error| told(&file, error))?;
        Ok(Self { file, table, digest: Digest::ZERO })
    }

    fn push(&mut self, digest: Digest, row: &[Datum<'_>]) -> Result<(), Failure> {
        self.digest = self.digest.add(digest);
        self.table.push(row).map_err(|error| told(&self.file, error))
    }

    fn finish(
        self,
        engine: &Engine,
        asked: &Asked<'_>,
        kind: &'static str,
        meter: Option<&str>,
        known_at: u64,
    ) -> Result<Written, Failure> {
        let (rows, digest) = (self.table.rows(), self.digest);
        let mut about = vec![
            ("counterfoil.export", kind.to_owned()),
            ("counterfoil.store_id", engine.store_id()),
            ("counterfoil.position", asked.position.to_string()),
            ("counterfoil.known_at", known_at.to_string()),
            ("counterfoil.rows", rows.to_string()),
            ("counterfoil.digest", digest.to_string()),
            ("counterfoil.zone", asked.zone.name().to_owned()),
            ("counterfoil.tz_database", metering::tz_database_version().to_owned()),
            ("counterfoil.version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        about.extend(meter.map(|meter| ("counterfoil.meter", meter.to_owned())));
        about.extend(asked.exported.selected.account.clone().map(|account| ("counterfoil.account", account)));
        about.extend(
            asked.exported.selected.from.is_some().then(|| ("counterfoil.from", asked.start.to_string())),
        );
        about.extend(asked.exported.selected.to.is_some().then(|| ("counterfoil.to", asked.end.to_string())));
        let out = self.table.finish(&about).map_err(|error| told(&self.file, error))?;
        let bytes = self.file.publish(&out)?;
        Ok(Written { kind, known_at, rows, bytes, digest })
    }
}

fn told(file: &PartialFile, error: TableError) -> Failure {
    match error {
        TableError::OutOfRange { .. } => Failure::could_not(
            "value_too_large",
            format!("{error}; nothing is rounded"),
            "narrow it with --from and --to; `counterfoil usage --by hour` prints every digit",
        ),
        TableError::OtherRow { .. } | TableError::Unwritable(_) => file.failed(&error),
    }
}

fn column(name: impl Into<String>, holds: ColumnType) -> Column {
    Column { name: name.into(), holds, nullable: false }
}

fn nullable(name: impl Into<String>, holds: ColumnType) -> Column {
    Column { nullable: true, ..column(name, holds) }
}

fn events(engine: &Engine, asked: &Asked<'_>) -> Result<Written, Failure> {
    let columns = vec![
        column("position", ColumnType::Count),
        column("received_at", ColumnType::Time),
        column("occurred_at", ColumnType::Time),
        column("source", ColumnType::Text),
        column("id", ColumnType::UniqueText),
        column("type", ColumnType::Text),
        column("account", ColumnType::Text),
        nullable("quantity", ColumnType::Decimal),
        column("properties", ColumnType::Text),
        column("digest", ColumnType::UniqueText),
    ];
    let window = LogWindow {
        account: asked.exported.selected.account.as_deref(),
        start: asked.start,
        end: asked.end,
        as_of: asked.position,
    };
    let mut export = Export::begin(asked.exported, columns)?;
    let bar = output::progress(Some(asked.position), "records");
    engine.visit_accepted(&window, &mut |accepted: AcceptedEvent<'_>| {
        let event = accepted.event;
        let digest = engine.digest(event);
        let quantity = metering::base_quantity(event);
        bar.set_position(accepted.position);
        export.push(
            digest,
            &[
                Datum::Count(accepted.position),
                Datum::Time(accepted.received_at.0),
                Datum::Time(event.occurred_at.0),
                Datum::Text(event.source),
                Datum::Text(event.id),
                Datum::Text(event.event_type),
                Datum::Text(event.account),
                quantity.map_or(Datum::Absent, |quantity| Datum::Decimal(Sum::ZERO.add(quantity))),
                Datum::Text(&event.properties.to_canonical_json()),
                Datum::Text(&digest.to_string()),
            ],
        )
    })?;
    bar.finish_and_clear();
    export.finish(engine, asked, "events", None, engine.head().number)
}

/// The dimensions of all versions of a meter, in the order in which they came.
fn dimensions(terms: &TermSet, meter: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for dimension in terms.terms.meters.versions(meter).iter().flat_map(|version| &version.dimensions) {
        if !names.contains(dimension) {
            names.push(dimension.clone());
        }
    }
    names
}

fn usage(engine: &Engine, asked: &Asked<'_>, meter: &str, known_at: Option<u64>) -> Result<Written, Failure> {
    let earlier = known_at.map(|row| engine.terms_known_at(row)).transpose()?;
    let terms = earlier.as_ref().unwrap_or_else(|| engine.terms());
    let dimensions = dimensions(terms, meter);
    let mut columns = vec![
        column("meter", ColumnType::Text),
        column("account", ColumnType::Text),
        column("source", ColumnType::Text),
        column("type", ColumnType::Text),
    ];
    columns.extend(dimensions.iter().map(|name| nullable(format!("dimension.{name}"), ColumnType::Text)));
    columns.extend([
        column("hour", ColumnType::Text),
        nullable("hour_start", ColumnType::Time),
        column("events", ColumnType::Count),
        column("unmeasured", ColumnType::Count),
        column("sum", ColumnType::Decimal),
        nullable("value", ColumnType::Text),
        column("digest", ColumnType::UniqueText),
    ]);
    let query = UsageQuery {
        meter,
        account: asked.exported.selected.account.as_deref(),
        only: &[],
        start: asked.start,
        end: asked.end,
        as_of: asked.position,
    };
    let mut by = vec![GroupBy::Source, GroupBy::Type];
    by.extend(dimensions.into_iter().map(GroupBy::Dimension));
    by.push(GroupBy::Hour(asked.zone.clone()));
    let accounts = engine.usage_by_terms(terms, &query, &[GroupBy::Account])?;
    let mut export = Export::begin(asked.exported, columns)?;
    let bar = output::progress(Some(accounts.len() as u64), "accounts");
    for (account, totals) in accounts {
        // The rows of one account at a time: those of all need not fit into memory.
        let account = account.into_iter().next().flatten().ok_or_else(|| differs("an account", "none"))?;
        let query = UsageQuery { account: Some(&account), ..query.clone() };
        usage_of(engine, terms, &query, &by, &account, &totals, &mut export)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let known_at = known_at.unwrap_or_else(|| engine.head().number);
    export.finish(engine, asked, "usage", Some(meter), known_at)
}

/// The rows of an account, which are what its totals are.
fn usage_of(
    engine: &Engine,
    terms: &TermSet,
    query: &UsageQuery<'_>,
    by: &[GroupBy],
    account: &str,
    totals: &Totals,
    export: &mut Export,
) -> Result<(), Failure> {
    let mut groups: Vec<_> = engine.usage_by_terms(terms, query, by)?.into_iter().collect();
    groups.sort_by_cached_key(|(group, _)| {
        let (hour, others) = group.split_last().map_or((None, [].as_slice()), |(h, o)| (h.as_deref(), o));
        (others.to_vec(), hour.and_then(hour_order), hour.map(str::to_owned))
    });
    let (mut records, mut sum, mut digest) = (0, Sum::ZERO, Digest::ZERO);
    for (group, part) in &groups {
        let Some((Some(hour), others)) = group.split_last() else { return Err(differs("an hour", "none")) };
        let mut row = vec![Datum::Text(query.meter), Datum::Text(account)];
        row.extend(others.iter().map(|value| value.as_deref().map_or(Datum::Absent, Datum::Text)));
        let shown = part.digest.to_string();
        // What a meter that adds up is worth is its sum.
        let value = match part.measured {
            Measured::Quantity => None,
            Measured::Value(value) => value.map(|value| value.to_string()),
        };
        row.extend([
            Datum::Text(hour),
            hour_order(hour).map_or(Datum::Absent, Datum::Time),
            Datum::Count(part.records),
            Datum::Count(part.unmeasured),
            Datum::Decimal(part.quantity),
            value.as_deref().map_or(Datum::Absent, Datum::Text),
            Datum::Text(&shown),
        ]);
        export.push(part.digest, &row)?;
        (records, sum) = (records + part.records, sum.merge(part.quantity));
        digest = digest.add(part.digest);
    }
    if (records, sum, digest) != (totals.records, totals.quantity, totals.digest) {
        let found = format!("{records} events, sum {sum}, digest {digest}");
        let expected = format!(
            "{} events, sum {}, digest {} of `{account}`",
            totals.records, totals.quantity, totals.digest
        );
        return Err(differs(&expected, &found));
    }
    Ok(())
}

fn differs(expected: &str, found: &str) -> Failure {
    Failure::could_not(
        "sums_differ",
        format!("expected {expected}, found {found}"),
        "report this: it must never happen",
    )
}

fn report(global: &Global, asked: &Asked<'_>, written: &Written) -> Result<(), Failure> {
    let file = asked.exported.output.display().to_string();
    let (rows, bytes) = (written.rows.to_string(), written.bytes.to_string());
    if global.format == Format::Json {
        return output::json_data(&json!({
            "export": written.kind,
            "file": file,
            "rows": rows,
            "bytes": bytes,
            "position": asked.position,
            "known_at": written.known_at,
            "digest": written.digest.to_string(),
        }));
    }
    let mut text = String::new();
    for (what, value) in [
        ("file", file),
        ("rows", grouped(&rows)),
        ("bytes", grouped(&bytes)),
        ("below position", asked.position.to_string()),
        ("known at row", written.known_at.to_string()),
        ("digest", written.digest.to_string()),
    ] {
        text.push_str(&format!("{what:<14}  {value}\n"));
    }
    output::data(&text)
}
