//! Personal fields: erased without breaking the chain, for the journal holds only their keyed hashes.

use serde_json::{Value, json};
use store::{Class, Effect, RowDraft};

use crate::engine::{Caller, Engine};
use crate::error::EngineError;

impl Engine {
    /// Erases every personal field of an account; answers their names.
    ///
    /// **Errors**: `nothing_personal`; those of the file layer.
    pub fn erase_personal(&mut self, caller: &Caller, account: &str) -> Result<Vec<String>, EngineError> {
        let input = json!({ "account": account });
        if let Some(result) = self.answered(caller, "erase_personal", &input)? {
            let fields = result["fields"].as_array().map(Vec::as_slice).unwrap_or(&[]);
            return Ok(fields.iter().filter_map(|field| field.as_str().map(str::to_owned)).collect());
        }
        let erased = self.erase(caller, account, input.clone());
        self.journal_failure(caller, Class::Personal, "erase_personal", input, erased)
    }

    fn erase(&mut self, caller: &Caller, account: &str, input: Value) -> Result<Vec<String>, EngineError> {
        let fields: Vec<String> = self
            .tables
            .personal(account)?
            .into_iter()
            .filter(|field| field.hash.is_some())
            .map(|field| field.field)
            .collect();
        if fields.is_empty() {
            return Err(EngineError::not_found(
                "nothing_personal",
                format!("account `{account}` has no personal fields"),
                "see them with `counterfoil personal show`",
            ));
        }
        let effects = fields
            .iter()
            .map(|field| Effect::Personal { account: account.to_owned(), field: field.clone(), hash: None })
            .collect();
        self.record(RowDraft {
            class: Class::Personal,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: caller.idempotency_key.clone(),
            command: "erase_personal".to_owned(),
            command_version: 1,
            input,
            result: json!({ "fields": fields }),
            effects,
            cut: None,
            references: Vec::new(),
        })?;
        // What is erased must not wait in the file for some later commit.
        let committed = self.tables.commit();
        self.failed |= committed.is_err();
        committed?;
        Ok(fields)
    }
}
