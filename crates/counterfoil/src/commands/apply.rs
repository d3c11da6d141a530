//! `apply`: configuration files → a plan of changes → one journal row.

use connectors::config::{Document, Problem, load_path};
use engine::{Action, Plan};
use serde_json::json;

use crate::args::{ApplyArgs, Format, Global};
use crate::context;
use crate::output::{self, Failure, Outcome, table};

pub fn run(global: &Global, args: &ApplyArgs) -> Result<Outcome, Failure> {
    let mut documents: Vec<Document> = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    for path in &args.files {
        match load_path(path) {
            Ok(more) => documents.extend(more),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(refused(&problems));
    }
    let mut engine = context::open(global)?;
    let plan = match engine.plan(&documents)? {
        Ok(plan) => plan,
        Err(problems) => {
            engine.journal_refusal(&context::caller(global), &problems)?;
            engine.close()?;
            return Err(refused(&problems));
        }
    };
    if !args.dry_run {
        engine.apply(&context::caller(global), &plan)?;
    }
    engine.close()?;
    print(global, &plan, args.dry_run)?;
    Ok(Outcome::Done)
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

fn print(global: &Global, plan: &Plan, dry_run: bool) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::json_data(&json!({ "applied": !dry_run, "changes": plan.to_json() }));
    }
    let changed: Vec<_> = plan.changes.iter().filter(|change| change.action != Action::Unchanged).collect();
    let unchanged = plan.changes.len() - changed.len();
    let rows: Vec<Vec<String>> = changed
        .iter()
        .map(|change| {
            let what = match change.action {
                Action::Personal => {
                    change.personal.iter().map(|(field, _, _)| field.clone()).collect::<Vec<_>>().join(", ")
                }
                _ => change.fields.join(", "),
            };
            vec![
                change.action.as_str().to_owned(),
                change.document.kind.clone(),
                change.document.name.clone(),
                format!("v{}", change.version),
                if change.effective_at.0 == 0 {
                    "always".to_owned()
                } else {
                    change.effective_at.to_string()
                },
                what,
            ]
        })
        .collect();
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&table(&["action", "kind", "name", "version", "holds from", "fields"], &[], &rows));
    }
    let verb = if dry_run { "would change" } else { "changed" };
    text.push_str(&format!(
        "{} documents: {} {verb}, {unchanged} unchanged\n",
        plan.changes.len(),
        rows.len()
    ));
    output::data(&text)
}
