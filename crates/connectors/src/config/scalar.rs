//! What a text without quotes may be taken for.

/// A whole number in its one spelling.
pub(super) fn whole_number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// What some YAML reader would take for a number.
pub(super) fn looks_like_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let is_special = matches!(lower.as_str(), ".inf" | ".nan");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let based = |prefix: &str| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let (mantissa, exponent) = lower.split_once('e').map_or((lower.as_str(), None), |(m, e)| (m, Some(e)));
    let has_exponent = exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let has_digits = digits(whole) || (!fraction.is_empty() && mantissa.contains('.') && digits(fraction));
    let is_decimal = has_digits
        && (whole.is_empty() || digits(whole))
        && (fraction.is_empty() || digits(fraction))
        && has_exponent;
    is_special || based("0x") || based("0o") || is_decimal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_one_spelling() {
        assert_eq!(whole_number("17"), Some(17));
        assert_eq!(whole_number("-17"), Some(-17));
        for text in ["017", "+17", "-0", "1_7", "17.0", "", "9223372036854775808"] {
            assert_eq!(whole_number(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_and_what_only_resembles_them() {
        for text in ["1.5", "-1.", ".5", "1e3", "1E-3", "+1", "007", "0x1f", "0o17", ".inf", "-.NaN"] {
            assert!(looks_like_number(text), "{text}");
        }
        for text in ["", ".", "-", "e5", "1e", "1.2.3", "1,5", "1_000", "0x", "12:30", "2026-08-01", "inf"] {
            assert!(!looks_like_number(text), "{text}");
        }
    }
}
