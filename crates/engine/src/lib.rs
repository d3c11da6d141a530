//! The pipeline over one folder.
//!
//! # Path of an event
//!
//! ```text
//! bytes ─decode─▶ draft ─check form─▶ event ─hash─▶ ┌ probe ─▶ check at K ─▶ append ─▶ sync ─▶ ANSWER
//!        prepare.rs (parallel, pure)                │ admit.rs (in order)  
//!                                                   └ duplicate, conflict, rejected(code): counted, kept
//! synced block ─▶ cells.rs, dedup.rs, tables     checkpoint: runs [P₀, P₁) named by one atomic step
//! ```
//!
//! 1. `feeds` reads records in chunks; `prepare` decodes, checks the form and hashes them on all cores.
//! 2. `admit` gives each its fate in order: the identity is probed before any rule that depends on K, so
//!    that a retry is a duplicate whatever was reconfigured since.
//! 3. The block (accepted rows, refused bodies, counters of all fates) is appended and synced, and only then is the
//!    answer given. Identities, cells and tables learn of it before, in memory alone: where the write fails, the engine
//!    stops and answers nothing more. `pipeline` does this with a thread each for many batches that wait.
//! 4. `billing` seals a period by pinning a cut, reads usage as of it, rates, drafts, issues and posts.
//! 5. `explain` and `verify` run the same functions again on what was pinned.
//!
//! **Owns**: the order of these steps, what is derived and when it is made anew.
//! **Does not own**: rules of counting (`metering`), prices (`rating`), documents (`invoicing`), bytes on
//! disk (`store`), file formats (`connectors`).
//! **Invariants**: received = Σ fates; accepted = Σ base cells per source; positions are ordinals of received
//! records; everything but journal, log and keys can be deleted.
//! **Times**: `received_at` is the clock's, never going back in the log; nothing else reads the clock.
//! **Entry points**: [`Engine::open`], [`Engine::append`], [`Engine::ingest`], [`Engine::usage`],
//! [`Engine::invoice_run`], [`Engine::explain`], [`verify`].
#![forbid(unsafe_code)]

mod admit;
mod apply;
mod balance;
mod billing;
mod cells;
mod checked;
mod checkpoint;
mod clock;
mod dedup;
mod engine;
mod error;
mod explain;
mod feeds;
mod ingest;
mod late;
mod merge;
mod once;
mod open;
mod personal;
mod pipeline;
mod prepare;
mod quarantine;
mod replay;
mod resume;
mod shard;
mod stream;
mod terms;
mod usage;
mod verify;
mod verify_runs;

pub use apply::{Action, Change, Plan};
pub use billing::{OpenPeriod, PeriodName, RunReport, Unbilled};
pub use cells::{Measured, Totals};
pub use checkpoint::MEMORY_BYTES;
pub use clock::{Clock, FixedClock, SystemClock};
pub use engine::{Caller, Engine, Options, Random, TENANT};
pub use error::{EngineError, ErrorKind};
pub use feeds::{FeedInput, FeedOptions, FeedReport, report_json};
pub use ingest::Answer;
pub use late::Late;
pub use prepare::{Prepared, prepare};
pub use quarantine::{REPLAY_FEED, Repair, Replayed};
pub use resume::{Taken, TakenFiles};
pub use shard::Shard;
pub use terms::TermSet;
pub use usage::{AcceptedEvent, GroupBy, Groups, ListedEvent, LogWindow, UsageQuery, hour_order};
pub use verify::{Finding, Verified, verify};
