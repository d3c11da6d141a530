//! What was refused: listed, looked at, repaired, sent again.

use std::collections::{BTreeMap, BTreeSet};

use connectors::{Chunk, Decoder, Feed, set_json};
use metering::{Code, Fate};
use serde_json::{Value, json};
use store::tables::{QuarantineFilter, QuarantineRow};
use store::{Class, Effect, Kept};

use crate::engine::{Caller, Engine};
use crate::error::EngineError;
use crate::feeds::{FeedReport, report_json};
use crate::prepare::{Prepared, seed};

/// The feed that replayed records come in by.
pub const REPLAY_FEED: &str = "quarantine";

/// How a record is repaired before it is sent again.
#[derive(Clone, Debug)]
pub enum Repair {
    /// As it is: what it lacked may be known by now.
    None,
    /// Some of its JSON members are set: path and JSON text, so that numbers stay exact.
    Set(Vec<(String, String)>),
    /// Other bytes, in the format the record came in.
    Replace(Vec<u8>),
}

/// What became of one replayed record.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Its position in the log.
    pub position: u64,
    /// The position of what was sent; where it was refused again, it is kept there.
    pub new_position: u64,
    /// The fate of what was sent.
    pub fate: Fate,
    /// The message, where it was refused again.
    pub message: Option<String>,
}

impl Engine {
    /// The records in quarantine.
    ///
    /// **Errors**: tables that cannot be read; `store_closed` after a failure.
    pub fn quarantine(&self, filter: &QuarantineFilter) -> Result<Vec<QuarantineRow>, EngineError> {
        self.check_not_failed()?;
        Ok(self.tables.quarantine(filter)?)
    }

    /// One record as it was kept, from the log.
    ///
    /// **Errors**: `not_in_quarantine`.
    pub fn kept(&self, position: u64) -> Result<Kept, EngineError> {
        self.kept_at(&[position])?.remove(&position).ok_or_else(|| not_in_quarantine(position))
    }

    /// Records as they were kept, each block read once.
    fn kept_at(&self, positions: &[u64]) -> Result<BTreeMap<u64, Kept>, EngineError> {
        let mut wanted: BTreeSet<u64> = positions.iter().copied().collect();
        let mut found = BTreeMap::new();
        while let Some(first) = wanted.first().copied() {
            let Some(block) = self.roots.blocks(first).next().transpose()? else { break };
            let end = block.end();
            for kept in block.draft.kept {
                let position = block.position + u64::from(kept.index);
                if wanted.contains(&position) {
                    found.insert(position, kept);
                }
            }
            wanted.retain(|position| *position >= end);
        }
        Ok(found)
    }

    /// Sends records again, repaired. Every one of them is closed: what is refused again is kept under its new
    /// position, where it can be repaired further.
    ///
    /// **Errors**: `not_in_quarantine`, `already_replayed`, `repair_failed`, `idempotency_conflict`; nothing was
    /// then sent.
    pub fn replay(
        &mut self,
        caller: &Caller,
        records: &[(u64, Repair)],
    ) -> Result<Vec<Replayed>, EngineError> {
        let said = records.iter().map(|(position, repair)| json!([position, repair.said()])).collect();
        let input = Value::Array(said);
        if let Some(first) = self.answered(caller, "quarantine_replay", &input)? {
            return replayed_of(&first)
                .ok_or_else(|| EngineError::stored("a replay", "its result lacks a field"));
        }
        let prepared = self.all_repaired(records);
        let prepared: Prepared =
            self.journal_failure(caller, Class::Usage, "quarantine_replay", input.clone(), prepared)?;
        let feed = Feed { name: REPLAY_FEED.to_owned(), source: REPLAY_FEED.to_owned() };
        let from = self.end();
        let answer = self.append(&Decoder::cloud_events(), &feed, prepared)?;
        let mut messages = answer.messages;
        let replayed: Vec<Replayed> = (0..)
            .zip(records.iter().zip(answer.fates))
            .map(|(index, ((position, _), fate))| Replayed {
                position: *position,
                new_position: answer.position + u64::from(index),
                fate,
                message: messages.remove(&index),
            })
            .collect();
        let report = FeedReport {
            feed: feed.name,
            skipped: 0,
            received: replayed.len() as u64,
            counters: answer.counters,
            from,
            to: self.end(),
            broken: None,
        };
        let closed =
            |one: &Replayed| Effect::Quarantine { position: one.position, status: "replayed".to_owned() };
        let effects = replayed.iter().map(closed).collect();
        let result = json!({ "report": report_json(&report), "replayed": replayed.iter().map(Replayed::to_json).collect::<Vec<_>>() });
        self.journal_feed(caller, "quarantine_replay", input, &report, result, effects)?;
        Ok(replayed)
    }

    fn all_repaired(&self, records: &[(u64, Repair)]) -> Result<Prepared, EngineError> {
        let positions: Vec<u64> = records.iter().map(|(position, _)| *position).collect();
        let mut kept = self.kept_at(&positions)?;
        let mut chunk = Chunk::of_records(seed(self.keys()));
        for (position, repair) in records {
            self.still_open(*position)?;
            let kept = kept.remove(position).ok_or_else(|| not_in_quarantine(*position))?;
            let body = repaired(*position, kept.body, repair)?;
            chunk.add_kept(*position, &kept.format, &body);
        }
        Ok(Prepared::new(self.keys(), chunk))
    }

    fn still_open(&self, position: u64) -> Result<(), EngineError> {
        let filter = QuarantineFilter { position: Some(position), ..QuarantineFilter::default() };
        match self.tables.quarantine(&filter)?.first().map(|row| row.status.clone()) {
            Some(status) if status == "open" => Ok(()),
            Some(status) => Err(EngineError::invalid(
                "already_replayed",
                format!("the record at position `{position}` is no longer open: it was {status}"),
                "list what is open with `counterfoil quarantine list`",
            )),
            None => Err(not_in_quarantine(position)),
        }
    }
}

/// The bytes of a kept record, repaired.
fn repaired(position: u64, kept: Vec<u8>, repair: &Repair) -> Result<Vec<u8>, EngineError> {
    let members = match repair {
        Repair::None => return Ok(kept),
        Repair::Replace(bytes) => return Ok(bytes.clone()),
        Repair::Set(members) => members,
    };
    let mut body = kept;
    for (path, value) in members {
        body = set_json(&body, path, value).map_err(|error| {
            EngineError::invalid(
                "repair_failed",
                format!("`{path}` cannot be set in the record at position `{position}`: {error}"),
                "see it with `counterfoil quarantine show`, or replace it whole with --with FILE",
            )
        })?;
    }
    Ok(body)
}

impl Repair {
    /// What was asked, so that a repetition can be told.
    fn said(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Set(members) => json!(members),
            Self::Replace(bytes) => json!(blake3::hash(bytes).to_hex().as_str()),
        }
    }
}

impl Replayed {
    /// As it stands in the journal and on stdout.
    pub fn to_json(&self) -> Value {
        let code = self.fate.code().map(|code| code.as_str());
        json!({ "position": self.position, "new_position": self.new_position, "fate": self.fate.as_str(), "code": code, "message": self.message })
    }
}

fn replayed_of(result: &Value) -> Option<Vec<Replayed>> {
    let one = |row: &Value| {
        let fate = match row["fate"].as_str()? {
            "accepted" => Fate::Accepted,
            "duplicate" => Fate::Duplicate,
            "conflict" => Fate::Conflict,
            _ => Fate::Rejected(Code::parse(row["code"].as_str()?).ok()?),
        };
        let message = row["message"].as_str().map(str::to_owned);
        let (position, new_position) = (row["position"].as_u64()?, row["new_position"].as_u64()?);
        Some(Replayed { position, new_position, fate, message })
    };
    result["replayed"].as_array()?.iter().map(one).collect()
}

fn not_in_quarantine(position: u64) -> EngineError {
    EngineError::not_found(
        "not_in_quarantine",
        format!("no record in quarantine has position `{position}`"),
        "list them with `counterfoil quarantine list`",
    )
}
