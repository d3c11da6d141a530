//! Foreign text in messages: bounded, so that a message stays a line.

/// Characters that a message repeats of a foreign text.
const CHARS_MAX: usize = 64;

/// The text on one line, cut after 64 characters with `…` where it is longer.
pub(crate) fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars
        .by_ref()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn cuts_at_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(excerpt(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
        assert_eq!(excerpt("a\nb"), "a\u{fffd}b");
    }
}
