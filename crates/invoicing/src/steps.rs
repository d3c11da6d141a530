//! The arithmetic of an explanation, one operation a line.

use money::Rational;
use serde_json::Value;

use crate::explain_text::number;
use crate::written::{grouped, money_text, with_decimal};

/// One line of arithmetic: `left right = result` under a label.
pub(crate) struct Step {
    pub(crate) label: String,
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) result: String,
    /// All of it, once aligned with the others.
    pub(crate) text: String,
}

impl Step {
    fn new(label: &str, left: String, right: String, result: String) -> Self {
        Self { label: label.to_owned(), left, right, result, text: String::new() }
    }

    /// A line that only states a result.
    pub(crate) fn result(label: &str, result: String) -> Self {
        Self::new(label, String::new(), String::new(), result)
    }
}

/// How a stub's allowance follows from the whole one: `50,000 × 17 ÷ 31`.
pub(crate) fn allowance_step(explanation: &Value) -> Option<Step> {
    let allowance = explanation.get("allowance")?;
    let part = allowance.get("part").and_then(Value::as_str)?;
    let (left, right) = match explanation.get("proration") {
        Some(days) => {
            let whole = allowance.get("whole").and_then(Value::as_str)?;
            (grouped(whole), format!(" × {} ÷ {}", days.get("days")?, days.get("of")?))
        }
        None => (String::new(), String::new()),
    };
    Some(Step::new("allowance", left, right, with_decimal(part, 0)))
}

/// The usage beyond the allowance, then one line per tier: `10,000,000 × 3.00 per 1,000,000 = 30.00`.
pub(crate) fn tier_steps(explanation: &Value, tiers: &[Value], decimals: usize) -> Vec<Step> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
    let mut steps = Vec::new();
    if let Some(allowance) = explanation.get("allowance") {
        let quantity = explanation.pointer("/usage/quantity").and_then(Value::as_str).unwrap_or("?");
        steps.push(beyond_step(quantity, &text(allowance, "part")));
    }
    for tier in tiers {
        let label = format!("tier {}", tier.get("tier").unwrap_or(&Value::Null));
        let per = match text(tier, "per").as_str() {
            "1" => String::new(),
            per => format!(" per {}", grouped(per)),
        };
        let flat = match text(tier, "flat").as_str() {
            "0" => String::new(),
            flat => format!(" + {}", money_text(flat, decimals)),
        };
        let right = format!(" × {}{per}{flat}", money_text(&text(tier, "unit"), decimals));
        let result = money_text(&text(tier, "exact"), decimals);
        steps.push(Step::new(&label, grouped(&text(tier, "quantity")), right, result));
    }
    steps
}

fn beyond_step(quantity: &str, part: &str) -> Step {
    let rest = match (number(quantity), number(part)) {
        (Some(quantity), Some(part)) => quantity.checked_sub(part).ok().map(|rest| rest.max(Rational::ZERO)),
        _ => None,
    };
    let rest = rest.map_or_else(|| "?".to_owned(), |rest| grouped(&rest.to_string()));
    Step::new("beyond it", grouped(quantity), format!(" − {}", grouped(part)), rest)
}

/// The operations of a basis, innermost first.
pub(crate) fn basis_steps(basis: &Value, decimals: usize) -> Vec<Step> {
    let mut walk = Walk { decimals, steps: Vec::new() };
    let root = walk.visit(basis);
    if walk.steps.is_empty() && !root.name.is_empty() {
        walk.steps.push(Step::result(&root.name, root.text));
    }
    walk.steps
}

/// A node's value, as it is written where it is used.
struct Operand {
    value: Option<Rational>,
    text: String,
    name: String,
}

struct Walk {
    decimals: usize,
    steps: Vec<Step>,
}

/// Constants that are money, written with the currency's decimals.
const MONEY: [&str; 5] = ["fee", "flat", "unit price", "tier flat", "package price"];

impl Walk {
    fn visit(&mut self, node: &Value) -> Operand {
        let op = node.get("op").and_then(Value::as_str).unwrap_or("?");
        let inner = |name: &str| node.get(name).unwrap_or(&Value::Null);
        match op {
            "constant" | "usage" => self.leaf(node),
            "sum" => self.fold(node, " + ", Rational::ZERO, Rational::checked_add),
            "multiply" => self.fold(node, " × ", Rational::ONE, Rational::checked_mul),
            "divide" => {
                let (of, by) = (self.visit(inner("of")), self.visit(inner("by")));
                let value = of.value.zip(by.value).and_then(|(of, by)| of.checked_div(by).ok());
                let sign = if by.name == "per" { " per " } else { " ÷ " };
                let is_product = inner("of").get("op").and_then(Value::as_str) == Some("multiply");
                self.joined(is_product, label(&by.name), of, (format!("{sign}{}", by.text), value))
            }
            "subtract" => {
                let (from, take) = (self.visit(inner("from")), self.visit(inner("take")));
                let value = from.value.zip(take.value).and_then(|(a, b)| a.checked_sub(b).ok());
                self.step(label(&take.name), from, format!(" − {}", take.text), value)
            }
            "ceil" => {
                let of = self.visit(inner("of"));
                let value = of.value.map(Rational::ceil);
                let is_quotient = inner("of").get("op").and_then(Value::as_str) == Some("divide");
                self.joined(is_quotient, "packages", of, (", rounded up".to_owned(), value))
            }
            "at_least" | "at_most" => self.bound(node, op),
            _ => Operand { value: None, text: "?".to_owned(), name: String::new() },
        }
    }

    /// A step that goes on with the line of the step before it, where `joins`.
    fn joined(
        &mut self,
        joins: bool,
        label: &str,
        of: Operand,
        (right, value): (String, Option<Rational>),
    ) -> Operand {
        match self.steps.pop_if(|_| joins) {
            Some(step) => {
                let left = Operand { text: step.left, ..of };
                self.step(label, left, format!("{}{right}", step.right), value)
            }
            None => self.step(label, of, right, value),
        }
    }

    fn leaf(&self, node: &Value) -> Operand {
        let text = node.get("value").and_then(Value::as_str).unwrap_or("?");
        let name = node.get("is").and_then(Value::as_str).unwrap_or("usage");
        let written = if MONEY.contains(&name) { money_text(text, self.decimals) } else { grouped(text) };
        Operand { value: number(text), text: written, name: name.to_owned() }
    }

    fn fold(
        &mut self,
        node: &Value,
        sign: &str,
        start: Rational,
        combine: fn(Rational, Rational) -> Result<Rational, money::NumberError>,
    ) -> Operand {
        let parts = node.get("of").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut operands: Vec<Operand> = parts.iter().map(|part| self.visit(part)).collect();
        let value = operands
            .iter()
            .try_fold(start, |sum, part| part.value.and_then(|value| combine(sum, value).ok()));
        let last = operands.last().map_or_else(String::new, |part| part.name.clone());
        let rest: String = operands.iter().skip(1).map(|part| format!("{sign}{}", part.text)).collect();
        let first = if operands.is_empty() { None } else { Some(operands.swap_remove(0)) };
        match first {
            Some(first) => self.step(label(&last), first, rest, value),
            None => Operand { value, text: "0".to_owned(), name: String::new() },
        }
    }

    /// A bound is a line only where it changes the number.
    fn bound(&mut self, node: &Value, op: &str) -> Operand {
        let of = self.visit(node.get("of").unwrap_or(&Value::Null));
        let text = node.get("value").and_then(Value::as_str).unwrap_or("?");
        let bound = number(text);
        let value = of
            .value
            .zip(bound)
            .map(|(of, bound)| if op == "at_least" { of.max(bound) } else { of.min(bound) });
        if value == of.value {
            return of;
        }
        let words = if op == "at_least" { "at least" } else { "at most" };
        self.step(words, of, format!(", {words} {}", grouped(text)), value)
    }

    fn step(&mut self, label: &str, left: Operand, right: String, value: Option<Rational>) -> Operand {
        let text = value.map_or_else(|| "?".to_owned(), |value| grouped(&value.to_string()));
        let shown = value.map_or_else(|| "?".to_owned(), |value| with_decimal(&value.to_string(), 0));
        self.steps.push(Step::new(label, left.text, right, shown));
        Operand { value, text, name: String::new() }
    }
}

/// What a step is called, by what its last operand is.
fn label(operand: &str) -> &str {
    match operand {
        "included" => "beyond it",
        "per" | "unit price" => "price",
        "package size" => "packages",
        "package price" => "price",
        "days of service" | "days of the period" => "part",
        "lower bound" => "above bound",
        "nothing owed" => "owed",
        "" | "usage" => "together",
        other => other,
    }
}
