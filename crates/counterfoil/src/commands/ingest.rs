//! `ingest`: files of events → fates.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use connectors::{Chunks, Decoder, Feed, InputError, Mapping, is_parquet, open_input, read_mapping};
use engine::{Engine, EngineError, FeedInput, FeedOptions, FeedReport, report_json};
use serde_json::Value;

use crate::args::{Format, Global, IngestArgs, InputFormat};
use crate::context;
use crate::output::{self, Failure, Outcome, grouped, table};

pub fn run(global: &Global, args: &IngestArgs) -> Result<Outcome, Failure> {
    let mapping = args
        .mapping
        .as_deref()
        .map(read_mapping)
        .transpose()
        .map_err(|problems| crate::commands::apply::refused(&problems))?;
    check_identity(args, mapping.as_ref())?;
    let inputs: Vec<Input> = args
        .files
        .iter()
        .map(|path| Input::open(path, args, mapping.as_ref()))
        .collect::<Result<_, Failure>>()?;
    if args.resume {
        check_names(&inputs)?;
    }
    let mut engine = context::open(global)?;
    let reports = match ingest_all(&mut engine, global, args, inputs) {
        // Refused before anything of the file was taken: the store is in order.
        Err(error) if error.code == "resume_other_file" => {
            engine.close()?;
            return Err(error.into());
        }
        reports => reports?,
    };
    engine.close()?;
    if !args.acknowledge {
        print(global, &reports)?;
    }
    for report in reports.iter().filter(|report| report.skipped > 0) {
        let taken = grouped(&report.skipped.to_string());
        output::note(&match report.received {
            0 => format!("`{}` was already taken whole: {taken} records", report.feed),
            _ => format!("`{}` went on behind the {taken} records taken before", report.feed),
        });
    }
    for report in reports.iter().filter(|report| report.broken.is_some()) {
        let why = report.broken.as_deref().unwrap_or("");
        output::note(&format!(
            "problem: `{}` breaks off after {} records: {why}",
            report.feed, report.received
        ));
    }
    let problems = reports.iter().any(FeedReport::has_problems);
    if problems {
        output::hint("hint: see what was refused with `counterfoil quarantine list`");
    }
    Ok(Outcome::of(problems))
}

/// Takes the files one after the other.
fn ingest_all(
    engine: &mut Engine,
    global: &Global,
    args: &IngestArgs,
    inputs: Vec<Input>,
) -> Result<Vec<FeedReport>, EngineError> {
    let taken = args.resume.then(|| engine.taken_files()).transpose()?;
    let options = FeedOptions { batch_records: args.batch as usize, ..FeedOptions::default() };
    let mut reports = Vec::new();
    for Input { name, decoder, chunks } in inputs {
        let feed = Feed {
            name: args.feed.clone().unwrap_or_else(|| name.clone()),
            source: args.source.clone().or_else(|| args.feed.clone()).unwrap_or_else(|| name.clone()),
        };
        let taken = taken.as_ref().and_then(|taken| taken.of(&feed.name, &name)).cloned();
        let bar = output::progress(None, &feed.name);
        let mut progress = |received: u64| {
            bar.set_position(received);
            if args.acknowledge {
                // A reader that went away ends nothing here: the records are durable all the same.
                let mut out = std::io::stdout();
                let _ = writeln!(out, "acknowledged {received}").and_then(|()| out.flush());
            }
        };
        let input = FeedInput { chunks, file: Some(name), taken };
        reports.push(engine.ingest(
            &context::caller(global),
            &decoder,
            &feed,
            input,
            options,
            &mut progress,
        )?);
        bar.finish_and_clear();
    }
    Ok(reports)
}

/// What a file's last run took is found by its base name.
fn check_names(inputs: &[Input]) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    match inputs.iter().find(|input| !names.insert(input.name.as_str())) {
        None => Ok(()),
        Some(input) => Err(Failure::usage(
            "resume_ambiguous",
            format!("expected files whose base names differ, found two of `{}`", input.name),
            "give each a run and a --feed NAME of its own, or leave --resume out",
        )),
    }
}

/// Events that only their line identifies need a name for what the lines are of. A pipe has none of its own,
/// and two pipes by one name would be taken for duplicates of each other.
fn check_identity(args: &IngestArgs, mapping: Option<&Mapping>) -> Result<(), Failure> {
    let is_piped = args.files.iter().any(|path| path == Path::new("-"));
    let is_named = args.source.is_some() || args.feed.is_some();
    let may_be_by_line = match args.input {
        InputFormat::Cloudevents | InputFormat::Parquet => false,
        InputFormat::SentryOutcomes => true,
        InputFormat::Csv => mapping.is_some_and(Mapping::identifies_by_line),
    };
    if is_piped && may_be_by_line && !is_named {
        return Err(Failure::usage(
            "source_missing",
            "expected a name for the lines of stdin, which alone may identify an event, found none for `-`",
            "name each pipe with --source NAME or --feed NAME; another name makes other events",
        ));
    }
    Ok(())
}

fn base_name(path: &Path, args: &IngestArgs) -> Result<String, Failure> {
    if path == Path::new("-") {
        return Ok(args.feed.clone().unwrap_or_else(|| "stdin".to_owned()));
    }
    path.file_name().and_then(|name| name.to_str()).map(str::to_owned).ok_or_else(|| {
        Failure::usage(
            "bad_file_name",
            format!("`{}` has no readable base name", path.display()),
            "rename the file",
        )
    })
}

/// A file that is open, with how it is read.
struct Input {
    name: String,
    decoder: Decoder,
    chunks: Chunks,
}

impl Input {
    /// Opens a file. One that begins as Parquet does is read as Parquet, whatever its name.
    fn open(path: &Path, args: &IngestArgs, mapping: Option<&Mapping>) -> Result<Self, Failure> {
        let name = base_name(path, args)?;
        let unreadable = |error: &InputError| {
            Failure::could_not(
                "input_unreadable",
                format!("could not read `{}`: {error}", path.display()),
                "check the file's name, its format and its permissions",
            )
        };
        let is_parquet = args.input == InputFormat::Parquet
            || args.input == InputFormat::Cloudevents
                && is_parquet(path).map_err(|error| unreadable(&error))?;
        if is_parquet {
            let chunks = Chunks::open_parquet(path).map_err(|error| unreadable(&error))?;
            return Ok(Self { name, decoder: Decoder::parquet(), chunks });
        }
        let decoder = match args.input {
            InputFormat::Cloudevents | InputFormat::Parquet => Decoder::cloud_events(),
            InputFormat::SentryOutcomes => Decoder::sentry_outcomes(),
            InputFormat::Csv => Decoder::csv(mapping.cloned().ok_or_else(|| {
                Failure::usage("mapping_missing", "CSV needs a mapping file", "name it with --mapping FILE")
            })?),
        };
        let chunks = decoder.chunks(open_input(path).map_err(|error| unreadable(&error))?);
        Ok(Self { name, decoder, chunks })
    }
}

fn print(global: &Global, reports: &[FeedReport]) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::json_data(&Value::Array(reports.iter().map(report_json).collect()));
    }
    output::data(&fates_table(reports))
}

/// The table of fates of some feeds, with its sum.
pub fn fates_table(reports: &[FeedReport]) -> String {
    let fates = ["accepted", "duplicate", "conflict", "rejected"];
    let has_skipped = reports.iter().any(|report| report.skipped > 0);
    let mut head = vec!["feed", "received"];
    head.splice(1..1, has_skipped.then_some("skipped"));
    head.extend(fates);
    let mut rows = Vec::new();
    let mut sums = vec![0u64; head.len() - 1];
    for report in reports {
        let counts: Vec<u64> = has_skipped
            .then_some(report.skipped)
            .into_iter()
            .chain([report.received])
            .chain(fates.iter().map(|fate| report.records(fate)))
            .collect();
        sums.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
        rows.push(row(&report.feed, &counts));
    }
    if reports.len() > 1 {
        rows.push(row("all", &sums));
    }
    table(&head, &(1..head.len()).collect::<Vec<_>>(), &rows)
}

fn row(name: &str, counts: &[u64]) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(counts.iter().map(|count| grouped(&count.to_string()))).collect()
}
