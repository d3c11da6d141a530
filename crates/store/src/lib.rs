//! What a store keeps on disk, and how nothing acknowledged is ever lost.
//!
//! **Owns**: the folder's layout and formats (`docs/format.md`), the event log, the journal, keys, the close record,
//! recovery, runs of cells and identities, the checkpoint, the derived tables.
//!
//! **Does not own**: what events and commands mean. It hashes, orders and keeps what it is given.
//!
//! **Invariants**
//! * A file is never rewritten in place, a sync that failed is never tried again on the same file.
//! * A position is the ordinal of a received record, whatever its fate; it never moves.
//! * A row is durable before a block names it, a block before a row's cut names it.
//! * Bytes are cut only above everything known durable, and only where they were never wholly written; what is cut is
//!   kept and named by a row.
//! * Keys, journal and log are truth. Everything else can be deleted and is made again.
//!
//! **Times**: given in, never read: `received_at` of a block, `recorded_at` of a row.
//!
//! **Entry points**: [`Roots::create`], [`Roots::open`], [`Roots::open_read_only`], [`check_files`].
//! All of them work on a [`Disk`]: the real one or one that fails on purpose.

#![deny(unsafe_code)]

mod append_log;
mod block;
mod block_codec;
mod check;
mod close_record;
mod coding;
pub mod disk;
mod error;
pub mod framed;
mod hash;
mod hex;
mod id;
mod journal;
mod keys;
mod new_segment;
mod records;
mod recover;
mod roots;
mod row;
pub mod runs;
mod segment;
mod serde_instant;
mod survey;
pub mod tables;
mod walk;

pub use block::{Accepted, AcceptedRow, Block, BlockDraft, Counter, CounterKey, FirstSight, Kept};
pub use block_codec::{BlockHeader, InputCursor, SectionFact};
pub use check::{FileCheck, Finding, check_files};
pub use close_record::{CLEAN, CloseRecord, LogEnd};
pub use disk::{Disk, DiskFile, Mode, RealDisk};
pub use error::{ErrorKind, Place, StoreError};
pub use hash::Hash;
pub use id::Id;
pub use keys::{FOLDER_FORMAT, KEYS, keys_text, parse_keys};
pub use recover::CutOff;
pub use roots::{
    Appended, Blocks, BlocksWithin, CreateOptions, Fates, Head, HeadCheck, Headers, KnownDurable,
    OpenOptions, Opened, ReadState, Roots, Rows, SegmentSizes, TornTail,
};
pub use row::{Class, Cut, Effect, Reference, Row, RowDraft};
