//! Every unit costs what its own tier says.
//!
//! Rule: what lies above the included quantity is cut at the bounds. Each tier reached costs the part of the
//! quantity inside it × its unit price ÷ per, and its flat amount once. Without usage no tier is reached, unless
//! the term charges without usage: then tier 1 counts as reached.

use crate::demand::{Demand, nothing};
use crate::tier::{Band, Tier, bands};
use crate::traced::Traced;
use money::{NumberError, Rational};

pub(crate) fn charge(demand: Demand, tiers: &[Tier], per: Rational) -> Result<Traced, NumberError> {
    if !demand.is_entered {
        return nothing(demand.net, "no tier reached");
    }
    let quantity = demand.net.exact;
    let reached = bands(tiers).take_while(|band| band.number == 1 || band.is_reached_by(quantity));
    let parts: Result<Vec<Traced>, NumberError> =
        reached.map(|band| charge_band(&demand.net, &band, per)).collect();
    Traced::sum(parts?)
}

fn charge_band(net: &Traced, band: &Band, per: Rational) -> Result<Traced, NumberError> {
    let mut inside = net.clone();
    if let Some(upper) = band.tier.up_to.filter(|_| band.is_passed_by(net.exact)) {
        inside = inside.at_most(upper);
    }
    if !band.lower.is_zero() {
        inside = inside.minus(Traced::constant(band.lower, "lower bound"))?;
    }
    let mut parts = vec![inside.at_rate(band.tier.unit, per)?];
    if !band.tier.flat.is_zero() {
        parts.push(Traced::constant(band.tier.flat, "tier flat"));
    }
    Ok(Traced::sum(parts)?.noted(band.note()))
}

#[cfg(test)]
mod tests {
    use crate::Price;
    use crate::check::{basis_of, check, check_unused, number, tiers};

    #[test]
    fn graduated() {
        let price = || Price::Graduated {
            tiers: tiers(&[("100", "1", "0"), ("200", "0.5", "20"), ("", "0.1", "0")]),
            per: number("1"),
        };
        check(price(), "0", "0", "0");
        check(price(), "0", "1", "1");
        check(price(), "0", "100", "100");
        check(price(), "0", "100.000000000001", "120.0000000000005");
        check(price(), "0", "99.999999999999", "99.999999999999");
        check(price(), "0", "200", "170");
        check(price(), "0", "200.000000000001", "170.0000000000001");
        check(price(), "0", "250", "175");
        check(price(), "50", "150", "100");
        check(price(), "50", "150.5", "120.25");
        check(price(), "0", "-5", "0");
        check(price(), "0", "100000000000000000000", "10000000000000000150");
    }

    #[test]
    fn without_usage() {
        let price =
            || Price::Graduated { tiers: tiers(&[("5", "0", "100"), ("", "1", "0")]), per: number("1") };
        check(price(), "0", "0", "0");
        check_unused(price(), "0", "0", "100");
        check(price(), "3", "3", "0");
        check_unused(price(), "3", "2", "100");
        check(price(), "3", "3.5", "100");
    }

    #[test]
    fn the_basis_shows_its_tiers() {
        let list = tiers(&[("10000000", "3", "0"), ("20000000", "2.5", "0"), ("", "2", "0")]);
        let price = Price::Graduated { tiers: list, per: number("1000000") };
        assert_eq!(
            basis_of(price, "22361870"),
            "((min(22361870, 10000000) × 3) ÷ 1000000) + (((min(22361870, 20000000) − 10000000) × 2.5) ÷ 1000000) \
             + (((22361870 − 20000000) × 2) ÷ 1000000)"
        );
    }
}
