//! `apply`: configuration files → a plan of changes → one journal row, or with `--dry-run` the plan alone.

use std::path::PathBuf;

use connectors::config::{Document, Problem, check_references, load_path};
use engine::{Action, Caller, Change, Engine, Plan};
use invoicing::terms::Terms;
use metering::Instant;
use serde_json::{Value, json};

use crate::args::{ApplyArgs, Format, Global};
use crate::context;
use crate::output::{self, Failure, Outcome, table};

pub fn run(global: &Global, args: &ApplyArgs) -> Result<Outcome, Failure> {
    let documents = load(&args.files)?;
    if args.dry_run {
        let plan = dry_plan(global, &documents)?.map_err(|problems| refused(&problems))?;
        print(global, &plan.to_json(), true)?;
        return Ok(Outcome::Done);
    }
    let mut engine = context::open(global)?;
    let caller = context::caller(global);
    let used = used_key(&engine, &caller)?;
    let plan = match used {
        // It is not executed: the engine answers the first result where the documents are the same as then.
        Some(_) => first_plan(&documents),
        None => match engine.plan(&documents)? {
            Ok(plan) => plan,
            Err(problems) => {
                engine.journal_refusal(&caller, &problems)?;
                engine.close()?;
                return Err(refused(&problems));
            }
        },
    };
    let result = engine.apply(&caller, &plan);
    // Where both fail, the first is the reason.
    let closed = engine.close();
    let result = result?;
    closed?;
    if let Some((key, row)) = used {
        output::note(&format!(
            "note: nothing was done now, this is the first result of the idempotency key, which was used before, in journal row {row}: `{key}`"
        ));
    }
    print(global, &result, false)?;
    Ok(Outcome::Done)
}

fn load(files: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let (mut documents, mut problems): (Vec<Document>, Vec<Problem>) = (Vec::new(), Vec::new());
    for path in files {
        match load_path(path) {
            Ok(more) => documents.extend(more),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(documents) } else { Err(refused(&problems)) }
}

/// What would be done. Nothing is written: not a folder where there is none, not a row where it is refused.
fn dry_plan(global: &Global, documents: &[Document]) -> Result<Result<Plan, Vec<Problem>>, Failure> {
    if !context::is_there(global)? {
        let problems = check_references(documents, &Terms::default());
        return Ok(if problems.is_empty() { Ok(first_plan(documents)) } else { Err(problems) });
    }
    let engine = context::open_to_read(global)?;
    let plan = engine.plan(documents)?;
    engine.close()?;
    Ok(plan)
}

/// The plan where nothing is stored: every document is a first version. It cannot be executed, as it has no keys
/// for the hashes of personal fields.
fn first_plan(documents: &[Document]) -> Plan {
    let change = |document: &Document| Change {
        action: Action::Create,
        document: document.clone(),
        version: 1,
        effective_at: document.effective_at.unwrap_or(Instant(0)),
        fields: Vec::new(),
        personal: document
            .personal
            .iter()
            .map(|(field, value)| (field.clone(), value.clone(), String::new()))
            .collect(),
    };
    Plan { changes: documents.iter().map(change).collect() }
}

/// The idempotency key where it was used before, and the journal row that has it.
fn used_key<'c>(engine: &Engine, caller: &'c Caller) -> Result<Option<(&'c str, u64)>, Failure> {
    let Some(key) = caller.idempotency_key.as_deref() else { return Ok(None) };
    let found = engine.tables().command_by_key(key).map_err(Failure::from_store)?;
    Ok(found.map(|(row, _)| (key, row)))
}

/// Prints every mistake, then fails with their number.
pub fn refused(problems: &[Problem]) -> Failure {
    for problem in problems {
        let place = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
        output::note(&format!(
            "{}:{}: {place}{} [{}]\n  hint: {}",
            problem.file, problem.line, problem.message, problem.code, problem.hint
        ));
    }
    let count = problems.len();
    let word = if count == 1 { "mistake" } else { "mistakes" };
    Failure::could_not(
        "configuration_refused",
        format!("the configuration has {count} {word}; nothing was applied"),
        "mend what is listed above and apply again",
    )
}

/// Prints what was done, or with `dry_run` would be: the changes as [`Plan::to_json`] writes them.
fn print(global: &Global, changes: &Value, dry_run: bool) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::json_data(&json!({ "applied": !dry_run, "changes": changes }));
    }
    let changes = changes.as_array().map_or(&[][..], Vec::as_slice);
    let is_changed = |change: &&Value| change["action"] != Action::Unchanged.as_str();
    let rows: Vec<Vec<String>> = changes.iter().filter(is_changed).map(row).collect();
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&table(&["action", "kind", "name", "version", "holds from", "fields"], &[], &rows));
    }
    let verb = if dry_run { "would change" } else { "changed" };
    text.push_str(&format!(
        "{} documents: {} {verb}, {} unchanged\n",
        changes.len(),
        rows.len(),
        changes.len() - rows.len()
    ));
    output::data(&text)
}

fn row(change: &Value) -> Vec<String> {
    let text = |field: &str| change[field].as_str().unwrap_or("").to_owned();
    let list = |field: &str| {
        let members = change[field].as_array().map_or(&[][..], Vec::as_slice);
        members.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let holds_from = match text("effective_at") {
        at if at == Instant(0).to_string() => "always".to_owned(),
        at => at,
    };
    let fields = if change["action"] == Action::Personal.as_str() { "personal" } else { "fields" };
    vec![
        text("action"),
        text("kind"),
        text("name"),
        format!("v{}", change["version"]),
        holds_from,
        list(fields),
    ]
}
