//! How a charge came about, as arithmetic that can be done again.

use money::{NumberError, Rational};
use std::fmt;

/// A tree of numbers and operators whose value is the exact charge.
///
/// **Examples**
/// ```
/// use money::Rational;
/// use rating::Basis;
/// let usage = Basis::Usage { value: Rational::from_integer(12) };
/// let rate = Basis::Constant { value: Rational::new(1, 10).unwrap(), is: "unit price" };
/// let basis = Basis::Multiply { of: vec![usage, rate] };
/// assert_eq!(basis.evaluate().unwrap().to_string(), "1.2");
/// assert_eq!(basis.to_string(), "12 × 0.1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// A number of the price or contract, and what it is there.
    Constant {
        /// The number.
        value: Rational,
        /// What it is: `fee`, `unit price`, `tier flat`, `included`, …
        is: &'static str,
    },
    /// The measured quantity of the line.
    Usage {
        /// The quantity.
        value: Rational,
    },
    /// The sum of all; of nothing it is 0.
    Sum {
        /// What is added.
        of: Vec<Basis>,
    },
    /// The product of all; of nothing it is 1.
    Multiply {
        /// The factors.
        of: Vec<Basis>,
    },
    /// `of ÷ by`.
    Divide {
        /// What is divided.
        of: Box<Basis>,
        /// The divisor.
        by: Box<Basis>,
    },
    /// `from − take`.
    Subtract {
        /// What is taken from.
        from: Box<Basis>,
        /// What is taken away.
        take: Box<Basis>,
    },
    /// The greater of both.
    AtLeast {
        /// The least value.
        value: Rational,
        /// What it bounds.
        of: Box<Basis>,
    },
    /// The smaller of both.
    AtMost {
        /// The greatest value.
        value: Rational,
        /// What it bounds.
        of: Box<Basis>,
    },
    /// The least whole number that is not below it.
    Ceil {
        /// What is rounded up.
        of: Box<Basis>,
    },
    /// The same, with words for a reader.
    Noted {
        /// The words: `tier 1: 0 < q ≤ 10000000`.
        note: String,
        /// What they are about.
        of: Box<Basis>,
    },
}

/// One node taken apart under the names it has in an explanation's JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// `constant`, `usage`, `sum`, `multiply`, `divide`, `subtract`, `at_least`, `at_most` or `ceil`.
    pub op: &'static str,
    /// The words of the nearest [`Basis::Noted`] around it.
    pub note: Option<&'a str>,
    /// Its other members, by name.
    pub fields: Vec<(&'static str, Field<'a>)>,
}

/// A member of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// A number, written as text.
    Number(Rational),
    /// A text.
    Text(&'static str),
    /// Another node.
    Node(&'a Basis),
    /// Several nodes.
    Nodes(&'a [Basis]),
}

impl Basis {
    /// Does the arithmetic again.
    ///
    /// **Errors**: [`NumberError`], never for the basis of a charge that [`rate`](crate::rate) returned.
    pub fn evaluate(&self) -> Result<Rational, NumberError> {
        match self {
            Basis::Constant { value, .. } | Basis::Usage { value } => Ok(*value),
            Basis::Sum { of } => {
                of.iter().try_fold(Rational::ZERO, |sum, next| sum.checked_add(next.evaluate()?))
            }
            Basis::Multiply { of } => {
                of.iter().try_fold(Rational::ONE, |product, next| product.checked_mul(next.evaluate()?))
            }
            Basis::Divide { of, by } => of.evaluate()?.checked_div(by.evaluate()?),
            Basis::Subtract { from, take } => from.evaluate()?.checked_sub(take.evaluate()?),
            Basis::AtLeast { value, of } => Ok(of.evaluate()?.max(*value)),
            Basis::AtMost { value, of } => Ok(of.evaluate()?.min(*value)),
            Basis::Ceil { of } => Ok(of.evaluate()?.ceil()),
            Basis::Noted { of, .. } => of.evaluate(),
        }
    }

    /// The node under its wire names, for a writer of JSON.
    ///
    /// A [`Basis::Noted`] is no node of its own: it gives its words to what it holds, the outer words first.
    pub fn describe(&self) -> Part<'_> {
        use Field::{Node, Nodes, Number, Text};
        let part = |op, fields| Part { op, note: None, fields };
        match self {
            Basis::Constant { value, is } => {
                part("constant", vec![("value", Number(*value)), ("is", Text(is))])
            }
            Basis::Usage { value } => part("usage", vec![("value", Number(*value))]),
            Basis::Sum { of } => part("sum", vec![("of", Nodes(of))]),
            Basis::Multiply { of } => part("multiply", vec![("of", Nodes(of))]),
            Basis::Divide { of, by } => part("divide", vec![("of", Node(of)), ("by", Node(by))]),
            Basis::Subtract { from, take } => {
                part("subtract", vec![("from", Node(from)), ("take", Node(take))])
            }
            Basis::AtLeast { value, of } => {
                part("at_least", vec![("value", Number(*value)), ("of", Node(of))])
            }
            Basis::AtMost { value, of } => part("at_most", vec![("value", Number(*value)), ("of", Node(of))]),
            Basis::Ceil { of } => part("ceil", vec![("of", Node(of))]),
            Basis::Noted { note, of } => Part { note: Some(note), ..of.describe() },
        }
    }

    fn is_leaf(&self) -> bool {
        match self {
            Basis::Constant { value, .. } | Basis::Usage { value } => {
                !value.is_negative() && !value.to_string().contains('/')
            }
            Basis::AtLeast { .. } | Basis::AtMost { .. } | Basis::Ceil { .. } => true,
            Basis::Noted { of, .. } => of.is_leaf(),
            Basis::Sum { of } | Basis::Multiply { of } => of.is_empty(),
            Basis::Divide { .. } | Basis::Subtract { .. } => false,
        }
    }
}

/// The formula with its numbers, for people: `(12500 − 10000) × 2.5 ÷ 1000`. Notes are left out.
impl fmt::Display for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Basis::Constant { value, .. } | Basis::Usage { value } => write!(formatter, "{value}"),
            Basis::Sum { of } if of.is_empty() => formatter.write_str("0"),
            Basis::Multiply { of } if of.is_empty() => formatter.write_str("1"),
            Basis::Sum { of } => write_joined(formatter, of, " + "),
            Basis::Multiply { of } => write_joined(formatter, of, " × "),
            Basis::Divide { of, by } => write!(formatter, "{} ÷ {}", Operand(of), Operand(by)),
            Basis::Subtract { from, take } => write!(formatter, "{} − {}", Operand(from), Operand(take)),
            Basis::AtLeast { value, of } => write!(formatter, "max({of}, {value})"),
            Basis::AtMost { value, of } => write!(formatter, "min({of}, {value})"),
            Basis::Ceil { of } => write!(formatter, "ceil({of})"),
            Basis::Noted { of, .. } => write!(formatter, "{of}"),
        }
    }
}

fn write_joined(formatter: &mut fmt::Formatter<'_>, of: &[Basis], sign: &str) -> fmt::Result {
    for (index, next) in of.iter().enumerate() {
        if index > 0 {
            formatter.write_str(sign)?;
        }
        write!(formatter, "{}", Operand(next))?;
    }
    Ok(())
}

/// A node inside another: in brackets, unless nothing could be read wrongly.
struct Operand<'a>(&'a Basis);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_leaf() { write!(formatter, "{}", self.0) } else { write!(formatter, "({})", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Basis {
        Basis::Usage { value: Rational::parse(text).unwrap() }
    }

    #[test]
    fn brackets_where_they_matter() {
        let minus = |from: &str, take: &str| Basis::Subtract {
            from: Box::new(number(from)),
            take: Box::new(number(take)),
        };
        let check = |basis: Basis, expect: &str| assert_eq!(basis.to_string(), expect);
        check(minus("-1", "10/31"), "(-1) − (10/31)");
        check(Basis::Ceil { of: Box::new(minus("3", "2")) }, "ceil(3 − 2)");
        check(Basis::Multiply { of: vec![minus("3", "2"), number("5")] }, "(3 − 2) × 5");
        check(Basis::Sum { of: vec![] }, "0");
        check(Basis::Multiply { of: vec![] }, "1");
    }

    #[test]
    fn wire_names() {
        let tier = Basis::Noted {
            note: "tier 1".to_owned(),
            of: Box::new(Basis::AtMost { value: Rational::ONE, of: Box::new(number("3")) }),
        };
        let part = tier.describe();
        assert_eq!((part.op, part.note, part.fields.len()), ("at_most", Some("tier 1"), 2));
        assert_eq!(part.fields.first(), Some(&("value", Field::Number(Rational::ONE))));
        assert_eq!(number("3").describe().op, "usage");
    }

    #[test]
    fn division_by_zero_is_an_error() {
        let basis = Basis::Divide { of: Box::new(number("1")), by: Box::new(number("0")) };
        assert_eq!(basis.evaluate(), Err(NumberError::DivisionByZero));
    }
}
