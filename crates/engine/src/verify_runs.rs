//! Runs compared with what the log makes of them, in bounded memory.
//!
//! Cells and entries are compared by sums that are linear in them: Σ weight(key) × value over all of a run, modulo
//! 2^128, where the weight is a hash of the key under a secret. Two sets that differ have the same sum once in 2^100
//! times. Where sums differ, the stretch is aggregated again to name the cell.

use metering::{Cell, CellKey, Keys, Meter};
use store::runs::{CellTable, IndexEntry, RunFact};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::verify::{Finding, Verified};

/// The sum of some cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    records: u128,
    units: u128,
    unmeasured: u128,
    digest: u128,
}

impl Sums {
    fn add(&mut self, weight: u128, cell: &Cell) {
        let units = cell.units.to_le_bytes();
        let (low, high) = units.split_at(16);
        let part = |bytes: &[u8]| bytes.try_into().map_or(0, u128::from_le_bytes);
        // Two digits of the units, each with a weight of its own.
        let units = part(low).wrapping_add(part(high).wrapping_mul(weight.rotate_left(64) | 1));
        let add = |sum: &mut u128, value: u128| *sum = sum.wrapping_add(weight.wrapping_mul(value));
        add(&mut self.records, u128::from(cell.records));
        add(&mut self.units, units);
        add(&mut self.unmeasured, u128::from(cell.unmeasured));
        add(&mut self.digest, cell.digest.0);
    }
}

/// The weight of a cell: odd, so that no difference is lost.
fn weight(secret: &[u8; 32], key: &CellKey) -> u128 {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(&key.account);
    part(&key.event_type);
    part(&key.source);
    if let Some((meter, version)) = &key.meter {
        part(meter);
        part(&version.to_string());
    }
    for value in &key.dimensions {
        part(if value.is_some() { "some" } else { "none" });
        part(value.as_deref().unwrap_or(""));
    }
    hasher.update(&key.start.0.to_le_bytes());
    let hash = *hasher.finalize().as_bytes();
    hash.first_chunk().map_or(1, |bytes| u128::from_le_bytes(*bytes)) | 1
}

fn entry_weight(secret: &[u8; 32], entry: &IndexEntry) -> u128 {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(&entry.identity.bits().to_le_bytes());
    hasher.update(&entry.payload.0.to_le_bytes());
    let hash = *hasher.finalize().as_bytes();
    hash.first_chunk().map_or(1, |bytes| u128::from_le_bytes(*bytes))
}

/// Sums of stretches of the log, one for each run, filled in log order.
struct Stretches<'f, S> {
    facts: &'f [RunFact],
    sums: Vec<S>,
    at: usize,
}

impl<'f, S: Clone + Default> Stretches<'f, S> {
    fn new(facts: &'f [RunFact]) -> Self {
        Self { facts, sums: vec![S::default(); facts.len()], at: 0 }
    }

    /// The sum of the run that holds a block; none behind the last.
    fn of(&mut self, position: u64) -> Option<&mut S> {
        while self.facts.get(self.at).is_some_and(|fact| fact.to <= position) {
            self.at += 1;
        }
        let holds = self.facts.get(self.at).is_some_and(|fact| fact.from <= position);
        if holds { self.sums.get_mut(self.at) } else { None }
    }
}

/// Aggregates the log anew and compares every cell and identity that the runs hold.
pub fn cells_and_index(engine: &Engine, verified: &mut Verified) -> Result<(), EngineError> {
    let keys = engine.keys();
    let secret = keys.personal;
    // Runs that lack a meter were let go when the store was opened.
    let covered: Vec<Meter> = engine.terms.meters().to_vec();
    let overflowed = overflowed(engine);
    // What no run holds yet is compared too: it was counted by the quick way.
    let tail = RunFact {
        name: "cells in memory".to_owned(),
        from: engine.checkpoint.position,
        to: engine.end(),
        entries: 0,
        footer: 0,
        length: 0,
        hash: store::Hash::ZERO,
    };
    let mut facts = engine.checkpoint.cells.clone();
    facts.push(tail.clone());
    let mut cells = Stretches::<Sums>::new(&facts);
    let mut index = Stretches::<(u64, u128)>::new(&engine.checkpoint.index);
    for block in engine.roots.blocks(0) {
        let block = block?;
        let mut in_cells = cells.of(block.position);
        let mut in_index = index.of(block.position);
        for (_, event) in block.draft.accepted.iter() {
            let prints = metering::fingerprint_of(keys, crate::engine::TENANT, event);
            verified.events += 1;
            if let Some(sums) = &mut in_cells {
                metering::aggregate(event, prints.digest, &covered, &mut |key, cell| {
                    sums.add(weight(&secret, &without_overflow(&overflowed, key)), cell);
                });
            }
            if let Some((entries, sum)) = &mut in_index {
                let entry = IndexEntry::new(prints.identity, prints.payload());
                *entries += 1;
                *sum = sum.wrapping_add(entry_weight(&secret, &entry));
            }
        }
    }
    for (run, made) in engine.cells.runs().iter().zip(&cells.sums) {
        let mut held = Sums::default();
        run.all(&mut |key, cell| {
            verified.cells += 1;
            held.add(weight(&secret, &without_overflow(&overflowed, key)), cell);
        })?;
        if held != *made {
            verified.findings.push(differing_cell(engine, keys, &covered, run.fact())?);
        }
    }
    let (mut held, made) = (Sums::default(), cells.sums.last().copied().unwrap_or_default());
    engine.cells.in_memory(&mut |key, cell| {
        verified.cells += 1;
        held.add(weight(&secret, &without_overflow(&overflowed, key)), cell);
    });
    if held != made {
        verified.findings.push(differing_cell(engine, keys, &covered, &tail)?);
    }
    for (run, (entries, made)) in engine.dedup.runs().iter().zip(&index.sums) {
        let (mut count, mut held) = (0u64, 0u128);
        run.scan(&mut |entry| {
            count += 1;
            held = held.wrapping_add(entry_weight(&secret, &entry));
        })?;
        if (count, held) != (*entries, *made) {
            let what = format!("expected the {entries} entries of the log, found {count}, not all the same");
            verified.findings.push(Finding {
                file: run.fact().name.clone(),
                place: "entries".to_owned(),
                what,
            });
        }
    }
    Ok(())
}

/// Meters whose dimensions were not kept in some run: their cells are compared without them.
fn overflowed(engine: &Engine) -> Vec<(String, u32)> {
    let versions = engine.terms.meters().iter().map(|meter| (meter.name.clone(), meter.version));
    let in_memory = versions.filter(|version| engine.cells.overflows_in_memory(version));
    engine.cells.runs().iter().flat_map(|run| run.overflowed()).chain(in_memory).collect()
}

fn without_overflow(overflowed: &[(String, u32)], key: &CellKey) -> CellKey {
    let mut key = key.clone();
    if key.meter.as_ref().is_some_and(|meter| overflowed.contains(meter)) {
        key.dimensions.clear();
    }
    key
}

/// The first cell of a run that is not what the log makes of it.
fn differing_cell(
    engine: &Engine,
    keys: &Keys,
    covered: &[Meter],
    fact: &RunFact,
) -> Result<Finding, EngineError> {
    let mut made = CellTable::default();
    for block in engine.roots.blocks(fact.from) {
        let block = block?;
        if block.position >= fact.to {
            break;
        }
        for (_, event) in block.draft.accepted.iter() {
            let digest = metering::fingerprint_of(keys, crate::engine::TENANT, event).digest;
            metering::aggregate(event, digest, covered, &mut |key, cell| made.add(key, cell));
        }
    }
    let mut held = CellTable::default();
    for run in engine.cells.runs().iter().filter(|run| run.fact() == fact) {
        run.all(&mut |key, cell| held.add(key, cell))?;
    }
    if fact.to > engine.checkpoint.position {
        engine.cells.in_memory(&mut |key, cell| held.add(key, cell));
    }
    made.settle();
    held.settle();
    let (place, what) = match held.difference(&made) {
        Some((key, stored, made)) => {
            (format!("{key:?}"), format!("stored {stored:?}, aggregated from the log {made:?}"))
        }
        None => ("-".to_owned(), "its cells differ from what the log makes".to_owned()),
    };
    Ok(Finding { file: fact.name.clone(), place, what })
}
