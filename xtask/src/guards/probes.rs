//! One offending piece of code for every ban and every denied lint.

/// A line that must not get past clippy.
#[derive(Debug)]
pub struct Probe {
    /// The lint that must refuse it.
    pub lint: &'static str,
    /// The path in `clippy.toml` that it uses, for the lints that take their bans from there.
    pub ban: Option<&'static str>,
    /// The code.
    pub code: &'static str,
}

const TYPES: &str = "clippy::disallowed_types";
const METHODS: &str = "clippy::disallowed_methods";

const fn banned(lint: &'static str, ban: &'static str, code: &'static str) -> Probe {
    Probe { lint, ban: Some(ban), code }
}

const fn denied(lint: &'static str, code: &'static str) -> Probe {
    Probe { lint, ban: None, code }
}

/// All probes.
pub const PROBES: [Probe; 20] = [
    banned(TYPES, "f32", "pub fn probe(value: f32) -> bool { value.is_nan() }"),
    banned(TYPES, "f64", "pub fn probe(value: f64) -> bool { value.is_nan() }"),
    banned(
        TYPES,
        "std::collections::HashMap",
        "pub fn probe(map: &std::collections::HashMap<u8, u8>) -> usize { map.len() }",
    ),
    banned(
        TYPES,
        "std::collections::HashSet",
        "pub fn probe(set: &std::collections::HashSet<u8>) -> usize { set.len() }",
    ),
    banned(TYPES, "std::fs::File", "pub fn probe(file: &std::fs::File) -> bool { file.metadata().is_ok() }"),
    banned(
        METHODS,
        "std::time::SystemTime::now",
        "pub fn probe() -> std::time::SystemTime { std::time::SystemTime::now() }",
    ),
    banned(
        METHODS,
        "std::time::Instant::now",
        "pub fn probe() -> std::time::Instant { std::time::Instant::now() }",
    ),
    banned(METHODS, "std::fs::read", "pub fn probe() -> bool { std::fs::read(\"a\").is_ok() }"),
    banned(METHODS, "std::fs::write", "pub fn probe() -> bool { std::fs::write(\"a\", \"b\").is_ok() }"),
    banned(
        METHODS,
        "std::fs::read_to_string",
        "pub fn probe() -> bool { std::fs::read_to_string(\"a\").is_ok() }",
    ),
    banned(
        METHODS,
        "std::option::Option::unwrap_or_default",
        "pub fn probe(value: Option<u8>) -> u8 { value.unwrap_or_default() }",
    ),
    banned(
        METHODS,
        "std::result::Result::unwrap_or_default",
        "pub fn probe(value: Result<u8, u8>) -> u8 { value.unwrap_or_default() }",
    ),
    denied(
        "clippy::float_arithmetic",
        "pub fn probe(value: &[u8]) -> bool { (value.len() as f64) * 2.5 > 4.0 }",
    ),
    denied("clippy::unwrap_used", "pub fn probe(value: Option<u8>) -> u8 { value.unwrap() }"),
    denied("clippy::expect_used", "pub fn probe(value: Option<u8>) -> u8 { value.expect(\"a value\") }"),
    denied("clippy::as_conversions", "pub fn probe(value: u8) -> u16 { value as u16 }"),
    denied("clippy::indexing_slicing", "pub fn probe(values: &[u8], at: usize) -> u8 { values[at] }"),
    denied("unsafe_code", "pub fn probe() { unsafe { std::hint::unreachable_unchecked() } }"),
    denied("unused_must_use", "pub fn probe() { \"1\".parse::<u8>(); }"),
    denied("missing_docs", "pub fn probe() {}"),
];
