//! One file a command.

pub mod apply;
pub mod demo;
pub mod explain;
pub mod export;
pub mod generate;
pub mod ingest;
pub mod invoice;
pub mod personal;
pub mod quarantine;
pub mod rate;
pub mod usage;
pub mod verify;
