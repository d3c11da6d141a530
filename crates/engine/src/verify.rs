//! `verify`: reads everything, derives everything again, compares, and names the first difference.

use std::sync::Arc;

use metering::event_digest;
use store::{CellTable, Disk, IndexEntry, JournalHead, Roots, Tables};

use crate::engine::{Engine, TENANT};
use crate::error::{EngineError, ErrorKind};

/// Something that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The place in it.
    pub place: String,
    /// What was expected and what was found.
    pub what: String,
}

/// What `verify` read and found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Files read.
    pub files: u64,
    /// Journal rows walked.
    pub rows: u64,
    /// Blocks of the log read.
    pub blocks: u64,
    /// Accepted events aggregated again.
    pub events: u64,
    /// Cells compared.
    pub cells: u64,
    /// Invoices computed again.
    pub invoices: u64,
    /// The journal's head, to be exported.
    pub head: Option<JournalHead>,
    /// The differences; none means that all agrees.
    pub findings: Vec<Finding>,
}

/// Verifies a folder. Nothing in it is written.
///
/// Bytes first (each file against its checksums and against the close record), then meaning: chain, blocks,
/// tables, cells, index and invoice bodies are derived again and compared.
///
/// **Errors**: only where the folder cannot be read at all; differences are findings.
pub fn verify(
    disk: Arc<dyn Disk>,
    exported: Option<&JournalHead>,
    clock: Arc<dyn crate::clock::Clock>,
) -> Result<Verified, EngineError> {
    let mut verified = Verified::default();
    let checked = store::check_files(disk.as_ref())?;
    verified.files = checked.files;
    verified.findings.extend(checked.findings.into_iter().map(finding));
    if !verified.findings.is_empty() {
        return Ok(verified);
    }
    let engine = match Roots::open_read_only(Arc::clone(&disk)) {
        Ok(roots) => Engine::over(disk, clock, roots),
        Err(error) => Err(error.into()),
    };
    match engine.and_then(|engine| meaning(&engine, exported, &mut verified)) {
        Ok(()) => {}
        Err(error) if error.kind == ErrorKind::Corrupt => {
            verified.findings.push(Finding { file: "store".to_owned(), place: "-".to_owned(), what: error.message });
        }
        Err(error) => return Err(error),
    }
    Ok(verified)
}

fn finding(found: store::Finding) -> Finding {
    Finding { file: found.file, place: found.place, what: found.what }
}

fn meaning(
    engine: &Engine,
    exported: Option<&JournalHead>,
    verified: &mut Verified,
) -> Result<(), EngineError> {
    verified.head = Some(engine.roots.journal_head());
    if let Some(head) = exported
        && let Some(what) = engine.roots.check_head(head)?
    {
        verified.findings.push(Finding { file: "journal".to_owned(), place: format!("row {}", head.number), what });
    }
    tables(engine, verified)?;
    cells_and_index(engine, verified)?;
    sums(engine, verified)?;
    invoices(engine, verified)
}

/// Derives the tables anew in memory and compares row by row.
fn tables(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    let mut fresh = Tables::in_memory()?;
    let (row_applied, position_applied) = engine.tables.applied();
    fresh.begin()?;
    for row in engine.roots.rows(1)? {
        let row = row?;
        verified.rows += 1;
        if row.number <= row_applied {
            fresh.apply_row(&row)?;
        }
    }
    for block in engine.roots.blocks(0)? {
        let block = block?;
        verified.blocks += 1;
        if block.end() <= position_applied {
            fresh.apply_block(&block)?;
        }
    }
    fresh.commit()?;
    let (stored, derived) = (engine.tables.dump()?, fresh.dump()?);
    let differs = stored.iter().zip(&derived).find(|(stored, derived)| stored != derived);
    let extra = stored.get(derived.len()).or_else(|| derived.get(stored.len()));
    let place = differs.map(|(stored, derived)| {
        (stored.0.clone(), format!("stored `{}`, derived from journal and log `{}`", stored.1, derived.1))
    });
    let place = place.or_else(|| {
        extra.map(|row| (row.0.clone(), format!("only on one side: `{}`", row.1)))
    });
    if let Some((table, what)) = place {
        verified.findings.push(Finding {
            file: "tables.db".to_owned(),
            place: format!("table {table}"),
            what,
        });
    }
    Ok(())
}

/// Aggregates the log anew and compares every cell and identity that the runs hold.
fn cells_and_index(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    let to = engine.checkpoint.position;
    let mut cells = CellTable::default();
    let mut entries = Vec::new();
    let covered: Vec<_> = engine
        .terms
        .meters()
        .iter()
        .filter(|m| engine.checkpoint.meters.iter().any(|c| c.meter == m.name && c.version == m.version))
        .cloned()
        .collect();
    for block in engine.roots.blocks(0)? {
        let block = block?;
        if block.position >= to {
            break;
        }
        for accepted in &block.draft.accepted {
            let digest = event_digest(engine.keys(), TENANT, &accepted.event);
            metering::aggregate(&accepted.event, digest, &covered, &mut |key, cell| cells.add(&key, &cell));
            verified.events += 1;
            entries.push(IndexEntry {
                identity: accepted.identity,
                payload: accepted.payload,
                position: block.position + u64::from(accepted.index),
            });
        }
    }
    verified.cells = cells.len() as u64;
    let held = engine.cells.all_in_runs()?;
    if let Some((key, stored, made)) = held.difference(&cells) {
        let what = format!("stored {stored:?}, aggregated from the log {made:?}");
        verified.findings.push(Finding { file: "cells".to_owned(), place: format!("{key:?}"), what });
    }
    entries.sort_unstable();
    let mut indexed = Vec::with_capacity(entries.len());
    for run in &engine.checkpoint.index {
        store::read_index(engine.disk.as_ref(), run, &mut |entry| indexed.push(entry))?;
    }
    indexed.sort_unstable();
    if indexed != entries {
        let at = indexed.iter().zip(&entries).position(|(a, b)| a != b).unwrap_or(indexed.len().min(entries.len()));
        verified.findings.push(Finding {
            file: "index".to_owned(),
            place: format!("entry {at}"),
            what: format!("expected {} entries from the log, found {}", entries.len(), indexed.len()),
        });
    }
    Ok(())
}

/// received = Σ fates per feed; accepted = Σ base cells per source.
fn sums(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    for what in engine.check_sums()? {
        verified.findings.push(Finding { file: "cells".to_owned(), place: "base cells".to_owned(), what });
    }
    Ok(())
}

/// Computes every invoice body again from what it pinned.
fn invoices(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    for stored in engine.tables.all_invoices()? {
        verified.invoices += 1;
        if let Some(what) = engine.recompute_differs(&stored)? {
            verified.findings.push(Finding {
                file: "journal".to_owned(),
                place: format!("invoice {}", stored.number.as_deref().unwrap_or(&stored.invoice)),
                what,
            });
        }
    }
    Ok(())
}
