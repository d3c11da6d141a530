//! Numbers of names that come again and again.

use metering::Batch;

use super::Name;

/// Places for sources and types, of which a feed has few.
const FEW: usize = 256;
/// Places for accounts.
const MANY: usize = 1024;

/// The numbers of short names in one batch. A name is remembered by its bytes, so that what is remembered is never the
/// number of another; one that falls on the place of another takes it.
pub(super) struct Names {
    sources: Vec<Known>,
    event_types: Vec<Known>,
    accounts: Vec<Known>,
    seed: u64,
}

/// A name and its number.
#[derive(Clone, Copy)]
struct Known {
    /// Its bytes, the first in the lowest bits, filled up with zeros: names of templates have no zeros.
    short: u128,
    number: u32,
}

const NONE: Known = Known { short: 0, number: 0 };

impl Names {
    pub(super) fn new(seed: u64) -> Self {
        Self { sources: vec![NONE; FEW], event_types: vec![NONE; FEW], accounts: vec![NONE; MANY], seed }
    }

    #[inline(always)]
    pub(super) fn source(&mut self, batch: &mut Batch, name: &Name) -> u32 {
        number(&mut self.sources, self.seed, batch, name)
    }

    #[inline(always)]
    pub(super) fn event_type(&mut self, batch: &mut Batch, name: &Name) -> u32 {
        number(&mut self.event_types, self.seed, batch, name)
    }

    #[inline(always)]
    pub(super) fn account(&mut self, batch: &mut Batch, name: &Name) -> u32 {
        number(&mut self.accounts, self.seed, batch, name)
    }
}

#[inline(always)]
fn number(places: &mut [Known], seed: u64, batch: &mut Batch, name: &Name) -> u32 {
    if name.short == 0 {
        return batch.intern(name.span);
    }
    let mixed = (name.short as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ ((name.short >> 64) as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    // The highest bits depend on every byte.
    let at = (mixed >> 54) as usize & (places.len() - 1);
    let known = &mut places[at];
    if known.short != name.short {
        *known = Known { short: name.short, number: batch.intern(name.span) };
    }
    known.number
}
