//! `verify`: reads and derives everything again.

use serde_json::{Value, json};
use store::Head;

use crate::args::{Format, Global, VerifyArgs};
use crate::context;
use crate::output::{self, Failure, Outcome, grouped, note};

pub fn run(global: &Global, args: &VerifyArgs) -> Result<Outcome, Failure> {
    let head = args.head.as_deref().map(read_head).transpose()?;
    let verified = engine::verify(context::existing(global)?, head.as_ref(), context::clock(global)?)?;
    if let (Some(path), Some(head)) = (&args.export_head, &verified.head) {
        let text = serde_json::to_string_pretty(head)
            .map_err(|error| Failure::could_not("output_failed", error.to_string(), "report this"))?;
        std::fs::write(path, format!("{text}\n"))?;
    }
    if global.format == Format::Json {
        output::json_data(&json!({
            "agrees": verified.findings.is_empty(),
            "files": verified.files,
            "rows": verified.rows,
            "blocks": verified.blocks,
            "events": verified.events,
            "cells": verified.cells,
            "invoices": verified.invoices,
            "head": verified.head.as_ref().map(|head| json!({ "number": head.number, "hash": head.hash.to_string() })),
            "findings": verified.findings.iter().map(|finding| json!({
                "file": finding.file, "place": finding.place, "what": finding.what,
            })).collect::<Vec<Value>>(),
        }))?;
    } else {
        let counted = [
            ("files read", verified.files),
            ("journal rows walked", verified.rows),
            ("blocks read", verified.blocks),
            ("events aggregated again", verified.events),
            ("cells compared", verified.cells),
            ("invoices computed again", verified.invoices),
        ];
        let mut text = String::new();
        for (what, count) in counted {
            text.push_str(&format!("{:>14}  {what}\n", grouped(&count.to_string())));
        }
        for finding in &verified.findings {
            text.push_str(&format!("differs: {} at {}: {}\n", finding.file, finding.place, finding.what));
        }
        if verified.findings.is_empty() {
            text.push_str("all agrees\n");
        }
        output::data(&text)?;
    }
    if !verified.findings.is_empty() {
        note(
            "hint: stop writing to this folder and restore the named file from a backup; journal, log and keys are the truth, everything else can be deleted and is made again",
        );
    }
    Ok(Outcome::of(!verified.findings.is_empty()))
}

fn read_head(path: &std::path::Path) -> Result<Head, Failure> {
    let bad = |error: String| {
        Failure::could_not(
            "head_unreadable",
            format!("could not read the exported head `{}`: {error}", path.display()),
            "name a file that `counterfoil verify --export-head` wrote",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| bad(error.to_string()))
}
