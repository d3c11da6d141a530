//! Recovery of a log that was not closed: what may be cut, and the copy that replaces the last segment.
//!
//! **Source**: `docs/format.md` §11, `docs/adr/0005-durable-before-ack.md`.

use serde::Serialize;

use crate::append_log::{AppendLog, LogSetting};
use crate::disk::Mode;
use crate::error::StoreError;
use crate::framed::{self, SECTOR_BYTES, bad_sector};
use crate::hash::Hash;
use crate::new_segment::{NewSegment, copy_bytes};
use crate::roots::KnownDurable;
use crate::row::Reference;
use crate::segment::{CutName, LogKind, Marks, SegmentHeader};
use crate::survey::Survey;

/// A tail that a recovery took off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CutOff {
    /// The segment it stood in.
    pub file: String,
    /// Its first sector there.
    pub sector: u64,
    /// The position (log) or number (journal) that the next record gets.
    pub from: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The file that keeps them.
    pub kept: String,
}

/// The ends of both logs known durable, by any record of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Durable {
    pub log: u64,
    pub journal: u64,
}

impl Durable {
    pub fn of(journal: &Survey, log: &Survey, known: KnownDurable) -> Self {
        let (in_journal, in_log) = (journal.tip.marks, log.tip.marks);
        // Row 1 was durable before `keys` got its name.
        let rows = known.row.max(1).saturating_add(1);
        Self {
            log: in_log.own.max(in_journal.other).max(known.position),
            journal: in_journal.own.max(in_log.other).max(rows),
        }
    }
}

/// Checks that nothing known durable lies in the tail and that it holds no rot.
///
/// **Errors**: corrupt, with file and sector; nothing was changed.
pub(crate) fn check_tail(kind: &LogKind, survey: &Survey, durable: u64) -> Result<(), StoreError> {
    let tip = &survey.tip;
    if let Some(rot) = tip.tail.rot {
        return Err(bad_sector(&tip.file, rot));
    }
    if durable > tip.end {
        let sector = tip.tail.first_bad.map_or(tip.valid_sectors, |bad| bad.ordinal);
        return Err(StoreError::corrupt(
            &tip.file,
            format!("sector {sector}"),
            format!(
                "a {} that was acknowledged is missing: the log ends at {}, known durable is everything below {durable};",
                kind.noun, tip.end
            ),
        ));
    }
    Ok(())
}

/// The log ready for appending, with what must be named and removed.
pub(crate) struct Recovered {
    pub log: AppendLog,
    /// The tail taken off now.
    pub cut: Option<CutOff>,
    /// Cut files that no row names for certain.
    pub unnamed: Vec<Reference>,
    /// Segments to remove once a row that names the cut files is durable.
    pub leftovers: Vec<String>,
}

/// Copies the valid part of the last segment to a higher incarnation. [`check_tail`] must have passed.
pub(crate) fn recover(
    setting: LogSetting,
    kind: &'static LogKind,
    survey: &Survey,
    durable: Marks,
    now: metering::Instant,
) -> Result<Recovered, StoreError> {
    let disk = setting.disk.clone();
    for draft in &survey.drafts {
        disk.remove(draft).map_err(|error| StoreError::io(format!("remove `{draft}`"), &error))?;
    }
    let tip = &survey.tip;
    let incarnation = survey.next_incarnation();
    let cut = keep_tail(&setting, kind, survey, incarnation)?;
    let header = SegmentHeader { incarnation, created_at: now, ..tip.header.clone() };
    let source = disk
        .open(&tip.file, Mode::Read)
        .map_err(|error| StoreError::io(format!("open `{}`", tip.file), &error))?;
    let mut segment = NewSegment::create(&*disk, kind, &header, durable)?;
    let size = SECTOR_BYTES as u64;
    copy_bytes(&*source, &tip.file, size, tip.valid_sectors * size, &mut |bytes| segment.write(bytes))?;
    let written = segment.publish(&*disk)?;

    let mut segments = survey.segments.clone();
    let replaced = segments.pop();
    segments.push(header.name());
    let leftovers = survey.leftovers.iter().chain(&replaced).map(|name| name.path(kind)).collect();
    let unnamed = unnamed_cuts(&setting, kind, survey, cut.as_ref())?;
    let log = AppendLog::assemble(setting, kind, segments, header, written, tip.end, tip.hash);
    Ok(Recovered { log, cut, unnamed, leftovers })
}

#[derive(Serialize)]
struct CutHead<'a> {
    file: &'a str,
    sector: u64,
    position: u64,
}

/// Writes the tail to a cut file; one with the same bytes, from a recovery that did not finish, is written again,
/// because its name may never have become durable.
fn keep_tail(
    setting: &LogSetting,
    kind: &LogKind,
    survey: &Survey,
    incarnation: u32,
) -> Result<Option<CutOff>, StoreError> {
    let tip = &survey.tip;
    if tip.tail.bytes == 0 {
        return Ok(None);
    }
    let disk = &*setting.disk;
    let head = CutHead { file: &tip.file, sector: tip.valid_sectors, position: tip.end };
    let mut payload =
        serde_json::to_vec(&head).map_err(|error| StoreError::corrupt(&tip.file, "its tail", error))?;
    payload.push(b'\n');
    let source = disk
        .open(&tip.file, Mode::Read)
        .map_err(|error| StoreError::io(format!("open `{}`", tip.file), &error))?;
    let from = tip.valid_sectors * SECTOR_BYTES as u64;
    copy_bytes(&*source, &tip.file, from, from + tip.tail.bytes, &mut |bytes| {
        payload.extend_from_slice(bytes);
        Ok(())
    })?;
    let mut kept = CutName { first: tip.end, incarnation }.path(kind);
    for name in survey.cuts.iter().filter(|cut| cut.first == tip.end).map(|cut| cut.path(kind)) {
        if framed::read_file(disk, &name)? == payload {
            kept = name;
        }
    }
    framed::write_file(disk, &kept, &payload)?;
    Ok(Some(CutOff {
        file: tip.file.clone(),
        sector: tip.valid_sectors,
        from: tip.end,
        bytes: tip.tail.bytes,
        kept,
    }))
}

/// The cut files that this recovery, or one that did not finish, has left.
fn unnamed_cuts(
    setting: &LogSetting,
    kind: &LogKind,
    survey: &Survey,
    cut: Option<&CutOff>,
) -> Result<Vec<Reference>, StoreError> {
    let settled = survey.settled_incarnation();
    let mut names: Vec<String> = survey
        .cuts
        .iter()
        .filter(|name| name.incarnation > settled)
        .map(|name| name.path(kind))
        .chain(cut.map(|cut| cut.kept.clone()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| reference(&*setting.disk, name)).collect()
}

/// Length and hash of a file as it stands.
pub(crate) fn reference(disk: &dyn crate::disk::Disk, name: &str) -> Result<Reference, StoreError> {
    let failed = |error| StoreError::io(format!("read `{name}`"), &error);
    let file = disk.open(name, Mode::Read).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    copy_bytes(&*file, name, 0, length, &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(Reference { name: name.to_owned(), length, hash: Hash(*hasher.finalize().as_bytes()) })
}
