//! Numbers as people write them.

use money::{Rational, Rounding};

/// Digits in groups of three: `22361870` as `22,361,870`; decimals and fractions stay.
pub(crate) fn grouped(number: &str) -> String {
    if let Some((over, under)) = number.split_once('/') {
        return format!("{}/{}", grouped(over), grouped(under));
    }
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, decimals) = rest.split_once('.').map_or((rest, None), |(whole, rest)| (whole, Some(rest)));
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(index);
        if index > 0 && left.checked_rem(3) == Some(0) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(decimals) = decimals {
        text.push('.');
        text.push_str(decimals);
    }
    text
}

/// An amount or unit price with at least the currency's decimals: `3` as `3.00`, `0.00036` as it is.
pub(crate) fn money_text(number: &str, decimals: usize) -> String {
    if number.contains('/') {
        return grouped(number);
    }
    let has = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let point = if has == 0 && decimals > 0 { "." } else { "" };
    format!("{}{point}{}", grouped(number), "0".repeat(decimals.saturating_sub(has)))
}

/// [`money_text`], and what a fraction comes to: `441/775 ≈ 0.569032`.
pub(crate) fn with_decimal(number: &str, decimals: usize) -> String {
    let exact = money_text(number, decimals);
    let places = u32::try_from(decimals.saturating_add(4)).ok();
    let rounded = places.zip(Rational::parse(number).ok()).and_then(|(places, number)| {
        let rounded = money::round_decimals(number, places, Rounding::HalfEven).ok()?;
        (rounded != number).then_some(rounded)
    });
    match rounded.filter(|_| number.contains('/')) {
        Some(rounded) => format!("{exact} ≈ {}", grouped(&rounded.to_string())),
        None => exact,
    }
}

/// `1 event`, `2,000 events`.
pub(crate) fn count(number: &str, noun: &str) -> String {
    let plural = if number == "1" { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (number, expect) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-22361870.5", "-22,361,870.5"),
            ("0.123456", "0.123456"),
            ("10000/31", "10,000/31"),
        ] {
            assert_eq!(grouped(number), expect);
        }
        for (number, decimals, expect) in [
            ("3", 2, "3.00"),
            ("2.5", 2, "2.50"),
            ("0.00036", 2, "0.00036"),
            ("1500", 0, "1,500"),
            ("-29", 2, "-29.00"),
            ("170/31", 2, "170/31"),
        ] {
            assert_eq!(money_text(number, decimals), expect);
        }
        assert_eq!(with_decimal("441/775", 2), "441/775 ≈ 0.569032");
        assert_eq!(with_decimal("0.12345678", 2), "0.12345678");
        assert_eq!(count("1", "event"), "1 event");
        assert_eq!(count("2000", "event"), "2,000 events");
    }
}
