//! The end of the log read again: cells and identities that no run holds.

use std::sync::mpsc;

use metering::Fingerprint;
use money::Quantity;
use store::{Block, StoreError};

use crate::cells::Counted;
use crate::engine::{Engine, TENANT};
use crate::error::EngineError;

/// Blocks that are decoded and hashed ahead of the one that is counted.
const AHEAD: usize = 4;

/// A block with the hashes of all rows of its batch.
struct Hashed {
    block: Block,
    prints: Vec<Fingerprint>,
    units: Vec<Option<Quantity>>,
}

impl Engine {
    /// Counts what the log holds above the checkpoint, a pin ending each stretch.
    pub(crate) fn replay_log(&mut self) -> Result<(), EngineError> {
        let from = self.checkpoint.position;
        if from >= self.roots.end() {
            return Ok(());
        }
        let pins = self.pins()?;
        let indexed = self.checkpoint.indexed_to();
        let keys = self.roots.keys().clone();
        let blocks = self.roots.blocks(from);
        std::thread::scope(|scope| {
            let (send, hashed) = mpsc::sync_channel(AHEAD);
            scope.spawn(move || {
                for block in blocks {
                    let ends = block.is_err();
                    let hashed = block.map(|block| {
                        let batch = &block.draft.accepted.batch;
                        let mut prints = Vec::new();
                        metering::fingerprint_batch(&keys, TENANT, batch, &mut prints);
                        let units = metering::base_quantities(batch);
                        Hashed { block, prints, units }
                    });
                    // The counting side is gone when it failed: nothing more is wanted.
                    if send.send(hashed).is_err() || ends {
                        break;
                    }
                }
            });
            for hashed in hashed {
                self.count_again(hashed?, indexed, &pins)?;
            }
            Ok(())
        })
    }

    fn count_again(&mut self, hashed: Hashed, indexed: u64, pins: &[u64]) -> Result<(), EngineError> {
        let Hashed { block, prints, units } = hashed;
        let end = block.end();
        let accepted = &block.draft.accepted;
        for row in &accepted.rows {
            let print = prints.get(row.row as usize).ok_or_else(|| {
                StoreError::corrupt("log", format!("position {}", block.position), "a row without an event")
            })?;
            if block.position + u64::from(row.index) >= indexed {
                self.dedup.claim(print.identity, print.payload());
            }
        }
        let accounts = self.terms.number_accounts(&accepted.batch);
        let counted = Counted { accepted, prints: &prints, units: &units, accounts: &accounts };
        self.cells.add_block(&counted, self.terms.meters(), end);
        let is_pin = pins.contains(&end);
        if self.read_only {
            if is_pin {
                self.cells.split();
            }
        } else if is_pin || self.is_heavy() {
            self.checkpoint_now(is_pin)?;
        }
        Ok(())
    }
}
