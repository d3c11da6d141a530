//! The explanation of every line of random bills evaluates to the line.
#![allow(missing_docs)]

#[path = "../../invoicing/tests/world/mod.rs"]
mod world;

use invoicing::{explain, explanation_text};
use sim::evaluator::{Fraction, evaluate};
use world::World;

const BILLS: u64 = 10_000;

#[test]
fn ten_thousand_random_bills_evaluate_to_their_lines() {
    let (mut lines, mut stubs, mut with_tiers, mut residues) = (0u64, 0u64, 0u64, 0u64);
    for seed in 0..BILLS {
        let bill = World::random(seed).bill();
        for line in &bill.lines {
            let explanation = explain(&bill, line, &world::facts(seed, line));
            let found = evaluate(&explanation)
                .unwrap_or_else(|difference| panic!("seed {seed}, line {}: {difference}", line.number));
            let expect = |number: money::Rational| Fraction::read(&number.to_string()).unwrap();
            assert_eq!(found.exact, expect(line.exact), "seed {seed}, line {}", line.number);
            assert_eq!(found.amount, expect(line.amount.to_rational()), "seed {seed}, line {}", line.number);
            assert_eq!(found.residue, expect(line.residue), "seed {seed}, line {}", line.number);
            let text = explanation_text(&explanation);
            assert!(!text.contains('?'), "seed {seed}, line {}: {text}", line.number);
            lines += 1;
            stubs += u64::from(line.spec.is_stub());
            with_tiers += u64::from(line.sublines.len() > 1);
            residues += u64::from(!line.residue.is_zero());
        }
    }
    assert!(lines > 2 * BILLS && stubs > BILLS && with_tiers > BILLS / 5 && residues > BILLS);
}
