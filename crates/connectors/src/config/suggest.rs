//! “Did you mean”: the nearest of the known names.

/// Names beyond this are not compared: the cost is the product of both lengths.
const CHARS_MAX: usize = 40;

/// A hint that names the nearest known name, or else the first dozen of all.
pub fn hint<'n>(found: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(found, &known) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "none is known".to_owned(),
        None => format!("known are {}", listed(&known)),
    }
}

/// The nearest name that is near: at most a third of its letters differ.
pub(crate) fn nearest<'n>(found: &str, known: &[&'n str]) -> Option<&'n str> {
    let found: Vec<char> = found.to_lowercase().chars().collect();
    if found.len() > CHARS_MAX {
        return None;
    }
    let distance_of = |name: &&'n str| {
        let letters: Vec<char> = name.to_lowercase().chars().collect();
        let most = (found.len().max(letters.len()) / 3).clamp(1, 3);
        let distance = distance(&found, &letters);
        (letters.len() <= CHARS_MAX && distance <= most).then_some((distance, *name))
    };
    known.iter().filter_map(distance_of).min().map(|(_, name)| name)
}

/// The first dozen, in backticks.
pub(crate) fn listed(known: &[&str]) -> String {
    let shown: Vec<String> = known.iter().take(12).map(|name| format!("`{name}`")).collect();
    let more = known.len().saturating_sub(12);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Letters inserted, dropped, replaced or swapped with their neighbour.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (at, row) in rows.iter_mut().enumerate() {
        row[0] = at;
    }
    rows[0] = (0..=right.len()).collect();
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names() {
        let known = ["aggregate", "events", "meter", "property", "unit"];
        for (found, expect) in [
            ("agregate", Some("aggregate")),
            ("aggergate", Some("aggregate")),
            ("event", Some("events")),
            ("Unit", Some("unit")),
            ("metre", Some("meter")),
            ("price", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, &known), expect, "{found}");
        }
        assert_eq!(hint("evnts", known), "did you mean `events`?");
        assert_eq!(hint("zzz", ["a", "b"]), "known are `a`, `b`");
        assert_eq!(hint("zzz", []), "none is known");
        assert_eq!(nearest(&"x".repeat(1_000_000), &known), None);
    }
}
