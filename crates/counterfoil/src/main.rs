//! `counterfoil`: counts every usage event once, prices it, and proves the bill.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod context;
mod output;
mod partial_file;
mod world;

use clap::Parser;

use args::{Cli, Command};
use output::{Failure, Outcome};

/// What one thread fills another lets go: the allocator of the system keeps much of that in the part of each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let format = cli.global.format;
    match run(cli) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => failure.report(format),
    }
}

fn run(cli: Cli) -> Result<Outcome, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Demo(args) => commands::demo::run(global, &args),
        Command::Gen(args) => commands::generate::run(global, &args),
        Command::Apply(args) => commands::apply::run(global, &args),
        Command::Ingest(args) => commands::ingest::run(global, &args),
        Command::Usage(args) => commands::usage::run(global, &args),
        Command::Export(args) => commands::export::run(global, &args),
        Command::Rate(args) => commands::rate::run(global, &args),
        Command::Invoice(args) => commands::invoice::run(global, &args),
        Command::Explain(args) => commands::explain::run(global, &args),
        Command::Quarantine(args) => commands::quarantine::run(global, &args),
        Command::Personal(args) => commands::personal::run(global, &args),
        Command::Verify(args) => commands::verify::run(global, &args),
    }
}
