//! A table of identities that stands in their order at all times.

use std::cmp::Ordering;

use store::runs::{IndexEntry, KeptIdentity, KeptPayload};

/// The least number of home places, as a power of two.
const HOMES_MIN_BITS: u32 = 12;
/// The table doubles when more than three quarters of its homes are taken.
const FULL: (usize, usize) = (3, 4);
/// Room after the last home for what is displaced; where it does not suffice, there will be more.
const TAIL: usize = 256;
/// How many places further the next cache line is certain to begin.
const LINE: usize = 4;
/// Marks a place that is taken. The low bits of a kept identity are zero.
const TAKEN: u128 = 1;

/// A place: 20 bytes, so that a look-up needs one page of memory and mostly one cache line.
#[derive(Clone, Copy)]
struct Place {
    /// The identity and the mark, least significant word first; zeros in a free place.
    key: [u32; 4],
    payload: u32,
}

const FREE: Place = Place { key: [0; 4], payload: 0 };

impl Place {
    fn new(identity: KeptIdentity, payload: KeptPayload) -> Self {
        let bits = identity.bits() | TAKEN;
        let key = [bits as u32, (bits >> 32) as u32, (bits >> 64) as u32, (bits >> 96) as u32];
        Self { key, payload: payload.0 }
    }

    /// The identity and the mark; 0 in a free place.
    fn bits(&self) -> u128 {
        let [a, b, c, d] = self.key.map(u64::from);
        u128::from(d << 32 | c) << 64 | u128::from(b << 32 | a)
    }

    fn is_taken(&self) -> bool {
        self.key[0] & TAKEN as u32 != 0
    }

    fn entry(&self) -> IndexEntry {
        IndexEntry { identity: KeptIdentity::from_bits(self.bits()), payload: KeptPayload(self.payload) }
    }
}

/// Identities and payloads by open addressing: an entry's home is chosen by its top bits, and it stands there or
/// behind, never before a lesser one. A search ends at the first place that is free or holds a greater one.
#[derive(Clone)]
pub struct HotTable {
    places: Vec<Place>,
    homes_bits: u32,
    len: usize,
}

impl Default for HotTable {
    fn default() -> Self {
        Self::with_homes(HOMES_MIN_BITS)
    }
}

impl HotTable {
    fn with_homes(homes_bits: u32) -> Self {
        Self { places: vec![FREE; (1 << homes_bits) + TAIL], homes_bits, len: 0 }
    }

    /// How many identities it holds.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes of memory that it holds.
    #[cfg(test)]
    pub fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }

    /// The bytes of the smallest table that would hold as many.
    pub fn needed_bytes(&self) -> usize {
        let homes = (self.len * FULL.1).div_ceil(FULL.0).next_power_of_two().max(1 << HOMES_MIN_BITS);
        (homes + TAIL) * size_of::<Place>()
    }

    fn home(&self, identity: KeptIdentity) -> usize {
        (identity.top() >> (64 - self.homes_bits)) as usize
    }

    /// Loads the memory that a look-up of the identity will need. Use the answers, or they may be left out.
    pub fn touch(&self, identity: KeptIdentity) -> u64 {
        let home = self.home(identity);
        // The next cache line too: most searches end on one of both.
        u64::from(self.places[home].key[0]) ^ u64::from(self.places[home + LINE].key[0])
    }

    /// Where an identity stands or would have to stand, and whether it does.
    fn find(&self, identity: KeptIdentity) -> (usize, bool) {
        let (bits, home) = (identity.bits() | TAKEN, self.home(identity));
        for (place, there) in (home..).zip(&self.places[home..]) {
            match there.bits().cmp(&bits) {
                Ordering::Less if there.is_taken() => {}
                order => return (place, order == Ordering::Equal),
            }
        }
        (self.places.len(), false)
    }

    /// What stands under an identity.
    pub fn get(&self, identity: KeptIdentity) -> Option<KeptPayload> {
        let (place, there) = self.find(identity);
        there.then(|| KeptPayload(self.places[place].payload))
    }

    /// What stands under an identity; where nothing does, it is added.
    pub fn get_or_insert(&mut self, identity: KeptIdentity, payload: KeptPayload) -> Option<KeptPayload> {
        let (mut place, there) = self.find(identity);
        if there {
            return Some(KeptPayload(self.places[place].payload));
        }
        if (self.len + 1) * FULL.1 > (FULL.0 << self.homes_bits) {
            self.grow();
            place = self.find(identity).0;
        }
        let free = self.end_of_group(place);
        if free == self.places.len() {
            self.places.push(FREE);
        }
        if free > place {
            self.places.copy_within(place..free, place + 1);
        }
        self.places[place] = Place::new(identity, payload);
        self.len += 1;
        None
    }

    /// The first free place from here on; past the end where there is none.
    fn end_of_group(&self, place: usize) -> usize {
        place + self.places[place..].iter().take_while(|place| place.is_taken()).count()
    }

    fn grow(&mut self) {
        let mut larger = Self::with_homes(self.homes_bits + 1);
        let mut free = 0;
        for entry in self.places.iter().filter(|place| place.is_taken()) {
            let place = free.max(larger.home(entry.entry().identity));
            match larger.places.get_mut(place) {
                Some(free) => *free = *entry,
                None => larger.places.push(*entry),
            }
            free = place + 1;
        }
        larger.len = self.len;
        *self = larger;
    }

    /// All entries in the order of identities.
    pub fn sorted(&self) -> impl Iterator<Item = IndexEntry> + '_ {
        self.places.iter().filter(|place| place.is_taken()).map(Place::entry)
    }
}
