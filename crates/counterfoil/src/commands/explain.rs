//! `explain`: why a line costs what it costs, down to its events.

use serde_json::Value;

use crate::args::{ExplainArgs, Format, Global};
use crate::context;
use crate::output::{self, Failure, Outcome};

pub fn run(global: &Global, args: &ExplainArgs) -> Result<Outcome, Failure> {
    let engine = context::open_to_read(global)?;
    let lines = match args.line {
        Some(line) => vec![line],
        None => {
            let stored = engine.stored_invoice(&args.invoice)?;
            let count = stored.body.get("lines").and_then(Value::as_array).map_or(0, Vec::len);
            (1..=count).filter_map(|line| u32::try_from(line).ok()).collect()
        }
    };
    let mut explained = Vec::new();
    for line in lines {
        explained.push(engine.explain(&args.invoice, line)?);
    }
    engine.close()?;
    match (global.format, args.line) {
        (Format::Json, Some(_)) => explained.first().map_or(Ok(()), output::json_data)?,
        (Format::Json, None) => output::json_data(&Value::Array(explained))?,
        (Format::Text, _) => {
            for (index, one) in explained.iter().enumerate() {
                let gap = if index > 0 { "\n" } else { "" };
                output::data(&format!("{gap}{}", invoicing::explanation_text(one)))?;
            }
        }
    }
    Ok(Outcome::Done)
}
