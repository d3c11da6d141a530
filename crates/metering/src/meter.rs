//! Meters: which events count, and for how much.

use money::{Quantity, QuantityError};

use crate::aggregation::{Aggregation, Mark, Reads};
use crate::code::{Code, Rejection};
use crate::excerpt::excerpt;
use crate::gather::moment_mark;
use crate::instant::Instant;
use crate::view::{EventView, Found};

/// A condition of a filter: a property is one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The dotted path of the property.
    pub property: String,
    /// The values, as [`crate::Value::as_text`] renders them: numbers canonical, `true`, `false`. An absent or null
    /// property is none of them.
    pub one_of: Vec<String>,
}

/// One version of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// From when it holds.
    pub effective_at: Instant,
    /// The journal row K that recorded it.
    pub recorded_at: u64,
    /// The event types that it counts.
    pub event_types: Vec<String>,
    /// What it makes of them.
    pub aggregation: Aggregation,
    /// The conditions that an event meets, all of them.
    pub filter: Vec<Condition>,
    /// The dotted paths of the properties that usage can be told apart by.
    pub dimensions: Vec<String>,
    /// The unit of its values.
    pub unit: String,
    /// Whether a value may be negative.
    pub allow_negative: bool,
}

/// What a meter measures in one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The event's value.
    pub value: Quantity,
    /// The values of the meter's dimensions in its order; none for an absent or null property.
    pub dimensions: Vec<Option<String>>,
}

impl Meter {
    /// Whether the meter counts events of a type.
    pub fn names(&self, event_type: &str) -> bool {
        self.event_types.iter().any(|named| named == event_type)
    }

    /// Whether the meter counts an event: its type is named and every condition is met.
    pub fn counts<'e>(&self, event: impl Into<EventView<'e>>) -> bool {
        let event = event.into();
        self.names(event.event_type) && self.filter.iter().all(|condition| condition.is_met(event))
    }

    /// The values of the meter's dimensions in an event.
    pub fn dimensions_of<'e>(&self, event: impl Into<EventView<'e>>) -> Vec<Option<String>> {
        let event = event.into();
        let value = |path: &String| event.properties.get(path).and_then(Found::as_text);
        self.dimensions.iter().map(|path| value(path).map(String::from)).collect()
    }

    /// What its cells tell events apart by: the values of its dimensions, and behind them, where the aggregation needs
    /// one, the mark of the event; none where its value cannot be read.
    pub fn tuple_of<'e>(&self, event: impl Into<EventView<'e>>) -> Vec<Option<String>> {
        let event = event.into();
        let mut tuple = self.dimensions_of(event);
        if self.aggregation.mark() != Mark::None {
            tuple.push(self.mark_of(event));
        }
        tuple
    }

    /// The mark of an event; see [`Mark`].
    pub fn mark_of<'e>(&self, event: impl Into<EventView<'e>>) -> Option<String> {
        let event = event.into();
        match (self.aggregation.mark(), self.aggregation.reads()) {
            (Mark::None, _) => None,
            (Mark::Value, Reads::Text(path)) => {
                event.properties.get(path).and_then(Found::as_text).map(String::from)
            }
            (Mark::Value, _) => self.value_of(event).ok().map(|value| value.to_string()),
            (Mark::Moment, _) => {
                let value = self.value_of(event).ok()?;
                Some(moment_mark(value, event.occurred_at, event.id))
            }
        }
    }

    /// The value of an event that the meter counts: the number that it reads, else 1.
    ///
    /// **Errors**: in this order, `quantity_missing` (absent or null), `quantity_not_a_number`,
    /// `quantity_out_of_range`, `quantity_too_precise`, `quantity_negative`.
    pub fn value_of<'e>(&self, event: impl Into<EventView<'e>>) -> Result<Quantity, Rejection> {
        let refuse = |code, found: &str, property: &str| {
            let word = self.aggregation.word();
            Err(Rejection::new(
                code,
                format!("{found} for the {word} of meter {} in `{property}`", self.name),
            ))
        };
        let property = match self.aggregation.reads() {
            Reads::Nothing => return Ok(Quantity::ONE),
            Reads::Text(property) => {
                return match event.into().properties.get(property) {
                    None => refuse(Code::QuantityMissing, "expected a value, found none", property),
                    Some(Found::Null) => {
                        refuse(Code::QuantityMissing, "expected a value, found null", property)
                    }
                    Some(_) => Ok(Quantity::ONE),
                };
            }
            Reads::Number(property) => property,
        };
        let refuse = |code, found: &str| refuse(code, found, property);
        let text = match event.into().properties.get(property) {
            None => return refuse(Code::QuantityMissing, "expected a number, found no value"),
            Some(Found::Null) => return refuse(Code::QuantityMissing, "expected a number, found null"),
            Some(Found::Number(text)) => text,
            Some(other) => {
                let found = format!("expected a number, found {}", excerpt(&other.to_canonical_json()));
                return refuse(Code::QuantityNotANumber, &found);
            }
        };
        let quantity = match Quantity::parse(text) {
            Ok(quantity) => quantity,
            Err(error) => return refuse(quantity_code(&error), &bad_quantity(&error, text)),
        };
        if quantity.is_negative() && !self.allow_negative {
            return refuse(
                Code::QuantityNegative,
                &format!("expected a quantity of 0 or more, found {text}"),
            );
        }
        Ok(quantity)
    }

    /// What the meter measures in an event; nothing where it does not count it.
    ///
    /// **Errors**: those of [`Meter::value_of`].
    pub fn measure<'e>(&self, event: impl Into<EventView<'e>>) -> Result<Option<Measure>, Rejection> {
        let event = event.into();
        if !self.counts(event) {
            return Ok(None);
        }
        Ok(Some(Measure { value: self.value_of(event)?, dimensions: self.dimensions_of(event) }))
    }
}

impl Condition {
    /// Whether an event meets the condition.
    pub fn is_met<'e>(&self, event: impl Into<EventView<'e>>) -> bool {
        let text = event.into().properties.get(&self.property).and_then(Found::as_text);
        text.is_some_and(|text| self.one_of.iter().any(|value| *value == text))
    }
}

fn quantity_code(error: &QuantityError) -> Code {
    match error {
        QuantityError::NotANumber { .. } => Code::QuantityNotANumber,
        QuantityError::TooLarge => Code::QuantityOutOfRange,
        QuantityError::TooPrecise { .. } => Code::QuantityTooPrecise,
    }
}

fn bad_quantity(error: &QuantityError, text: &str) -> String {
    let expected = match error {
        QuantityError::NotANumber { .. } => "a number".to_owned(),
        QuantityError::TooLarge => "a quantity from -10^20 to 10^20".to_owned(),
        QuantityError::TooPrecise { decimals_max } => format!("at most {decimals_max} decimals"),
    };
    format!("expected {expected}, found {}", excerpt(text))
}
