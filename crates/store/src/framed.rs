//! Sectors with a checksum each: a write that never came, a torn one and a flipped bit look different.
//!
//! **Source**: `docs/format.md` §2.

use crate::disk::{self, Disk};
use crate::error::StoreError;

/// The size of a sector.
pub const SECTOR_BYTES: usize = 512;
/// What a sector carries.
pub const PAYLOAD_BYTES: usize = 507;

const CRC_AT: usize = PAYLOAD_BYTES;
const MARKER_AT: usize = SECTOR_BYTES - 1;
/// Its bits are far from zero: a lost marker reads as 0, a flipped one as neither.
const MARKER: u8 = 0xA5;
const LENGTH_BYTES: usize = 4;

/// What is wrong with a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKind {
    /// All zero or past the end of the file: it was never written.
    Lost,
    /// Its last byte was never written.
    Torn,
    /// It was written, and is not what was written.
    Rot,
}

/// A sector that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSector {
    /// Its ordinal in the file.
    pub ordinal: u64,
    /// What is wrong.
    pub kind: BadKind,
}

/// How many sectors a number of payload bytes takes.
pub fn sectors_of(payload_bytes: usize) -> usize {
    payload_bytes.div_ceil(PAYLOAD_BYTES)
}

/// Puts bytes into sectors, the first of which has the given ordinal in its file.
pub fn encode(first_ordinal: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; sectors_of(bytes.len()) * SECTOR_BYTES];
    for ((ordinal, sector), chunk) in
        (first_ordinal..).zip(out.chunks_exact_mut(SECTOR_BYTES)).zip(bytes.chunks(PAYLOAD_BYTES))
    {
        sector[..chunk.len()].copy_from_slice(chunk);
        let crc = checksum(ordinal, &sector[..PAYLOAD_BYTES]);
        sector[CRC_AT..MARKER_AT].copy_from_slice(&crc.to_le_bytes());
        sector[MARKER_AT] = MARKER;
    }
    out
}

/// Takes the payloads out of sectors; a last sector that is too short counts as torn.
///
/// **Errors**: the first sector that is not valid.
pub fn decode(first_ordinal: u64, bytes: &[u8]) -> Result<Vec<u8>, BadSector> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(SECTOR_BYTES) * PAYLOAD_BYTES);
    for (ordinal, sector) in (first_ordinal..).zip(bytes.chunks(SECTOR_BYTES)) {
        out.extend_from_slice(payload(ordinal, sector)?);
    }
    Ok(out)
}

/// The payload of one sector.
///
/// **Errors**: it is not valid.
pub fn payload(ordinal: u64, sector: &[u8]) -> Result<&[u8], BadSector> {
    match classify(ordinal, sector) {
        None => Ok(&sector[..PAYLOAD_BYTES]),
        Some(kind) => Err(BadSector { ordinal, kind }),
    }
}

fn classify(ordinal: u64, sector: &[u8]) -> Option<BadKind> {
    if sector.iter().all(|byte| *byte == 0) {
        return Some(BadKind::Lost);
    }
    if sector.len() < SECTOR_BYTES || sector[MARKER_AT] == 0 {
        return Some(BadKind::Torn);
    }
    let crc = checksum(ordinal, &sector[..PAYLOAD_BYTES]).to_le_bytes();
    (sector[MARKER_AT] != MARKER || sector[CRC_AT..MARKER_AT] != crc).then_some(BadKind::Rot)
}

fn checksum(ordinal: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&ordinal.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// The bytes of a small whole file: length and payload, every byte under a checksum.
pub fn encode_file(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + LENGTH_BYTES);
    // A payload of 4 GiB never gets here: such files hold names, hashes and cut tails.
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(payload);
    encode(0, &bytes)
}

/// The payload of a small whole file.
///
/// **Errors**: corrupt, with the file and sector; the length must fit exactly.
pub fn decode_file(name: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut payload = decode(0, bytes).map_err(|bad| bad_sector(name, bad))?;
    let length = payload.first_chunk::<LENGTH_BYTES>().map(|head| u32::from_le_bytes(*head));
    let length = match length.map(usize::try_from) {
        Some(Ok(length)) if sectors_of(length.saturating_add(LENGTH_BYTES)) * SECTOR_BYTES == bytes.len() => {
            length
        }
        _ => {
            return Err(StoreError::corrupt(name, "sector 0", "the file's length is not what was written"));
        }
    };
    payload.drain(..LENGTH_BYTES);
    payload.truncate(length);
    Ok(payload)
}

/// Writes a small whole file in one atomic step.
///
/// **Errors**: those of the file layer; the old content then still stands.
pub fn write_file(disk: &dyn Disk, name: &str, payload: &[u8]) -> Result<(), StoreError> {
    disk::replace(disk, name, &encode_file(payload))
        .map_err(|error| StoreError::io(format!("write `{name}`"), &error))
}

/// Reads a small whole file.
///
/// **Errors**: those of the file layer; corrupt, with the file and sector.
pub fn read_file(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, StoreError> {
    let bytes =
        disk::read_all(disk, name).map_err(|error| StoreError::io(format!("read `{name}`"), &error))?;
    decode_file(name, &bytes)
}

/// The error for a sector that must be valid and is not.
pub(crate) fn bad_sector(name: &str, bad: BadSector) -> StoreError {
    let what = match bad.kind {
        BadKind::Lost => "bytes are missing",
        BadKind::Torn => "a sector was not wholly written",
        BadKind::Rot => "a checksum differs",
    };
    StoreError::corrupt(name, format!("sector {}", bad.ordinal), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_with_their_padding() {
        for length in [0, 1, 506, 507, 508, 1014, 1015, 5000] {
            let bytes: Vec<u8> = (0..length).map(|i: usize| i.to_le_bytes()[0]).collect();
            let sectors = encode(7, &bytes);
            assert_eq!(sectors.len() % SECTOR_BYTES, 0);
            let back = decode(7, &sectors).expect("valid");
            assert_eq!(back[..length], bytes);
            assert!(back[length..].iter().all(|byte| *byte == 0));
            if length > 0 {
                assert_eq!(
                    decode(8, &sectors).map_err(|bad| bad.kind),
                    Err(BadKind::Rot),
                    "in another place"
                );
            }
            assert_eq!(decode_file("f", &encode_file(&bytes)).expect("valid"), bytes);
        }
    }

    #[test]
    fn every_flipped_bit_is_rot() {
        let sectors = encode(3, &[9; 600]);
        for bit in 0..sectors.len() * 8 {
            let mut bad = sectors.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let ordinal = 3 + (bit / 8 / SECTOR_BYTES) as u64;
            assert_eq!(decode(3, &bad), Err(BadSector { ordinal, kind: BadKind::Rot }), "bit {bit}");
        }
    }

    #[test]
    fn every_torn_prefix_is_torn() {
        let sectors = encode(0, &[9; 507]);
        for kept in 0..SECTOR_BYTES {
            let mut torn = vec![0; SECTOR_BYTES];
            torn[..kept].copy_from_slice(&sectors[..kept]);
            let kind = if kept == 0 { BadKind::Lost } else { BadKind::Torn };
            assert_eq!(decode(0, &torn), Err(BadSector { ordinal: 0, kind }), "kept {kept}");
            if kept > 0 {
                assert_eq!(decode(0, &torn[..kept]), Err(BadSector { ordinal: 0, kind }), "short {kept}");
            }
        }
    }

    #[test]
    fn a_file_of_another_length_is_refused() {
        let bytes = encode_file(&[1; 1000]);
        let check = |bytes: &[u8], expected: &str| {
            let error = decode_file("keys", bytes).expect_err("refused");
            assert_eq!(error.to_string(), expected);
        };
        check(&[], "the file's length is not what was written in `keys` at sector 0");
        check(&bytes[..512], "the file's length is not what was written in `keys` at sector 0");
        check(&bytes[..700], "a sector was not wholly written in `keys` at sector 1");
        check(&[bytes.clone(), vec![0; 512]].concat(), "bytes are missing in `keys` at sector 2");
    }
}
