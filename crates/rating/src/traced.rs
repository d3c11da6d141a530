//! A number that remembers its arithmetic, so that each price model is written once.

use crate::basis::Basis;
use money::{NumberError, Rational};

/// An exact number and the basis that evaluates to it.
#[derive(Clone)]
pub(crate) struct Traced {
    pub(crate) exact: Rational,
    pub(crate) basis: Basis,
}

impl Traced {
    pub(crate) fn usage(value: Rational) -> Self {
        Traced { exact: value, basis: Basis::Usage { value } }
    }

    pub(crate) fn constant(value: Rational, is: &'static str) -> Self {
        Traced { exact: value, basis: Basis::Constant { value, is } }
    }

    pub(crate) fn times(self, factor: Traced) -> Result<Self, NumberError> {
        let exact = self.exact.checked_mul(factor.exact)?;
        Ok(Traced { exact, basis: Basis::Multiply { of: vec![self.basis, factor.basis] } })
    }

    pub(crate) fn over(self, divisor: Traced) -> Result<Self, NumberError> {
        let exact = self.exact.checked_div(divisor.exact)?;
        Ok(Traced { exact, basis: Basis::Divide { of: Box::new(self.basis), by: Box::new(divisor.basis) } })
    }

    pub(crate) fn minus(self, taken: Traced) -> Result<Self, NumberError> {
        let exact = self.exact.checked_sub(taken.exact)?;
        Ok(Traced {
            exact,
            basis: Basis::Subtract { from: Box::new(self.basis), take: Box::new(taken.basis) },
        })
    }

    pub(crate) fn at_least_zero(self) -> Self {
        let value = Rational::ZERO;
        Traced { exact: self.exact.max(value), basis: Basis::AtLeast { value, of: Box::new(self.basis) } }
    }

    pub(crate) fn at_most(self, value: Rational) -> Self {
        Traced { exact: self.exact.min(value), basis: Basis::AtMost { value, of: Box::new(self.basis) } }
    }

    pub(crate) fn ceil(self) -> Self {
        Traced { exact: self.exact.ceil(), basis: Basis::Ceil { of: Box::new(self.basis) } }
    }

    pub(crate) fn noted(self, note: String) -> Self {
        Traced { exact: self.exact, basis: Basis::Noted { note, of: Box::new(self.basis) } }
    }

    /// The sum; one alone stays as it is.
    pub(crate) fn sum(parts: Vec<Traced>) -> Result<Self, NumberError> {
        let mut exact = Rational::ZERO;
        let mut of = Vec::with_capacity(parts.len());
        for part in parts {
            exact = exact.checked_add(part.exact)?;
            of.push(part.basis);
        }
        let basis = match of.pop() {
            Some(only) if of.is_empty() => only,
            Some(last) => {
                of.push(last);
                Basis::Sum { of }
            }
            None => Basis::Sum { of },
        };
        Ok(Traced { exact, basis })
    }

    /// A quantity at a unit price, which covers `per` units.
    pub(crate) fn at_rate(self, unit: Rational, per: Rational) -> Result<Self, NumberError> {
        let product = self.times(Traced::constant(unit, "unit price"))?;
        if per == Rational::ONE { Ok(product) } else { product.over(Traced::constant(per, "per")) }
    }
}
