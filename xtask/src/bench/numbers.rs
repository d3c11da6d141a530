//! Figures: medians, ratios, and how they are printed.

/// The middle of the numbers, the lower one of two; 0 of none.
pub fn median(numbers: &[u64]) -> u64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// `1.52` for 1520 thousandths.
pub fn thousandths(number: u64) -> String {
    let rounded = (number + 5) / 10;
    format!("{}.{:02}", rounded / 100, rounded % 100)
}

/// A quotient in thousandths; 0 where there is none.
pub fn ratio(numerator: u64, denominator: u64) -> u64 {
    let scaled = u128::from(numerator) * 1000 + u128::from(denominator) / 2;
    scaled.checked_div(u128::from(denominator)).and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(0)
}

/// `1,234,567`.
pub fn grouped(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2.52 M/s`.
pub fn rate(events: u64, wall_ms: u64) -> String {
    // Events a millisecond are thousands a second, so they are thousandths of a million a second.
    format!("{} M/s", thousandths(events / wall_ms.max(1)))
}

/// `1,264 MB` of 1024 bytes each.
pub fn megabytes(kibibytes: u64) -> String {
    format!("{} MB", grouped(kibibytes * 1024 / 1_000_000))
}

/// The number behind `"name":` in flat JSON, with or without quotes around it; all of them, in their order.
pub fn fields(json: &str, name: &str) -> Vec<i128> {
    let key = format!("\"{name}\"");
    json.split(key.as_str())
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.trim_start().strip_prefix(':')?.trim_start();
            let rest = rest.strip_prefix('"').unwrap_or(rest);
            let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
            // What has decimals is no whole number.
            if rest.get(end..)?.starts_with('.') { None } else { rest.get(..end)?.parse().ok() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_one_that_was_measured() {
        assert_eq!(median(&[5, 1, 3]), 3);
        assert_eq!(median(&[4, 1, 3, 2]), 2);
        assert_eq!(median(&[]), 0);
    }

    #[test]
    fn numbers_are_printed_exactly() {
        assert_eq!(thousandths(1_520), "1.52");
        assert_eq!(thousandths(1_995), "2.00");
        assert_eq!(ratio(3, 2), 1_500);
        assert_eq!(ratio(3, 0), 0);
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-123_456), "-123,456");
        assert_eq!(grouped(12), "12");
        assert_eq!(rate(5_000_000, 2_000), "2.50 M/s");
        assert_eq!(megabytes(1_000_000), "1,024 MB");
    }

    #[test]
    fn fields_are_found_with_and_without_quotes() {
        let json = r#"{"meters":[{"count": "12", "sum":"-3"},{"count":7,"sum":"1.5"}]}"#;
        assert_eq!(fields(json, "count"), [12, 7]);
        assert_eq!(fields(json, "sum"), [-3]);
        assert_eq!(fields(json, "other"), []);
    }
}
