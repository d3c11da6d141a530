//! The sums that must always match.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// Checks that received = Σ fates per feed, and accepted = Σ base cells per source; answers what does
    /// not hold.
    ///
    /// **Errors**: tables or cells that cannot be read; `store_closed` after a failure.
    pub fn check_sums(&self) -> Result<Vec<String>, EngineError> {
        self.check_not_failed()?;
        let mut broken = Vec::new();
        let mut received = 0;
        let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
        for row in self.tables.fates()? {
            received += row.records;
            if row.fate == "accepted"
                && let Some(source) = row.source
            {
                *accepted.entry(source).or_insert(0) += row.records;
            }
        }
        if received != self.end() {
            broken.push(format!("received {} records, but their fates add up to {received}", self.end()));
        }
        let cells = self.by_source(false)?;
        let sources: std::collections::BTreeSet<&String> = accepted.keys().chain(cells.keys()).collect();
        for source in sources {
            let by_fate = accepted.get(source).copied().unwrap_or(0);
            let by_cell = cells.get(source).map_or(0, |totals| totals.records);
            if by_fate != by_cell {
                broken.push(format!(
                    "source `{source}`: {by_fate} records were accepted, its base cells hold {by_cell}"
                ));
            }
        }
        Ok(broken)
    }
}
