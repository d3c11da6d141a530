//! Chance that can be repeated.

/// A small generator of 64-bit numbers (SplitMix64): the same seed gives the same numbers for ever.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`.
    ///
    /// # Panics
    /// Where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// A number from 0 to below `end`, wider.
    ///
    /// # Panics
    /// Where `end` is 0.
    pub fn below_wide(&mut self, end: u128) -> u128 {
        let wide = (u128::from(self.draw()) << 64) | u128::from(self.draw());
        wide % end
    }

    /// One of several.
    ///
    /// # Panics
    /// Where there are none.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// True once in `n` times.
    ///
    /// # Panics
    /// Where `n` is 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
