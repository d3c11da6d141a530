//! Decimal text: the digits, the place of the point, and the way back to text.

use ethnum::{I256, U256};

/// Ten to the `exponent`, or nothing where 256 bits with a sign do not hold it (above 76).
pub(crate) fn power_of_ten(exponent: u32) -> Option<I256> {
    I256::new(10).checked_pow(exponent)
}

/// A plain decimal taken apart: `-12.50` is negative, `12`, `50`.
pub(crate) struct Plain<'a> {
    pub(crate) negative: bool,
    pub(crate) whole: &'a str,
    pub(crate) fraction: &'a str,
}

impl<'a> Plain<'a> {
    /// Reads `-12.5`, refusing what JSON would refuse too: a sign `+`, spaces, `.5`, `5.`, `007`.
    /// An exponent is refused as well.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (unsigned, ""),
        };
        is_whole(whole).then_some(Plain { negative, whole, fraction })
    }

    /// The number times ten to `decimals`, and nothing where more decimals are given or it is too wide.
    /// Zeros at the end of the fraction say nothing and are ignored.
    pub(crate) fn scaled(&self, decimals: u32) -> Option<I256> {
        let fraction = self.fraction.trim_end_matches('0');
        let missing = decimals.checked_sub(u32::try_from(fraction.len()).ok()?)?;
        let mut value = I256::ZERO;
        for digit in self.whole.bytes().chain(fraction.bytes()) {
            value = push_digit(value, digit)?;
        }
        let value = value.checked_mul(power_of_ten(missing)?)?;
        if self.negative { value.checked_neg() } else { Some(value) }
    }

    /// How many decimals say something: 1 for `2.50`.
    pub(crate) fn decimals(&self) -> usize {
        self.fraction.trim_end_matches('0').len()
    }
}

/// `value × 10 + digit`, of an ASCII digit.
pub(crate) fn push_digit(value: I256, digit: u8) -> Option<I256> {
    let digit = I256::from(digit.checked_sub(b'0')?);
    value.checked_mul(I256::new(10))?.checked_add(digit)
}

pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits without a leading zero, or `0` itself.
pub(crate) fn is_whole(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

/// Writes `scaled / 10^decimals` as a plain decimal with at least `decimals_min` decimals.
pub(crate) fn to_plain(scaled: I256, decimals: usize, decimals_min: usize) -> String {
    let digits = magnitude(scaled).to_string();
    let digits = format!("{digits:0>width$}", width = decimals.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
    let mut kept = fraction.trim_end_matches('0').to_owned();
    while kept.len() < decimals_min {
        kept.push('0');
    }
    let sign = if scaled.is_negative() { "-" } else { "" };
    if kept.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{kept}") }
}

/// The absolute value, which every signed number has among the unsigned ones.
pub(crate) fn magnitude(value: I256) -> U256 {
    value.unsigned_abs()
}

/// At most 40 characters of a text, for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(40).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text() {
        let check = |scaled: i128, decimals: usize, least: usize, expect: &str| {
            assert_eq!(to_plain(I256::new(scaled), decimals, least), expect);
        };
        check(0, 0, 0, "0");
        check(0, 2, 2, "0.00");
        check(-5, 2, 2, "-0.05");
        check(12_105, 2, 2, "121.05");
        check(12_100, 2, 0, "121");
        check(12_150, 2, 0, "121.5");
        check(-7, 12, 0, "-0.000000000007");
    }

    #[test]
    fn refuses_what_is_no_plain_decimal() {
        for text in
            ["", "-", "+1", " 1", "1 ", ".5", "5.", "007", "1e3", "1_000", "١", "--1", "1.2.3", "1.-2"]
        {
            assert!(Plain::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn excerpt_is_short() {
        assert_eq!(excerpt("12x"), "12x");
        assert_eq!(excerpt(&"9".repeat(100)).chars().count(), 41);
    }
}
