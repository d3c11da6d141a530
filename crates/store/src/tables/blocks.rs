//! What a block of the log does to the tables.

use rusqlite::Connection;

use super::sql::Failure;
use super::{accounts, fates, quarantine};
use crate::block::Block;

pub(super) fn apply(connection: &Connection, block: &Block) -> Result<(), Failure> {
    for seen in &block.draft.first_sight {
        accounts::see(connection, &seen.account, block.position + u64::from(seen.index))?;
    }
    quarantine::add(connection, block)?;
    fates::add(connection, block)
}
