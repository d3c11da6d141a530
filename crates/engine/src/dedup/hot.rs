//! A table of identities that stands in their order at all times.
//!
//! In parts by their top bits: a part that is full doubles for itself, so that no batch waits for all of it to be
//! moved, and the memory that one leaves is taken by the next.

use std::cmp::Ordering;

use store::runs::{IndexEntry, KeptIdentity, KeptPayload};

/// There are 2^6 parts.
const PART_BITS: u32 = 6;
/// The least number of home places of a part, as a power of two.
const HOMES_MIN_BITS: u32 = 6;
/// A part doubles when more than three quarters of its homes are taken.
const FULL: (usize, usize) = (3, 4);
/// Room after the last home for what is displaced; where it does not suffice, there will be more.
const TAIL: usize = 128;
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

/// Identities and payloads.
#[derive(Clone)]
pub struct HotTable {
    parts: Vec<Part>,
    /// The bytes of all places.
    bytes: usize,
}

impl Default for HotTable {
    fn default() -> Self {
        let parts = vec![Part::with_homes(HOMES_MIN_BITS); 1 << PART_BITS];
        let bytes = parts.iter().map(Part::bytes).sum();
        Self { parts, bytes }
    }
}

impl HotTable {
    /// How many identities it holds.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// The bytes of memory that it holds.
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    fn part(identity: KeptIdentity) -> usize {
        (identity.top() >> (64 - PART_BITS)) as usize
    }

    /// Loads the memory that a look-up of the identity will need. Use the answers, or they may be left out.
    pub fn touch(&self, identity: KeptIdentity) -> u64 {
        let part = &self.parts[Self::part(identity)];
        let home = part.home(identity);
        // The next cache line too: most searches end on one of both.
        u64::from(part.places[home].key[0]) ^ u64::from(part.places[home + LINE].key[0])
    }

    /// What stands under an identity.
    pub fn get(&self, identity: KeptIdentity) -> Option<KeptPayload> {
        let part = &self.parts[Self::part(identity)];
        let (place, there) = part.find(identity);
        there.then(|| KeptPayload(part.places[place].payload))
    }

    /// What stands under an identity; where nothing does, it is added.
    pub fn get_or_insert(&mut self, identity: KeptIdentity, payload: KeptPayload) -> Option<KeptPayload> {
        let part = &mut self.parts[Self::part(identity)];
        let (place, there) = part.find(identity);
        if there {
            return Some(KeptPayload(part.places[place].payload));
        }
        let before = part.bytes();
        if part.has_room() {
            part.insert(place, identity, payload);
        } else {
            part.grow();
            let (place, _) = part.find(identity);
            part.insert(place, identity, payload);
        }
        self.bytes = self.bytes - before + part.bytes();
        None
    }

    /// All entries in the order of identities.
    pub fn sorted(&self) -> impl Iterator<Item = IndexEntry> + '_ {
        let places = self.parts.iter().flat_map(|part| &part.places);
        places.filter(|place| place.is_taken()).map(Place::entry)
    }
}

/// The identities of one part by open addressing: an entry's home is chosen by the bits behind those of the part, and it
/// stands there or behind, never before a lesser one. A search ends at the first place that is free or holds a greater one.
#[derive(Clone)]
struct Part {
    places: Vec<Place>,
    homes_bits: u32,
    len: usize,
}

impl Part {
    fn with_homes(homes_bits: u32) -> Self {
        Self { places: vec![FREE; (1 << homes_bits) + TAIL.min(1 << homes_bits)], homes_bits, len: 0 }
    }

    fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }

    fn home(&self, identity: KeptIdentity) -> usize {
        (identity.top() << PART_BITS >> (64 - self.homes_bits)) as usize
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

    fn has_room(&self) -> bool {
        (self.len + 1) * FULL.1 <= (FULL.0 << self.homes_bits)
    }

    /// Adds an identity that is not there, at the place where it has to stand.
    fn insert(&mut self, place: usize, identity: KeptIdentity, payload: KeptPayload) {
        let free = self.end_of_group(place);
        if free == self.places.len() {
            self.push(FREE);
        }
        if free > place {
            self.places.copy_within(place..free, place + 1);
        }
        self.places[place] = Place::new(identity, payload);
        self.len += 1;
    }

    /// Appends a place, without the memory of a table twice as large.
    fn push(&mut self, place: Place) {
        if self.places.len() == self.places.capacity() {
            self.places.reserve_exact(TAIL);
        }
        self.places.push(place);
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
                None => larger.push(*entry),
            }
            free = place + 1;
        }
        larger.len = self.len;
        *self = larger;
    }
}
