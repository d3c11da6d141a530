//! Chance that is the same every time: numbers from a seed, and ranks by Zipf's law.

/// SplitMix64: every seed is a good one, and a number costs a few instructions.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Of one row: rows are drawn independently, so each can be drawn again alone.
    pub fn of_row(seed: u64, row: u64) -> Self {
        let mut chance = Self(seed ^ row.wrapping_mul(0x9E6C_63D0_876A_68DD));
        chance.0 = chance.next();
        chance
    }

    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below the limit, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}

/// Ranks of which the k-th is drawn in proportion to 1/k.
#[derive(Debug)]
pub struct Zipf {
    /// Sums of the weights up to each rank.
    sums: Vec<u64>,
}

impl Zipf {
    /// Over so many ranks, at least one.
    pub fn new(ranks: u64) -> Self {
        let weights = (1..=ranks).map(|rank| (1 << 44) / rank);
        let sums = weights.scan(0u64, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// A rank from 0.
    pub fn draw(&self, chance: &mut Chance) -> u64 {
        let total = self.sums.last().copied().unwrap_or(1);
        let point = chance.below(total);
        self.sums.partition_point(|sum| *sum <= point) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_is_drawn_ten_times_as_often_as_the_tenth() {
        let zipf = Zipf::new(1000);
        let mut drawn = vec![0u64; 1000];
        let mut chance = Chance::of_row(1, 1);
        for _ in 0..1_000_000 {
            drawn[zipf.draw(&mut chance) as usize] += 1;
        }
        // The harmonic number of 1000 is 7.485: the first rank has 13.36 % of a million.
        assert!((132_000..135_200).contains(&drawn[0]), "{}", drawn[0]);
        assert!((12_800..13_900).contains(&drawn[9]), "{}", drawn[9]);
        assert!(drawn[999] > 0, "the last rank is drawn too");
    }

    #[test]
    fn a_row_can_be_drawn_again() {
        let draw = |row| Chance::of_row(7, row).next();
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }
}
