//! SipHash-2-4 with 128 bits of eight messages at once.
//!
//! A chain of SipHash waits for itself at each step. Eight chains that go side by side fill the wide registers of a
//! processor that has them: 19 ns a message of 15 words with AVX-512 and 28 with AVX2, where one after the other costs 77.
//! Without such registers they go one after the other, to the same results.
#![expect(clippy::indexing_slicing, reason = "arrays of fixed length at places below it")]

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
#[cfg(target_arch = "x86_64")]
use pulp::{Simd, WithSimd, cast, u64x4, u64x8};

use crate::sip::Sip;

/// How many messages go together.
pub(crate) const LANES: usize = 8;
/// The longest message in words of eight bytes, its last word with the length included.
const WORDS: usize = 64;

/// A value of each lane.
type Row = [u64; LANES];

/// Messages, each behind the chain that it goes on with. A lane that was not set holds what it held before.
pub(crate) struct Messages {
    words: Box<[[[u8; 8]; WORDS]; LANES]>,
    counts: Row,
    chains: [Row; 4],
}

impl Messages {
    pub fn new() -> Self {
        Self { words: Box::new([[[0; 8]; WORDS]; LANES]), counts: [0; LANES], chains: [[0; LANES]; 4] }
    }

    /// Sets a message whose first `taken` bytes (whole words) a chain has taken in. Answers false where it is too
    /// long for a lane.
    #[inline]
    pub fn set(&mut self, lane: usize, chain: Sip, taken: usize, rest: &[u8]) -> bool {
        let whole = rest.len() / 8;
        if whole >= WORDS {
            return false;
        }
        let bytes = self.words[lane].as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()..whole * 8 + 7].fill(0);
        bytes[whole * 8 + 7] = (taken + rest.len()).to_le_bytes()[0];
        #[expect(clippy::as_conversions, reason = "at most 64")]
        let count = whole as u64 + 1;
        self.counts[lane] = count;
        for (of_lanes, word) in self.chains.iter_mut().zip(chain.state()) {
            of_lanes[lane] = word;
        }
        true
    }

    fn word(&self, lane: usize, at: usize) -> u64 {
        u64::from_le_bytes(self.words[lane][at])
    }

    /// One lane after the other.
    fn one_by_one(&self) -> [u128; LANES] {
        std::array::from_fn(|lane| {
            let mut chain = Sip::from_state(self.chains.map(|of_lanes| of_lanes[lane]));
            (0..WORDS).zip(0..self.counts[lane]).for_each(|(at, _)| chain.word(self.word(lane, at)));
            chain.finish()
        })
    }
}

/// What the processor offers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Processor {
    /// Registers of 512 bits.
    #[cfg(target_arch = "x86_64")]
    V4(V4),
    /// Registers of 256 bits.
    #[cfg(target_arch = "x86_64")]
    V3(V3),
    /// No wide registers that are known here.
    Plain,
}

impl Processor {
    /// What this one offers.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(wide) = V4::try_new() {
                return Self::V4(wide);
            }
            if let Some(wide) = V3::try_new() {
                return Self::V3(wide);
            }
        }
        Self::Plain
    }

    /// The results of all lanes.
    pub fn hash(self, messages: &Messages) -> [u128; LANES] {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(wide) => Simd::vectorize(wide, SideBySide(wide, messages)),
            #[cfg(target_arch = "x86_64")]
            Self::V3(wide) => Simd::vectorize(wide, SideBySide(wide, messages)),
            Self::Plain => messages.one_by_one(),
        }
    }
}

/// What the rounds need of registers.
#[cfg(target_arch = "x86_64")]
trait Wide: Copy {
    /// A value of each lane, in registers.
    type Values: Copy;

    fn load(self, row: Row) -> Self::Values;
    fn store(self, values: Self::Values) -> Row;
    fn add(self, a: Self::Values, b: Self::Values) -> Self::Values;
    fn xor(self, a: Self::Values, b: Self::Values) -> Self::Values;
    /// Turns by `LEFT` bits; `RIGHT` is what is missing to 64.
    fn turn<const LEFT: u32, const RIGHT: u32>(self, a: Self::Values) -> Self::Values;
    /// `a` in the lanes whose count is above `at`, `b` in the others.
    fn where_above(self, counts: Self::Values, at: u64, a: Self::Values, b: Self::Values) -> Self::Values;
}

#[cfg(target_arch = "x86_64")]
impl Wide for V4 {
    type Values = u64x8;

    #[inline(always)]
    fn load(self, row: Row) -> u64x8 {
        cast(row)
    }

    #[inline(always)]
    fn store(self, values: u64x8) -> Row {
        cast(values)
    }

    #[inline(always)]
    fn add(self, a: u64x8, b: u64x8) -> u64x8 {
        self.wrapping_add_u64x8(a, b)
    }

    #[inline(always)]
    fn xor(self, a: u64x8, b: u64x8) -> u64x8 {
        self.xor_u64x8(a, b)
    }

    #[inline(always)]
    fn turn<const LEFT: u32, const RIGHT: u32>(self, a: u64x8) -> u64x8 {
        self.or_u64x8(self.shl_const_u64x8::<LEFT>(a), self.shr_const_u64x8::<RIGHT>(a))
    }

    #[inline(always)]
    fn where_above(self, counts: u64x8, at: u64, a: u64x8, b: u64x8) -> u64x8 {
        self.select_u64x8(self.cmp_lt_u64x8(self.splat_u64x8(at), counts), a, b)
    }
}

/// Two registers hold the lanes.
#[cfg(target_arch = "x86_64")]
impl Wide for V3 {
    type Values = [u64x4; 2];

    #[inline(always)]
    fn load(self, row: Row) -> [u64x4; 2] {
        cast(row)
    }

    #[inline(always)]
    fn store(self, values: [u64x4; 2]) -> Row {
        cast(values)
    }

    #[inline(always)]
    fn add(self, a: [u64x4; 2], b: [u64x4; 2]) -> [u64x4; 2] {
        [self.wrapping_add_u64x4(a[0], b[0]), self.wrapping_add_u64x4(a[1], b[1])]
    }

    #[inline(always)]
    fn xor(self, a: [u64x4; 2], b: [u64x4; 2]) -> [u64x4; 2] {
        [self.xor_u64x4(a[0], b[0]), self.xor_u64x4(a[1], b[1])]
    }

    #[inline(always)]
    fn turn<const LEFT: u32, const RIGHT: u32>(self, a: [u64x4; 2]) -> [u64x4; 2] {
        let (left, right) = (self.splat_u64x4(u64::from(LEFT)), self.splat_u64x4(u64::from(RIGHT)));
        a.map(|half| self.or_u64x4(self.shl_dyn_u64x4(half, left), self.shr_dyn_u64x4(half, right)))
    }

    #[inline(always)]
    fn where_above(self, counts: [u64x4; 2], at: u64, a: [u64x4; 2], b: [u64x4; 2]) -> [u64x4; 2] {
        let at = self.splat_u64x4(at);
        let half = |n: usize| self.select_u64x4(self.cmp_lt_u64x4(at, counts[n]), a[n], b[n]);
        [half(0), half(1)]
    }
}

/// All lanes, in registers.
#[cfg(target_arch = "x86_64")]
struct SideBySide<'m, W>(W, &'m Messages);

#[cfg(target_arch = "x86_64")]
impl<W: Wide> SideBySide<'_, W> {
    #[inline(always)]
    fn round(&self, v: &mut [W::Values; 4]) {
        let wide = self.0;
        v[0] = wide.add(v[0], v[1]);
        v[2] = wide.add(v[2], v[3]);
        v[1] = wide.xor(wide.turn::<13, 51>(v[1]), v[0]);
        v[3] = wide.xor(wide.turn::<16, 48>(v[3]), v[2]);
        v[0] = wide.turn::<32, 32>(v[0]);
        v[2] = wide.add(v[2], v[1]);
        v[0] = wide.add(v[0], v[3]);
        v[1] = wide.xor(wide.turn::<17, 47>(v[1]), v[2]);
        v[3] = wide.xor(wide.turn::<21, 43>(v[3]), v[0]);
        v[2] = wide.turn::<32, 32>(v[2]);
    }

    /// Half of the results.
    #[inline(always)]
    fn finish(&self, v: &mut [W::Values; 4], place: usize, mark: u64) -> Row {
        let wide = self.0;
        v[place] = wide.xor(v[place], wide.load([mark; LANES]));
        for _ in 0..4 {
            self.round(v);
        }
        wide.store(wide.xor(wide.xor(v[0], v[1]), wide.xor(v[2], v[3])))
    }
}

#[cfg(target_arch = "x86_64")]
impl<W: Wide> WithSimd for SideBySide<'_, W> {
    type Output = [u128; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [u128; LANES] {
        let Self(wide, messages) = self;
        let mut v = messages.chains.map(|of_lanes| wide.load(of_lanes));
        let counts = wide.load(messages.counts);
        let (mut shortest, mut longest) = (u64::MAX, 0);
        for count in messages.counts {
            (shortest, longest) = (shortest.min(count), longest.max(count));
        }
        for (at, place) in (0..longest).zip(0..WORDS) {
            let word = wide.load(std::array::from_fn(|lane| messages.word(lane, place)));
            let before = v;
            v[3] = wide.xor(v[3], word);
            self.round(&mut v);
            self.round(&mut v);
            v[0] = wide.xor(v[0], word);
            if at >= shortest {
                // Some messages have ended.
                for (after, before) in v.iter_mut().zip(before) {
                    *after = wide.where_above(counts, at, *after, before);
                }
            }
        }
        let low = self.finish(&mut v, 2, 0xee);
        let high = self.finish(&mut v, 1, 0xdd);
        std::array::from_fn(|lane| u128::from(low[lane]) | u128::from(high[lane]) << 64)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use siphasher::sip128::{Hasher128, SipHasher24};

    use super::*;

    /// All that this processor can do.
    fn processors() -> Vec<Processor> {
        let mut all = vec![Processor::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(V3::try_new().map(Processor::V3));
            all.extend(V4::try_new().map(Processor::V4));
        }
        all
    }

    #[test]
    fn lanes_hash_as_one_message_does() {
        let mut messages = Messages::new();
        for round in 0..700_usize {
            let mut expected = [0; LANES];
            for (lane, expected) in expected.iter_mut().enumerate() {
                let key = [u8::try_from(lane).unwrap(); 16];
                let length = (round * (lane + 3) * 7 + lane) % (WORDS * 8 - 1);
                let bytes: Vec<u8> =
                    (0..length).map(|at| (at * 31 + lane + round).to_le_bytes()[0]).collect();
                let mut hasher = SipHasher24::new_with_key(&key);
                hasher.write(&bytes);
                *expected = hasher.finish128().as_u128();
                let mut chain = Sip::new(&key);
                let taken = if round % 2 == 0 { 0 } else { length / 16 * 8 };
                bytes[..taken]
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .for_each(|word| chain.word(u64::from_le_bytes(*word)));
                assert!(messages.set(lane, chain, taken, &bytes[taken..]));
            }
            for processor in processors() {
                assert_eq!(processor.hash(&messages), expected, "{processor:?}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut messages = Messages::new();
        let chain = Sip::new(&[0; 16]);
        assert!(messages.set(0, chain, 0, &[0; WORDS * 8 - 1]));
        assert!(!messages.set(0, chain, 0, &[0; WORDS * 8]));
    }
}
