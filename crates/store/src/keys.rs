//! The `keys` file: the secrets and ids of a store, the third root of truth beside log and journal.

use metering::{Instant, Keys};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::{ErrorKind, StoreError};
use crate::framed;
use crate::hex::{self, Hex};
use crate::id::Id;

/// The file's name in the store's folder.
pub const KEYS: &str = "keys";
/// The file's name until the store is whole.
pub(crate) const KEYS_DRAFT: &str = "keys.new";
/// The format of the whole folder that this build writes.
pub const FOLDER_FORMAT: u32 = 1;

/// What the file holds.
#[derive(Clone)]
pub(crate) struct KeyFile {
    pub store_id: Id,
    pub log_id: Id,
    pub journal_id: Id,
    pub created_at: Instant,
    /// The newest generation and its number.
    pub generation: u32,
    pub keys: Keys,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    format: u32,
    store_id: Id,
    log_id: Id,
    journal_id: Id,
    #[serde(with = "crate::serde_instant")]
    created_at: Instant,
    generations: Vec<WireGeneration>,
}

#[derive(Serialize, Deserialize)]
struct WireGeneration {
    generation: u32,
    identity: Hex<16>,
    digest: Hex<16>,
    digest_version: u32,
    personal: Hex<32>,
    shard: Hex<16>,
}

#[derive(Deserialize)]
struct WireFormat {
    format: u32,
}

impl KeyFile {
    /// Draws ids, and keys where none are given.
    pub fn draw(keys: Option<Keys>, now: Instant, random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut draw = || {
            let mut bytes = [0; 16];
            random(&mut bytes);
            bytes
        };
        let (store_id, log_id, journal_id) = (Id(draw()), Id(draw()), Id(draw()));
        let keys = keys.unwrap_or_else(|| {
            let (identity, digest, shard) = (draw(), draw(), draw());
            let mut personal = [0; 32];
            personal[..16].copy_from_slice(&draw());
            personal[16..].copy_from_slice(&draw());
            Keys { identity, digest, personal, shard }
        });
        Self { store_id, log_id, journal_id, created_at: now, generation: 1, keys }
    }

    pub fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let wire = Wire {
            format: FOLDER_FORMAT,
            store_id: self.store_id,
            log_id: self.log_id,
            journal_id: self.journal_id,
            created_at: self.created_at,
            generations: vec![WireGeneration {
                generation: self.generation,
                identity: Hex(self.keys.identity),
                digest: Hex(self.keys.digest),
                digest_version: 1,
                personal: Hex(self.keys.personal),
                shard: Hex(self.keys.shard),
            }],
        };
        serde_json::to_vec(&wire).map_err(|error| StoreError::corrupt(KEYS, "byte 0", error))
    }

    /// Reads the file; a missing one is [`ErrorKind::NotFound`], one of a newer version [`ErrorKind::Newer`].
    pub fn read(disk: &dyn Disk, name: &str) -> Result<Self, StoreError> {
        let there =
            disk.exists(name).map_err(|error| StoreError::io(format!("look for `{name}`"), &error))?;
        if !there {
            return Err(StoreError::new(
                ErrorKind::NotFound,
                "store_missing",
                "no store in this folder: there is no file `keys`",
                "name the right folder with --data, or create a store by the first command that writes",
            ));
        }
        Self::decode(name, &framed::read_file(disk, name)?)
    }

    fn decode(name: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        let unreadable = |error| StoreError::corrupt(name, "byte 0", format!("no keys ({error})"));
        let WireFormat { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format > FOLDER_FORMAT {
            return Err(newer(name, format));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(unreadable)?;
        let newest = wire.generations.into_iter().max_by_key(|generation| generation.generation);
        let newest =
            newest.ok_or_else(|| StoreError::corrupt(name, "byte 0", "no generation of keys stands"))?;
        Ok(Self {
            store_id: wire.store_id,
            log_id: wire.log_id,
            journal_id: wire.journal_id,
            created_at: wire.created_at,
            generation: newest.generation,
            keys: Keys {
                identity: newest.identity.0,
                digest: newest.digest.0,
                personal: newest.personal.0,
                shard: newest.shard.0,
            },
        })
    }
}

/// The error for a file of a newer version.
pub(crate) fn newer(name: &str, format: u32) -> StoreError {
    StoreError::new(
        ErrorKind::Newer,
        "folder_newer",
        format!("`{name}` has format `{format}`, this build reads up to `{FOLDER_FORMAT}`"),
        "use the version of counterfoil that wrote this folder, or a later one",
    )
}

/// The error for logs whose secrets are not there.
pub(crate) fn keys_missing(found: &str) -> StoreError {
    StoreError::new(
        ErrorKind::Corrupt,
        "keys_missing",
        format!("`{found}` is there, but the file `keys` is not"),
        "restore `keys` from a backup, or choose an empty folder with --data",
    )
}

/// Reads secrets from text: `identity`, `digest`, `personal` and `shard`, one `name = hex` a line.
///
/// **Errors**: [`ErrorKind::Invalid`], with the line.
///
/// # Examples
/// ```
/// let text = "identity = 000102030405060708090a0b0c0d0e0f\n";
/// assert_eq!(store::parse_keys(text).unwrap_err().to_string(), "keys: expected a line `digest = HEX`");
/// ```
pub fn parse_keys(text: &str) -> Result<Keys, StoreError> {
    let mut identity = None;
    let mut digest = None;
    let mut personal = None;
    let mut shard = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()))
        else {
            return Err(invalid(format!("line {number}: expected `NAME = HEX`")));
        };
        match name {
            "identity" => set(&mut identity, name, value, number)?,
            "digest" => set(&mut digest, name, value, number)?,
            "personal" => set(&mut personal, name, value, number)?,
            "shard" => set(&mut shard, name, value, number)?,
            _ => {
                let expected = "`identity`, `digest`, `personal` or `shard`";
                return Err(invalid(format!("line {number}: expected {expected}, found `{name}`")));
            }
        }
    }
    let missing = |name: &str| invalid(format!("expected a line `{name} = HEX`"));
    Ok(Keys {
        identity: identity.ok_or_else(|| missing("identity"))?,
        digest: digest.ok_or_else(|| missing("digest"))?,
        personal: personal.ok_or_else(|| missing("personal"))?,
        shard: shard.ok_or_else(|| missing("shard"))?,
    })
}

// The value is a secret: it never stands in a message.
fn set<const N: usize>(
    slot: &mut Option<[u8; N]>,
    name: &str,
    value: &str,
    line: usize,
) -> Result<(), StoreError> {
    let bytes = hex::parse(value).ok_or_else(|| {
        invalid(format!(
            "line {line}: expected {} hex digits for `{name}`, found {} characters",
            2 * N,
            value.len()
        ))
    })?;
    if slot.replace(bytes).is_some() {
        return Err(invalid(format!("line {line}: `{name}` stands twice")));
    }
    Ok(())
}

fn invalid(what: String) -> StoreError {
    StoreError::new(
        ErrorKind::Invalid,
        "keys_invalid",
        format!("keys: {what}"),
        "a keys file has the lines identity, digest, shard (32 hex digits) and personal (64)",
    )
}

/// Secrets as the text that [`parse_keys`] reads.
pub fn keys_text(keys: &Keys) -> String {
    format!(
        "# Secrets of a Counterfoil store. Whoever has them can forge identities and read personal hashes.\n\
         identity = {}\ndigest = {}\npersonal = {}\nshard = {}\n",
        hex::text(&keys.identity),
        hex::text(&keys.digest),
        hex::text(&keys.personal),
        hex::text(&keys.shard)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> KeyFile {
        let mut next = 0u8;
        KeyFile::draw(None, Instant(5), &mut |bytes| {
            for byte in bytes {
                next = next.wrapping_add(1);
                *byte = next;
            }
        })
    }

    #[test]
    fn the_file_comes_back() {
        let file = drawn();
        let back = KeyFile::decode(KEYS, &file.encode().expect("bytes")).expect("keys");
        assert_eq!(back.encode().expect("bytes"), file.encode().expect("bytes"));
        assert_eq!(back.keys.personal, file.keys.personal);
    }

    #[test]
    fn a_newer_format_is_told_apart_from_rot() {
        let newer =
            KeyFile::decode(KEYS, br#"{"format":2,"shape":"unknown"}"#).map(|_| ()).expect_err("newer");
        assert_eq!((newer.kind, newer.code), (ErrorKind::Newer, "folder_newer"));
        let rot = KeyFile::decode(KEYS, br#"{"format":1}"#).map(|_| ()).expect_err("corrupt");
        assert_eq!(rot.kind, ErrorKind::Corrupt);
    }

    #[test]
    fn text_comes_back_and_mistakes_are_named() {
        let text = keys_text(&drawn().keys);
        assert_eq!(keys_text(&parse_keys(&text).expect("keys")), text);
        let check = |text: &str, expected: &str| {
            assert_eq!(parse_keys(text).map(|_| ()).expect_err("refused").to_string(), expected);
        };
        check("", "keys: expected a line `identity = HEX`");
        check("\n identity 00", "keys: line 2: expected `NAME = HEX`");
        check("identity = 00", "keys: line 1: expected 32 hex digits for `identity`, found 2 characters");
        check(
            "salt = 00",
            "keys: line 1: expected `identity`, `digest`, `personal` or `shard`, found `salt`",
        );
        let twice = format!("{text}shard = 00000000000000000000000000000000\n");
        check(&twice, "keys: line 6: `shard` stands twice");
    }
}
