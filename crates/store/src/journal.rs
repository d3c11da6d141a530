//! The journal's records: rows with their own hash in front.
//!
//! **Source**: `docs/format.md` §4, `docs/adr/0007-journal-chain.md`.

use metering::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::Hash;
use crate::row::{Class, Cut, Effect, Reference, Row, RowDraft};
use crate::segment::{Link, LogKind};

/// The journal as a log.
pub(crate) const JOURNAL: LogKind =
    LogKind { folder: "journal", extension: "jnl", record: 2, first: 1, noun: "journal row", link };

const FORMAT: u32 = 1;
const HASH_BYTES: usize = 32;

/// A row as it stands in the file: the order of the fields is the order of the bytes.
#[derive(Serialize, Deserialize)]
struct Wire {
    format: u32,
    number: u64,
    previous: Hash,
    #[serde(with = "crate::serde_instant")]
    recorded_at: Instant,
    log_durable_through: u64,
    journal_durable_through: u64,
    class: Class,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    idempotency_key: Option<String>,
    command: String,
    command_version: u32,
    input: Value,
    result: Value,
    effects: Vec<Effect>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cut: Option<Cut>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    references: Vec<Reference>,
}

/// What every version of a row has.
#[derive(Deserialize)]
struct WirePlace {
    format: u32,
    number: u64,
    previous: Hash,
}

/// What a row is told by the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowPlace {
    pub number: u64,
    pub previous: Hash,
    pub recorded_at: Instant,
    pub log_durable_through: u64,
    pub journal_durable_through: u64,
}

/// The record of a row, and the row with its hash.
pub(crate) fn encode(place: RowPlace, draft: RowDraft) -> Result<(Vec<u8>, Row), serde_json::Error> {
    let wire = Wire {
        format: FORMAT,
        number: place.number,
        previous: place.previous,
        recorded_at: place.recorded_at,
        log_durable_through: place.log_durable_through,
        journal_durable_through: place.journal_durable_through,
        class: draft.class,
        actor: draft.actor,
        reason: draft.reason,
        idempotency_key: draft.idempotency_key,
        command: draft.command,
        command_version: draft.command_version,
        input: draft.input,
        result: draft.result,
        effects: draft.effects,
        cut: draft.cut,
        references: draft.references,
    };
    let mut record = vec![0; HASH_BYTES];
    serde_json::to_writer(&mut record, &wire)?;
    let hash = Hash::of(&record[HASH_BYTES..]);
    record[..HASH_BYTES].copy_from_slice(&hash.0);
    Ok((record, row(hash, wire)))
}

/// The row of a record; its hash is checked.
pub(crate) fn decode(record: &[u8]) -> Result<Row, String> {
    let (hash, json) = checked(record)?;
    let place: WirePlace = parse(json)?;
    check_format(place.format)?;
    Ok(row(hash, parse(json)?))
}

fn link(record: &[u8]) -> Result<Link, String> {
    let (hash, json) = checked(record)?;
    let place: WirePlace = parse(json)?;
    check_format(place.format)?;
    Ok(Link { first: place.number, count: 1, previous: place.previous, hash })
}

fn checked(record: &[u8]) -> Result<(Hash, &[u8]), String> {
    let (hash, json) =
        record.split_first_chunk::<HASH_BYTES>().ok_or_else(|| "a journal row ends early".to_owned())?;
    if Hash::of(json).0 != *hash {
        return Err("the hash of a journal row differs from its content".to_owned());
    }
    Ok((Hash(*hash), json))
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| format!("a journal row cannot be read ({error})"))
}

fn check_format(format: u32) -> Result<(), String> {
    if format > FORMAT { Err(format!("a journal row of the newer format `{format}`")) } else { Ok(()) }
}

fn row(hash: Hash, wire: Wire) -> Row {
    Row {
        number: wire.number,
        previous: wire.previous,
        hash,
        recorded_at: wire.recorded_at,
        log_durable_through: wire.log_durable_through,
        journal_durable_through: wire.journal_durable_through,
        draft: RowDraft {
            class: wire.class,
            actor: wire.actor,
            reason: wire.reason,
            idempotency_key: wire.idempotency_key,
            command: wire.command,
            command_version: wire.command_version,
            input: wire.input,
            result: wire.result,
            effects: wire.effects,
            cut: wire.cut,
            references: wire.references,
        },
    }
}
