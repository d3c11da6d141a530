//! SipHash-2-4 of several messages side by side: one chain waits for itself, three keep a core busy.
//!
//! The same results as the crate `siphasher`, which single events use; the tests compare them.
//!
//! **Source**: Aumasson and Bernstein, SipHash: a fast short-input PRF (2012), and its 128-bit variant.
#![expect(clippy::indexing_slicing, reason = "arrays of fixed length at fixed places")]

/// The state of one chain, with whole words taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sip([u64; 4]);

impl Sip {
    /// A chain whose result has 64 bits.
    pub fn new(key: &[u8; 16]) -> Self {
        let (k0, k1) = halves(key);
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// A chain whose result has 128 bits.
    pub fn new_wide(key: &[u8; 16]) -> Self {
        let mut sip = Self::new(key);
        sip.0[1] ^= 0xee;
        sip
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

    /// Takes in the last bytes, fewer than eight, of a message of a length.
    #[inline(always)]
    fn last(&mut self, rest: &[u8], length: usize) {
        let mut tail = [0; 8];
        tail[..rest.len()].copy_from_slice(rest);
        tail[7] = length.to_le_bytes()[0];
        self.word(u64::from_le_bytes(tail));
    }

    #[inline(always)]
    fn four_rounds(&mut self) -> u64 {
        self.round();
        self.round();
        self.round();
        self.round();
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        self.four_rounds()
    }

    fn finish_wide(mut self) -> u128 {
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

/// A message of which a beginning of whole words was taken in before.
pub(crate) struct Message<'a> {
    /// The chain after the beginning.
    pub chain: Sip,
    /// What follows.
    pub bytes: &'a [u8],
    /// The length of the whole message.
    pub length: usize,
}

/// Two results of 128 bits and one of 64, taken in word by word in turn.
pub(crate) fn three(first: Message<'_>, second: Message<'_>, third: Message<'_>) -> (u128, u128, u64) {
    let ((mut a, mut b), mut c) = ((first.chain, second.chain), third.chain);
    let (a_words, a_rest) = first.bytes.as_chunks::<8>();
    let (b_words, b_rest) = second.bytes.as_chunks::<8>();
    let (c_words, c_rest) = third.bytes.as_chunks::<8>();
    let all = a_words.len().min(b_words.len()).min(c_words.len());
    for ((a_word, b_word), c_word) in a_words.iter().zip(b_words).zip(c_words) {
        a.word(u64::from_le_bytes(*a_word));
        b.word(u64::from_le_bytes(*b_word));
        c.word(u64::from_le_bytes(*c_word));
    }
    let (a_words, b_words, c_words) = (&a_words[all..], &b_words[all..], &c_words[all..]);
    let two = b_words.len().min(c_words.len());
    for (b_word, c_word) in b_words.iter().zip(c_words) {
        b.word(u64::from_le_bytes(*b_word));
        c.word(u64::from_le_bytes(*c_word));
    }
    a_words.iter().for_each(|word| a.word(u64::from_le_bytes(*word)));
    b_words[two..].iter().for_each(|word| b.word(u64::from_le_bytes(*word)));
    c_words[two..].iter().for_each(|word| c.word(u64::from_le_bytes(*word)));
    a.last(a_rest, first.length);
    b.last(b_rest, second.length);
    c.last(c_rest, third.length);
    (a.finish_wide(), b.finish_wide(), c.finish())
}
