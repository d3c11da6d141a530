//! `usage`: what was used, by whom, when; single events; fates; what is late.

use engine::{Engine, GroupBy, ListedEvent, Measured, TermSet, Totals, UsageQuery, hour_order};
use metering::{Instant, Zone};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::args::{Format, Global, UsageArgs};
use crate::context;
use crate::output::{self, Failure, Outcome, grouped, table};

pub fn run(global: &Global, args: &UsageArgs) -> Result<Outcome, Failure> {
    let engine = context::open_to_read(global)?;
    if let Some(account) = &args.selected.account {
        context::known_account(&engine, account)?;
    }
    if args.fates {
        fates(global, &engine)?;
    } else if args.late {
        late(global, &engine)?;
    } else if args.events {
        events(global, &engine, args)?;
    } else {
        totals(global, &engine, args)?;
    }
    engine.close()?;
    Ok(Outcome::Done)
}

struct Window {
    start: Instant,
    end: Instant,
    only: Vec<(String, Vec<String>)>,
    zone: Zone,
}

fn window(args: &UsageArgs) -> Result<Window, Failure> {
    let zone = context::zone(&args.selected.zone)?;
    let (start, end) = context::window(args.selected.from.as_deref(), args.selected.to.as_deref(), &zone)?;
    let mut only: Vec<(String, Vec<String>)> = Vec::new();
    for text in &args.only {
        let (dimension, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage(
                "bad_filter",
                format!("expected DIMENSION=VALUE, found `{text}`"),
                "write --only project=a --only project=b",
            )
        })?;
        match only.iter_mut().find(|(known, _)| known == dimension) {
            Some((_, values)) => values.push(value.to_owned()),
            None => only.push((dimension.to_owned(), vec![value.to_owned()])),
        }
    }
    Ok(Window { start, end, only, zone })
}

/// The meters that are asked for: all that are known, or were at `--known-at`.
fn meters(engine: &Engine, args: &UsageArgs) -> Result<Vec<String>, Failure> {
    let names = |set: &TermSet| set.terms.meters.names().map(str::to_owned).collect();
    Ok(match (&args.meter, args.known_at) {
        (Some(meter), _) => vec![meter.clone()],
        (None, Some(row)) => names(&engine.terms_known_at(row)?),
        (None, None) => names(engine.terms()),
    })
}

fn query<'a>(engine: &Engine, args: &'a UsageArgs, meter: &'a str, window: &'a Window) -> UsageQuery<'a> {
    UsageQuery {
        meter,
        account: args.selected.account.as_deref(),
        only: &window.only,
        start: window.start,
        end: window.end,
        as_of: args.selected.as_of.unwrap_or_else(|| engine.end()),
    }
}

fn group_by(text: &str, zone: &Zone) -> GroupBy {
    match text {
        "account" => GroupBy::Account,
        "source" => GroupBy::Source,
        "type" => GroupBy::Type,
        "hour" => GroupBy::Hour(zone.clone()),
        "day" => GroupBy::Day(zone.clone()),
        "month" => GroupBy::Month(zone.clone()),
        dimension => GroupBy::Dimension(dimension.to_owned()),
    }
}

/// A group as it sorts: as its text, an hour as it came.
fn in_time(by: &[GroupBy], group: &[Option<String>]) -> Vec<(Option<i64>, Option<String>)> {
    let value = |(by, value): (&GroupBy, &Option<String>)| {
        let moment = matches!(by, GroupBy::Hour(_)).then(|| value.as_deref().and_then(hour_order));
        (moment.flatten(), value.clone())
    };
    by.iter().zip(group).map(value).collect()
}

fn totals(global: &Global, engine: &Engine, args: &UsageArgs) -> Result<(), Failure> {
    let window = window(args)?;
    let by: Vec<GroupBy> = args.by.iter().map(|text| group_by(text, &window.zone)).collect();
    let mut rows = Vec::new();
    let meters = meters(engine, args)?;
    let earlier = args.known_at.map(|row| engine.terms_known_at(row)).transpose()?;
    let terms = earlier.as_ref().unwrap_or_else(|| engine.terms());
    for meter in &meters {
        let groups = engine.usage_by_terms(terms, &query(engine, args, meter, &window), &by)?;
        if groups.is_empty() && by.is_empty() {
            rows.push((meter, Vec::new(), terms.nothing_of(meter)));
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_cached_key(|(group, _)| in_time(&by, group));
        rows.extend(groups.into_iter().map(|(group, totals)| (meter, group, totals)));
    }
    if global.format == Format::Json {
        let meters: Vec<Value> = rows
            .iter()
            .map(|(meter, group, totals)| {
                let mut row = json!({
                    "meter": meter,
                    "count": totals.records.to_string(),
                    "sum": totals.quantity.to_string(),
                    "unmeasured": totals.unmeasured.to_string(),
                    "digest": totals.digest.to_string(),
                });
                if let Measured::Value(value) = totals.measured {
                    row["value"] = json!(value.map(|value| value.to_string()));
                }
                if !args.by.is_empty() {
                    let names = args.by.iter().cloned();
                    row["group"] = names.zip(group.iter().map(|value| json!(value))).collect();
                }
                row
            })
            .collect();
        return output::json_data(&json!({ "meters": meters }));
    }
    let mut head: Vec<&str> = vec!["meter"];
    head.extend(args.by.iter().map(String::as_str));
    let first = head.len();
    head.extend(["events", "sum"]);
    // Where every meter adds up the sum is the value.
    let has_values = rows.iter().any(|(.., totals)| totals.measured != Measured::Quantity);
    if has_values {
        head.push("value");
    }
    let right: Vec<usize> = (first..head.len()).collect();
    head.push("digest");
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(meter, group, totals)| {
            let mut row = vec![(*meter).clone()];
            row.extend(group.iter().map(|value| value.clone().unwrap_or_else(|| "(absent)".to_owned())));
            row.push(grouped(&totals.records.to_string()));
            row.push(grouped(&totals.quantity.to_string()));
            if has_values {
                let value = totals.value().map(|value| grouped(&value.to_string()));
                row.push(value.unwrap_or_else(|| "(none)".to_owned()));
            }
            row.push(totals.digest.to_string());
            row
        })
        .collect();
    output::data(&table(&head, &right, &cells))
}

fn events(global: &Global, engine: &Engine, args: &UsageArgs) -> Result<(), Failure> {
    let window = window(args)?;
    for meter in &meters(engine, args)? {
        let query = query(engine, args, meter, &window);
        let events = match args.known_at {
            Some(row) => engine.events_known_at(row, &query)?,
            None => engine.events(&query)?,
        };
        for listed in events {
            let event = &listed.event;
            let digest = engine.digest(event);
            let value = listed.value.map(|value| value.to_string());
            let line = match global.format {
                Format::Json => event_line(&listed, &digest.to_string())?,
                Format::Text => format!(
                    "{}  {}  {}  {}  {}  {}\n",
                    event.occurred_at,
                    event.source,
                    event.id,
                    event.event_type,
                    value.as_deref().unwrap_or("(no value)"),
                    event.properties.to_canonical_json()
                ),
            };
            output::data(&line)?;
        }
    }
    Ok(())
}

/// An event as one line of JSON. Its properties go out as they are kept: a number keeps every digit.
#[derive(Serialize)]
struct EventLine<'a> {
    account: &'a str,
    digest: &'a str,
    id: &'a str,
    occurred_at: String,
    position: u64,
    properties: Box<RawValue>,
    received_at: String,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    value: Option<String>,
}

fn event_line(listed: &ListedEvent, digest: &str) -> Result<String, Failure> {
    let event = &listed.event;
    let unreadable = |error: serde_json::Error| {
        Failure::could_not("stored_document_unreadable", error.to_string(), "run `counterfoil verify`")
    };
    let line = EventLine {
        account: &event.account,
        digest,
        id: &event.id,
        occurred_at: event.occurred_at.to_string(),
        position: listed.position,
        properties: RawValue::from_string(event.properties.to_canonical_json()).map_err(unreadable)?,
        received_at: listed.received_at.to_string(),
        source: &event.source,
        event_type: &event.event_type,
        value: listed.value.map(|value| value.to_string()),
    };
    Ok(format!("{}\n", serde_json::to_string(&line).map_err(unreadable)?))
}

fn fates(global: &Global, engine: &Engine) -> Result<(), Failure> {
    let rows = engine.tables().fates().map_err(Failure::from_store)?;
    if global.format == Format::Json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "feed": row.feed, "source": row.source, "fate": row.fate, "code": row.code,
                    "records": row.records.to_string(), "units": row.units.to_string(),
                })
            })
            .collect();
        return output::json_data(&json!({ "received": engine.end().to_string(), "fates": rows }));
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.feed.clone(),
                row.source.clone().unwrap_or_else(|| "(unknown)".to_owned()),
                row.fate.clone(),
                row.code.clone().unwrap_or_else(String::new),
                grouped(&row.records.to_string()),
                grouped(&row.units.to_string()),
            ]
        })
        .collect();
    output::data(&table(&["feed", "source", "fate", "code", "records", "units"], &[4, 5], &cells))
}

fn late(global: &Global, engine: &Engine) -> Result<(), Failure> {
    let late = engine.late()?;
    let rows: Vec<(&String, &String, &String, &Totals)> = late
        .iter()
        .flat_map(|late| {
            late.by_account.iter().map(|((account, kind), totals)| (&late.period, account, kind, totals))
        })
        .collect();
    if global.format == Format::Json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(period, account, kind, totals)| {
                json!({
                    "period": period, "account": account, "type": kind,
                    "records": totals.records.to_string(), "units": totals.quantity.to_string(),
                    "digest": totals.digest.to_string(),
                })
            })
            .collect();
        return output::json_data(&json!({ "late": rows }));
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(period, account, kind, totals)| {
            vec![
                (*period).clone(),
                (*account).clone(),
                (*kind).clone(),
                grouped(&totals.records.to_string()),
                grouped(&totals.quantity.to_string()),
            ]
        })
        .collect();
    output::data(&table(&["period", "account", "type", "events", "units"], &[3, 4], &cells))
}
