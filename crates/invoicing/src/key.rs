//! The stable key of an invoice line.

use std::fmt;
use std::str::FromStr;

use metering::CivilDate;
use thiserror::Error;

/// What a line is about, for ever: the same key on a later document is a correction of this one.
///
/// Prices, versions, tiers, documents and amounts are not part of it: they may change while the key
/// stays. Its text is its parts joined by `/`, with `~` written `~0` and `/` written `~1` inside a part,
/// and the group only where there is one: `acme/acme/acme-2026/errors/2026-08-01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    /// Who owes.
    pub payer: String,
    /// Whose usage it is.
    pub account: String,
    /// Under which contract.
    pub contract: String,
    /// For which item of it.
    pub item: String,
    /// The first day of the service period.
    pub service_start: CivilDate,
    /// The price group; empty where the item has one price for everything.
    pub group: String,
}

impl fmt::Display for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.payer, &self.account, &self.contract, &self.item] {
            write!(f, "{}/", escape(part))?;
        }
        write!(f, "{}", self.service_start)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, "/{}", escape(&self.group)) }
    }
}

/// A text that is no line key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a line key payer/account/contract/item/date, found `{text}`")]
pub struct LineKeyError {
    /// The text.
    pub text: String,
}

impl FromStr for LineKey {
    type Err = LineKeyError;

    fn from_str(text: &str) -> Result<Self, LineKeyError> {
        read(text).ok_or_else(|| LineKeyError { text: text.to_owned() })
    }
}

fn read(text: &str) -> Option<LineKey> {
    let mut parts = text.split('/');
    let key = LineKey {
        payer: unescape(parts.next()?)?,
        account: unescape(parts.next()?)?,
        contract: unescape(parts.next()?)?,
        item: unescape(parts.next()?)?,
        service_start: CivilDate::parse(parts.next()?).ok()?,
        group: match parts.next() {
            Some("") => return None,
            Some(group) => unescape(group)?,
            None => String::new(),
        },
    };
    parts.next().is_none().then_some(key)
}

fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn unescape(part: &str) -> Option<String> {
    let mut plain = String::with_capacity(part.len());
    let mut letters = part.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '~') {
            (_, false) => plain.push(letter),
            (_, true) => plain.push(match letters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(item: &str, group: &str) -> LineKey {
        LineKey {
            payer: "acme".into(),
            account: "org/1".into(),
            contract: "c~2026".into(),
            item: item.into(),
            service_start: CivilDate::parse("2026-08-01").unwrap(),
            group: group.into(),
        }
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        for (item, group, text) in [
            ("errors", "", "acme/org~11/c~02026/errors/2026-08-01"),
            ("a/b", "eu", "acme/org~11/c~02026/a~1b/2026-08-01/eu"),
        ] {
            let key = key(item, group);
            assert_eq!(key.to_string(), text);
            assert_eq!(text.parse(), Ok(key));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "a/b/c/d",
            "a/b/c/d/2026-13-01",
            "a/b/c/~2/2026-08-01",
            "a/b/c/d/2026-08-01/",
            "a/b/c/d/2026-08-01/g/h",
        ] {
            assert_eq!(text.parse::<LineKey>(), Err(LineKeyError { text: text.into() }));
        }
    }
}
