//! `personal`: fields that can be erased without breaking the chain.

use serde_json::{Value, json};

use crate::args::{Format, Global, PersonalArgs, PersonalCommand};
use crate::context;
use crate::output::{self, Failure, Outcome, table};

pub fn run(global: &Global, args: &PersonalArgs) -> Result<Outcome, Failure> {
    match &args.command {
        PersonalCommand::Show { account } => show(global, account),
        PersonalCommand::Erase { account } => {
            let mut engine = context::open_existing(global)?;
            let result = engine.erase_personal(&context::caller(global), account);
            let closed = engine.close();
            let fields = result?;
            closed?;
            match global.format {
                Format::Json => output::json_data(&json!({ "account": account, "erased": fields }))?,
                Format::Text => output::data(&format!("erased {} of {account}\n", fields.join(", ")))?,
            }
            Ok(Outcome::Done)
        }
    }
}

fn show(global: &Global, account: &str) -> Result<Outcome, Failure> {
    let engine = context::open_to_read(global)?;
    context::known_account(&engine, account)?;
    let fields = engine.tables().personal(account).map_err(Failure::from_store)?;
    engine.close()?;
    if global.format == Format::Json {
        let fields: Vec<Value> = fields
            .iter()
            .map(|field| json!({ "field": field.field, "value": field.value, "hash": field.hash }))
            .collect();
        output::json_data(&json!({ "account": account, "personal": fields }))?;
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = fields
        .into_iter()
        .map(|field| {
            let state = if field.hash.is_some() { "(not held: apply the account again)" } else { "(erased)" };
            vec![field.field, field.value.unwrap_or_else(|| state.to_owned())]
        })
        .collect();
    output::data(&table(&["field", "value"], &[], &rows))?;
    Ok(Outcome::Done)
}
