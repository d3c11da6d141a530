//! Serde of [`metering::Instant`] as RFC 3339 text: `#[serde(with = "crate::serde_instant")]`.

use metering::Instant;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes RFC 3339 UTC.
pub fn serialize<S: Serializer>(instant: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(instant)
}

/// Reads RFC 3339.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let text = String::deserialize(deserializer)?;
    Instant::parse_rfc3339(&text).map_err(|error| serde::de::Error::custom(format!("{error} in `{text}`")))
}
