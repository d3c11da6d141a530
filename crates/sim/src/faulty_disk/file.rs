//! The content of a file: what is read, what is durable, and what stands between.

use super::PowerCut;
use super::chance::Chance;

const SECTOR_BYTES: usize = 512;

/// A change that is not durable yet.
#[derive(Clone, Debug)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// A file, whatever its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What a read gives.
    pub content: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

impl Inode {
    pub fn durable(content: &[u8]) -> Self {
        Self { content: content.to_vec(), durable: content.to_vec(), pending: Vec::new() }
    }

    pub fn write(&mut self, bytes: &[u8], offset: u64) {
        let offset = offset as usize;
        overlay(&mut self.content, offset, bytes);
        self.pending.push(Pending::Write { offset, bytes: bytes.to_vec() });
    }

    pub fn truncate(&mut self, length: u64) {
        let length = length as usize;
        self.content.resize(length, 0);
        self.pending.push(Pending::Truncate { length });
    }

    pub fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Pending::Write { offset, bytes } => overlay(&mut self.durable, offset, &bytes),
                Pending::Truncate { length } => self.durable.resize(length, 0),
            }
        }
    }

    /// A sync that failed: the pages count as clean though they were never written.
    pub fn drop_pending(&mut self) {
        self.pending.clear();
    }

    pub fn flip(&mut self, bit: usize) {
        self.content[bit / 8] ^= 1 << (bit % 8);
        if let Some(byte) = self.durable.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    pub fn after_power_cut(&self, chance: &mut Chance, cut: PowerCut) -> Self {
        let mut left = self.durable.clone();
        if cut != PowerCut::LoseAll {
            for change in &self.pending {
                match change {
                    Pending::Write { offset, bytes } => keep_some(&mut left, *offset, bytes, chance, cut),
                    Pending::Truncate { length } if chance.coin() => left.resize(*length, 0),
                    Pending::Truncate { .. } => {}
                }
            }
            // The length may be durable though the bytes are not.
            if left.len() < self.content.len() && chance.coin() {
                left.resize(self.content.len(), 0);
            }
        }
        Self::durable(&left)
    }
}

/// Keeps some sectors of a write.
fn keep_some(left: &mut Vec<u8>, offset: usize, bytes: &[u8], chance: &mut Chance, cut: PowerCut) {
    let mut at = 0;
    // Half of the time most sectors come through, so that late ones survive early ones that are lost.
    let mostly = chance.coin();
    while at < bytes.len() {
        let end = (SECTOR_BYTES - (offset + at) % SECTOR_BYTES).min(bytes.len() - at) + at;
        if chance.coin() || (mostly && chance.coin()) {
            let torn = cut == PowerCut::Torn && chance.below(4) == 0;
            let kept = if torn { at + chance.below(end - at) } else { end };
            overlay(left, offset + at, &bytes[at..kept]);
        }
        at = end;
    }
}

fn overlay(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}
