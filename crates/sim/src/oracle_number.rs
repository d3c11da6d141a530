//! Fractions of unbounded integers, and rounding, allocation and splits in time written from their rules.
//!
//! Slow and plain on purpose. It shares no code with `money`, and chooses other ways to the same numbers: rounding
//! looks at both neighbours, a share's place in the queue is counted, a split recomputes every prefix.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// An exact fraction; the bottom is above zero.
#[derive(Debug, Clone)]
pub struct Fraction {
    top: BigInt,
    bottom: BigInt,
}

impl Fraction {
    /// `top / bottom`, reduced.
    ///
    /// # Panics
    /// Where `bottom` is zero.
    pub fn new(top: BigInt, bottom: BigInt) -> Self {
        assert!(!bottom.is_zero(), "expected a divisor other than `0`");
        let common = top.gcd(&bottom) * bottom.signum();
        Fraction { top: top / &common, bottom: bottom / &common }
    }

    /// A whole number.
    pub fn whole(value: impl Into<BigInt>) -> Self {
        Fraction { top: value.into(), bottom: BigInt::one() }
    }

    /// Zero.
    pub fn zero() -> Self {
        Fraction::whole(0)
    }

    /// Reads `-12.5` or `10/31`.
    ///
    /// # Panics
    /// On anything else: the oracle is asked by tests only.
    pub fn parse(text: &str) -> Self {
        let integer = |digits: &str| match digits.parse::<BigInt>() {
            Ok(value) => value,
            Err(_) => panic!("expected a decimal or a fraction, found `{text}`"),
        };
        if let Some((top, bottom)) = text.split_once('/') {
            return Fraction::new(integer(top), integer(bottom));
        }
        match text.split_once('.') {
            None => Fraction::whole(integer(text)),
            Some((whole, decimals)) => {
                let scale = num_traits::pow(BigInt::from(10), decimals.len());
                Fraction::new(integer(&format!("{whole}{decimals}")), scale)
            }
        }
    }

    /// The top of the reduced fraction.
    pub fn top(&self) -> &BigInt {
        &self.top
    }

    /// The bottom of the reduced fraction, above zero.
    pub fn bottom(&self) -> &BigInt {
        &self.bottom
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.top.is_zero()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.top.is_negative()
    }

    /// The greatest integer not above it.
    pub fn floor(&self) -> BigInt {
        self.top.div_floor(&self.bottom)
    }

    /// The least integer not below it.
    pub fn ceil(&self) -> BigInt {
        -(-&self.top).div_floor(&self.bottom)
    }

    /// A decimal where there is a finite one, without zeros that say nothing; else the reduced fraction.
    pub fn text(&self) -> String {
        let mut rest = self.bottom.clone();
        let mut times = |factor: u32| {
            let mut times = 0usize;
            while rest.is_multiple_of(&BigInt::from(factor)) {
                rest /= factor;
                times += 1;
            }
            times
        };
        let decimals = times(2).max(times(5));
        if !rest.is_one() {
            return self.to_string();
        }
        let scale = num_traits::pow(BigInt::from(10), decimals);
        let digits = (self.top.abs() * scale / &self.bottom).to_string();
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, decimals) = digits.split_at(digits.len() - decimals);
        let sign = if self.is_negative() { "-" } else { "" };
        let point = if decimals.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{decimals}")
    }

    /// Zero where it is below.
    pub fn not_below_zero(self) -> Self {
        if self.is_negative() { Fraction::zero() } else { self }
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.top * &other.bottom).cmp(&(&other.top * &self.bottom))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.top, self.bottom)
    }
}

impl Add for &Fraction {
    type Output = Fraction;

    fn add(self, other: &Fraction) -> Fraction {
        Fraction::new(&self.top * &other.bottom + &other.top * &self.bottom, &self.bottom * &other.bottom)
    }
}

impl Neg for &Fraction {
    type Output = Fraction;

    fn neg(self) -> Fraction {
        Fraction { top: -&self.top, bottom: self.bottom.clone() }
    }
}

impl Sub for &Fraction {
    type Output = Fraction;

    fn sub(self, other: &Fraction) -> Fraction {
        self + &-other
    }
}

impl Mul for &Fraction {
    type Output = Fraction;

    fn mul(self, other: &Fraction) -> Fraction {
        Fraction::new(&self.top * &other.top, &self.bottom * &other.bottom)
    }
}

impl Div for &Fraction {
    type Output = Fraction;

    fn div(self, other: &Fraction) -> Fraction {
        Fraction::new(&self.top * &other.bottom, &self.bottom * &other.top)
    }
}

/// The rounded value in units of 10^-`decimals`, by the name of the mode.
///
/// # Panics
/// On a mode that has no such name.
pub fn round(exact: &Fraction, decimals: u32, mode: &str) -> BigInt {
    let units = exact * &Fraction::whole(BigInt::from(10).pow(decimals));
    let (below, above) = (units.floor(), units.ceil());
    let (inner, outer) = if units.is_negative() { (above, below) } else { (below, above) };
    let to_inner = distance(&units, &inner);
    let to_outer = distance(&units, &outer);
    let is_outer = match (mode, to_outer.cmp(&to_inner)) {
        ("down", _) => false,
        ("up", _) => true,
        ("half_away_from_zero" | "half_even", Ordering::Less) => true,
        ("half_away_from_zero" | "half_even", Ordering::Greater) => false,
        ("half_away_from_zero", Ordering::Equal) => true,
        ("half_even", Ordering::Equal) => outer.is_even(),
        _ => panic!("expected the name of a rounding mode, found `{mode}`"),
    };
    if is_outer { outer } else { inner }
}

fn distance(from: &Fraction, to: &BigInt) -> Fraction {
    let gap = from - &Fraction::whole(to.clone());
    if gap.is_negative() { -&gap } else { gap }
}

/// Largest remainder: every weight's share of `total` minor units, ties to the earlier.
pub fn allocate(total: &BigInt, weights: &[Fraction]) -> Vec<BigInt> {
    let all = weights.iter().fold(Fraction::zero(), |sum, weight| &sum + weight);
    let size = Fraction::whole(total.abs());
    let exact: Vec<Fraction> = weights.iter().map(|weight| &(&size * weight) / &all).collect();
    let remainder = |share: &Fraction| share - &Fraction::whole(share.floor());
    let given: BigInt = exact.iter().map(Fraction::floor).sum();
    let left = total.abs() - given;
    let ranked = |index: usize| {
        let own = remainder(&exact[index]);
        let ahead = |(other, share): (usize, &Fraction)| match remainder(share).cmp(&own) {
            Ordering::Greater => true,
            Ordering::Equal => other < index,
            Ordering::Less => false,
        };
        BigInt::from(exact.iter().enumerate().filter(|pair| ahead(*pair)).count())
    };
    let part = |(index, share): (usize, &Fraction)| {
        let extra = if ranked(index) < left { BigInt::one() } else { BigInt::zero() };
        (share.floor() + extra) * if total.is_negative() { -1 } else { 1 }
    };
    exact.iter().enumerate().map(part).collect()
}

/// A split in time: the rounded total up to each part, less the rounded total before it.
pub fn split(parts: &[Fraction], decimals: u32, mode: &str) -> Vec<BigInt> {
    let up_to = |count: usize| {
        let total = parts[..count].iter().fold(Fraction::zero(), |sum, part| &sum + part);
        round(&total, decimals, mode)
    };
    (0..parts.len()).map(|index| up_to(index + 1) - up_to(index)).collect()
}
