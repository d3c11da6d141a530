//! An explanation for people: short lines that can be read aloud, with the arithmetic done in sight.

use metering::CivilDate;
use money::Rational;
use serde_json::Value;

use crate::steps::{Step, allowance_step, basis_steps, tier_steps};
use crate::written::{count, grouped, with_decimal};

/// The text of an explanation, for a terminal. It says nothing that the JSON does not say.
///
/// A member that is missing is shown as `?`.
pub fn explanation_text(explanation: &Value) -> String {
    let mut page = Page::default();
    let read = Reader(explanation);
    page.text.push_str(&format!(
        "{} {}  {}\ninvoice {}, line {}, account {}\n\n",
        grouped(&read.text(&["amount"])),
        read.text(&["currency"]),
        read.text(&["description"]),
        read.text(&["invoice"]),
        read.text(&["line"]),
        read.text(&["account"]),
    ));
    terms(&mut page, &read);
    page.gap();
    let decimals = read.text(&["rounding", "decimals"]).parse().unwrap_or(0);
    let mut steps: Vec<Step> = allowance_step(explanation).into_iter().collect();
    steps.extend(match explanation.get("tiers").and_then(Value::as_array) {
        Some(tiers) => tier_steps(explanation, tiers, decimals),
        None => basis_steps(explanation.get("basis").unwrap_or(&Value::Null), decimals),
    });
    let exact = with_decimal(&read.text(&["rounding", "exact"]), decimals);
    steps.push(Step::result("exact", exact));
    align(&mut steps);
    for step in steps {
        page.row(&step.label, &step.text);
    }
    page.row("rounded", &rounded(&read));
    if explanation.get("usage").is_some() {
        page.gap();
        page.row("digest", &read.text(&["usage", "digest"]));
        page.row("read at", &read_at(&read));
        page.row("list them", &read.text(&["usage", "events"]));
    }
    page.text
}

fn terms(page: &mut Page, read: &Reader<'_>) {
    page.row("price", &read.versioned(&["price"]));
    let contract = read.versioned(&["contract"]);
    match read.0.pointer("/contract/plan") {
        Some(_) => {
            page.row("contract", &contract);
            page.row("plan", &read.versioned(&["contract", "plan"]));
        }
        None => page.row("contract", &contract),
    }
    page.row("service", &service(read));
    if read.0.get("usage").is_some() {
        page.row("usage", &usage(read));
        only(page, read);
        let unmeasured = read.text(&["usage", "unmeasured"]);
        if unmeasured != "0" {
            page.row("unmeasured", &format!("{} events without a readable quantity", grouped(&unmeasured)));
        }
    }
}

/// The first and the last day, as people say it.
fn service(read: &Reader<'_>) -> String {
    let (first, next) = (read.text(&["service", "first"]), read.text(&["service", "next"]));
    let last = CivilDate::parse(&next).and_then(|next| next.plus_days(-1));
    let days = match read.0.get("proration") {
        Some(_) => {
            format!(", {} of {} days", read.text(&["proration", "days"]), read.text(&["proration", "of"]))
        }
        None => String::new(),
    };
    match last {
        Ok(last) => format!("{first} through {last}{days}"),
        Err(_) => format!("{first} until before {next}{days}"),
    }
}

fn usage(read: &Reader<'_>) -> String {
    format!(
        "{} {} in {} of meter {} version {}",
        grouped(&read.text(&["usage", "quantity"])),
        read.text(&["usage", "unit"]),
        count(&read.text(&["usage", "records"]), "event"),
        read.text(&["usage", "meter"]),
        read.text(&["usage", "meter_version"]),
    )
}

fn only(page: &mut Page, read: &Reader<'_>) {
    let Some(only) = read.0.pointer("/usage/only").and_then(Value::as_object) else { return };
    for (dimension, values) in only {
        let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        page.row("only", &format!("{dimension} {}", values.join(" or ")));
    }
}

fn rounded(read: &Reader<'_>) -> String {
    let decimals = read.text(&["rounding", "decimals"]);
    let mode = read.text(&["rounding", "mode"]).replace('_', " ");
    let amount = grouped(&read.text(&["amount"]));
    let residue_places = decimals.parse().unwrap_or(0);
    match read.text(&["rounding", "residue"]).as_str() {
        "0" => format!("{amount}, nothing to round"),
        residue => {
            let places = count(&decimals, "decimal");
            format!(
                "{amount}, {mode} to {places}; rounded − exact = {}",
                with_decimal(residue, residue_places)
            )
        }
    }
}

fn read_at(read: &Reader<'_>) -> String {
    format!(
        "log position {}, journal row {}",
        grouped(&read.text(&["usage", "as_of", "position"])),
        grouped(&read.text(&["usage", "as_of", "known_at"])),
    )
}

/// Puts the equals signs of the steps under each other, and the numbers before them to the right.
fn align(steps: &mut [Step]) {
    let width = |part: fn(&Step) -> &str| {
        move |steps: &[Step]| steps.iter().map(|step| part(step).chars().count()).max().unwrap_or(0)
    };
    let left = width(|step| &step.left)(steps);
    let right = width(|step| &step.right)(steps);
    let whole = width(|step| whole_part(&step.result))(steps);
    for step in steps {
        let used = if step.result.contains('/') { whole } else { whole_part(&step.result).chars().count() };
        let result = format!("{}{}", " ".repeat(whole.saturating_sub(used)), step.result);
        step.text = if step.left.is_empty() {
            let before = if left == 0 { 0 } else { left.saturating_add(right).saturating_add(3) };
            format!("{}{result}", " ".repeat(before))
        } else {
            format!("{:>left$}{:<right$} = {result}", step.left, step.right)
        };
    }
}

/// What stands before the point; nothing of a fraction, which is not aligned.
fn whole_part(result: &str) -> &str {
    if result.contains('/') { "" } else { result.split('.').next().unwrap_or("") }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn row(&mut self, label: &str, text: &str) {
        self.text.push_str(format!("  {label:<11}{text}").trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }
}

struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn text(&self, path: &[&str]) -> String {
        match path.iter().try_fold(self.0, |value, name| value.get(name)) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "?".to_owned(),
        }
    }

    fn versioned(&self, path: &[&str]) -> String {
        let part = |name| {
            let mut whole = path.to_vec();
            whole.push(name);
            self.text(&whole)
        };
        let since = match part("effective_at").as_str() {
            "1970-01-01T00:00:00Z" => "from the start".to_owned(),
            instant => format!("from {instant}"),
        };
        let (name, version, row) = (part("name"), part("version"), part("recorded_at"));
        format!("{name} version {version}, effective {since}, recorded in journal row {row}")
    }
}

/// The number that a text of the explanation stands for.
pub(crate) fn number(text: &str) -> Option<Rational> {
    Rational::parse(text).ok()
}
