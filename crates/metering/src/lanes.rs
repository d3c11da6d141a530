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

/// Bytes of a lane, with room for what is copied past the end of a short part.
const BYTES: usize = WORDS * 8 + SHORT;
/// Parts of up to so many bytes are copied by a fixed number of instructions.
pub(crate) const SHORT: usize = 64;

/// Messages, each behind the chain that it goes on with. A lane that was not ended holds what it held before.
pub(crate) struct Messages {
    bytes: Box<[[u8; BYTES]; LANES]>,
    counts: Row,
    chains: [Row; 4],
}

/// A message that is being written: what follows on what its chain has taken in.
pub(crate) struct Message<'m> {
    bytes: &'m mut [u8; BYTES],
    length: usize,
    fits: bool,
}

impl Message<'_> {
    /// How many bytes were put.
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether all of them found room.
    #[inline(always)]
    pub fn fits(&self) -> bool {
        self.fits
    }

    /// Appends bytes, without a length before them.
    #[inline(always)]
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if end < WORDS * 8 {
            self.bytes[self.length..end].copy_from_slice(bytes);
            self.length = end;
        } else {
            self.fits = false;
        }
    }

    /// Appends the first of eight bytes.
    #[inline(always)]
    pub fn put_some(&mut self, bytes: &[u8; 8], length: usize) {
        self.put(bytes);
        self.length -= 8 - length.min(8);
    }

    /// Appends a part, which is a piece of a text. It takes least where the text goes on behind it.
    #[inline(always)]
    pub fn put_part(&mut self, text: &[u8], at: usize, length: usize) {
        #[expect(clippy::as_conversions, reason = "a length has at most 64 bits on every target")]
        self.put(&(length as u64).to_le_bytes());
        let end = self.length + length;
        match text.get(at..at + SHORT) {
            // The bytes behind the piece are written over, or lie past the end.
            Some(longer) if length <= SHORT && end < WORDS * 8 => {
                self.bytes[self.length..self.length + SHORT].copy_from_slice(longer);
                self.length = end;
            }
            _ => self.put_long(&text[at..at + length]),
        }
    }

    /// Apart, so that the copy of a short part stays one of a fixed length.
    #[cold]
    #[inline(never)]
    fn put_long(&mut self, bytes: &[u8]) {
        self.put(bytes);
    }
}

impl Messages {
    pub fn new() -> Self {
        Self { bytes: Box::new([[0; BYTES]; LANES]), counts: [0; LANES], chains: [[0; LANES]; 4] }
    }

    /// Begins the message of a lane.
    #[inline(always)]
    pub fn begin(&mut self, lane: usize) -> Message<'_> {
        Message { bytes: &mut self.bytes[lane], length: 0, fits: true }
    }

    /// Ends the message of a lane, whose first `taken` bytes (whole words) a chain has taken in before what was put.
    #[inline(always)]
    pub fn end(&mut self, lane: usize, chain: Sip, taken: usize, length: usize) {
        let whole = length / 8;
        let bytes = &mut self.bytes[lane];
        // What stands behind the message is cut off the last word, which has room for the length.
        let (word, _) = bytes[whole * 8..].as_chunks_mut::<8>();
        let kept = (1_u64 << (length % 8 * 8)) - 1;
        let length_byte = u64::from((taken + length).to_le_bytes()[0]) << 56;
        word[0] = (u64::from_le_bytes(word[0]) & kept | length_byte).to_le_bytes();
        #[expect(clippy::as_conversions, reason = "at most 64")]
        let count = whole as u64 + 1;
        self.counts[lane] = count;
        for (of_lanes, word) in self.chains.iter_mut().zip(chain.state()) {
            of_lanes[lane] = word;
        }
    }

    /// Takes over the beginning of a lane of others.
    #[inline(always)]
    pub fn take_over(&mut self, lane: usize, others: &Self, length: usize) {
        let (to, from) = (&mut self.bytes[lane], &others.bytes[lane]);
        match length {
            0..=64 => to[..64].copy_from_slice(&from[..64]),
            65..=128 => to[..128].copy_from_slice(&from[..128]),
            _ => to[..length].copy_from_slice(&from[..length]),
        }
    }

    #[inline(always)]
    fn word(&self, lane: usize, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[lane].as_chunks::<8>().0[at])
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
                let mut message = messages.begin(lane);
                message.put(&bytes[taken..]);
                assert!(message.fits);
                messages.end(lane, chain, taken, length - taken);
            }
            for processor in processors() {
                assert_eq!(processor.hash(&messages), expected, "{processor:?}");
            }
        }
    }

    #[test]
    fn parts_are_lengths_and_pieces() {
        let text: Vec<u8> = (0..200).collect();
        let mut messages = Messages::new();
        for (at, length) in
            [(0, 0), (0, 5), (3, 32), (3, 33), (150, 40), (168, 32), (190, 10), (200, 0), (20, 150)]
        {
            let mut message = messages.begin(3);
            message.put(b"before");
            message.put_part(&text, at, length);
            let mut expected = b"before".to_vec();
            expected.extend_from_slice(&length.to_le_bytes());
            expected.extend_from_slice(&text[at..at + length]);
            assert!(message.fits);
            assert_eq!(message.bytes[..message.length], expected, "{at} {length}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut messages = Messages::new();
        let mut message = messages.begin(0);
        message.put(&[1; WORDS * 8 - 1]);
        assert!(message.fits);
        message.put(&[2]);
        assert!(!message.fits);
        let text = [3; WORDS * 8];
        for length in [WORDS * 8 - 9, WORDS * 8 - 8, 20] {
            let mut message = messages.begin(0);
            message.put(&text[..if length == 20 { WORDS * 8 - 20 } else { 0 }]);
            message.put_part(&text, 0, length);
            assert_eq!(message.fits, length == WORDS * 8 - 9, "{length}");
        }
    }
}
