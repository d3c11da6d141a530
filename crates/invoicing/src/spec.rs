//! What the lines of one billing period are, before their usage is read.

use std::collections::BTreeSet;

use metering::{Meter, Period, grid_period};
use money::{Currency, NumberError, Rational, Rounding};
use rating::{Price, PriceTerm};

use crate::items::{ItemInForce, Origin, TermIdentity, items_in_force};
use crate::key::LineKey;
use crate::periods::periods_through;
use crate::problem::{BillingCode, BillingProblem, Unpriced};
use crate::terms::{Charging, Contract, Item, Pay, PriceSource, Prorate, Terms};

/// The price a line is rated with: its name and the version that holds.
///
/// A price or fee that stands inside a plan or contract is named `DOCUMENT/ITEM` and has the version of
/// that document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceIdentity {
    /// Its name.
    pub name: String,
    /// The document that states it.
    pub stated_in: TermIdentity,
}

/// What a line is rated by.
#[derive(Debug, Clone, PartialEq)]
pub enum LineTerm {
    /// Usage by a price.
    Usage {
        /// The price with the allowance of the service period.
        price: PriceTerm,
        /// The allowance of a whole period, before a stub shrinks it.
        included_whole: Rational,
        /// The item's filter on dimensions.
        only: Vec<(String, Vec<String>)>,
        /// The unit of the meter.
        unit: String,
    },
    /// A fee.
    Fee {
        /// The amount of one unit and whole period.
        amount: Rational,
        /// How many units.
        quantity: Rational,
    },
}

/// One line to be: everything about it but its usage.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSpec {
    /// Its stable key.
    pub key: LineKey,
    /// The item in force.
    pub item: Item,
    /// The service period.
    pub service: Period,
    /// Days of the service period that are charged.
    pub part_days: i64,
    /// Days of the whole grid period it lies in; equal to `part_days` unless it is a stub.
    pub whole_days: i64,
    /// The meter's name and version; absent for a fee.
    pub meter: Option<(String, u32)>,
    /// The price.
    pub price: PriceIdentity,
    /// What it is rated by.
    pub term: LineTerm,
    /// The contract's version.
    pub contract: TermIdentity,
    /// The plan's version, where the item comes from a plan.
    pub plan: Option<TermIdentity>,
    /// The contract's currency.
    pub currency: Currency,
    /// How the line is rounded.
    pub rounding: Rounding,
}

impl LineSpec {
    /// The item's words for people, or its name.
    pub fn description(&self) -> &str {
        self.item.description.as_deref().unwrap_or(&self.item.name)
    }

    /// The unit of its quantity; none for a fee.
    pub fn unit(&self) -> Option<&str> {
        match &self.term {
            LineTerm::Usage { unit, .. } => Some(unit),
            LineTerm::Fee { .. } => None,
        }
    }

    /// The filter on dimensions; empty for a fee.
    pub fn only(&self) -> &[(String, Vec<String>)] {
        match &self.term {
            LineTerm::Usage { only, .. } => only,
            LineTerm::Fee { .. } => &[],
        }
    }

    /// Whether the service period is part of a longer one.
    pub fn is_stub(&self) -> bool {
        self.part_days != self.whole_days
    }
}

/// The lines of a billing period of a contract, sorted by key, and what keeps items from having one.
///
/// * Usage items, and fees paid after, have the billing period as their service period.
/// * Fees paid ahead are due from the first day of their service period: every period that starts at or
///   before this one's end and was not billed. So a first invoice has its own period's and the next.
///
/// Terms, the contract's version among them, are those that hold at the start of the service period.
pub fn line_specs(
    terms: &Terms,
    contract: &Contract,
    period: &Period,
    already_billed: &BTreeSet<LineKey>,
) -> (Vec<LineSpec>, Vec<BillingProblem>) {
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    for service in periods_through(contract, period.end) {
        let own = service.first == period.first;
        let due = |charging: &Charging| match charging {
            Charging::Fee { pay: Pay::Ahead, .. } => true,
            Charging::Fee { pay: Pay::After, .. } | Charging::Usage { .. } => own,
        };
        let version = terms.contracts.pick(&contract.name, service.start).unwrap_or(contract);
        let (items, found) = items_in_force(terms, version, service.start);
        let refused: BTreeSet<String> = found.iter().filter_map(|problem| problem.item.clone()).collect();
        if own {
            problems.extend(found.into_iter().map(|problem| with_usage(problem, &items, &service)));
        }
        for item in items.iter().filter(|i| due(&i.item.charging) && !refused.contains(&i.item.name)) {
            let resolver = Resolver { terms, contract: version, service: &service, item };
            if already_billed.contains(&resolver.key()) {
                continue;
            }
            match resolver.spec() {
                Ok(spec) => specs.push(spec),
                Err(problem) => problems.push(problem),
            }
        }
    }
    specs.sort_by(|a, b| a.key.cmp(&b.key));
    (specs, problems)
}

/// Adds to a problem of a usage item which usage it leaves unpriced.
fn with_usage(problem: BillingProblem, items: &[ItemInForce], service: &Period) -> BillingProblem {
    let item = items.iter().find(|i| Some(&i.item.name) == problem.item.as_ref());
    BillingProblem { unpriced: item.and_then(|i| unpriced(&i.item, service)), ..problem }
}

fn unpriced(item: &Item, service: &Period) -> Option<Unpriced> {
    match &item.charging {
        Charging::Usage { meter, only, .. } => {
            Some(Unpriced { meter: meter.clone(), only: only.clone(), service: *service })
        }
        Charging::Fee { .. } => None,
    }
}

/// One item in one service period, on its way to a line.
struct Resolver<'a> {
    terms: &'a Terms,
    contract: &'a Contract,
    service: &'a Period,
    item: &'a ItemInForce,
}

impl Resolver<'_> {
    fn key(&self) -> LineKey {
        LineKey {
            payer: self.contract.payer.clone(),
            account: self.contract.account.clone(),
            contract: self.contract.name.clone(),
            item: self.item.item.name.clone(),
            service_start: self.service.first,
            group: String::new(),
        }
    }

    fn problem(&self, code: BillingCode, message: String) -> BillingProblem {
        BillingProblem {
            code,
            contract: self.contract.name.clone(),
            item: Some(self.item.item.name.clone()),
            message,
            unpriced: unpriced(&self.item.item, self.service),
        }
    }

    fn spec(&self) -> Result<LineSpec, BillingProblem> {
        let (part_days, grid_days) = self.days();
        let (term, price, meter) = match &self.item.item.charging {
            Charging::Usage { .. } => self.usage(part_days, grid_days)?,
            Charging::Fee { amount, quantity, .. } => {
                self.check_currency()?;
                (LineTerm::Fee { amount: *amount, quantity: *quantity }, self.inline_identity(), None)
            }
        };
        let unprorated = matches!(self.item.item.charging, Charging::Fee { prorate: Prorate::None, .. });
        let from_plan = self.item.stated_in.origin == Origin::Plan;
        Ok(LineSpec {
            key: self.key(),
            item: self.item.item.clone(),
            service: *self.service,
            part_days,
            whole_days: if unprorated { part_days } else { grid_days },
            meter,
            price,
            term,
            contract: TermIdentity {
                origin: Origin::Contract,
                name: self.contract.name.clone(),
                version: self.contract.version,
            },
            plan: from_plan.then(|| self.item.stated_in.clone()),
            currency: self.contract.currency,
            rounding: self.contract.rounding,
        })
    }

    /// Days of the service period and of the whole grid period it lies in. A day that the zone skipped
    /// counts for nothing, in both.
    fn days(&self) -> (i64, i64) {
        let zone = &self.contract.zone;
        let part = zone.count_days(self.service.first, self.service.next);
        let whole = match grid_period(self.contract.anchor, self.service.first) {
            Ok((first, next)) => zone.count_days(first, next),
            Err(_) => part,
        };
        (part, whole)
    }

    fn usage(
        &self,
        part_days: i64,
        whole_days: i64,
    ) -> Result<(LineTerm, PriceIdentity, Option<(String, u32)>), BillingProblem> {
        let Charging::Usage { meter, only, included, price, charge_when_unused, allow_negative } =
            &self.item.item.charging
        else {
            return Err(self.problem(BillingCode::MeterUnknown, "a fee has no meter".to_owned()));
        };
        let meter = self.meter(meter, only)?;
        let (price, identity) = self.price(price)?;
        let included_part = share(*included, part_days, whole_days)
            .map_err(|error| self.problem(BillingCode::PriceInvalid, format!("the allowance cannot be prorated: {error}")))?;
        let price = PriceTerm {
            price,
            included: included_part,
            charge_when_unused: *charge_when_unused,
            allow_negative: *allow_negative,
        };
        let unit = meter.unit.clone();
        let term = LineTerm::Usage { price, included_whole: *included, only: only.clone(), unit };
        Ok((term, identity, Some((meter.name.clone(), meter.version))))
    }

    fn meter(&self, name: &str, only: &[(String, Vec<String>)]) -> Result<&Meter, BillingProblem> {
        let meter = self.terms.meters.pick(name, self.service.start).ok_or_else(|| {
            let message = format!("no meter of this name holds at the start of the period `{name}`");
            self.problem(BillingCode::MeterUnknown, message)
        })?;
        match only.iter().find(|(dimension, _)| !meter.dimensions.contains(dimension)) {
            Some((dimension, _)) => {
                let message = format!("expected a dimension of the meter {name}, found `{dimension}`");
                Err(self.problem(BillingCode::DimensionUnknown, message))
            }
            None => Ok(meter),
        }
    }

    fn price(&self, source: &PriceSource) -> Result<(Price, PriceIdentity), BillingProblem> {
        let (price, identity) = match source {
            PriceSource::Inline(price) => {
                self.check_currency()?;
                (price, self.inline_identity())
            }
            PriceSource::Named(name) => self.named(name)?,
        };
        price.check().map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            self.problem(BillingCode::PriceInvalid, all.join("; "))
        })?;
        Ok((price.clone(), identity))
    }

    fn named(&self, name: &str) -> Result<(&Price, PriceIdentity), BillingProblem> {
        let named = self.terms.prices.pick(name, self.service.start).ok_or_else(|| {
            let message = format!("no price of this name holds at the start of the period `{name}`");
            self.problem(BillingCode::PriceUnknown, message)
        })?;
        let currency = self.contract.currency;
        let price = named.currencies.get(&currency).ok_or_else(|| {
            let message = format!("the price {name} is not stated in the contract's currency `{}`", currency.code());
            self.problem(BillingCode::PriceCurrencyMissing, message)
        })?;
        let stated_in =
            TermIdentity { origin: Origin::Price, name: name.to_owned(), version: named.version };
        Ok((price, PriceIdentity { name: name.to_owned(), stated_in }))
    }

    /// Inline prices and fees are stated in the currency of their document; nothing is converted.
    fn check_currency(&self) -> Result<(), BillingProblem> {
        if self.item.currency == self.contract.currency {
            return Ok(());
        }
        let message = format!(
            "the plan is in {}, expected the contract's currency `{}`",
            self.item.currency.code(),
            self.contract.currency.code()
        );
        Err(self.problem(BillingCode::PriceCurrencyMissing, message))
    }

    fn inline_identity(&self) -> PriceIdentity {
        PriceIdentity {
            name: format!("{}/{}", self.item.stated_in.name, self.item.item.name),
            stated_in: self.item.stated_in.clone(),
        }
    }
}

/// `whole` × days of the part ÷ days of the whole, exact.
fn share(whole: Rational, part_days: i64, whole_days: i64) -> Result<Rational, NumberError> {
    if part_days == whole_days {
        return Ok(whole);
    }
    whole.checked_mul(Rational::new(i128::from(part_days), i128::from(whole_days))?)
}
