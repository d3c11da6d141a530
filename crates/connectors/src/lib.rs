//! Files of events and of configuration, decoded: from bytes to drafts of events, from YAML to terms.
//!
//! ```
//! use connectors::{Decoder, Feed};
//! use connectors::config::read_documents;
//!
//! let feed = Feed { name: "gate".to_owned(), source: "gate.ndjson".to_owned() };
//! let decoder = Decoder::cloud_events();
//! let input = br#"{"specversion":"1.0","id":"1","source":"gate","type":"call","subject":"a-1"}"#;
//! for record in decoder.records(input.as_slice()) {
//!     let draft = decoder.decode(&feed, &record?)?;
//!     assert_eq!((draft.account.as_deref(), draft.occurred_at), (Some("a-1"), None), "nothing is made up");
//! }
//!
//! let problems = read_documents("price.yaml", "kind: price\nprice: calls\ncurrencies: {USD: {unit: 0.10}}\n");
//! let problem = &problems.unwrap_err()[0];
//! assert_eq!((problem.line, problem.code), (3, "number_not_quoted"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Owns
//! Opening inputs, cutting them into records, the formats of events, what of a refused record is kept and
//! how it is repaired; tables written as Parquet; the YAML that is understood, every kind of document, its mistakes, lines and hints.
//!
//! # Does not own
//! What an event must have (`metering`), when a price is sound (`rating`), which version of a term holds
//! (`invoicing`), what is stored and when a change is applied (`engine`).
//!
//! # Invariants
//! * Every record that is not blank comes out once, decoded or refused with a code; a broken one costs no other.
//! * Nothing absent is made up: no id, time, account, quantity or category.
//! * A number keeps its value, whatever its length; none passes through binary floating point.
//! * An identity holds the base name of a file or a declared source, never a path.
//! * A person's address (`remote_addr`) and the personal fields of an account are in no draft, kept body or term.
//! * What is kept decodes, without feed or mapping, to what the record itself decoded to.
//! * Memory is bounded: by the length of a line, the levels of JSON, the nodes of YAML with aliases expanded.
//!
//! # Times
//! Times stay as they are written, beside the format to read them by. A date in `effective_at` is the start of
//! that day in the document's zone, or in UTC.
//!
//! # Entry points
//! [`open_input`], [`Decoder::records`], [`Decoder::decode`]: a feed. [`Decoder::chunks`], [`Chunks::open_parquet`],
//! [`Decoder::decode_chunk`]: the same, many records at a time. [`Decoder::kept_body`], [`set_path`],
//! [`decode_kept`]: the quarantine. [`config::load_path`], [`config::check_references`], [`config::parse_term`]:
//! configuration. [`TableWriter`]: tables out, as Parquet.
#![forbid(unsafe_code)]

mod chunk;
mod cloud_events;
pub mod config;
mod csv;
mod decoder;
mod excerpt;
mod input;
mod json;
mod learned;
mod line_chunks;
mod lines;
mod parquet;
mod parquet_out;
mod record;
mod repair;
mod sentry;

pub use chunk::{Chunk, Chunks, Place, RawChunk, RefusedRecord};
pub use csv::{ColumnsError, Mapping, parse_mapping, read_columns, read_mapping};
pub use decoder::{Decoder, Format, Records, decode_kept};
pub use input::{InputError, decompressed, is_parquet, open_input};
pub use lines::{CUT_LINE_BYTES, LINE_BYTES_MAX, Lines, RawLine};
pub use parquet_out::{Column, ColumnType, Datum, TableError, TableWriter};
pub use record::{Feed, RawRecord, Undecodable};
pub use repair::{RepairError, set_json, set_path};
pub use sentry::{SENTRY_CATEGORIES, SENTRY_OUTCOMES, SentryCategory, SentryUnit};
