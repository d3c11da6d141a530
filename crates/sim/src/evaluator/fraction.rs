//! Exact fractions for the evaluator alone.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};

/// A fraction of unbounded integers, reduced, the lower part above zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fraction {
    pub(super) over: BigInt,
    pub(super) under: BigInt,
}

impl Fraction {
    pub(super) fn new(over: BigInt, under: BigInt) -> Option<Self> {
        if under.is_zero() {
            return None;
        }
        let common = over.gcd(&under);
        let sign = if under.is_negative() { -BigInt::one() } else { BigInt::one() };
        Some(Self { over: &over * &sign / &common, under: &under * &sign / &common })
    }

    pub(super) fn whole(number: BigInt) -> Self {
        Self { over: number, under: BigInt::one() }
    }

    /// Reads `-12.5` or `10/31`.
    pub fn read(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((over, under)) => Self::new(read_integer(over)?, read_integer(under)?),
            None => match text.split_once('.') {
                Some((_, decimals))
                    if decimals.is_empty() || !decimals.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    None
                }
                Some((whole, decimals)) => {
                    let power = BigInt::from(10).pow(u32::try_from(decimals.len()).ok()?);
                    read_integer(whole)?;
                    Self::new(read_integer(&format!("{whole}{decimals}"))?, power)
                }
                None => Some(Self::whole(read_integer(text)?)),
            },
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let over = &self.over * &other.under + &other.over * &self.under;
        Self::new(over, &self.under * &other.under).unwrap_or_else(|| self.clone())
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        self.plus(&Self { over: -&other.over, under: other.under.clone() })
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        Self::new(&self.over * &other.over, &self.under * &other.under).unwrap_or_else(|| self.clone())
    }

    pub(super) fn over(&self, other: &Self) -> Option<Self> {
        Self::new(&self.over * &other.under, &self.under * &other.over)
    }

    pub(super) fn ceiling(&self) -> Self {
        Self::whole(self.over.div_ceil(&self.under))
    }

    pub(super) fn size(&self) -> Self {
        Self { over: self.over.abs(), under: self.under.clone() }
    }

    pub(super) fn below(&self, other: &Self) -> bool {
        self.minus(other).over.is_negative()
    }
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.under.is_one() {
            write!(f, "{}", self.over)
        } else {
            write!(f, "{}/{}", self.over, self.under)
        }
    }
}

fn read_integer(text: &str) -> Option<BigInt> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
