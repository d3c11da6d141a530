//! What a journal row does to the tables: its effects, in their order.

use rusqlite::Connection;

use super::invoices::{NewDraft, NewIssue};
use super::seals::StoredSeal;
use super::sql::Failure;
use super::terms::NewTerm;
use super::{accounts, commands, entries, invoices, quarantine, seals, terms};
use crate::row::{Effect, Row};

pub(super) fn apply(connection: &Connection, row: &Row) -> Result<(), Failure> {
    commands::add(connection, row)?;
    let mut posted = 0;
    for (place, effect) in row.draft.effects.iter().enumerate() {
        apply_effect(connection, row, place, effect, &mut posted)?;
    }
    Ok(())
}

fn apply_effect(
    connection: &Connection,
    row: &Row,
    place: usize,
    effect: &Effect,
    posted: &mut usize,
) -> Result<(), Failure> {
    match effect {
        Effect::Term { kind, name, version, effective_at, body } => {
            let term = NewTerm { kind, name, version: *version, effective_at: *effective_at, body };
            terms::add(connection, row, &term)
        }
        Effect::Personal { account, field, hash } => {
            accounts::set_personal(connection, row.number, account, field, hash.as_deref())
        }
        Effect::Seal { seller, period, end, cut, override_reason } => {
            let seal = StoredSeal {
                seller: seller.clone(),
                period: period.clone(),
                end: *end,
                cut: cut.clone(),
                override_reason: override_reason.clone(),
                by_row: row.number,
            };
            seals::add(connection, place, &seal)
        }
        Effect::Draft { invoice, account, seller, period, body, envelope } => {
            let draft = NewDraft { invoice, account, seller, period, body, envelope };
            invoices::draft(connection, row.number, &draft)
        }
        Effect::Issue { invoice, series, sequence, number, body, envelope, entries } => {
            let issue = NewIssue { invoice, series, sequence: *sequence, number, body, envelope };
            invoices::issue(connection, row.number, &issue)?;
            for entry in entries {
                entries::post(connection, row.number, *posted, entry)?;
                *posted += 1;
            }
            Ok(())
        }
        Effect::Quarantine { position, status } => {
            quarantine::set_status(connection, row.number, *position, status)
        }
    }
}
