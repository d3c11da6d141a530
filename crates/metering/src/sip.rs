//! SipHash-2-4 with 128 bits, whose chain can be kept after a beginning that many messages share.
//!
//! The same results as the crate `siphasher`, which single events use; the tests compare them.
//!
//! **Source**: Aumasson and Bernstein, SipHash: a fast short-input PRF (2012), and its 128-bit variant.
#![expect(clippy::indexing_slicing, reason = "arrays of fixed length at fixed places")]

/// The state of one chain, with whole words taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sip([u64; 4]);

impl Sip {
    /// A chain at its beginning.
    pub fn new(key: &[u8; 16]) -> Self {
        let (k0, k1) = halves(key);
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// Its four words.
    pub fn state(self) -> [u64; 4] {
        self.0
    }

    /// A chain of four words.
    pub fn from_state(state: [u64; 4]) -> Self {
        Self(state)
    }

    #[inline(always)]
    fn round(&mut self) {
        let v = &mut self.0;
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    }

    /// Takes in eight bytes.
    #[inline(always)]
    pub fn word(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    #[inline(always)]
    fn four_rounds(&mut self) -> u64 {
        self.round();
        self.round();
        self.round();
        self.round();
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }

    /// The result, once the last word is taken in: what is left of the message, and its length in the top byte.
    pub fn finish(mut self) -> u128 {
        self.0[2] ^= 0xee;
        let low = self.four_rounds();
        self.0[1] ^= 0xdd;
        let high = self.four_rounds();
        u128::from(low) | u128::from(high) << 64
    }
}

fn halves(key: &[u8; 16]) -> (u64, u64) {
    let (words, _) = key.as_chunks::<8>();
    (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
}
