//! The pages of `tables.db`, each with a checksum in its reserved bytes.
//!
//! SQLite leaves the reserved end of every page alone. The last [`SUM_BYTES`] bytes of a page are the first
//! bytes of a BLAKE3 hash over its number and all its other bytes, so that a flipped bit, a lost write and a
//! page in the wrong place are all seen. A stock `sqlite3` reads the file: it ignores those bytes. There are 16
//! of them and not 8, because SQLite's own checksum extension claims every file that reserves 8.

/// The size of a page.
pub(super) const PAGE_BYTES: usize = 4096;
/// The same, as a file offset counts.
pub(super) const PAGE_LENGTH: u64 = 4096;
/// The reserved bytes at the end of a page.
pub(super) const SUM_BYTES: usize = 16;
/// Where the reserved bytes begin.
const CONTENT_BYTES: usize = PAGE_BYTES - SUM_BYTES;
/// SQLite's file header at the start of page 1.
pub(super) const HEADER_BYTES: usize = 100;

/// The bytes of one page.
pub(super) type Page = [u8; PAGE_BYTES];

/// The number of the page at a file offset; pages count from 1.
pub(super) fn number_at(offset: u64) -> u64 {
    offset / PAGE_LENGTH + 1
}

fn sum(number: u64, content: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(content);
    let mut sum = [0; SUM_BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// Writes the checksum of a page into it.
pub(super) fn seal(number: u64, page: &mut Page) {
    let (content, reserved) = page.split_at_mut(CONTENT_BYTES);
    reserved.copy_from_slice(&sum(number, content));
}

/// Whether a page is what was written there.
pub(super) fn is_intact(number: u64, page: &Page) -> bool {
    let (content, reserved) = page.split_at(CONTENT_BYTES);
    reserved == sum(number, content)
}

/// A page of zeros, sealed.
pub(super) fn blank(number: u64) -> Page {
    let mut page = [0; PAGE_BYTES];
    seal(number, &mut page);
    page
}

/// The first page of an empty database, with the reserved bytes declared.
///
/// **Source**: sqlite.org/fileformat2.html, §1.3 and §1.6.
pub(super) fn first() -> Page {
    let mut page = [0; PAGE_BYTES];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&4096_u16.to_be_bytes());
    page[18] = 1; // written with a rollback journal
    page[19] = 1; // read with a rollback journal
    page[20] = 16; // reserved bytes a page
    page[21..24].copy_from_slice(&[64, 32, 32]); // fixed payload fractions
    page[24..28].copy_from_slice(&1_u32.to_be_bytes()); // change counter
    page[28..32].copy_from_slice(&1_u32.to_be_bytes()); // pages in the file
    page[44..48].copy_from_slice(&4_u32.to_be_bytes()); // schema format
    page[56..60].copy_from_slice(&1_u32.to_be_bytes()); // UTF-8
    page[92..96].copy_from_slice(&1_u32.to_be_bytes()); // the counter at which the page count held
    page[HEADER_BYTES] = 13; // an empty leaf of the schema table
    page[105..107].copy_from_slice(&4080_u16.to_be_bytes()); // where its cells begin
    seal(1, &mut page);
    page
}

/// A big-endian number in SQLite's header or journal.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// How many pages the first page says there are.
pub(super) fn count(first: &Page) -> u32 {
    number(first, 28).unwrap_or(0)
}

/// SQLite's user version, which numbers the transactions of this file.
pub(super) fn generation(first: &Page) -> u32 {
    number(first, 60).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_page_is_intact_only_as_it_is_and_where_it_is() {
        let page = first();
        assert!(is_intact(1, &page));
        assert!(!is_intact(2, &page));
        for bit in 0..PAGE_BYTES * 8 {
            let mut flipped = page;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_intact(1, &flipped), "bit {bit}");
        }
        assert!(!is_intact(1, &[0; PAGE_BYTES]), "a page that was never written");
    }
}
