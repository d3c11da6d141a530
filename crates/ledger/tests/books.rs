//! Laws of the books: balance, once, refusals that change nothing.
#![allow(missing_docs)]

use ledger::{
    Applied, CommandId, Entry, EntryId, Filter, Ledger, LedgerAccount, LedgerError, PostingType, Side,
    Transaction, TransactionError,
};
use metering::CivilDate;
use money::{Amount, Currency};
use proptest::prelude::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn date(text: &str) -> CivilDate {
    CivilDate::parse(text).unwrap()
}

fn entry(command: &str, index: u32, ledger_account: LedgerAccount, side: Side, minor: i128) -> Entry {
    Entry {
        id: EntryId { command: CommandId(command.into()), index },
        seller: "demo".into(),
        payer: "acme".into(),
        account: "acme".into(),
        document: format!("doc-{command}"),
        document_line: Some(1),
        line_key: Some("acme/acme/c/errors/2026-08-01".into()),
        ledger_account,
        posting_type: PostingType::Rated,
        cause: "invoice_run".into(),
        tax_component: None,
        accounting_date: date("2026-09-02"),
        service_period: Some((date("2026-08-01"), date("2026-09-01"))),
        recorded_position: 7,
        side,
        amount: Amount::from_minor(minor, currency("USD")),
    }
}

fn pair(command: &str, minor: i128) -> Vec<Entry> {
    vec![
        entry(command, 0, LedgerAccount::ContractPosition, Side::Debit, minor),
        entry(command, 1, LedgerAccount::Revenue, Side::Credit, minor),
    ]
}

fn transaction(command: &str, entries: Vec<Entry>) -> Result<Transaction, TransactionError> {
    Transaction::new(CommandId(command.into()), entries)
}

#[test]
fn entries_that_are_no_transaction_are_refused() {
    fn check(change: impl Fn(&mut Vec<Entry>), expect: &str) {
        let mut entries = pair("a", 100);
        change(&mut entries);
        assert_eq!(transaction("a", entries).unwrap_err().to_string(), expect);
    }
    check(|e| e.clear(), "a transaction has at least two entries, found `0`");
    check(|e| drop(e.pop()), "a transaction has at least two entries, found `1`");
    check(|e| e[1].id.index = 2, "expected the entry id `a#1`, found `a#2`");
    check(|e| e[1].id.command = CommandId("b".into()), "expected the entry id `a#1`, found `b#1`");
    check(|e| e[1].seller = "other".into(), "a transaction has one seller, expected `demo`, found `other`");
    for minor in [0, -100] {
        let found = Amount::from_minor(minor, currency("USD"));
        check(
            |e| e[0].amount = found,
            &format!("entry `a#0`: expected an amount above zero, found `{found}`"),
        );
    }
    check(|e| e[1].side = Side::Debit, "debits less credits in USD must be 0, found `200` minor units");
    check(
        |e| e[1].amount = Amount::from_minor(99, currency("USD")),
        "debits less credits in USD must be 0, found `1` minor units",
    );
    check(
        |e| e[1].amount = Amount::from_minor(100, currency("EUR")),
        "document `doc-a` has the currency `USD`, found `EUR`",
    );
}

#[test]
fn two_currencies_must_each_balance() {
    let mut entries = pair("a", 100);
    for (index, mut other) in pair("a", 90).into_iter().enumerate() {
        other.id.index = u32::try_from(index + 2).unwrap();
        other.document = "doc-eur".into();
        other.amount = Amount::from_minor(90, currency("EUR"));
        entries.push(other);
    }
    assert!(transaction("a", entries.clone()).is_ok());
    entries[3].amount = Amount::from_minor(91, currency("EUR"));
    let error = transaction("a", entries).unwrap_err();
    assert_eq!(error, TransactionError::Unbalanced { currency: currency("EUR"), difference: -1 });
}

#[test]
fn a_transaction_is_posted_once() {
    let mut books = Ledger::default();
    let first = transaction("a", pair("a", 100)).unwrap();
    assert_eq!(books.apply(first.clone()), Ok(Applied::Posted));
    let before = books.clone();
    assert_eq!(books.apply(first), Ok(Applied::Already));
    assert_eq!(books, before);

    let other = transaction("a", pair("a", 101)).unwrap();
    assert_eq!(books.apply(other), Err(LedgerError::SameIdOtherEntries { id: CommandId("a".into()) }));
    assert_eq!(books, before);
}

#[test]
fn a_document_keeps_its_currency() {
    let mut books = Ledger::default();
    books.apply(transaction("a", pair("a", 100)).unwrap()).unwrap();
    let before = books.clone();
    let mut entries = pair("b", 100);
    for entry in &mut entries {
        entry.document = "doc-a".into();
        entry.amount = Amount::from_minor(100, currency("EUR"));
    }
    let error = books.apply(transaction("b", entries).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "document `doc-a` has the currency `USD`, found `EUR`");
    assert_eq!(books, before);
}

#[test]
fn balances_are_debits_less_credits_of_what_the_filter_lets_pass() {
    let mut books = Ledger::default();
    books.apply(transaction("a", pair("a", 100)).unwrap()).unwrap();
    let mut later = pair("b", 30);
    for entry in &mut later {
        entry.accounting_date = date("2026-09-03");
        entry.payer = "beta".into();
    }
    books.apply(transaction("b", later).unwrap()).unwrap();
    let check = |account, filter: Filter, expect: Option<i128>| {
        let found = books.balance(account, &filter).unwrap();
        let found = found.get(&currency("USD")).map(|amount| amount.minor());
        assert_eq!(found, expect, "{account} {filter:?}");
    };
    let all = Filter::default;
    check(LedgerAccount::Revenue, all(), Some(-130));
    check(LedgerAccount::ContractPosition, all(), Some(130));
    check(LedgerAccount::Receivable, all(), None);
    check(LedgerAccount::Revenue, Filter { payer: Some("acme".into()), ..all() }, Some(-100));
    check(LedgerAccount::Revenue, Filter { document: Some("doc-b".into()), ..all() }, Some(-30));
    check(LedgerAccount::Revenue, Filter { seller: Some("other".into()), ..all() }, None);
    check(LedgerAccount::Revenue, Filter { account: Some("acme".into()), ..all() }, Some(-130));
    check(LedgerAccount::Revenue, Filter { line_key: Some("x".into()), ..all() }, None);
    check(LedgerAccount::Revenue, Filter { through: Some(date("2026-09-02")), ..all() }, Some(-100));
    check(LedgerAccount::Revenue, Filter { through: Some(date("2026-09-01")), ..all() }, None);
}

/// Amounts whose sums touch the ends of 128 bits now and then.
fn amounts() -> impl Strategy<Value = Vec<i128>> {
    prop::collection::vec(prop_oneof![4 => 1i128..1_000_000, 1 => Just(i128::MAX / 4)], 1..6)
}

proptest! {
    #[test]
    fn trial_balances_balance_and_repeats_change_nothing(
        worlds in prop::collection::vec((0u8..8, amounts()), 1..20)
    ) {
        let mut books = Ledger::default();
        let mut repeats = 0;
        for (name, amounts) in &worlds {
            let command = format!("c{name}");
            let mut entries = Vec::new();
            for minor in amounts {
                for (account, side) in
                    [(LedgerAccount::Receivable, Side::Debit), (LedgerAccount::Revenue, Side::Credit)]
                {
                    let index = u32::try_from(entries.len()).unwrap();
                    entries.push(entry(&command, index, account, side, *minor));
                }
            }
            let transaction = transaction(&command, entries).unwrap();
            let before = books.clone();
            match books.apply(transaction) {
                Ok(Applied::Posted) => {}
                _ => {
                    repeats += 1;
                    prop_assert_eq!(&books, &before);
                }
            }
        }
        prop_assert_eq!(books.transactions().count() + repeats, worlds.len());
        if let Ok(rows) = books.trial_balance() {
            let debits: i128 = rows.values().map(|row| row.debits.minor()).sum();
            let credits: i128 = rows.values().map(|row| row.credits.minor()).sum();
            prop_assert_eq!(debits, credits);
            prop_assert!(debits > 0);
        }
    }
}
