//! Blocks of the log: written and read.

use std::sync::Arc;

use metering::Instant;
use money::Sum;
use store::{
    Accepted, AcceptedRow, BlockDraft, Counter, CounterKey, CreateOptions, RealDisk, Roots, SegmentSizes,
};
use tempfile::TempDir;

use crate::input::Input;
use crate::measure::Stages;

pub fn measure(stages: &mut Stages, input: &Input) {
    let drafts = || {
        let (roots, folder) = roots(input);
        let drafts: Vec<BlockDraft> = drafts(input, &roots);
        (roots, folder, drafts)
    };
    stages.stage("encode and write blocks", "event", drafts, |(mut roots, folder, drafts)| {
        write(&mut roots, &drafts);
        (input.records, (roots, folder, drafts))
    });
    let written = || {
        let (mut roots, folder, drafts) = drafts();
        write(&mut roots, &drafts);
        (roots, folder)
    };
    stages.stage("read and decode blocks", "event", written, |(roots, folder)| {
        let rows = roots.blocks(0).map(|block| block.expect("a block").draft.accepted.len()).sum();
        assert_eq!(rows, input.records);
        (rows, (roots, folder))
    });
}

fn roots(input: &Input) -> (Roots, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = RealDisk::create(folder.path()).expect("a folder");
    let options = CreateOptions {
        keys: Some(input.keys.clone()),
        random: &mut |bytes| bytes.fill(7),
        now: Instant(0),
        actor: "stages".to_owned(),
        sizes: SegmentSizes::DEFAULT,
    };
    (Roots::create(Arc::new(disk), options).expect("a store"), folder)
}

/// A block a batch, all of it accepted.
fn drafts(input: &Input, roots: &Roots) -> Vec<BlockDraft> {
    let head = roots.head();
    let draft = |chunk: connectors::Chunk| {
        let rows: Vec<AcceptedRow> = (0..chunk.records).map(|row| AcceptedRow { index: row, row }).collect();
        let key = CounterKey { feed: input.feed.name.clone(), source: None, fate: "accepted", code: None };
        BlockDraft {
            records: chunk.records,
            known_at: head.number,
            known_hash: head.hash,
            received_at: Instant(0),
            counters: vec![Counter { key, records: u64::from(chunk.records), units: Sum::ZERO }],
            first_sight: Vec::new(),
            accepted: Accepted { batch: chunk.batch, rows },
            kept: Vec::new(),
        }
    };
    input.decoded().into_iter().map(draft).collect()
}

fn write(roots: &mut Roots, drafts: &[BlockDraft]) {
    for draft in drafts {
        roots.append_block(draft).expect("the disk works");
    }
}
