//! Rust source without its comments and literals, so that a word in a text is not taken for code.

/// The source with every comment, string and character literal replaced by blanks; lines stay where they are.
pub fn code_only(source: &str) -> String {
    let mut scanner = Scanner { rest: source, code: String::with_capacity(source.len()) };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.code
}

struct Scanner<'a> {
    rest: &'a str,
    code: String,
}

impl Scanner<'_> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(length) = self.after_word_end().then(|| raw_string(self.rest)).flatten() {
            self.blank(length);
        } else if self.rest.starts_with('"') {
            self.blank(quoted(self.rest, '"'));
        } else if self.rest.starts_with('\'') && is_character(self.rest) {
            self.blank(quoted(self.rest, '\''));
        } else {
            let length = self.rest.chars().next().map_or(1, char::len_utf8);
            self.code.push_str(&self.rest[..length]);
            self.rest = &self.rest[length..];
        }
    }

    /// Whether what stands before is no part of a word, so that an `r` here can begin a raw string.
    fn after_word_end(&self) -> bool {
        !self.code.ends_with(|last: char| last.is_alphanumeric() || last == '_')
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.code.extend(gone.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

/// The length of a block comment, nested ones included.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a raw string (`r"…"`, `br#"…"#`) that begins here, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = text[start.len()..].bytes().take_while(|byte| *byte == b'#').count();
    let open = start.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[open..].find(&close).map_or(text.len(), |at| open + at + close.len()))
}

/// The length of a literal between quotes, escapes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

/// Whether a quote begins a character and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    matches!((characters.next(), characters.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// The words of code: identifiers, keywords, numbers.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .filter(|word| !word.is_empty())
}

/// The float literals of a line of code, such as `1.5`, `2.`, `1e3`; `x.0.1` and `1..5` are none.
pub fn float_literals(code: &str) -> Vec<String> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit()
            && !(at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || matches!(bytes[at - 1], b'_' | b'.')));
        if !begins {
            at += 1;
            continue;
        }
        let end = number_end(bytes, at);
        let text = &code[at..end];
        let suffix =
            text.trim_start_matches(|character: char| character.is_ascii_digit() || character == '_');
        if suffix.starts_with(['.', 'e', 'E', 'f']) {
            found.push(text.to_owned());
        }
        at = end;
    }
    found
}

/// Where a number that begins here ends; a point belongs to it unless a range or a method follows.
fn number_end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut point = false;
    while let Some(byte) = bytes.get(end) {
        let next = bytes.get(end + 1);
        let is_point = *byte == b'.'
            && !point
            && !next.is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, b'_' | b'.'));
        if !(byte.is_ascii_alphanumeric() || *byte == b'_' || is_point) {
            break;
        }
        point |= is_point;
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_comments_are_no_code() {
        let check = |source: &str, expect: &str| assert_eq!(code_only(source), expect, "{source}");
        check("a // f64\nb", "a       \nb");
        check("a /* x /* y */ f64 */ b", "a                     b");
        check(r#"x("f64 \" f32") y"#, "x(            ) y");
        check("r#\"f64 \" \"# z", "            z");
        check("bar\"f64\"", "bar     ");
        check("'\"' f64", "    f64");
        check("&'a f64", "&'a f64");
        check(r"'\'' b", "     b");
    }

    #[test]
    fn floats_are_told_from_ranges_and_fields() {
        let check = |code: &str, expect: &[&str]| assert_eq!(float_literals(code), expect, "{code}");
        check("let x = 1.5;", &["1.5"]);
        check("let x = 2.;", &["2."]);
        check("let x = 1e3 + 1E-3;", &["1e3", "1E"]);
        check("x.0.1 + y[0]", &[]);
        check("0..5 1.max(2) 0x1e3 1_000_usize", &[]);
        check("1_f64", &["1_f64"]);
    }
}
