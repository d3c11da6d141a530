//! The journal row: one command, its result and its effects on the tables.

use metering::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::Hash;

/// What a row is about; readers filter by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The store itself: created, opened, closed, recovered.
    Store,
    /// Terms: sellers, meters, prices, plans, accounts, contracts.
    Terms,
    /// Usage: an ingest run, a replay from quarantine.
    Usage,
    /// Seals, drafts, invoices.
    Billing,
    /// Personal fields written or erased.
    Personal,
}

/// A pinned reading point of the log: all records below `position`, whose last block has `block_hash`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The shard; 0 in the embedded store.
    pub shard: u32,
    /// The incarnation of the log when it was pinned.
    pub incarnation: u32,
    /// Ordinals below it are inside the cut.
    pub position: u64,
    /// The hash of the last block inside the cut; zero for an empty log.
    pub block_hash: Hash,
}

/// One change of the tables. A row carries all its effects, so that tables derive without any other source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A new version of a term; nothing is overwritten. `recorded_at` is the row's number and time.
    Term {
        /// `seller`, `meter`, `price`, `plan`, `account`, `contract`, `policy`.
        kind: String,
        /// The name within the kind.
        name: String,
        /// 1, 2, 3 … within (kind, name).
        version: u32,
        /// From when it holds; RFC 3339 UTC.
        #[serde(with = "crate::serde_instant")]
        effective_at: Instant,
        /// The document without personal fields, in canonical form.
        body: Value,
    },
    /// A personal field: the tables may hold its value, the journal holds only its keyed hash.
    Personal {
        /// The account it belongs to.
        account: String,
        /// The field's name.
        field: String,
        /// The keyed hash of the value, 64 hex digits; absent when the field was erased.
        hash: Option<String>,
    },
    /// Usage of a billing period is sealed for a seller: what comes later is late.
    Seal {
        /// The seller whose period it is.
        seller: String,
        /// The billing period's name, such as `2026-08`.
        period: String,
        /// The instant the seal reaches to (the latest end of the periods it covers).
        #[serde(with = "crate::serde_instant")]
        end: Instant,
        /// The usage it read.
        cut: Cut,
        /// Why it was sealed early; absent when the grace had passed.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        override_reason: Option<String>,
    },
    /// A draft invoice, made or remade.
    Draft {
        /// Unique: payer, period, kind, sequence.
        invoice: String,
        /// The payer.
        account: String,
        /// The seller.
        seller: String,
        /// The billing period's name.
        period: String,
        /// The canonical body, without a number.
        body: Value,
        /// The provenance envelope.
        envelope: Value,
    },
    /// A draft becomes an issued invoice; its transaction is posted in the same row.
    Issue {
        /// The draft's id.
        invoice: String,
        /// The seller's series.
        series: String,
        /// Gapless within (seller, series).
        sequence: u64,
        /// The printed number.
        number: String,
        /// The canonical body, with its number.
        body: Value,
        /// The provenance envelope.
        envelope: Value,
        /// One balanced transaction; the entries as canonical JSON.
        entries: Vec<Value>,
    },
    /// A record in quarantine changed its state.
    Quarantine {
        /// The record's position.
        position: u64,
        /// `replayed` or `dismissed`.
        status: String,
    },
}

/// A file or section that a row speaks of, by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The file's name in the store's folder.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// The hash of its bytes.
    pub hash: Hash,
}

/// A row before it has a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowDraft {
    /// What it is about.
    pub class: Class,
    /// Who asked.
    pub actor: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// A repeated command with the same key answers the first result again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency_key: Option<String>,
    /// The command's name, such as `apply`.
    pub command: String,
    /// The version of the command's input shape.
    pub command_version: u32,
    /// The command's input.
    pub input: Value,
    /// The command's result; a failure has a `code`.
    pub result: Value,
    /// What it does to the tables.
    pub effects: Vec<Effect>,
    /// The usage the command read, pinned; durable before the row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut: Option<Cut>,
    /// Files kept or dropped by the command.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub references: Vec<Reference>,
}

/// A row of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// 1, 2, 3 …: the journal position K.
    pub number: u64,
    /// The hash of the row before; zero for the first.
    pub previous: Hash,
    /// The hash of this row's bytes, which contain `previous`.
    pub hash: Hash,
    /// When we learned it.
    pub recorded_at: Instant,
    /// The log position known durable when the row was written.
    pub log_durable_through: u64,
    /// The highest row known durable when the row was written.
    pub journal_durable_through: u64,
    /// The rest.
    pub draft: RowDraft,
}
