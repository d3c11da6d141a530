//! Configuration: YAML files of documents, one `kind` each, to typed terms.

mod account;
mod contract;
mod document;
pub(crate) mod fields;
mod items;
mod meter;
mod overlaps;
mod plan;
mod policy;
mod price;
pub(crate) mod problem;
mod references;
mod scalar;
mod seller;
mod suggest;
mod term;
pub(crate) mod values;
pub(crate) mod yaml;

pub use account::Account;
pub(crate) use document::read_file;
pub use document::{Document, load_path, read_documents};
pub use policy::Policy;
pub use problem::{Problem, TermProblem};
pub use references::check_references;
pub use suggest::hint;
pub use term::{Term, parse_term};
