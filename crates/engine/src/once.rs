//! Idempotency keys: a repeated command with the same key answers the first result and does nothing.

use serde_json::Value;

use crate::engine::{Caller, Engine};
use crate::error::{EngineError, ErrorKind};

impl Engine {
    /// The first result of the command that was given this caller's key; none where the key is new or absent.
    ///
    /// **Errors**: `idempotency_conflict` when the key belongs to another command or to other input: a key
    /// names one request for ever.
    pub(crate) fn answered(
        &self,
        caller: &Caller,
        command: &str,
        input: &Value,
    ) -> Result<Option<Value>, EngineError> {
        let Some(key) = &caller.idempotency_key else { return Ok(None) };
        let Some((number, result)) = self.tables.command_by_key(key)? else { return Ok(None) };
        let row = self.roots.rows(number).next().transpose()?;
        match row {
            Some(row) if row.draft.command == command && row.draft.input == *input => Ok(Some(result)),
            _ => Err(EngineError::new(
                ErrorKind::Conflict,
                "idempotency_conflict",
                format!(
                    "the idempotency key `{key}` was used before for something else (journal row {number})"
                ),
                "give every request a key of its own; repeat a request with the very same input",
            )),
        }
    }
}
