//! `verify`: reads everything, derives everything again, compares, and names the first difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use invoicing::LineKey;
use store::tables::{InvoiceFilter, Tables, check_pages};
use store::{Disk, Head, HeadCheck, Roots};

use crate::billing::line_keys;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind};
use crate::explain::known_at;
use crate::terms::TermSet;
use crate::verify_runs::cells_and_index;

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
    pub head: Option<Head>,
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
    exported: Option<&Head>,
    clock: Arc<dyn crate::clock::Clock>,
) -> Result<Verified, EngineError> {
    let mut verified = Verified::default();
    let checked = store::check_files(&disk)?;
    verified.files = checked.files;
    let pages = check_pages(disk.as_ref())?;
    verified.findings.extend(pages.findings.into_iter().map(|page| Finding {
        file: "tables.db".to_owned(),
        place: format!("page {}", page.page),
        what: page.what.to_owned(),
    }));
    verified.findings.extend(checked.findings.into_iter().map(finding));
    if !verified.findings.is_empty() {
        return Ok(verified);
    }
    let engine = Roots::open_read_only(Arc::clone(&disk))
        .map_err(EngineError::from)
        .and_then(|(roots, _)| Engine::over(disk, clock, roots));
    match engine.and_then(|engine| meaning(&engine, exported, &mut verified)) {
        Ok(()) => {}
        Err(error) if error.kind == ErrorKind::Corrupt => {
            verified.findings.push(Finding {
                file: "store".to_owned(),
                place: "-".to_owned(),
                what: error.message,
            });
        }
        Err(error) => return Err(error),
    }
    Ok(verified)
}

fn finding(found: store::Finding) -> Finding {
    Finding { file: found.file, place: found.place, what: found.what }
}

fn meaning(engine: &Engine, exported: Option<&Head>, verified: &mut Verified) -> Result<(), EngineError> {
    verified.head = Some(engine.head());
    if let Some(head) = exported
        && let Some(what) = head_differs(engine.roots.check_head(head)?)
    {
        let place = format!("row {}", head.number);
        verified.findings.push(Finding { file: "journal".to_owned(), place, what });
    }
    tables(engine, verified)?;
    cells_and_index(engine, verified)?;
    sums(engine, verified)?;
    invoices(engine, verified)
}

/// What an exported head says against this journal.
fn head_differs(check: HeadCheck) -> Option<String> {
    match check {
        HeadCheck::Agrees => None,
        HeadCheck::OtherStore => Some("the exported head is of another store".to_owned()),
        HeadCheck::RowMissing => {
            Some("the exported head names a row that the journal does not have".to_owned())
        }
        HeadCheck::HashDiffers { found } => {
            Some(format!("the journal was rewritten: the row has the hash {found}, not the exported one"))
        }
    }
}

/// Compares the stored tables, row by row, with what journal and log make up to the same point.
fn tables(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    verified.rows = engine.tables.applied().0;
    verified.blocks = engine.roots.headers(0).count() as u64;
    let Some(stored) = Tables::open_read_only(Arc::clone(&engine.disk))? else { return Ok(()) };
    let limited;
    let derived = if stored.applied() == engine.tables.applied() {
        &engine.tables
    } else {
        limited = derive(&engine.roots, stored.applied())?;
        &limited
    };
    if let Some(difference) = stored.first_difference(derived)? {
        let show = |row: Option<String>| row.unwrap_or_else(|| "nothing".to_owned());
        verified.findings.push(Finding {
            file: "tables.db".to_owned(),
            place: format!("table {}", difference.table),
            what: format!(
                "stored {}, derived from journal and log {}",
                show(difference.stored),
                show(difference.derived)
            ),
        });
    }
    Ok(())
}

/// Tables in memory from all rows up to a number and all blocks up to a position.
pub(crate) fn derive(roots: &Roots, through: (u64, u64)) -> Result<Tables, EngineError> {
    let mut tables = Tables::in_memory()?;
    tables.begin()?;
    for row in roots.rows(1) {
        let row = row?;
        if row.number > through.0 {
            break;
        }
        tables.apply_row(&row)?;
    }
    for block in roots.fates(0) {
        let block = block?;
        if block.end() > through.1 {
            break;
        }
        tables.apply_block(&block)?;
    }
    tables.commit()?;
    Ok(tables)
}

/// received = Σ fates per feed; accepted = Σ base cells per source.
fn sums(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    for what in engine.check_sums()? {
        verified.findings.push(Finding { file: "cells".to_owned(), place: "base cells".to_owned(), what });
    }
    Ok(())
}

/// Computes every invoice body again from what it pinned; no line key stands on two invoices.
fn invoices(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    let mut stored = engine.tables.invoices(&InvoiceFilter::default())?;
    // Those of one run were rated under the same terms: they are read once.
    stored.sort_by_cached_key(|invoice| known_at(invoice).ok());
    let mut terms: Option<TermSet> = None;
    let mut holders: BTreeMap<LineKey, String> = BTreeMap::new();
    for stored in &stored {
        verified.invoices += 1;
        let number = stored.number.as_deref().unwrap_or(&stored.invoice);
        let at = known_at(stored)?;
        let known = match terms.take() {
            Some(known) if known.known_at == at => known,
            _ => TermSet::load(&engine.tables, at)?,
        };
        let again = engine.recompute_under(&known.terms, stored)?;
        terms = Some(known);
        let mut differs = |what: String| {
            let place = format!("invoice {number}");
            verified.findings.push(Finding { file: "journal".to_owned(), place, what });
        };
        if invoicing::canonical_bytes(&again) != invoicing::canonical_bytes(&stored.body) {
            let (now, then) = (invoicing::body_hash(&again), invoicing::body_hash(&stored.body));
            differs(format!("computed again its body has the hash {now}, not {then}"));
        }
        for key in line_keys(stored)? {
            if let Some(other) = holders.insert(key.clone(), number.to_owned()) {
                differs(format!("line {key} stands on invoice {other} too"));
            }
        }
    }
    Ok(())
}
