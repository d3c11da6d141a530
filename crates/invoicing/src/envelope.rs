//! The provenance envelope: with what knowledge a body was made.

use metering::{Digest, Instant};
use serde_json::{Value, json};

use crate::body::canonical_bytes;
use crate::key::LineKey;

/// The version of the rules by which bodies are made. A change of any rule that can change a body needs
/// a new one.
pub const SEMANTICS_VERSION: &str = "1";

/// What the engine knows about the making of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeFacts {
    /// The store whose journal and log are meant.
    pub store_id: String,
    /// The journal row K up to which terms are known.
    pub known_at: u64,
    /// The hash of that row, in hex.
    pub journal_hash: String,
    /// The shard whose log usage was read from.
    pub shard: u32,
    /// The incarnation of that log.
    pub incarnation: u32,
    /// The cut P: records below it were read.
    pub position: u64,
    /// The hash of the last block below it, in hex.
    pub block_hash: String,
    /// Which key the digests were made with.
    pub digest_key_version: u32,
    /// The version of the tz database.
    pub tz_database: String,
    /// When the invoice was issued; absent for a draft.
    pub issued_at: Option<Instant>,
    /// Which events each usage line counts, by line key.
    pub digests: Vec<(LineKey, Digest)>,
}

/// The envelope of a body. With it, and the store's journal, log and keys, the body can be made again to
/// the byte.
pub fn envelope(facts: &EnvelopeFacts, body: &Value) -> Value {
    let mut digests = facts.digests.clone();
    digests.sort_by(|(a, _), (b, _)| a.cmp(b));
    let digests: Vec<Value> = digests
        .iter()
        .map(|(key, digest)| json!({"key": key.to_string(), "digest": digest.to_string()}))
        .collect();
    let draft = json!({
        "kind": "envelope",
        "envelope_version": 1,
        "semantics_version": SEMANTICS_VERSION,
        "store_id": facts.store_id,
        "known_at": facts.known_at,
        "journal_hash": facts.journal_hash,
        "cut": {
            "shard": facts.shard,
            "incarnation": facts.incarnation,
            "position": facts.position,
            "block_hash": facts.block_hash,
        },
        "digest_key_version": facts.digest_key_version,
        "digests": digests,
        "tz_database": facts.tz_database,
        "body_hash": body_hash(body),
    });
    match facts.issued_at {
        Some(issued_at) => issued(&draft, body, issued_at),
        None => draft,
    }
}

/// A draft's envelope for the body that was issued: the body's hash and the time of issue.
pub fn issued(draft: &Value, body: &Value, issued_at: Instant) -> Value {
    let mut envelope = draft.clone();
    if let Some(members) = envelope.as_object_mut() {
        members.insert("body_hash".into(), json!(body_hash(body)));
        members.insert("issued_at".into(), json!(issued_at.to_string()));
    }
    envelope
}

/// BLAKE3 of a body's canonical bytes, 64 hex digits.
pub fn body_hash(body: &Value) -> String {
    blake3::hash(&canonical_bytes(body)).to_hex().to_string()
}
