//! One item in one service period, on its way to a line.

use metering::{Meter, Period, grid_period};
use money::{NumberError, Rational};
use rating::{Price, PriceTerm};

use crate::items::{ItemInForce, Origin, TermIdentity};
use crate::key::LineKey;
use crate::problem::{BillingCode, BillingProblem, Unpriced};
use crate::spec::{LineSpec, LineTerm, PriceIdentity};
use crate::terms::{Charging, Contract, Item, PriceSource, Prorate, Terms};

type Found<T> = Result<T, Box<BillingProblem>>;

/// What a line is rated by, under which price, of which meter version.
type Rating = (LineTerm, PriceIdentity, Option<(String, u32)>);

/// The usage that an item without a line leaves unpriced; none for a fee.
pub(crate) fn unpriced(item: &Item, service: &Period) -> Option<Unpriced> {
    match &item.charging {
        Charging::Usage { meter, only, .. } => {
            Some(Unpriced { meter: meter.clone(), only: only.clone(), service: *service })
        }
        Charging::Fee { .. } => None,
    }
}

/// One item in one service period, on its way to a line.
pub(crate) struct Resolver<'a> {
    pub(crate) terms: &'a Terms,
    pub(crate) contract: &'a Contract,
    pub(crate) service: &'a Period,
    pub(crate) item: &'a ItemInForce,
}

impl Resolver<'_> {
    /// The line's key.
    pub(crate) fn key(&self) -> LineKey {
        LineKey {
            payer: self.contract.payer.clone(),
            account: self.contract.account.clone(),
            contract: self.contract.name.clone(),
            item: self.item.item.name.clone(),
            service_start: self.service.first,
            group: String::new(),
        }
    }

    fn problem(&self, code: BillingCode, message: String) -> Box<BillingProblem> {
        Box::new(BillingProblem {
            code,
            contract: self.contract.name.clone(),
            item: Some(self.item.item.name.clone()),
            message,
            unpriced: unpriced(&self.item.item, self.service),
        })
    }

    /// The line, or what keeps the item from having one.
    pub(crate) fn spec(&self) -> Found<LineSpec> {
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

    fn usage(&self, part_days: i64, whole_days: i64) -> Found<Rating> {
        let Charging::Usage { meter, only, included, price, charge_when_unused, allow_negative } =
            &self.item.item.charging
        else {
            return Err(self.problem(BillingCode::MeterUnknown, "a fee has no meter".to_owned()));
        };
        let meter = self.meter(meter, only)?;
        let (price, identity) = self.price(price)?;
        let included_part = share(*included, part_days, whole_days).map_err(|error| {
            self.problem(BillingCode::PriceInvalid, format!("the allowance cannot be prorated: {error}"))
        })?;
        let price = Box::new(PriceTerm {
            price,
            included: included_part,
            charge_when_unused: *charge_when_unused,
            allow_negative: *allow_negative,
        });
        let unit = meter.unit.clone();
        let term = LineTerm::Usage { price, included_whole: *included, only: only.clone(), unit };
        Ok((term, identity, Some((meter.name.clone(), meter.version))))
    }

    fn meter(&self, name: &str, only: &[(String, Vec<String>)]) -> Found<&Meter> {
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

    fn price(&self, source: &PriceSource) -> Found<(Price, PriceIdentity)> {
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

    fn named(&self, name: &str) -> Found<(&Price, PriceIdentity)> {
        let named = self.terms.prices.pick(name, self.service.start).ok_or_else(|| {
            let message = format!("no price of this name holds at the start of the period `{name}`");
            self.problem(BillingCode::PriceUnknown, message)
        })?;
        let currency = self.contract.currency;
        let price = named.currencies.get(&currency).ok_or_else(|| {
            let message =
                format!("the price {name} is not stated in the contract's currency `{}`", currency.code());
            self.problem(BillingCode::PriceCurrencyMissing, message)
        })?;
        let stated_in = TermIdentity { origin: Origin::Price, name: name.to_owned(), version: named.version };
        Ok((price, PriceIdentity { name: name.to_owned(), stated_in }))
    }

    /// Inline prices and fees are stated in the currency of their document; nothing is converted.
    fn check_currency(&self) -> Found<()> {
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
