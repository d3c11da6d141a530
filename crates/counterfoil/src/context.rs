//! What every command does first: the clock, the caller, the folder and the store in it.

use std::path::Path;
use std::sync::Arc;

use engine::{Caller, Clock, Engine, FixedClock, Options, SystemClock};
use metering::{CivilDate, Instant, Keys, Zone};
use store::{Disk, RealDisk, Roots};

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

/// The window from one time to another, each as [`instant`] reads it; an edge that is not given is open.
pub fn window(from: Option<&str>, to: Option<&str>, zone: &Zone) -> Result<(Instant, Instant), Failure> {
    let edge = |text: Option<&str>, open| text.map_or(Ok(open), |text| instant(text, zone));
    let (start, end) = (edge(from, Instant(i64::MIN))?, edge(to, Instant(i64::MAX))?);
    if start > end {
        return Err(Failure::usage(
            "window_reversed",
            format!("the window ends at {end}, before it starts at {start}"),
            "give --from a time before --to",
        ));
    }
    Ok((start, end))
}

/// Opens the store for writing, making it and its folder where they are not there.
pub fn open(global: &Global) -> Result<Engine, Failure> {
    open_at(&global.data, clock(global)?, global)
}

/// Opens a folder for writing with a clock, making the store where there is none.
pub fn open_at(folder: &Path, clock: Arc<dyn Clock>, global: &Global) -> Result<Engine, Failure> {
    let options = options(clock, global)?;
    let disk = match store_at(folder)? {
        Some(disk) => {
            check_keys(&disk, options.keys.as_ref())?;
            disk
        }
        None => Arc::new(RealDisk::create(folder).map_err(|error| unwritable(folder, &error))?),
    };
    Ok(with_notes(Engine::open(disk, options)?))
}

/// Opens a store for writing that must be there: nothing is made.
pub fn open_existing(global: &Global) -> Result<Engine, Failure> {
    let disk = existing(global)?;
    Ok(with_notes(Engine::open(disk, options(clock(global)?, global)?)?))
}

/// Opens the store for reading; it must be there.
pub fn open_to_read(global: &Global) -> Result<Engine, Failure> {
    let disk = existing(global)?;
    Ok(with_notes(Engine::open_to_read(disk, options(clock(global)?, global)?)?))
}

/// The folder, in which a store must be, with the keys that were named if any were.
pub fn existing(global: &Global) -> Result<Arc<dyn Disk>, Failure> {
    let keys = keys(global)?;
    let folder = &global.data;
    let disk = store_at(folder)?.ok_or_else(|| {
        let what = if folder.is_dir() { "store in the folder" } else { "folder" };
        Failure::could_not(
            "no_store",
            format!("there is no {what} `{}`", folder.display()),
            "name another with --data, or start one with `counterfoil apply` or `counterfoil demo`",
        )
    })?;
    check_keys(&disk, keys.as_ref())?;
    Ok(disk)
}

/// Whether a store is there. The flags that opening it would read are looked at in any case.
pub fn is_there(global: &Global) -> Result<bool, Failure> {
    clock(global)?;
    keys(global)?;
    Ok(store_at(&global.data)?.is_some())
}

/// A file to write that lies outside of the store's folder: in it everything is the store's own.
pub fn outside_of_store(global: &Global, file: &Path) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(folder), Ok(store)) = (folder.canonicalize(), global.data.canonicalize()) else { return Ok(()) };
    if !folder.starts_with(store) {
        return Ok(());
    }
    Err(Failure::usage(
        "output_in_store",
        format!("expected a file outside of the store's folder, found `{}`", file.display()),
        "name a file in another folder",
    ))
}

/// An account that events or configuration made known.
pub fn known_account(engine: &Engine, account: &str) -> Result<(), Failure> {
    if engine.terms().has_account(account) {
        return Ok(());
    }
    Err(Failure::could_not(
        "unknown_account",
        format!("expected an account that is known, found `{account}`"),
        "list the accounts that have usage with `counterfoil usage --by account`",
    ))
}

/// The folder if a store is in it: keys, or a log whose keys are gone. A file in its place is refused.
fn store_at(folder: &Path) -> Result<Option<Arc<dyn Disk>>, Failure> {
    if let Some(file) = folder.ancestors().find(|path| path.is_file()) {
        return Err(Failure::could_not(
            "folder_unwritable",
            format!("expected a folder for the store, but this is a file: `{}`", file.display()),
            "choose a folder you can write with --data",
        ));
    }
    let Ok(disk) = RealDisk::open_existing(folder) else { return Ok(None) };
    // What cannot be looked at may be a store: opening it says what is wrong.
    let has_files = |folder: &str| disk.list(folder).is_ok_and(|names| !names.is_empty());
    let is_store = disk.exists(store::KEYS).unwrap_or(true) || ["journal", "log"].into_iter().any(has_files);
    Ok(is_store.then(|| Arc::new(disk) as Arc<dyn Disk>))
}

/// A store keeps the keys it was made with: others would find no duplicate and no digest again.
fn check_keys(disk: &Arc<dyn Disk>, keys: Option<&Keys>) -> Result<(), Failure> {
    let Some(keys) = keys else { return Ok(()) };
    match Roots::open_read_only(Arc::clone(disk)) {
        Ok((roots, _)) if roots.keys() != keys => Err(Failure::could_not(
            "keys_differ",
            "the store has other keys than the file named with --keys",
            "leave --keys out: a store keeps the keys it was made with; or name another folder with --data",
        )),
        // A store that cannot be opened is told by the command itself.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn with_notes(engine: Engine) -> Engine {
    engine.notes().iter().for_each(|text| note(&format!("note: {text}")));
    engine
}

fn keys(global: &Global) -> Result<Option<Keys>, Failure> {
    global.keys.as_deref().map(read_keys).transpose()
}

fn options(clock: Arc<dyn Clock>, global: &Global) -> Result<Options, Failure> {
    Ok(Options {
        clock,
        random: Box::new(fill_random),
        keys: keys(global)?,
        actor: global.actor.clone(),
        sizes: store::SegmentSizes::DEFAULT,
        memory_bytes: engine::MEMORY_BYTES,
        in_background: true,
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
