//! A stage is set up outside of the measurement, run inside, and what it leaves is dropped outside again.

use std::hint::black_box;
use std::time::Instant;

/// What is measured of each stage.
enum What {
    /// Nanoseconds, the median of so many rounds.
    Time { rounds: usize },
    /// Nothing here: another program counts.
    Instructions,
}

/// Stages, measured one after the other.
pub struct Stages {
    what: What,
    lines: Vec<String>,
}

impl Stages {
    pub fn timed(rounds: usize) -> Self {
        Self { what: What::Time { rounds: rounds.max(1) }, lines: Vec::new() }
    }

    pub fn counted() -> Self {
        Self { what: What::Instructions, lines: Vec::new() }
    }

    /// Measures a stage, which answers how many events or entries went through it, and what is left to drop.
    pub fn stage<S, R>(
        &mut self,
        name: &str,
        of: &str,
        mut set_up: impl FnMut() -> S,
        mut run: impl FnMut(S) -> (usize, R),
    ) {
        // Once for nothing: what is made at first use, and the caches.
        let (units, left) = run(set_up());
        drop(left);
        match self.what {
            What::Time { rounds } => {
                let mut nanoseconds: Vec<u128> = (0..rounds)
                    .map(|_| {
                        let state = black_box(set_up());
                        let begin = Instant::now();
                        let left = black_box(run(state));
                        let took = begin.elapsed().as_nanos();
                        drop(left);
                        took * 10 / units as u128
                    })
                    .collect();
                nanoseconds.sort_unstable();
                let tenths = nanoseconds[nanoseconds.len() / 2];
                self.lines.push(format!("{name}\t{of}\t{}.{}", tenths / 10, tenths % 10));
            }
            What::Instructions => {
                let mut state = Some(black_box(set_up()));
                let mut left = None;
                counted_stage(&mut || left = state.take().map(&mut run));
                drop(black_box(left));
                self.lines.push(format!("{name}\t{of}\t{units}"));
            }
        }
    }

    /// A line a stage: its name, what is counted, and nanoseconds for each of them or, where instructions are counted
    /// by another program, how many there are.
    pub fn print(&self) {
        self.lines.iter().for_each(|line| println!("{line}"));
    }
}

/// The function in which instructions are counted.
#[inline(never)]
fn counted_stage(run: &mut dyn FnMut()) {
    told_stage(run);
    // Not a jump: the end of the stage is the return to here.
    black_box(());
}

/// When it returns the count is told: a function that is counted itself, because callgrind sees no other return.
#[inline(never)]
fn told_stage(run: &mut dyn FnMut()) {
    run();
    black_box(());
}
