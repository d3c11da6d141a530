//! What blocks of the log do to the tables.

use rusqlite::Connection;

use super::sql::Failure;
use super::{accounts, fates, quarantine};
use crate::block::Block;

pub(super) fn apply(connection: &Connection, blocks: &[Block]) -> Result<(), Failure> {
    accounts::see(connection, blocks)?;
    for block in blocks {
        quarantine::add(connection, block)?;
    }
    fates::add(connection, blocks)
}
