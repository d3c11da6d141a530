//! What stands in the way of billing one item, without stopping the rest of the invoice.

use std::fmt;

use metering::Period;

/// A kind of problem, by its stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BillingCode {
    /// Two items of one contract take the same unit of usage.
    ItemsOverlap,
    /// A price or fee is not stated in the contract's currency.
    PriceCurrencyMissing,
    /// A price that nobody defined, or not yet at the start of the service period.
    PriceUnknown,
    /// A price that breaks a rule of its model.
    PriceInvalid,
    /// A meter that nobody defined, or not yet at the start of the service period.
    MeterUnknown,
    /// A filter on a dimension that the meter does not keep.
    DimensionUnknown,
    /// A plan that nobody defined, or not yet at the start of the service period.
    PlanUnknown,
    /// Usage whose net quantity is below zero, charged as 0.
    NetNegative,
    /// Usage below zero that may be negative, under a price that has nothing below zero: charged as 0.
    NothingBelowZero,
    /// Days of a fee that no period has.
    DaysImpossible,
    /// Events of the line that the meter could not measure.
    UsageUnmeasured,
    /// Fees of earlier periods that no invoice has.
    FeeUnbilled,
    /// An invoice that could not be rated; it is held, the others go on.
    RatingFailed,
    /// Usage of the period that no item of the contract prices.
    UsageUnpriced,
    /// Lines that sum to less than zero: no such invoice is issued.
    TotalNegative,
}

impl BillingCode {
    /// Its name in files, tables and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ItemsOverlap => "items_overlap",
            Self::PriceCurrencyMissing => "price_currency_missing",
            Self::PriceUnknown => "price_unknown",
            Self::PriceInvalid => "price_invalid",
            Self::MeterUnknown => "meter_unknown",
            Self::DimensionUnknown => "dimension_unknown",
            Self::PlanUnknown => "plan_unknown",
            Self::NetNegative => "net_negative",
            Self::NothingBelowZero => "nothing_below_zero",
            Self::DaysImpossible => "days_impossible",
            Self::UsageUnmeasured => "usage_unmeasured",
            Self::FeeUnbilled => "fee_unbilled",
            Self::RatingFailed => "rating_failed",
            Self::UsageUnpriced => "usage_unpriced",
            Self::TotalNegative => "total_negative",
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::ItemsOverlap => "give the items of one meter `only` filters that share no value",
            Self::PriceCurrencyMissing => {
                "add the contract's currency to the price, or choose a plan in that currency"
            }
            Self::PriceUnknown => "apply the price with an `effective_at` not after the start of the period",
            Self::PriceInvalid => "correct the price and apply it again",
            Self::MeterUnknown => "apply the meter with an `effective_at` not after the start of the period",
            Self::DimensionUnknown => "add the dimension to the meter, or take it out of `only`",
            Self::PlanUnknown => "apply the plan with an `effective_at` not after the start of the period",
            Self::NothingBelowZero => "use a unit price for usage that may be negative",
            Self::DaysImpossible => "report this: a service period lies inside its whole period",
            Self::NetNegative => "set `allow_negative` on meter and item if negative usage is to be credited",
            Self::UsageUnmeasured => {
                "look at the events that `counterfoil usage --events` lists without a quantity"
            }
            Self::FeeUnbilled => "run the earlier periods first, or give the contract a later `start`",
            Self::RatingFailed => "correct what the message names and run the period again",
            Self::UsageUnpriced => {
                "add an item for it to the contract or plan, with a price of 0 if it is free"
            }
            Self::TotalNegative => "an amount owed to the payer is a credit note, not an invoice",
        }
    }
}

impl fmt::Display for BillingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Usage that has no price: which usage, so that its quantity can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpriced {
    /// The meter.
    pub meter: String,
    /// The filter of the item that has no price.
    pub only: Vec<(String, Vec<String>)>,
    /// The service period.
    pub service: Period,
}

/// Something that is wrong with one item of a contract, or with the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingProblem {
    /// What kind.
    pub code: BillingCode,
    /// The contract.
    pub contract: String,
    /// The item; absent where the whole contract is meant.
    pub item: Option<String>,
    /// What is wrong, with the value last.
    pub message: String,
    /// The usage that stays unpriced because of it. It is never billed as zero.
    pub unpriced: Option<Unpriced>,
}

impl fmt::Display for BillingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: contract {}", self.code, self.contract)?;
        if let Some(item) = &self.item {
            write!(f, ", item {item}")?;
        }
        write!(f, ": {}", self.message)
    }
}
