//! `quarantine`: what was refused, and how it comes back.

use connectors::config::hint;
use engine::Repair;
use metering::{Code, Fate};
use serde_json::{Value, json};
use store::tables::QuarantineFilter;

use crate::args::{Format, Global, QuarantineArgs, QuarantineCommand, WantedArgs};
use crate::context;
use crate::output::{self, Failure, Outcome, table};

pub fn run(global: &Global, args: &QuarantineArgs) -> Result<Outcome, Failure> {
    match &args.command {
        QuarantineCommand::List { wanted, all } => {
            let status = (!all).then(|| "open".to_owned());
            list(global, &QuarantineFilter { status, ..filter(wanted)? })
        }
        QuarantineCommand::Show { position } => show(global, *position),
        QuarantineCommand::Replay { positions, wanted, set, with } => {
            let status = Some("open".to_owned());
            let filter = QuarantineFilter { status, ..filter(wanted)? };
            let repair = match (with, set.as_slice()) {
                (Some(path), _) => Repair::Replace(std::fs::read(path).map_err(|error| {
                    Failure::could_not(
                        "input_unreadable",
                        format!("could not read `{}`: {error}", path.display()),
                        "check the file's name and its permissions",
                    )
                })?),
                (None, []) => Repair::None,
                (None, members) => {
                    Repair::Set(members.iter().map(|text| member(text)).collect::<Result<_, _>>()?)
                }
            };
            replay(global, positions, &filter, &repair)
        }
    }
}

/// The records that are wanted, in any state.
fn filter(wanted: &WantedArgs) -> Result<QuarantineFilter, Failure> {
    let code = wanted.code.as_deref().map(known_code).transpose()?;
    let (from, to) = (wanted.from.as_deref(), wanted.to.as_deref());
    let (start, end) = context::window(from, to, &context::zone("UTC")?)?;
    Ok(QuarantineFilter {
        code: code.map(|code| code.as_str().to_owned()),
        feed: wanted.feed.clone(),
        source: wanted.source.clone(),
        from: from.map(|_| start),
        to: to.map(|_| end),
        ..QuarantineFilter::default()
    })
}

fn known_code(text: &str) -> Result<Code, Failure> {
    Code::parse(text).map_err(|error| {
        let known = Code::ALL.iter().map(|code| code.as_str());
        Failure::usage("unknown_code", error.to_string(), hint(text, known))
    })
}

/// A path and the JSON text for it; a text that is no JSON is meant as a string.
fn member(text: &str) -> Result<(String, String), Failure> {
    let (path, value) = text.split_once('=').ok_or_else(|| {
        Failure::usage(
            "bad_repair",
            format!("expected PATH=VALUE, found `{text}`"),
            "write --set data.quantity=3",
        )
    })?;
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(value).is_ok();
    let json = if is_json { value.to_owned() } else { Value::from(value).to_string() };
    Ok((path.to_owned(), json))
}

fn list(global: &Global, filter: &QuarantineFilter) -> Result<Outcome, Failure> {
    let engine = context::open_to_read(global)?;
    let rows = engine.quarantine(filter)?;
    engine.close()?;
    if global.format == Format::Json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "position": row.position, "feed": row.feed, "line": row.line, "code": row.code,
                    "message": row.message, "format": row.format, "source": row.source, "id": row.id,
                    "received_at": row.received_at.to_string(), "status": row.status,
                })
            })
            .collect();
        output::json_data(&Value::Array(rows))?;
        return Ok(Outcome::Done);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.position.to_string(),
                format!("{}:{}", row.feed, row.line),
                row.code.clone(),
                row.status.clone(),
                row.message.clone(),
            ]
        })
        .collect();
    output::data(&table(&["position", "place", "code", "status", "message"], &[0], &cells))?;
    Ok(Outcome::Done)
}

fn show(global: &Global, position: u64) -> Result<Outcome, Failure> {
    let engine = context::open_to_read(global)?;
    let kept = engine.kept(position)?;
    engine.close()?;
    let text = String::from_utf8_lossy(&kept.body);
    if global.format == Format::Json {
        output::json_data(&json!({
            "position": position, "feed": kept.feed, "line": kept.line, "code": kept.code.as_str(),
            "message": kept.message, "hint": kept.code.hint(), "format": kept.format, "body": text,
        }))?;
    } else {
        output::data(&format!(
            "{}:{}  {}\n{}\nhint: {}\n\n{}\n",
            kept.feed,
            kept.line,
            kept.code.as_str(),
            kept.message,
            kept.code.hint(),
            text.trim_end()
        ))?;
    }
    Ok(Outcome::Done)
}

fn replay(
    global: &Global,
    positions: &[u64],
    filter: &QuarantineFilter,
    repair: &Repair,
) -> Result<Outcome, Failure> {
    let mut engine = context::open_existing(global)?;
    let mut wanted: Vec<u64> = positions.to_vec();
    if positions.is_empty() {
        wanted.extend(engine.quarantine(filter)?.iter().map(|row| row.position));
    }
    let records: Vec<(u64, Repair)> = wanted.into_iter().map(|position| (position, repair.clone())).collect();
    let result = engine.replay(&context::caller(global), &records);
    let closed = engine.close();
    let replayed = result?;
    closed?;
    let refused = replayed.iter().any(|one| !matches!(one.fate, Fate::Accepted | Fate::Duplicate));
    if global.format == Format::Json {
        output::json_data(&Value::Array(replayed.iter().map(engine::Replayed::to_json).collect()))?;
    } else {
        let cells: Vec<Vec<String>> = replayed
            .into_iter()
            .map(|one| {
                let message = one.message.unwrap_or_else(String::new);
                vec![one.position.to_string(), one.new_position.to_string(), fate_text(one.fate), message]
            })
            .collect();
        output::data(&table(&["position", "now at", "fate", "message"], &[0, 1], &cells))?;
    }
    Ok(Outcome::of(refused))
}

fn fate_text(fate: Fate) -> String {
    match fate {
        Fate::Accepted => "accepted".to_owned(),
        Fate::Duplicate => "duplicate".to_owned(),
        Fate::Conflict => "conflict".to_owned(),
        Fate::Rejected(code) => format!("rejected: {}", code.as_str()),
    }
}
