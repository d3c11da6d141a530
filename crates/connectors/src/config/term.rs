//! From a document to the typed term that rating reads.

use invoicing::terms::{Contract, NamedPrice, Plan, Seller, Version};
use metering::Meter;
use serde_json::Value;

use super::account::{self, Account};
use super::policy::{self, Policy};
use super::problem::{Problems, TermProblem};
use super::{contract, meter, plan, price, seller, suggest};
use crate::excerpt::excerpt;

/// Kinds of documents.
pub(crate) const KINDS: [&str; 7] = ["seller", "meter", "price", "plan", "account", "contract", "policy"];

/// One version of a term.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A seller.
    Seller(Seller),
    /// A meter.
    Meter(Meter),
    /// A named price.
    Price(NamedPrice),
    /// A plan.
    Plan(Plan),
    /// An account, without its personal fields.
    Account(Account),
    /// A contract.
    Contract(Contract),
    /// A policy.
    Policy(Policy),
}

/// Reads the body of a document: without `effective_at`, which is in the version, and without `personal`.
///
/// **Errors**: every mistake that the document shows by itself; [`super::check_references`] finds those that
/// it shows beside others.
pub fn parse_term(kind: &str, body: &Value, version: Version) -> Result<Term, Vec<TermProblem>> {
    let problems = Problems::default();
    let term = match kind {
        "seller" => seller::parse(body, version, &problems).map(Term::Seller),
        "meter" => meter::parse(body, version, &problems).map(Term::Meter),
        "price" => price::parse(body, version, &problems).map(Term::Price),
        "plan" => plan::parse(body, version, &problems).map(Term::Plan),
        "account" => account::parse(body, &problems).map(Term::Account),
        "contract" => contract::parse(body, version, &problems).map(Term::Contract),
        "policy" => policy::parse(body, &problems).map(Term::Policy),
        other => {
            refuse_kind(other, &problems);
            None
        }
    };
    match (term, problems.into_vec()) {
        (Some(term), problems) if problems.is_empty() => Ok(term),
        (_, problems) => Err(problems),
    }
}

pub(super) fn refuse_kind(found: &str, problems: &Problems) {
    let message = format!("expected a known kind of document, found `{}`", excerpt(found));
    let hint = match found {
        "csv_mapping" => {
            "a mapping is not applied; name it to `counterfoil ingest` with --mapping".to_owned()
        }
        _ => suggest::hint(found, KINDS),
    };
    problems.add("kind", "unknown_kind", message, hint);
}

/// The fields of a kind of document, with those that are split off.
#[cfg(test)]
pub(super) fn fields_of(kind: &str) -> Vec<&'static str> {
    let own: &[&str] = match kind {
        "seller" => &seller::FIELDS,
        "meter" => &meter::FIELDS,
        "price" => &price::DOCUMENT_FIELDS,
        "plan" => &plan::FIELDS,
        "account" => &account::FIELDS,
        "contract" => &contract::FIELDS,
        _ => &policy::FIELDS,
    };
    let split: &[&str] = if kind == "account" { &["effective_at", "personal"] } else { &["effective_at"] };
    own.iter().chain(split).copied().collect()
}
