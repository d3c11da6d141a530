//! A batch at a time: fates, block, sync, answer.

use std::collections::BTreeMap;

use connectors::{Decoder, Feed};
use metering::Fate;
use store::{Block, BlockDraft, Counter, Roots, StoreError};

use crate::admit::{Admission, Admitted, Standing};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::prepare::{Prepared, prepare};

/// The answer for a batch: durable when it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The position of the batch's first record.
    pub position: u64,
    /// One fate a record, in order.
    pub fates: Vec<Fate>,
    /// Why records were refused, by their place in the batch.
    pub messages: BTreeMap<u32, String>,
    /// The counters of the batch.
    pub counters: Vec<Counter>,
}

impl Answer {
    /// For a batch without a record.
    pub(crate) fn nothing(position: u64) -> Self {
        Self { position, fates: Vec::new(), messages: BTreeMap::new(), counters: Vec::new() }
    }
}

impl Engine {
    /// Takes a batch of one feed: every record gets one fate, and all of it is on disk when this returns.
    ///
    /// **Errors**: those of the file layer. Nothing of the batch was then acknowledged and the engine stops
    /// (`closed`); opened again, what reached the disk is found as duplicates.
    pub fn append(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        prepared: Prepared,
    ) -> Result<Answer, EngineError> {
        let mut answers = self.append_all(vec![(decoder, feed, prepared)])?;
        answers.pop().ok_or_else(|| EngineError::stored("a batch", "it was not answered"))
    }

    /// Decodes lines (or whatever the decoder's records are cut into) and takes them as one batch.
    ///
    /// **Errors**: as [`Engine::append`]; an input that cannot be cut into records.
    pub fn append_bytes(
        &mut self,
        decoder: &Decoder,
        feed: &Feed,
        bytes: Vec<u8>,
    ) -> Result<Answer, EngineError> {
        let prepared = prepare(self.keys(), decoder, feed, decoder.chunk_of(bytes)?);
        self.append(decoder, feed, prepared)
    }

    /// Takes batches, each a block of its own, and makes them durable by one sync: answers in their order.
    ///
    /// **Errors**: as [`Engine::append`].
    pub fn append_all(
        &mut self,
        batches: Vec<(&Decoder, &Feed, Prepared)>,
    ) -> Result<Vec<Answer>, EngineError> {
        self.check_not_failed()?;
        self.settle_flush(false)?;
        let written = self.write_all(batches);
        // What memory claims and what the disk holds may differ now.
        self.failed |= written.is_err();
        let answers = written?;
        if self.is_heavy() {
            self.start_flush()?;
        }
        Ok(answers)
    }

    fn write_all(&mut self, batches: Vec<(&Decoder, &Feed, Prepared)>) -> Result<Vec<Answer>, EngineError> {
        let mut answers = Vec::with_capacity(batches.len());
        let mut blocks = Vec::with_capacity(batches.len());
        for (decoder, feed, prepared) in batches {
            let position = self.roots.end();
            if prepared.records() == 0 {
                answers.push(Answer::nothing(position));
                continue;
            }
            let head = self.roots.head();
            let received_at = self.received_at();
            let at = Standing { position, known_at: head.number, known_hash: head.hash, received_at };
            let mut admission = Admission { dedup: &mut self.dedup, terms: &mut self.terms };
            let admitted = admission.admit(decoder, feed, prepared, at)?;
            let end = position + u64::from(admitted.draft.records);
            self.cells.add_block(&admitted.counted(), self.terms.meters(), end);
            let Admitted { draft, fates, messages, .. } = admitted;
            let counters = draft.counters.clone();
            blocks.push(append(&mut self.roots, draft)?);
            answers.push(Answer { position, fates, messages, counters });
        }
        self.tables.begin()?;
        self.tables.apply_blocks(&blocks)?;
        self.roots.sync_log()?;
        Ok(answers)
    }
}

/// Appends a block to the log, which is not synced yet.
pub(crate) fn append(roots: &mut Roots, draft: BlockDraft) -> Result<Block, StoreError> {
    let (previous, durable_through) = (roots.log_hash(), roots.durable());
    let appended = roots.append_block(&draft)?;
    Ok(Block { position: appended.position, hash: appended.hash, previous, durable_through, draft })
}
