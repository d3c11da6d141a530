//! The store (being written).
pub mod disk;
