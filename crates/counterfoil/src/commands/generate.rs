//! `gen`: the demo's world as files.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::args::{Format, GenArgs, Global};
use crate::output::{self, Failure, Outcome};
use crate::world::{MonthStream, World, configuration};

pub fn run(global: &Global, args: &GenArgs) -> Result<Outcome, Failure> {
    let failed = |error: std::io::Error| {
        Failure::could_not(
            "output_failed",
            format!("could not write `{}`: {error}", args.out.display()),
            "name a folder that is not there yet, in one you can write",
        )
    };
    std::fs::create_dir(&args.out).map_err(failed)?;
    let counts = write(&args.out, args).map_err(failed)?;
    let files = ["config.yaml", "month.ndjson", "after-end.ndjson", "late.ndjson"];
    match global.format {
        Format::Json => output::json_data(&json!({
            "folder": args.out.display().to_string(), "files": files,
            "month": counts.0.to_string(), "after_end": counts.1.to_string(), "late": counts.2.to_string(),
        }))?,
        Format::Text => {
            for (file, count) in files.iter().zip([
                "".to_owned(),
                counts.0.to_string(),
                counts.1.to_string(),
                counts.2.to_string(),
            ]) {
                output::data(&format!("{}  {count}\n", args.out.join(file).display()))?;
            }
        }
    }
    Ok(Outcome::Done)
}

fn write(folder: &Path, args: &GenArgs) -> std::io::Result<(u64, u64, u64)> {
    std::fs::write(folder.join("config.yaml"), configuration())?;
    let world = Arc::new(Mutex::new(World::new(args.world.events, args.world.seed, None)));
    let mut stream = MonthStream::new(Arc::clone(&world));
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join("month.ndjson"))?);
    let bar = output::progress(None, "bytes");
    loop {
        let bytes = stream.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        file.write_all(bytes)?;
        let count = bytes.len();
        bar.inc(count as u64);
        stream.consume(count);
    }
    file.flush()?;
    bar.finish_and_clear();
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let ((after_end, after_count), (late, late_count)) = (world.take_after_end(), world.take_late());
    std::fs::write(folder.join("after-end.ndjson"), after_end)?;
    std::fs::write(folder.join("late.ndjson"), late)?;
    let sent = world.sent();
    Ok((sent.fresh + sent.repeated + sent.altered + sent.broken, after_count, late_count))
}
