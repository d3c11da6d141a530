//! What was refused: listed, looked at, repaired, sent again.

use connectors::{Feed, decode_kept, set_json};
use metering::Fate;
use serde_json::{Value, json};
use store::tables::{QuarantineFilter, QuarantineRow};
use store::{Class, Effect, Kept, RowDraft};

use crate::engine::{Caller, Engine};
use crate::error::EngineError;
use crate::feeds::FeedReport;
use crate::prepare::{Origin, Prepared, Refused, check};

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
    /// The fate of what was sent.
    pub fate: Fate,
    /// The message, where it was refused again.
    pub message: Option<String>,
}

impl Engine {
    /// The records in quarantine.
    ///
    /// **Errors**: tables that cannot be read.
    pub fn quarantine(&self, filter: &QuarantineFilter) -> Result<Vec<QuarantineRow>, EngineError> {
        Ok(self.tables.quarantine(filter)?)
    }

    /// One record as it was kept, from the log.
    ///
    /// **Errors**: `not_in_quarantine`.
    pub fn kept(&self, position: u64) -> Result<Kept, EngineError> {
        for block in self.roots.blocks(position) {
            let block = block?;
            if block.position > position {
                break;
            }
            let found =
                block.draft.kept.into_iter().find(|kept| block.position + u64::from(kept.index) == position);
            if let Some(kept) = found {
                return Ok(kept);
            }
        }
        Err(EngineError::not_found(
            "not_in_quarantine",
            format!("no record in quarantine has position `{position}`"),
            "list them with `counterfoil quarantine list`",
        ))
    }

    /// Sends records again, repaired. Each that is accepted, or turns out to be a duplicate, leaves the
    /// quarantine; what is refused again stays, and is kept a second time under its new position.
    ///
    /// **Errors**: `not_in_quarantine`, `already_replayed`, `repair_failed`; nothing was then sent.
    pub fn replay(
        &mut self,
        caller: &Caller,
        records: &[(u64, Repair)],
    ) -> Result<(FeedReport, Vec<Replayed>), EngineError> {
        let positions: Vec<u64> = records.iter().map(|(position, _)| *position).collect();
        let input = json!({ "positions": positions });
        let prepared = records.iter().map(|(position, repair)| self.repaired(*position, repair)).collect();
        let prepared: Vec<Prepared> =
            self.journal_failure(caller, Class::Usage, "quarantine_replay", input.clone(), prepared)?;
        let messages: Vec<Option<String>> = prepared
            .iter()
            .map(|p| p.outcome.as_ref().err().map(|refused| refused.rejection.message.clone()))
            .collect();
        let feed = Feed { name: REPLAY_FEED.to_owned(), source: REPLAY_FEED.to_owned() };
        let (report, fates) = self.append_run(caller, "quarantine_replay", input, &feed, prepared)?;
        let replayed: Vec<Replayed> = positions
            .iter()
            .zip(fates)
            .zip(messages)
            .map(|((position, fate), message)| Replayed { position: *position, fate, message })
            .collect();
        self.note_replayed(caller, &replayed)?;
        Ok((report, replayed))
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
            None => self.kept(position).map(|_| ()),
        }
    }

    fn repaired(&self, position: u64, repair: &Repair) -> Result<Prepared, EngineError> {
        self.still_open(position)?;
        let kept = self.kept(position)?;
        let mut body = match repair {
            Repair::Replace(bytes) => bytes.clone(),
            Repair::None | Repair::Set(_) => kept.body,
        };
        if let Repair::Set(members) = repair {
            for (path, value) in members {
                body = set_json(&body, path, value).map_err(|error| {
                    EngineError::invalid(
                        "repair_failed",
                        format!("`{path}` cannot be set in the record at position `{position}`: {error}"),
                        "see it with `counterfoil quarantine show`, or replace it whole with --with FILE",
                    )
                })?;
            }
        }
        let outcome = match decode_kept(&kept.format, &body) {
            Ok(draft) => check(self.keys(), draft),
            Err(undecodable) => Err(Refused {
                rejection: undecodable.rejection,
                source: undecodable.source,
                id: undecodable.id,
            }),
        };
        Ok(Prepared { line: position, outcome, origin: Origin::Quarantine(kept.format, body) })
    }

    fn note_replayed(&mut self, caller: &Caller, replayed: &[Replayed]) -> Result<(), EngineError> {
        let effects: Vec<Effect> = replayed
            .iter()
            .filter(|one| matches!(one.fate, Fate::Accepted | Fate::Duplicate))
            .map(|one| Effect::Quarantine { position: one.position, status: "replayed".to_owned() })
            .collect();
        if effects.is_empty() {
            return Ok(());
        }
        self.record(RowDraft {
            class: Class::Usage,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: "quarantine_close".to_owned(),
            command_version: 1,
            input: Value::Null,
            result: json!({ "closed": effects.len() }),
            effects,
            cut: None,
            references: Vec::new(),
        })?;
        Ok(())
    }
}
