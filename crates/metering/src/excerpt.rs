//! Foreign text in messages: bounded, so that a message stays a line.

/// Characters that a message repeats of a foreign text.
const CHARS_MAX: usize = 64;

/// The text, cut after 64 characters with `…` where it is longer.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).map_or_else(String::new, |head| format!("{head}…")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(excerpt(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
    }
}
