//! Fractions as text, both ways.

use crate::decimal::{Plain, excerpt, is_whole, power_of_ten, push_digit, to_plain};
use crate::rational::{NumberError, Rational};
use ethnum::I256;
use std::fmt;
use std::str::FromStr;

impl Rational {
    /// Reads `-12.5` or `10/31`.
    ///
    /// No exponent, no `+`, no spaces, no `.5`, no `5.`, no leading zeros; the part under the bar has no sign.
    ///
    /// **Errors**: [`NumberError::Syntax`]; [`NumberError::DivisionByZero`] for `1/0`;
    /// [`NumberError::Overflow`] for more digits than 256 bits hold.
    ///
    /// **Examples**
    /// ```
    /// use money::{NumberError, Rational};
    /// assert_eq!(Rational::parse("2.50")?.to_string(), "2.5");
    /// assert_eq!(Rational::parse("4/6")?.to_string(), "2/3");
    /// assert!(matches!(Rational::parse("1e3"), Err(NumberError::Syntax { .. })));
    /// # Ok::<(), NumberError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let syntax = || NumberError::Syntax { text: excerpt(text) };
        if let Some((top, bottom)) = text.split_once('/') {
            let top = Plain::parse(top).filter(|plain| plain.fraction.is_empty()).ok_or_else(syntax)?;
            if !is_whole(bottom) {
                return Err(syntax());
            }
            let bottom = bottom.bytes().try_fold(I256::ZERO, push_digit).ok_or(NumberError::Overflow)?;
            return Rational::from_parts(top.scaled(0).ok_or(NumberError::Overflow)?, bottom);
        }
        let plain = Plain::parse(text).ok_or_else(syntax)?;
        let decimals = u32::try_from(plain.decimals()).map_err(|_| NumberError::Overflow)?;
        let scale = power_of_ten(decimals).ok_or(NumberError::Overflow)?;
        Rational::from_parts(plain.scaled(decimals).ok_or(NumberError::Overflow)?, scale)
    }

    /// The shortest finite decimal as (digits, decimals), where one exists and fits.
    fn to_decimal(self) -> Option<(I256, u32)> {
        let (twos, fives) = factors(self.denominator)?;
        let decimals = twos.max(fives);
        let scale = power_of_ten(decimals)?;
        Some((self.numerator.checked_mul(scale / self.denominator)?, decimals))
    }
}

/// How often 2 and 5 divide a positive denominator, or nothing when another prime does.
fn factors(denominator: I256) -> Option<(u32, u32)> {
    let twos = denominator.trailing_zeros();
    let mut rest = denominator >> twos;
    let mut fives = 0_u32;
    while rest % 5 == 0 {
        rest /= 5;
        fives = fives.checked_add(1)?;
    }
    (rest == I256::ONE).then_some((twos, fives))
}

impl FromStr for Rational {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        Rational::parse(text)
    }
}

/// The finite decimal if there is one (that [`Rational::parse`] can read back), else `10/31`.
impl fmt::Display for Rational {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = self.to_decimal().and_then(|(digits, decimals)| {
            let decimals = usize::try_from(decimals).ok()?;
            Some(to_plain(digits, decimals, 0))
        });
        match decimal {
            Some(text) => formatter.pad(&text),
            None => formatter.pad(&format!("{}/{}", self.numerator, self.denominator)),
        }
    }
}

impl fmt::Debug for Rational {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let check = |text: &str, expect: &str| {
            let value = Rational::parse(text).unwrap();
            assert_eq!(value.to_string(), expect, "{text}");
            assert_eq!(Rational::parse(expect), Ok(value), "{text}");
        };
        check("0", "0");
        check("-0", "0");
        check("-0.00", "0");
        check("0/7", "0");
        check("2.50", "2.5");
        check("-12.5", "-12.5");
        check("59.72374", "59.72374");
        check("4/6", "2/3");
        check("-10/31", "-10/31");
        check("1/1024", "0.0009765625");
        check("3/3", "1");
        check("1/15625", "0.000064");
        check("100000000000000000000.000000000001", "100000000000000000000.000000000001");
        check(&format!("0.{}", "0".repeat(100_000)), "0");
    }

    #[test]
    fn a_decimal_too_long_to_read_back_stays_a_fraction() {
        let tiny = Rational::from_parts(I256::ONE, I256::ONE << 200).unwrap();
        assert!(tiny.to_string().starts_with("1/"));
        assert_eq!(Rational::parse(&tiny.to_string()), Ok(tiny));
    }

    #[test]
    fn refused() {
        for text in [
            "", "-", "+1", " 1", "1 ", ".5", "5.", "1e3", "1E3", "0x1", "NaN", "inf", "1/", "/2", "1.5/2",
            "1./2",
        ] {
            assert!(matches!(Rational::parse(text), Err(NumberError::Syntax { .. })), "{text}");
        }
        for text in ["1/-2", "1/2/3", "01", "-01.5", "1/02", "1,5", "1.0/2"] {
            assert!(matches!(Rational::parse(text), Err(NumberError::Syntax { .. })), "{text}");
        }
        assert_eq!(Rational::parse("1/0"), Err(NumberError::DivisionByZero));
        assert_eq!(Rational::parse(&"9".repeat(78)), Err(NumberError::Overflow));
        assert_eq!(Rational::parse(&format!("0.{}1", "0".repeat(100_000))), Err(NumberError::Overflow));
        let error = Rational::parse("1e3").unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a decimal such as 12.5 or a fraction such as 10/31, found `1e3`"
        );
    }
}
