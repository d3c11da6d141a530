//! What every command does first: the clock, the caller, the folder.

use std::path::Path;
use std::sync::Arc;

use engine::{Caller, Clock, Engine, FixedClock, Options, SystemClock};
use metering::{CivilDate, Instant, Keys, Zone};
use store::Disk;
use store::disk::RealDisk;

use crate::args::Global;
use crate::output::{Failure, note};

/// Who asks, from the flags.
pub fn caller(global: &Global) -> Caller {
    Caller {
        actor: global.actor.clone(),
        reason: global.reason.clone(),
        idempotency_key: global.idempotency_key.clone(),
    }
}

/// The clock, from the flags.
pub fn clock(global: &Global) -> Result<Arc<dyn Clock>, Failure> {
    match &global.now {
        None => Ok(Arc::new(SystemClock)),
        Some(text) => Ok(Arc::new(FixedClock::at(instant(text, &Zone::utc())?))),
    }
}

/// A time given as RFC 3339, or a date whose start in the zone is meant.
pub fn instant(text: &str, zone: &Zone) -> Result<Instant, Failure> {
    if let Ok(date) = CivilDate::parse(text) {
        return Ok(zone.day_start(date));
    }
    Instant::parse_rfc3339(text).map_err(|error| {
        Failure::usage(
            "bad_time",
            error.to_string(),
            "give a date such as 2026-08-01 or a time such as 2026-08-01T00:00:00Z",
        )
    })
}

/// A zone by its name.
pub fn zone(name: &str) -> Result<Zone, Failure> {
    Zone::parse(name).map_err(|error| {
        Failure::usage("unknown_zone", error.to_string(), "give an IANA name such as Europe/Vienna or UTC")
    })
}

/// Opens the folder for writing, making it where it is not there.
pub fn open(global: &Global) -> Result<Engine, Failure> {
    open_at(&global.data, clock(global)?, global)
}

/// Opens a folder for writing with a clock.
pub fn open_at(folder: &Path, clock: Arc<dyn Clock>, global: &Global) -> Result<Engine, Failure> {
    let disk = RealDisk::create(folder).map_err(|error| unwritable(folder, &error))?;
    let engine = Engine::open(Arc::new(disk), options(clock, global)?)?;
    engine.notes().iter().for_each(|text| note(&format!("note: {text}")));
    Ok(engine)
}

/// Opens the folder for reading.
pub fn open_to_read(global: &Global) -> Result<Engine, Failure> {
    let engine = Engine::open_to_read(existing(global)?, options(clock(global)?, global)?)?;
    engine.notes().iter().for_each(|text| note(&format!("note: {text}")));
    Ok(engine)
}

/// The folder, which must be there.
pub fn existing(global: &Global) -> Result<Arc<dyn Disk>, Failure> {
    match RealDisk::open_existing(&global.data) {
        Ok(disk) => Ok(Arc::new(disk)),
        Err(_) => Err(Failure::could_not(
            "no_store",
            format!("there is no folder `{}`", global.data.display()),
            "name another with --data, or start one with `counterfoil apply` or `counterfoil demo`",
        )),
    }
}

fn options(clock: Arc<dyn Clock>, global: &Global) -> Result<Options, Failure> {
    Ok(Options {
        clock,
        random: Box::new(fill_random),
        keys: global.keys.as_deref().map(read_keys).transpose()?,
        actor: global.actor.clone(),
        sizes: store::SegmentSizes::DEFAULT,
    })
}

/// Chance from the operating system; without it no keys can be made.
fn fill_random(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        note(&format!("error: the operating system gives no random bytes: {error} [no_randomness]"));
        std::process::exit(3);
    }
}

fn read_keys(path: &Path) -> Result<Keys, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::could_not(
            "keys_unreadable",
            format!("could not read `{}`: {error}", path.display()),
            "name a file that holds the keys, see docs/format.md",
        )
    })?;
    store::parse_keys(&text).map_err(Failure::from_store)
}

impl Failure {
    /// From an error of the store.
    pub fn from_store(error: store::StoreError) -> Self {
        engine::EngineError::from(error).into()
    }
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::from_store(store::StoreError::io(format!("make the folder `{}`", folder.display()), error))
}
