//! What each stage of the path of an event costs, alone and on one thread.
//!
//! `cargo run --release -p sim --example stages -- EVENTS.ndjson [ROUNDS]` prints nanoseconds an event, the median of
//! the rounds. `... -- EVENTS.ndjson count` runs each stage once in [`measure::counted_stage`], for a tool that counts
//! instructions in that function: `cargo xtask instructions`. `cargo xtask stages` makes the file.
//!
//! Rules of a batch, claims of identities and what of a batch becomes which cell are no public functions: they are
//! measured together, as an append of prepared batches.

#[path = "../support/mod.rs"]
mod support;

mod append;
mod decode;
mod input;
mod logged;
mod measure;
mod runs;

use input::Input;
use measure::Stages;

fn main() {
    let mut words = std::env::args().skip(1);
    let file = words.next().expect("a file of events: see the head of this program");
    let input = Input::read(&file);
    let mut stages = match words.next().as_deref() {
        Some("count") => Stages::counted(),
        rounds => Stages::timed(rounds.map_or(9, |text| text.parse().expect("a number of rounds"))),
    };
    decode::measure(&mut stages, &input);
    append::measure(&mut stages, &input);
    runs::measure(&mut stages, &input);
    logged::measure(&mut stages, &input);
    stages.print();
}
