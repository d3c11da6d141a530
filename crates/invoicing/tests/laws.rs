//! Laws that hold for every bill.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeSet;

use invoicing::{
    BillingCode, IssueFacts, bill, body, canonical_bytes, entries_json, entry_from_value, line_keys,
    line_specs, numbered, posting,
};
use ledger::{Filter, Ledger, LedgerAccount};
use metering::billing_periods;
use money::{Amount, Rational};
use world::{Chance, World, date, seller};

const WORLDS: u64 = 3000;

/// Runs a law in many worlds and tells how often its edge was met, so that a law is never idle.
fn law(expect_edges: u64, check: impl Fn(&World) -> bool) {
    let edges = (0..WORLDS)
        .filter(|seed| {
            let world = World::random(*seed);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&world)));
            outcome.unwrap_or_else(|_| panic!("the law fails in the world of seed `{seed}`"))
        })
        .count();
    assert!(edges as u64 >= expect_edges, "the edge was met in {edges} worlds, expected `{expect_edges}`");
}

fn bytes(world: &World) -> Vec<u8> {
    canonical_bytes(&body(&world.bill(), &seller(world.contract.currency), Some("DEMO-000001")))
}

fn issue_facts() -> IssueFacts {
    IssueFacts { number: "DEMO-000001".into(), accounting_date: date("2026-09-02"), recorded_position: 9 }
}

#[test]
fn tiers_sum_to_their_line_and_lines_to_the_total() {
    law(300, |world| {
        let bill = world.bill();
        let mut total = Amount::zero(world.contract.currency);
        let mut has_tiers = false;
        for line in &bill.lines {
            assert_eq!(line.basis.evaluate(), Ok(line.exact));
            assert_eq!(line.amount.to_rational().checked_sub(line.exact), Ok(line.residue));
            total = total.checked_add(line.amount).unwrap();
            if line.sublines.is_empty() {
                continue;
            }
            let zero = (Rational::ZERO, Amount::zero(world.contract.currency));
            let sums = line.sublines.iter().fold(zero, |(exact, amount), part| {
                (exact.checked_add(part.exact).unwrap(), amount.checked_add(part.amount).unwrap())
            });
            assert_eq!(sums, (line.exact, line.amount));
            has_tiers |= line.sublines.len() > 1;
        }
        assert_eq!(total, bill.total);
        has_tiers
    });
}

#[test]
fn the_order_of_items_and_usage_changes_no_byte() {
    law(1000, |world| {
        let mut shuffled = World::random(world.seed);
        let chance = &mut Chance::new(world.seed ^ 7);
        for index in (1..shuffled.specs.len()).rev() {
            let other = usize::try_from(chance.below(index as u64 + 1)).unwrap();
            shuffled.specs.swap(index, other);
            shuffled.usages.swap(index, other);
        }
        assert_eq!(bytes(&shuffled), bytes(world));
        shuffled.specs.len() > 1 && shuffled.specs != world.specs
    });
}

#[test]
fn the_same_input_makes_the_same_bytes_sorted_and_without_a_store_s_secrets() {
    law(1000, |world| {
        let bytes = bytes(world);
        assert_eq!(bytes, self::bytes(&World::random(world.seed)));
        let parsed: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(canonical_bytes(&parsed), bytes);
        let text = String::from_utf8(bytes).unwrap();
        let bill = world.bill();
        for usage in bill.lines.iter().filter_map(|line| line.usage.as_ref()) {
            assert!(!text.contains(&usage.digest.to_string()));
        }
        for word in ["digest", "known_at", "recorded", "issued", "position", "hash"] {
            assert!(!text.contains(word), "{word}");
        }
        !bill.lines.is_empty()
    });
}

#[test]
fn a_number_is_all_that_issuing_adds() {
    law(1000, |world| {
        let bill = world.bill();
        let seller = seller(world.contract.currency);
        let draft = body(&bill, &seller, None);
        assert_eq!(draft.get("number"), None);
        assert_eq!(numbered(&draft, "DEMO-000001"), body(&bill, &seller, Some("DEMO-000001")));
        let keys: Vec<_> = bill.lines.iter().map(|line| line.spec.key.clone()).collect();
        assert_eq!(line_keys(&draft), Ok(keys));
        !bill.lines.is_empty()
    });
}

#[test]
fn what_is_posted_balances_and_leaves_every_position_at_zero() {
    law(1000, |world| {
        let bill = world.bill();
        let body = body(&bill, &seller(world.contract.currency), Some("DEMO-000001"));
        if bill.total.is_negative() {
            assert!(posting(&body, &issue_facts()).is_err());
            assert!(bill.problems.iter().any(|problem| problem.code == BillingCode::TotalNegative));
            return false;
        }
        let Some(transaction) = posting(&body, &issue_facts()).unwrap() else {
            assert!(bill.lines.iter().all(|line| line.amount.is_zero()));
            return false;
        };
        let read: Vec<_> =
            entries_json(&transaction).iter().map(|value| entry_from_value(value).unwrap()).collect();
        assert_eq!(read, transaction.entries());
        let mut books = Ledger::default();
        books.apply(transaction).unwrap();
        let balance = |account, filter: &Filter| {
            let found = books.balance(account, filter).unwrap();
            found.get(&world.contract.currency).map_or(0, |amount| amount.minor())
        };
        assert_eq!(balance(LedgerAccount::Receivable, &Filter::default()), bill.total.minor());
        assert_eq!(balance(LedgerAccount::Revenue, &Filter::default()), -bill.total.minor());
        for line in &bill.lines {
            let of_key = Filter { line_key: Some(line.spec.key.to_string()), ..Filter::default() };
            assert_eq!(balance(LedgerAccount::ContractPosition, &of_key), 0);
            assert_eq!(balance(LedgerAccount::Revenue, &of_key), -line.amount.minor());
        }
        true
    });
}

#[test]
fn a_period_cut_in_two_costs_the_same_to_the_last_digit() {
    law(500, |world| {
        let whole = &world.contract;
        let days = world.period.days();
        let middle = world.period.first.plus_days(days / 2).unwrap();
        if middle == world.period.first {
            return false;
        }
        let share = |contract: &invoicing::terms::Contract| {
            let periods =
                billing_periods(contract.anchor, &contract.zone, contract.start, contract.end).take(4);
            let period =
                periods.into_iter().find(|p| world.period.first <= p.first && p.next <= world.period.next);
            let mut terms = world.terms.clone();
            terms.contracts = Default::default();
            let (specs, _) = line_specs(&terms, contract, &period?, &BTreeSet::new());
            let fees = specs
                .iter()
                .filter(|spec| spec.meter.is_none() && spec.service.first == period.unwrap().first);
            let fees =
                fees.filter(|spec| spec.part_days != spec.whole_days || spec.item.charging == prorated(spec));
            let exact = fees.map(|spec| {
                bill(contract, &period.unwrap(), std::slice::from_ref(spec), &[None]).unwrap().lines[0].exact
            });
            Some(exact.fold(Rational::ZERO, |sum, next| sum.checked_add(next).unwrap()))
        };
        let first =
            invoicing::terms::Contract { start: world.period.first, end: Some(middle), ..whole.clone() };
        let second =
            invoicing::terms::Contract { start: middle, end: Some(world.period.next), ..whole.clone() };
        let one = invoicing::terms::Contract {
            start: world.period.first,
            end: Some(world.period.next),
            ..whole.clone()
        };
        let (Some(first), Some(second), Some(one)) = (share(&first), share(&second), share(&one)) else {
            return false;
        };
        assert_eq!(first.checked_add(second), Ok(one));
        !one.is_zero()
    });
}

/// The charging of a fee that prorates by day; a value equal to no other fee's.
fn prorated(spec: &invoicing::LineSpec) -> invoicing::terms::Charging {
    use invoicing::terms::{Charging, Prorate};
    match &spec.item.charging {
        Charging::Fee { amount, quantity, pay, .. } => {
            Charging::Fee { amount: *amount, quantity: *quantity, pay: *pay, prorate: Prorate::Day }
        }
        other => other.clone(),
    }
}

#[test]
fn every_ahead_fee_is_billed_once_and_every_other_item_once_a_period() {
    law(200, |world| {
        let contract = &world.contract;
        let periods: Vec<_> =
            billing_periods(contract.anchor, &contract.zone, contract.start, contract.end).take(4).collect();
        let mut billed = BTreeSet::new();
        for period in &periods {
            let (specs, _) = line_specs(&world.terms, contract, period, &billed);
            for spec in specs {
                assert!(billed.insert(spec.key.clone()), "{} twice", spec.key);
                assert!(spec.service.start <= period.end);
            }
        }
        let first = periods[0].first;
        let per_item: Vec<_> = billed.iter().filter(|key| key.service_start == first).collect();
        for key in &per_item {
            let times = billed.iter().filter(|other| other.item == key.item).count();
            assert!((periods.len()..=periods.len() + 1).contains(&times), "{key} {times} times");
        }
        periods.len() > 2 && !per_item.is_empty()
    });
}
