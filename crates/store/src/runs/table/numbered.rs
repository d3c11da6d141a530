//! Things numbered in the order in which they come: a table of places, texts in one arena, lists of numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

/// How many texts go through the passes together.
const PASS: usize = 64;

/// A seed for tables in memory: hostile input cannot know which keys meet in a place. It decides no result.
pub(super) fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Open addressing over numbers. A slot holds a number + 1 in its low bits, and above them as many bits of the hash
/// as are free: most wrong things are told apart without looking at them.
pub(super) struct Slots {
    slots: Vec<u32>,
    /// The slots are a power of two.
    mask: u32,
    held: u32,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; 64], mask: 63, held: 0 }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * 4
    }

    /// What the first slot of a hash holds: a load that a caller can start early.
    pub(super) fn first(&self, hash: u64) -> u32 {
        self.slots[(hash as u32 & self.mask) as usize]
    }

    /// The number in a slot, where its bits of the hash agree.
    pub(super) fn fits(&self, slot: u32, hash: u64) -> Option<u32> {
        let differs = (slot ^ (hash >> 32) as u32) & !self.mask;
        (slot & self.mask).checked_sub(1).filter(|_| differs == 0)
    }

    /// The number of which `is_it` holds, or the free place where it belongs.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Result<u32, usize> {
        let mut at = hash as u32 & self.mask;
        loop {
            let slot = self.slots[at as usize];
            if slot == 0 {
                return Err(at as usize);
            }
            if let Some(number) = self.fits(slot, hash)
                && is_it(number)
            {
                return Ok(number);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Takes the next number in, at the free place that [`Slots::find`] told; answers it.
    pub(super) fn put(&mut self, place: usize, hash: u64, hash_of: impl FnMut(u32) -> u64) -> u32 {
        let number = self.held;
        self.slots[place] = ((hash >> 32) as u32 & !self.mask) | (number + 1);
        self.held += 1;
        self.reserve(1, hash_of);
        number
    }

    /// Makes room for more numbers; at most three slots of four are taken.
    pub(super) fn reserve(&mut self, more: usize, mut hash_of: impl FnMut(u32) -> u64) {
        let wanted = self.held as usize + more;
        let mut size = self.slots.len();
        while wanted * 4 > size * 3 {
            size *= 2;
        }
        if size == self.slots.len() {
            return;
        }
        assert!(size <= 1 << 31, "a table in memory numbers fewer than 2^30 things");
        let mut slots = vec![0; size];
        let mask = (size - 1) as u32;
        for number in 0..self.held {
            let hash = hash_of(number);
            let mut at = hash as u32 & mask;
            while slots[at as usize] != 0 {
                at = (at + 1) & mask;
            }
            slots[at as usize] = ((hash >> 32) as u32 & !mask) | (number + 1);
        }
        (self.slots, self.mask) = (slots, mask);
    }
}

/// Texts, each once.
pub(super) struct Strings {
    text: String,
    ends: Vec<usize>,
    slots: Slots,
    seed: u64,
}

impl Strings {
    pub(super) fn new(seed: u64) -> Self {
        Self { text: String::new(), ends: Vec::new(), slots: Slots::new(), seed }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: u32) -> &str {
        let (from, to) = span_of(&self.ends, number);
        &self.text[from..to]
    }

    pub(super) fn known(&self, text: &str) -> Option<u32> {
        self.find(metering::seeded(self.seed, text.as_bytes()), text).ok()
    }

    pub(super) fn number(&mut self, text: &str) -> u32 {
        self.number_hashed(metering::seeded(self.seed, text.as_bytes()), text)
    }

    /// The numbers of many texts, in passes over a few at a time, so that the memory of many is on its way at once.
    pub(super) fn number_all(&mut self, texts: &[&str], numbers: &mut Vec<u32>) {
        let mut known = Vec::with_capacity(texts.len());
        self.known_all(texts, &mut known);
        for (text, known) in texts.iter().zip(known) {
            numbers.push(known.unwrap_or_else(|| self.number(text)));
        }
    }

    /// The numbers of many texts, where they have one; in passes as [`Strings::number_all`].
    pub(super) fn known_all(&self, texts: &[&str], numbers: &mut Vec<Option<u32>>) {
        let (mut hashes, mut guesses, mut spans) = ([0; PASS], [None; PASS], [(0, 0); PASS]);
        for texts in texts.chunks(PASS) {
            for (hash, text) in hashes.iter_mut().zip(texts) {
                *hash = metering::seeded(self.seed, text.as_bytes());
            }
            for (guess, hash) in guesses.iter_mut().zip(&hashes[..texts.len()]) {
                *guess = self.slots.fits(self.slots.first(*hash), *hash);
            }
            for (span, guess) in spans.iter_mut().zip(&guesses[..texts.len()]) {
                *span = guess.map_or((0, 0), |guess| span_of(&self.ends, guess));
            }
            for (at, text) in texts.iter().enumerate() {
                let (from, to) = spans[at];
                let is_it = self.text.as_bytes()[from..to] == *text.as_bytes();
                numbers.push(match guesses[at] {
                    Some(guess) if is_it => Some(guess),
                    _ => self.find(hashes[at], text).ok(),
                });
            }
        }
    }

    fn number_hashed(&mut self, hash: u64, text: &str) -> u32 {
        self.find(hash, text).unwrap_or_else(|free| {
            self.text.push_str(text);
            self.ends.push(self.text.len());
            let Self { text, ends, slots, seed } = self;
            slots.put(free, hash, |number| metering::seeded(*seed, bytes_of(text, ends, number)))
        })
    }

    fn find(&self, hash: u64, text: &str) -> Result<u32, usize> {
        self.slots.find(hash, |number| bytes_of(&self.text, &self.ends, number) == text.as_bytes())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 8 + self.slots.memory_bytes()
    }
}

/// A set of names, quick to ask for many at a time.
pub struct Names(Strings);

impl Default for Names {
    fn default() -> Self {
        Self(Strings::new(random_seed()))
    }
}

impl Names {
    /// Which numbering this is: another set of names has, but for a chance of 2^-64, another.
    pub fn numbering(&self) -> u64 {
        self.0.seed
    }

    /// Adds a name; answers its number.
    pub fn insert(&mut self, name: &str) -> u32 {
        self.0.number(name)
    }

    /// Whether a name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.0.known(name).is_some()
    }

    /// The number of each name that is there.
    pub fn numbers(&self, names: &[&str]) -> Vec<Option<u32>> {
        let mut numbers = Vec::with_capacity(names.len());
        self.0.known_all(names, &mut numbers);
        numbers
    }
}

fn bytes_of<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a [u8] {
    let (from, to) = span_of(ends, number);
    &text.as_bytes()[from..to]
}

fn span_of(ends: &[usize], number: u32) -> (usize, usize) {
    let number = number as usize;
    (number.checked_sub(1).map_or(0, |before| ends[before]), ends[number])
}

/// Lists of numbers, each once. The empty list is number 0 from the start.
pub(super) struct Lists {
    values: Vec<u32>,
    ends: Vec<usize>,
    slots: Slots,
    seed: u64,
}

impl Lists {
    pub(super) fn new(seed: u64) -> Self {
        let mut lists = Self { values: Vec::new(), ends: Vec::new(), slots: Slots::new(), seed };
        lists.number(&[]);
        lists
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: u32) -> &[u32] {
        list_of(&self.values, &self.ends, number)
    }

    pub(super) fn known(&self, list: &[u32]) -> Option<u32> {
        self.find(hash_list(self.seed, list), list).ok()
    }

    pub(super) fn number(&mut self, list: &[u32]) -> u32 {
        let hash = hash_list(self.seed, list);
        self.find(hash, list).unwrap_or_else(|free| {
            self.values.extend_from_slice(list);
            self.ends.push(self.values.len());
            let Self { values, ends, slots, seed } = self;
            slots.put(free, hash, |number| hash_list(*seed, list_of(values, ends, number)))
        })
    }

    fn find(&self, hash: u64, list: &[u32]) -> Result<u32, usize> {
        self.slots.find(hash, |number| self.get(number) == list)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.values.capacity() * 4 + self.ends.capacity() * 8 + self.slots.memory_bytes()
    }
}

fn list_of<'a>(values: &'a [u32], ends: &[usize], number: u32) -> &'a [u32] {
    let number = number as usize;
    &values[number.checked_sub(1).map_or(0, |before| ends[before])..ends[number]]
}

fn hash_list(seed: u64, list: &[u32]) -> u64 {
    list.iter().fold(mix(seed, list.len() as u64), |hash, value| mix(hash, u64::from(*value)))
}

/// Mixes a value into a hash: a product folded to 64 bits.
pub(super) fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 0xd6e8_feb8_6659_fd93_u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_lists_are_numbered_once() {
        let (mut strings, mut lists) = (Strings::new(1), Lists::new(2));
        assert_eq!(lists.known(&[]), Some(0));
        for n in 0..20_000_u32 {
            assert_eq!(strings.number(&format!("org-{n}")), n);
            assert_eq!(lists.number(&[n, n / 7]), n + 1);
        }
        for n in 0..20_000_u32 {
            assert_eq!(strings.number(&format!("org-{n}")), n);
            assert_eq!(strings.get(n), format!("org-{n}"));
            assert_eq!(lists.known(&[n, n / 7]), Some(n + 1));
            assert_eq!(lists.get(n + 1), [n, n / 7]);
        }
        assert_eq!(strings.known("org-20000"), None);
        let texts: Vec<String> = (19_900..20_100).chain(20_050..20_060).map(|n| format!("org-{n}")).collect();
        let (texts, mut numbers) = (texts.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new());
        strings.number_all(&texts, &mut numbers);
        assert_eq!(numbers, (19_900..20_100).chain(20_050..20_060).collect::<Vec<u32>>());
        assert_eq!(lists.known(&[1]), None);
        assert_eq!((strings.len(), lists.len()), (20_100, 20_001));
    }

    #[test]
    fn equal_hashes_are_told_apart() {
        let mut slots = Slots::new();
        let held = [5_u32, 6, 7];
        for number in 0..3 {
            let free = slots.find(9, |n| held[n as usize] == held[number as usize]).expect_err("it is new");
            assert_eq!(slots.put(free, 9, |_| 9), number);
        }
        assert_eq!(slots.find(9, |n| held[n as usize] == 7), Ok(2));
        slots.reserve(1_000, |_| 9);
        assert_eq!(slots.find(9, |n| held[n as usize] == 6), Ok(1));
        assert!(slots.find(9, |n| held[n as usize] == 8).is_err());
    }
}
