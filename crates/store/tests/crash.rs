//! A crash at every operation: a killed process and power cuts, also while recovering.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop")]

mod common;

use common::{Model, Step, check_left, open, run, script, take};
use sim::faulty_disk::{FaultyDisk, PowerCut};

/// What may stand after a crash.
fn images(disk: &FaultyDisk, seed: u64) -> Vec<(String, FaultyDisk)> {
    let mut images = vec![
        ("kill".to_owned(), disk.after_kill()),
        ("lose all".to_owned(), disk.after_power_cut(seed, PowerCut::LoseAll)),
    ];
    for round in 0..2 {
        let seed = seed * 31 + round;
        images.push((format!("partial, seed {seed}"), disk.after_power_cut(seed, PowerCut::Partial)));
        images.push((format!("torn, seed {seed}"), disk.after_power_cut(seed, PowerCut::Torn)));
    }
    images
}

fn crashed(operation: u64, seed: u64) -> (FaultyDisk, Model) {
    let disk = FaultyDisk::new();
    disk.crash_at(operation, seed);
    let mut model = Model::default();
    run(&disk, &script(), &mut model).map(|_| ()).expect_err("the crash stops the run");
    assert!(disk.has_crashed());
    (disk, model)
}

fn operations() -> u64 {
    let disk = FaultyDisk::new();
    let mut model = Model::default();
    let roots = run(&disk, &script(), &mut model).expect("no fault");
    drop(roots);
    assert!(model.blocks.len() >= 20, "{}", model.blocks.len());
    let segments = |folder: &str| disk.names().iter().filter(|name| name.starts_with(folder)).count();
    assert!(segments("log/") >= 3 && segments("journal/") >= 3, "{:?}", disk.names());
    disk.operations()
}

#[test]
fn every_crash_point_keeps_what_was_acknowledged() {
    for operation in 0..operations() {
        for seed in [0, 1, 2, 5] {
            let (disk, model) = crashed(operation, seed);
            for (image, left) in images(&disk, operation * 8 + seed) {
                let context = || {
                    let at = disk.trace().last().cloned();
                    format!("crash at operation {operation} {at:?}, seed {seed}, {image}")
                };
                let Some(roots) = check_left(&left, &model, &context) else { continue };
                // The store goes on, and what it acknowledges now outlives the next power cut too.
                let mut model = goes_on(&roots, &model);
                let mut roots = roots;
                for step in [Step::Block, Step::Row, Step::Block, Step::Sync, Step::CutRow] {
                    roots = take(&left, roots, step, &mut model)
                        .unwrap_or_else(|e| panic!("{e} ({})", context()));
                }
                drop(roots);
                let again = left.after_power_cut(seed, PowerCut::LoseAll);
                check_left(&again, &model, &|| format!("{}, then a power cut", context()));
            }
        }
    }
}

/// The model cut back to what the recovery found: all of that is durable now.
fn goes_on(roots: &store::Roots, model: &Model) -> Model {
    let mut model = Model { created: true, ..model.clone() };
    model.blocks.truncate(roots.headers(0).count());
    let found = roots.rows(1).filter(|row| row.as_ref().is_ok_and(|row| row.draft.command == "test")).count();
    model.rows.truncate(found);
    model.position = roots.end();
    model
}

#[test]
fn a_crash_while_recovering_is_recovered_from() {
    let mut recoveries = 0;
    for operation in (0..operations()).step_by(11) {
        let seed = operation;
        let (disk, model) = crashed(operation, seed);
        if !model.created {
            continue;
        }
        for (image, left) in images(&disk, seed).into_iter().take(4) {
            let probe = left.after_kill();
            if open(&probe).is_err() {
                panic!("{image}: recovery without a second crash fails");
            }
            for second in 0..probe.operations() {
                let again = left.after_kill();
                again.crash_at(second, seed + second);
                open(&again).map(|_| ()).expect_err("the second crash stops the recovery");
                let cuts = [
                    ("kill", again.after_kill()),
                    ("lose all", again.after_power_cut(second, PowerCut::LoseAll)),
                    ("partial", again.after_power_cut(second, PowerCut::Partial)),
                    ("torn", again.after_power_cut(second + 1, PowerCut::Torn)),
                ];
                for (cut, left) in cuts {
                    recoveries += 1;
                    let context = || {
                        let at = again.trace().last().cloned();
                        format!("crash at {operation}, {image}; while recovering at {second} {at:?}, {cut}")
                    };
                    check_left(&left, &model, &context);
                }
            }
        }
    }
    assert!(recoveries > 1000, "{recoveries}");
}
