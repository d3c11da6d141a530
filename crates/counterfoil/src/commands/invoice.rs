//! `invoice`: run, list, show.

use engine::{Engine, PeriodName};
use serde_json::{Value, json};
use store::tables::{InvoiceFilter, StoredInvoice};

use crate::args::{Format, Global, InvoiceArgs, InvoiceCommand};
use crate::context;
use crate::output::{self, Failure, Outcome, grouped, note, table};

pub fn run(global: &Global, args: &InvoiceArgs) -> Result<Outcome, Failure> {
    match &args.command {
        InvoiceCommand::Run { period, seal_early, draft } => {
            let period: PeriodName = period.parse()?;
            let early = seal_early.as_deref().map(reason).transpose()?;
            let mut engine = context::open_existing(global)?;
            let result = engine.invoice_run(&context::caller(global), period, early, *draft);
            let printed = match &result {
                Ok(report) => print_run(global, &engine, report),
                Err(_) => Ok(Outcome::Done),
            };
            // Where both fail, the first is the reason.
            let closed = engine.close();
            result?;
            closed?;
            printed
        }
        InvoiceCommand::List { period, account, bodies } => {
            let period = period.as_deref().map(str::parse::<PeriodName>).transpose()?;
            let engine = context::open_to_read(global)?;
            if let Some(account) = account {
                context::known_account(&engine, account)?;
            }
            let period = period.map(|period| period.to_string());
            let filter = InvoiceFilter { period, account: account.clone(), status: None };
            let invoices = engine.tables().invoices(&filter).map_err(Failure::from_store)?;
            if *bodies {
                let lines: String = invoices.iter().map(|invoice| format!("{}\n", invoice.body)).collect();
                output::data(&lines)?;
            } else {
                print_list(global, &invoices)?;
            }
            engine.close()?;
            Ok(Outcome::Done)
        }
        InvoiceCommand::Show { invoice, body, envelope } => {
            let engine = context::open_to_read(global)?;
            show(global, &engine, invoice, *body, *envelope)?;
            engine.close()?;
            Ok(Outcome::Done)
        }
    }
}

/// A reason that says something: it stands in the journal.
fn reason(text: &str) -> Result<&str, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage(
            "reason_missing",
            format!("expected why the period is sealed early, found `{text}`"),
            "write --seal-early 'customer leaves today'; the reason is journalled",
        ));
    }
    Ok(text)
}

fn print_run(global: &Global, engine: &Engine, report: &engine::RunReport) -> Result<Outcome, Failure> {
    let filter = InvoiceFilter { period: Some(report.period.to_string()), account: None, status: None };
    let invoices = engine.tables().invoices(&filter).map_err(Failure::from_store)?;
    for problem in &report.problems {
        note(&format!("problem: {problem}"));
    }
    if global.format == Format::Json {
        output::json_data(&json!({
            "period": report.period.to_string(),
            "position": report.cut.position,
            "drafted": report.drafted,
            "issued": report.issued,
            "remade": report.remade,
            "present": report.present,
            "repeated": report.repeated,
            "open": report.open.iter().map(|open| json!({
                "contract": open.contract,
                "end": open.end.to_string(),
                "due": open.due.to_string(),
            })).collect::<Vec<_>>(),
            "problems": report.problems.iter().map(engine::Unbilled::to_json).collect::<Vec<_>>(),
            "invoices": invoices.iter().map(summary).collect::<Vec<_>>(),
        }))?;
    } else {
        print_list(global, &invoices)?;
        let (drafted, issued) = (report.drafted, report.issued.len());
        let remade =
            if report.remade > 0 { format!(", {} drafts made anew", report.remade) } else { String::new() };
        let earlier =
            if report.repeated { "; asked before under this key: nothing was done now" } else { "" };
        note(&format!(
            "{}: read up to position {}, {drafted} drafted{remade}, {issued} issued, {} there before{earlier}",
            report.period, report.cut.position, report.present
        ));
    }
    if let Some(first) = report.open.iter().min_by_key(|open| open.due) {
        note(&format!(
            "note: {} contracts are still open and were left for later; the first, {}, can be sealed from {}",
            report.open.len(),
            first.contract,
            first.due
        ));
    }
    Ok(Outcome::of(!report.problems.is_empty()))
}

fn summary(invoice: &StoredInvoice) -> Value {
    json!({
        "invoice": invoice.invoice,
        "number": invoice.number,
        "status": invoice.status.as_str(),
        "account": invoice.account,
        "period": invoice.period,
        "currency": invoice.currency,
        "total": invoice.total,
    })
}

fn print_list(global: &Global, invoices: &[StoredInvoice]) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::json_data(&Value::Array(invoices.iter().map(summary).collect()));
    }
    let rows: Vec<Vec<String>> = invoices
        .iter()
        .map(|invoice| {
            vec![
                invoice.number.clone().unwrap_or_else(|| "(draft)".to_owned()),
                invoice.status.to_string(),
                invoice.account.clone(),
                invoice.period.clone(),
                grouped(&invoice.total),
                invoice.currency.clone(),
            ]
        })
        .collect();
    output::data(&table(&["number", "status", "account", "period", "total", "currency"], &[4], &rows))
}

fn show(global: &Global, engine: &Engine, id: &str, body: bool, envelope: bool) -> Result<(), Failure> {
    let invoice = engine.stored_invoice(id)?;
    if body {
        return output::data(&invoice.body.to_string());
    }
    if envelope {
        return output::data(&invoice.envelope.to_string());
    }
    if global.format == Format::Json {
        return output::json_data(
            &json!({ "body": invoice.body, "envelope": invoice.envelope, "status": invoice.status.as_str() }),
        );
    }
    output::data(&invoice_text(&invoice))
}

/// An invoice for people.
fn invoice_text(invoice: &StoredInvoice) -> String {
    let field = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let body = &invoice.body;
    let mut text = format!(
        "invoice {}  {}  {}\nseller {}  payer {}  contract {}\n\n",
        invoice.number.as_deref().unwrap_or("(draft)"),
        invoice.status,
        invoice.period,
        invoice.seller,
        invoice.account,
        field(body, "contract"),
    );
    let rows: Vec<Vec<String>> = body
        .get("lines")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or(&[])
        .iter()
        .map(|line| {
            vec![
                field(line, "line"),
                field(line, "description"),
                field(line, "service_start"),
                grouped(&field(line, "quantity")),
                field(line, "unit"),
                grouped(&field(line, "amount")),
            ]
        })
        .collect();
    text.push_str(&table(&["line", "item", "from", "quantity", "unit", "amount"], &[0, 3, 5], &rows));
    text.push_str(&format!("\ntotal {} {}\n", grouped(&invoice.total), invoice.currency));
    text.push_str(&format!(
        "why: counterfoil explain {} LINE\n",
        invoice.number.as_deref().unwrap_or(&invoice.invoice)
    ));
    text
}
