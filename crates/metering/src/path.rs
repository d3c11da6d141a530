//! Dotted paths into properties.

use crate::value::Value;

/// The value behind a path; at each object the longest run of segments that is a key is taken.
pub(crate) fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let Value::Object(members) = value else { return None };
    if let Some(found) = member(members, path) {
        return Some(found);
    }
    let (inner, rest) = path
        .rmatch_indices('.')
        .filter_map(|(at, _)| path.split_at_checked(at))
        .find_map(|(key, rest)| member(members, key).map(|inner| (inner, rest)))?;
    find(inner, rest.strip_prefix('.')?)
}

fn member<'v>(members: &'v [(String, Value)], key: &str) -> Option<&'v Value> {
    let at = members.binary_search_by(|(held, _)| held.as_bytes().cmp(key.as_bytes())).ok()?;
    members.get(at).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: Vec<(&str, Value)>) -> Value {
        Value::object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).unwrap()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn longest_key_first() {
        let value = object(vec![
            ("quantity", text("q")),
            ("tokens", object(vec![("input", text("in")), ("cached.input", text("cached"))])),
            ("ce.region", text("region")),
            ("ce", object(vec![("region", text("shadowed")), ("zone", text("zone"))])),
            ("a", object(vec![("b", object(vec![("c", text("short"))]))])),
            ("a.b", object(vec![("c", text("long"))])),
            ("list", Value::List(vec![text("item")])),
            ("", text("empty")),
        ]);
        let check = |path: &str, expect: Option<&str>| {
            assert_eq!(find(&value, path), expect.map(text).as_ref(), "{path}");
        };
        check("quantity", Some("q"));
        check("tokens.input", Some("in"));
        check("tokens.cached.input", Some("cached"));
        check("ce.region", Some("region"));
        check("ce.zone", Some("zone"));
        check("a.b.c", Some("long"));
        check("tokens.output", None);
        check("quantity.more", None);
        check("list.0", None);
        check("Quantity", None);
        check("", Some("empty"));
    }
}
