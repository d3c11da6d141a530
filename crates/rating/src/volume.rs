//! Every unit costs what the tier of the whole quantity says.
//!
//! Rule: the tier that contains all usage, the included quantity too, is chosen; what lies above the included
//! quantity costs that tier's unit price ÷ per, and its flat amount once. Without paid usage nothing is owed,
//! unless the term charges without usage.

use crate::demand::{Demand, nothing};
use crate::tier::{Tier, bands};
use crate::traced::Traced;
use money::{NumberError, Rational};

pub(crate) fn charge(demand: Demand, tiers: &[Tier], per: Rational) -> Result<Traced, NumberError> {
    // A sound price has an unbounded last tier, so that one contains whatever the others do not.
    let chosen = bands(tiers).find(|band| !band.is_passed_by(demand.gross));
    let Some(band) = chosen.filter(|_| demand.is_entered) else {
        return nothing(demand.net, "no tier reached");
    };
    let mut parts = vec![demand.net.at_rate(band.tier.unit, per)?];
    if !band.tier.flat.is_zero() {
        parts.push(Traced::constant(band.tier.flat, "tier flat"));
    }
    Ok(Traced::sum(parts)?.noted(band.note()))
}

#[cfg(test)]
mod tests {
    use crate::Price;
    use crate::check::{basis_of, check, check_unused, number, tiers};

    fn price() -> Price {
        let tiers = tiers(&[("100", "2", "10"), ("200", "1", "0"), ("", "0.5", "50")]);
        Price::Volume { tiers, per: number("1") }
    }

    #[test]
    fn volume() {
        check(price(), "0", "0", "0");
        check(price(), "0", "1", "12");
        check(price(), "0", "100", "210");
        check(price(), "0", "100.000000000001", "100.000000000001");
        check(price(), "0", "100.5", "100.5");
        check(price(), "0", "200", "200");
        check(price(), "0", "200.000000000001", "150.0000000000005");
        check(price(), "0", "210", "155");
        check(price(), "0", "-1", "0");
    }

    #[test]
    fn the_tier_is_chosen_with_the_included_quantity() {
        let price = || Price::Volume { tiers: tiers(&[("15", "10", "0"), ("", "5", "0")]), per: number("1") };
        check(price(), "0", "20", "100");
        check(price(), "5", "20", "75");
        check(price(), "5", "15", "100");
        check(price(), "5", "5", "0");
    }

    #[test]
    fn without_usage() {
        check_unused(price(), "0", "0", "10");
        check_unused(price(), "300", "250", "50");
        check_unused(price(), "0", "1", "12");
    }

    #[test]
    fn the_basis_shows_its_tier() {
        assert_eq!(basis_of(price(), "210"), "(210 × 0.5) + 50");
    }
}
