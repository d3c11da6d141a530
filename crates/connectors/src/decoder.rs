//! From the bytes of a record to a draft of an event, and back from what was kept of it.

use std::io::BufRead;
use std::sync::Arc;

use metering::{Code, Draft, Rejection};

use crate::cloud_events;
use crate::csv::{self, CsvRecords, Mapping};
use crate::excerpt::excerpt;
use crate::input::InputError;
use crate::lines::{Lines, RawLine};
use crate::record::{Feed, RawRecord, Undecodable};
use crate::sentry::{self, Place};

pub(crate) const CLOUD_EVENTS: &str = "cloudevents";
const SENTRY_OUTCOMES: &str = "sentry-outcomes";
const CSV: &str = "csv";
const PARQUET: &str = "parquet";
/// What a CSV row is kept as: JSON that says by name what the row says by place.
const CSV_DRAFT: &str = "csv-draft";

/// How a feed is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// CloudEvents 1.0, a JSON object a line.
    CloudEvents,
    /// Sentry outcomes, a JSON object a line, bare or in an envelope.
    SentryOutcomes,
    /// CSV with a header, read by a mapping.
    Csv(Arc<Mapping>),
    /// Parquet, a row an event. A single record of it is written as a CloudEvent.
    Parquet,
}

/// Decodes the records of one format. It has no state, so that threads can share it.
///
/// **Examples**
/// ```
/// use connectors::{Decoder, Feed, RawRecord};
/// let feed = Feed { name: "events".to_owned(), source: "events.ndjson".to_owned() };
/// let decoder = Decoder::cloud_events();
/// let line = br#"{"specversion":"1.0","id":"1","source":"gate","type":"call","subject":"a-1",
///     "time":"2026-08-01T00:00:00Z","data":{"quantity":0.10}}"#;
/// let draft = decoder.decode(&feed, &RawRecord::new(1, line.to_vec()))?;
/// assert_eq!(draft.properties.to_canonical_json(), r#"{"quantity":0.1}"#);
///
/// let refused = decoder.decode(&feed, &RawRecord::new(2, b"{\"id\":NaN}".to_vec())).unwrap_err();
/// assert_eq!(refused.rejection.code.as_str(), "json_syntax");
/// # Ok::<(), connectors::Undecodable>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    format: Format,
}

impl Decoder {
    /// A decoder of a format.
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// A decoder of CloudEvents.
    pub fn cloud_events() -> Self {
        Self::new(Format::CloudEvents)
    }

    /// A decoder of Sentry outcomes.
    pub fn sentry_outcomes() -> Self {
        Self::new(Format::SentryOutcomes)
    }

    /// A decoder of CSV.
    pub fn csv(mapping: Mapping) -> Self {
        Self::new(Format::Csv(Arc::new(mapping)))
    }

    /// A decoder of Parquet, for what [`crate::Chunks::open_parquet`] cuts.
    pub fn parquet() -> Self {
        Self::new(Format::Parquet)
    }

    /// The name of the format: `cloudevents`, `sentry-outcomes`, `csv`, `parquet`.
    pub fn name(&self) -> &'static str {
        match &self.format {
            Format::CloudEvents => CLOUD_EVENTS,
            Format::SentryOutcomes => SENTRY_OUTCOMES,
            Format::Csv(_) => CSV,
            Format::Parquet => PARQUET,
        }
    }

    /// The records of an input, each with the line it begins on; not yet decoded. Of Parquet, which is no stream,
    /// an error.
    pub fn records<R: BufRead>(&self, input: R) -> Records<R> {
        match &self.format {
            Format::CloudEvents | Format::SentryOutcomes => Records(Kind::Lines(Lines::new(input))),
            Format::Csv(mapping) => Records(Kind::Csv(CsvRecords::new(input, Arc::clone(mapping)))),
            Format::Parquet => Records(Kind::Failed(Some(crate::parquet::not_a_stream()))),
        }
    }

    /// Decodes one record. What is absent stays absent; [`metering::check_form`] says what must be there.
    ///
    /// **Errors**: [`Undecodable`], with source and id where they could be told.
    pub fn decode(&self, feed: &Feed, record: &RawRecord) -> Result<Draft, Undecodable> {
        match &self.format {
            Format::Csv(mapping) => csv::draft::decode(mapping, feed, record),
            _ if record.is_cut() => Err(csv::draft::too_long(record).into()),
            Format::CloudEvents | Format::Parquet => cloud_events::decode(&record.bytes),
            Format::SentryOutcomes => sentry::decode(&record.bytes, Some(&place(feed, record))),
        }
    }

    /// The format and the bytes from which [`decode_kept`] decodes the record again, without feed and mapping.
    pub fn kept_body(&self, feed: &Feed, record: &RawRecord) -> (String, Vec<u8>) {
        let (format, body) = match &self.format {
            Format::CloudEvents | Format::Parquet => (CLOUD_EVENTS, record.bytes.clone()),
            Format::SentryOutcomes => {
                (SENTRY_OUTCOMES, sentry::kept_body(&record.bytes, &place(feed, record)))
            }
            Format::Csv(mapping) => (CSV_DRAFT, csv::draft::kept_body(mapping, feed, record)),
        };
        (format.to_owned(), body)
    }
}

fn place<'a>(feed: &'a Feed, record: &RawRecord) -> Place<'a> {
    Place { source: &feed.source, line: record.line }
}

/// Decodes a record from what [`Decoder::kept_body`] kept, perhaps repaired by [`crate::set_path`].
///
/// **Errors**: [`Undecodable`].
pub fn decode_kept(format: &str, bytes: &[u8]) -> Result<Draft, Undecodable> {
    match format {
        CLOUD_EVENTS => cloud_events::decode(bytes),
        SENTRY_OUTCOMES => sentry::decode(bytes, None),
        CSV_DRAFT => csv::draft::decode_kept(bytes),
        other => {
            let message = format!(
                "expected a record kept as {CLOUD_EVENTS}, {SENTRY_OUTCOMES} or {CSV_DRAFT}, found `{}`",
                excerpt(other)
            );
            Err(Rejection::new(Code::JsonSyntax, message).into())
        }
    }
}

/// The records of an input; see [`Decoder::records`].
pub struct Records<R>(Kind<R>);

enum Kind<R> {
    Lines(Lines<R>),
    Csv(CsvRecords<R>),
    Failed(Option<InputError>),
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<RawRecord, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Kind::Lines(lines) => Some(lines.next()?.map(|line| {
                let RawLine { number, bytes, bytes_total } = line;
                RawRecord { bytes_total, ..RawRecord::new(number, bytes) }
            })),
            Kind::Csv(records) => records.next(),
            Kind::Failed(error) => error.take().map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared_by_threads<T: Send + Sync>(of: T) -> T {
        of
    }

    #[test]
    fn threads_share_a_decoder() {
        let decoder = shared_by_threads(Decoder::cloud_events());
        shared_by_threads(RawRecord::new(1, Vec::new()));
        assert_eq!(decoder.name(), "cloudevents");
    }

    #[test]
    fn a_record_that_is_cut_is_refused_whatever_its_format() {
        let feed = Feed { name: "f".to_owned(), source: "f".to_owned() };
        let cut = RawRecord { bytes_total: 2_000_000, ..RawRecord::new(7, b"{}".to_vec()) };
        for decoder in [Decoder::cloud_events(), Decoder::sentry_outcomes()] {
            let told = decoder.decode(&feed, &cut).unwrap_err().to_string();
            assert_eq!(told, "line_too_long: expected a record of at most 1048576 bytes, found `2000000`");
        }
    }
}
