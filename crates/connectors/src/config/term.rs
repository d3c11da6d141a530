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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::super::document::{SPLIT_OFF, SPLIT_OFF_ACCOUNT};
    use super::super::{account, contract, items, meter, plan, policy, price, seller};
    use super::KINDS;

    fn schema(kind: &str) -> Value {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas/config");
        serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{kind}.json"))).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(schema: &Value, fields: &[&str]) {
        let published: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(published, fields.iter().copied().collect());
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn the_published_schemas_have_the_fields_that_are_read() {
        for kind in KINDS {
            let own: &[&str] = match kind {
                "seller" => &seller::FIELDS,
                "meter" => &meter::FIELDS,
                "price" => &price::DOCUMENT_FIELDS,
                "plan" => &plan::FIELDS,
                "account" => &account::FIELDS,
                "contract" => &contract::FIELDS,
                "policy" => &policy::FIELDS,
                other => panic!("no fields of `{other}`"),
            };
            let split: &[&str] = if kind == "account" { &SPLIT_OFF_ACCOUNT } else { &SPLIT_OFF };
            check(&schema(kind), &[own, split].concat());
            assert_eq!(schema(kind)["properties"]["kind"]["const"], kind);
        }
        let kinds = &schema("document")["properties"]["kind"]["enum"];
        assert_eq!(*kinds, Value::from(KINDS.to_vec()));
    }

    #[test]
    fn what_several_schemas_define_is_the_same_in_all() {
        let (plan, contract, price) = (schema("plan"), schema("contract"), schema("price"));
        assert_eq!(plan["$defs"], contract["$defs"]);
        for name in ["price", "tier"] {
            assert_eq!(plan["$defs"][name], price["$defs"][name]);
        }
        check(&price["$defs"]["price"], &super::super::price::FIELDS);
        check(&plan["$defs"]["item"]["oneOf"][0], &items::USAGE_FIELDS);
        check(&plan["$defs"]["item"]["oneOf"][1], &items::FEE_FIELDS);
    }
}
