//! What a period's quantity asks of a price.

use crate::price::PriceTerm;
use crate::traced::Traced;
use money::{NumberError, Rational};

/// The quantity before and after the included one, neither below zero.
pub(crate) struct Demand {
    /// All usage: a volume price chooses its tier by it.
    pub(crate) gross: Rational,
    /// Usage beyond the included quantity: what is paid for.
    pub(crate) net: Traced,
    /// Whether flat amounts are owed: something is paid for, or the term charges without usage.
    pub(crate) is_entered: bool,
}

impl Demand {
    pub(crate) fn new(quantity: Rational, term: &PriceTerm) -> Result<Self, NumberError> {
        let usage = Traced::usage(quantity);
        let usage = if quantity.is_negative() { usage.at_least_zero() } else { usage };
        let gross = usage.exact;
        let net = if term.included.is_zero() {
            usage
        } else {
            usage.minus(Traced::constant(term.included, "included"))?.at_least_zero()
        };
        let is_entered = term.charge_when_unused || !net.exact.is_zero();
        Ok(Demand { gross, net, is_entered })
    }
}

/// Nothing is owed, and why.
pub(crate) fn nothing(net: Traced, note: &str) -> Result<Traced, NumberError> {
    Ok(net.times(Traced::constant(Rational::ZERO, "nothing owed"))?.noted(note.to_owned()))
}
