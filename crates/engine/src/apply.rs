//! Configuration: documents → a plan of changes → one journal row.

use connectors::config::{Document, Problem, check_references};
use metering::Instant;
use serde_json::{Value, json};
use store::tables::StoredTerm;
use store::{Class, Effect, RowDraft};

use crate::engine::{Caller, Engine};
use crate::error::EngineError;

/// What a plan does with one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A first version.
    Create,
    /// A further version; the ones before stay.
    Change,
    /// Only personal fields differ: no new version.
    Personal,
    /// Nothing differs.
    Unchanged,
}

impl Action {
    /// The word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Personal => "personal",
            Self::Unchanged => "unchanged",
        }
    }
}

/// One document's place in a plan.
#[derive(Clone, Debug)]
pub struct Change {
    /// What will be done.
    pub action: Action,
    /// The document.
    pub document: Document,
    /// The version it will have, or has.
    pub version: u32,
    /// From when it holds.
    pub effective_at: Instant,
    /// Top-level fields that differ from the version before.
    pub fields: Vec<String>,
    /// Personal fields to write, with their keyed hashes.
    pub personal: Vec<(String, String, String)>,
}

/// A plan of changes: pure data, executed by [`Engine::apply`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// One change a document, in the order of the documents.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether executing it would do anything.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.action == Action::Unchanged)
    }

    /// What was asked, so that a repetition can be told: the number of documents and a hash of them, personal
    /// fields left out.
    fn input(&self) -> Value {
        let mut hasher = blake3::Hasher::new();
        for Change { document, .. } in &self.changes {
            let at = document.effective_at.map(|at| at.to_string());
            let said = json!([document.kind, document.name, at, document.body]);
            hasher.update(said.to_string().as_bytes());
        }
        json!({ "documents": self.changes.len(), "hash": hasher.finalize().to_hex().as_str() })
    }

    /// The plan as it stands in the journal and on stdout; no personal values.
    pub fn to_json(&self) -> Value {
        let row = |change: &Change| {
            json!({
                "action": change.action.as_str(),
                "kind": change.document.kind,
                "name": change.document.name,
                "version": change.version,
                "effective_at": change.effective_at.to_string(),
                "fields": change.fields,
                "personal": change.personal.iter().map(|(field, _, _)| field).collect::<Vec<_>>(),
            })
        };
        Value::Array(self.changes.iter().map(row).collect())
    }
}

/// The first version of a term that says nothing holds from here.
const ALWAYS: Instant = Instant(0);

impl Engine {
    /// Compares documents with what is stored. All mistakes are found at once.
    ///
    /// **Errors**: the mistakes, with file, line and a hint; or a table that cannot be read.
    pub fn plan(&self, documents: &[Document]) -> Result<Result<Plan, Vec<Problem>>, EngineError> {
        let mut problems = check_references(documents, &self.terms.terms);
        let mut changes = Vec::new();
        for document in documents {
            match self.change(document)? {
                Ok(change) => changes.push(change),
                Err(problem) => problems.push(problem),
            }
        }
        Ok(if problems.is_empty() { Ok(Plan { changes }) } else { Err(problems) })
    }

    fn change(&self, document: &Document) -> Result<Result<Change, Problem>, EngineError> {
        let personal = self.personal_changes(document)?;
        let stored = self.terms.latest(&document.kind, &document.name);
        let (action, version, effective_at, fields) = match stored {
            None => (Action::Create, 1, document.effective_at.unwrap_or(ALWAYS), Vec::new()),
            Some(stored) if stored.body == document.body && holds_from(document, stored) => {
                let action = if personal.is_empty() { Action::Unchanged } else { Action::Personal };
                (action, stored.version, stored.effective_at, Vec::new())
            }
            Some(stored) => {
                let mut fields = differing(&stored.body, &document.body);
                if !holds_from(document, stored) {
                    fields.push("effective_at".to_owned());
                }
                match document.effective_at {
                    Some(at) => (Action::Change, stored.version + 1, at, fields),
                    None => return Ok(Err(effective_at_missing(document, &fields))),
                }
            }
        };
        Ok(Ok(Change { action, document: document.clone(), version, effective_at, fields, personal }))
    }

    /// Personal fields whose value is not the one held, with their keyed hashes.
    fn personal_changes(&self, document: &Document) -> Result<Vec<(String, String, String)>, EngineError> {
        let mut changes = Vec::new();
        for (field, value) in &document.personal {
            let hash = self.personal_hash(&document.name, field, value);
            let held = self.tables.personal(&document.name)?;
            let same = held.iter().any(|known| {
                known.field == *field && known.hash.as_deref() == Some(hash.as_str()) && known.value.is_some()
            });
            if !same {
                changes.push((field.clone(), value.clone(), hash));
            }
        }
        Ok(changes)
    }

    /// The keyed hash by which the journal knows a personal value.
    pub(crate) fn personal_hash(&self, account: &str, field: &str, value: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.keys().personal);
        for part in [account, field, value] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Journals that a configuration was refused, with the code and place of every mistake.
    ///
    /// **Errors**: those of the file layer.
    pub fn journal_refusal(&mut self, caller: &Caller, problems: &[Problem]) -> Result<(), EngineError> {
        let mistake = |p: &Problem| json!({ "code": p.code, "file": p.file, "line": p.line });
        self.record(RowDraft {
            class: Class::Terms,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: "apply".to_owned(),
            command_version: 1,
            input: Value::Null,
            result: json!({
                "code": "configuration_refused",
                "mistakes": problems.iter().map(mistake).collect::<Vec<_>>(),
            }),
            effects: Vec::new(),
            cut: None,
            references: Vec::new(),
        })?;
        Ok(())
    }

    /// Executes a plan: one journal row for all of it. A plan that changes nothing writes nothing.
    ///
    /// **Errors**: those of the file layer; nothing of the plan then holds.
    pub fn apply(&mut self, caller: &Caller, plan: &Plan) -> Result<Value, EngineError> {
        let input = plan.input();
        if let Some(result) = self.answered(caller, "apply", &input)? {
            return Ok(result);
        }
        let result = plan.to_json();
        if plan.is_empty() {
            return Ok(result);
        }
        let effects = plan.changes.iter().flat_map(effects_of).collect();
        self.record(RowDraft {
            class: Class::Terms,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: caller.idempotency_key.clone(),
            command: "apply".to_owned(),
            command_version: 1,
            input,
            result: result.clone(),
            effects,
            cut: None,
            references: Vec::new(),
        })?;
        let followed = self.follow(plan);
        // The row is durable: until terms and cells agree with it, nothing may be checked or counted.
        self.failed |= followed.is_err();
        followed?;
        Ok(result)
    }

    /// Brings what is derived up to a plan whose row is durable.
    fn follow(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let mut has_personal = false;
        for change in &plan.changes {
            for (field, value, hash) in &change.personal {
                self.tables.put_personal(&change.document.name, field, value, hash)?;
                has_personal = true;
            }
        }
        if has_personal {
            // These values stand nowhere else: they are on disk before the answer.
            self.tables.commit()?;
        }
        self.reload_terms()?;
        self.cover_new_meters()
    }
}

fn effects_of(change: &Change) -> Vec<Effect> {
    let mut effects = Vec::new();
    if matches!(change.action, Action::Create | Action::Change) {
        effects.push(Effect::Term {
            kind: change.document.kind.clone(),
            name: change.document.name.clone(),
            version: change.version,
            effective_at: change.effective_at,
            body: change.document.body.clone(),
        });
    }
    effects.extend(change.personal.iter().map(|(field, _, hash)| Effect::Personal {
        account: change.document.name.clone(),
        field: field.clone(),
        hash: Some(hash.clone()),
    }));
    effects
}

/// Whether a document says nothing else about when it holds than its latest version does.
fn holds_from(document: &Document, stored: &StoredTerm) -> bool {
    document.effective_at.is_none_or(|at| at == stored.effective_at)
}

/// Top-level fields that differ between two documents, sorted.
fn differing(old: &Value, new: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let mut fields: Vec<String> =
        old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).cloned().collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

fn effective_at_missing(document: &Document, fields: &[String]) -> Problem {
    Problem {
        file: document.file.clone(),
        line: document.line,
        path: String::new(),
        code: "effective_at_missing",
        message: format!(
            "{} `{}` differs from the stored version in {} and does not say from when it holds",
            document.kind,
            document.name,
            fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
        ),
        hint: "add `effective_at: 2026-01-01` (a date or an RFC 3339 time); the old version stays".to_owned(),
    }
}
