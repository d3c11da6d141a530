//! The canonical text of a JSON number.

/// Powers of ten up to which a number is written out.
const PLAIN_EXPONENT_MAX: i64 = 40;
/// Digits of an exponent that can be worked with; more say nothing about a quantity.
const EXPONENT_DIGITS_MAX: usize = 15;

/// Why a text has no canonical number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadNumber {
    /// Not a number as JSON writes one.
    Syntax,
    /// An exponent of more than 15 digits.
    Exponent,
}

/// The canonical text: equal numbers have equal texts.
///
/// With the first digit that is not zero at 10^a: plain where −40 ≤ a ≤ 40 (`-12.5`, no zeros that say
/// nothing, zero is `0`), else one digit before the point and `e` with a (`1.5e-300`).
pub(crate) fn canonical_number(text: &str) -> Result<String, BadNumber> {
    if is_plain_integer(text) {
        return Ok(text.to_owned());
    }
    let parts = Parts::read(text)?;
    let digits: String = parts.whole.chars().chain(parts.fraction.chars()).collect();
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let kept = digits.trim_matches('0');
    if kept.is_empty() {
        return Ok("0".to_owned());
    }
    let exponent = parts.exponent.ok_or(BadNumber::Exponent)?;
    let places = i64::try_from(parts.whole.len()).map_err(|_| BadNumber::Exponent)?;
    let skipped = i64::try_from(leading).map_err(|_| BadNumber::Exponent)?;
    let first_place = exponent + places - skipped - 1;
    let sign = if parts.is_negative { "-" } else { "" };
    Ok(if (-PLAIN_EXPONENT_MAX..=PLAIN_EXPONENT_MAX).contains(&first_place) {
        format!("{sign}{}", plain(kept, first_place))
    } else {
        format!("{sign}{}e{first_place}", with_point(kept, 1))
    })
}

/// Whether the text is an integer that is its own canonical form: the common case.
fn is_plain_integer(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.as_bytes() {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() <= 40 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    /// Absent where it has too many digits.
    exponent: Option<i64>,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, BadNumber> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (unsigned, Some(0)),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return Err(BadNumber::Syntax),
            None => (mantissa, ""),
        };
        if !is_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(BadNumber::Syntax);
        }
        Ok(Self { is_negative: unsigned.len() < text.len(), whole, fraction, exponent })
    }
}

/// The exponent; nothing where it has too many digits.
fn read_exponent(text: &str) -> Result<Option<i64>, BadNumber> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !is_digits(unsigned) {
        return Err(BadNumber::Syntax);
    }
    let digits = unsigned.trim_start_matches('0');
    if digits.len() > EXPONENT_DIGITS_MAX {
        return Ok(None);
    }
    let value = digits.bytes().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    Ok(Some(if text.starts_with('-') { -value } else { value }))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits whose first stands at 10^`first_place`, written out.
fn plain(digits: &str, first_place: i64) -> String {
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    if first_place < 0 {
        return format!("0.{}{digits}", zeros(-first_place - 1));
    }
    let whole = usize::try_from(first_place + 1).unwrap_or(0);
    match whole.checked_sub(digits.len()) {
        Some(missing) => format!("{digits}{}", "0".repeat(missing)),
        None => with_point(digits, whole),
    }
}

/// Digits with a point after the first `whole`, where any follow.
fn with_point(digits: &str, whole: usize) -> String {
    match digits.split_at_checked(whole) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{whole}.{fraction}"),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(canonical_number(text).as_deref(), Ok(expect), "{text}");
        assert_eq!(canonical_number(expect).as_deref(), Ok(expect), "its own canonical form");
    }

    #[test]
    fn one_text_for_one_number() {
        check("0", "0");
        check("-0", "0");
        check("0.000", "0");
        check("-0.0e99999999999999999999999", "0");
        check("1.50", "1.5");
        check("1e2", "100");
        check("1E+02", "100");
        check("100", "100");
        check("-12.500", "-12.5");
        check("0.10", "0.1");
        check("0.05e1", "0.5");
        check("1200e-3", "1.2");
        check("12345e-2", "123.45");
        check("0.00012", "0.00012");
        check("1e-12", "0.000000000001");
    }

    #[test]
    fn far_numbers_stay_scientific() {
        check("1e40", &format!("1{}", "0".repeat(40)));
        check("1e41", "1e41");
        check(&format!("1{}", "0".repeat(41)), "1e41");
        check("12e40", "1.2e41");
        check("1e-40", &format!("0.{}1", "0".repeat(39)));
        check("1e-41", "1e-41");
        check("0.5e-40", "5e-41");
        check("1e400", "1e400");
        check("-15.0e-301", "-1.5e-300");
        check("1e00000000000000000000400", "1e400");
        check("1e999999999999999", "1e999999999999999");
    }

    #[test]
    fn refused() {
        for text in [
            "", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "1.e5", "NaN", "Infinity", "0x1", "1 ",
            "1_0",
        ] {
            assert_eq!(canonical_number(text), Err(BadNumber::Syntax), "{text}");
        }
        assert_eq!(canonical_number("1e1000000000000000"), Err(BadNumber::Exponent));
        assert_eq!(canonical_number("1e-1000000000000000"), Err(BadNumber::Exponent));
    }
}
