//! Currencies and their minor units.

use crate::decimal::excerpt;
use std::fmt;
use std::str::FromStr;

/// A code and the decimals of its minor unit.
type Row = (&'static str, u32);

/// Why a code is no currency to bill in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    /// Not an active ISO 4217 code in upper case.
    #[error("expected an active ISO 4217 code such as USD, found `{code}`")]
    Unknown {
        /// The text, cut after 40 characters.
        code: String,
    },
    /// An active code, of metal, a unit of account or a test, for which the standard names no minor unit.
    #[error("expected a currency with a minor unit, ISO 4217 gives none to `{code}`")]
    NoMinorUnit {
        /// The code.
        code: &'static str,
    },
}

/// An active currency that has a minor unit.
///
/// **Source**: ISO 4217 list one as of amendment 180, in force since 2026-01-01 (without BGN and ANG, with XCG,
/// XAD and ZWG). The exponent is the standard's; what a payment processor settles in is another setting.
///
/// **Examples**
/// ```
/// use money::{Currency, CurrencyError};
/// assert_eq!(Currency::parse("CLF")?.exponent(), 4);
/// assert_eq!(Currency::parse("XAU"), Err(CurrencyError::NoMinorUnit { code: "XAU" }));
/// assert!(Currency::parse("usd").is_err());
/// # Ok::<(), CurrencyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(&'static Row);

impl Currency {
    /// Reads a code of three upper-case letters.
    ///
    /// **Errors**: [`CurrencyError`].
    pub fn parse(code: &str) -> Result<Self, CurrencyError> {
        if let Some(row) = ACTIVE.iter().find(|row| row.0 == code) {
            return Ok(Currency(row));
        }
        match WITHOUT_MINOR_UNIT.iter().find(|known| **known == code) {
            Some(code) => Err(CurrencyError::NoMinorUnit { code }),
            None => Err(CurrencyError::Unknown { code: excerpt(code) }),
        }
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.0
    }

    /// The decimals of the minor unit: 2 for USD, 0 for JPY.
    pub fn exponent(self) -> u32 {
        self.0.1
    }

    /// Every currency, by code.
    pub fn all() -> impl Iterator<Item = Currency> {
        ACTIVE.iter().map(Currency)
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(code: &str) -> Result<Self, CurrencyError> {
        Currency::parse(code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Metals, bond market units, baskets, the test code and the code of no currency.
const WITHOUT_MINOR_UNIT: [&str; 13] =
    ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"];

#[rustfmt::skip]
static ACTIVE: [Row; 165] = [
    ("AED", 2), ("AFN", 2), ("ALL", 2), ("AMD", 2), ("AOA", 2), ("ARS", 2), ("AUD", 2), ("AWG", 2),
    ("AZN", 2), ("BAM", 2), ("BBD", 2), ("BDT", 2), ("BHD", 3), ("BIF", 0), ("BMD", 2), ("BND", 2),
    ("BOB", 2), ("BOV", 2), ("BRL", 2), ("BSD", 2), ("BTN", 2), ("BWP", 2), ("BYN", 2), ("BZD", 2),
    ("CAD", 2), ("CDF", 2), ("CHE", 2), ("CHF", 2), ("CHW", 2), ("CLF", 4), ("CLP", 0), ("CNY", 2),
    ("COP", 2), ("COU", 2), ("CRC", 2), ("CUP", 2), ("CVE", 2), ("CZK", 2), ("DJF", 0), ("DKK", 2),
    ("DOP", 2), ("DZD", 2), ("EGP", 2), ("ERN", 2), ("ETB", 2), ("EUR", 2), ("FJD", 2), ("FKP", 2),
    ("GBP", 2), ("GEL", 2), ("GHS", 2), ("GIP", 2), ("GMD", 2), ("GNF", 0), ("GTQ", 2), ("GYD", 2),
    ("HKD", 2), ("HNL", 2), ("HTG", 2), ("HUF", 2), ("IDR", 2), ("ILS", 2), ("INR", 2), ("IQD", 3),
    ("IRR", 2), ("ISK", 0), ("JMD", 2), ("JOD", 3), ("JPY", 0), ("KES", 2), ("KGS", 2), ("KHR", 2),
    ("KMF", 0), ("KPW", 2), ("KRW", 0), ("KWD", 3), ("KYD", 2), ("KZT", 2), ("LAK", 2), ("LBP", 2),
    ("LKR", 2), ("LRD", 2), ("LSL", 2), ("LYD", 3), ("MAD", 2), ("MDL", 2), ("MGA", 2), ("MKD", 2),
    ("MMK", 2), ("MNT", 2), ("MOP", 2), ("MRU", 2), ("MUR", 2), ("MVR", 2), ("MWK", 2), ("MXN", 2),
    ("MXV", 2), ("MYR", 2), ("MZN", 2), ("NAD", 2), ("NGN", 2), ("NIO", 2), ("NOK", 2), ("NPR", 2),
    ("NZD", 2), ("OMR", 3), ("PAB", 2), ("PEN", 2), ("PGK", 2), ("PHP", 2), ("PKR", 2), ("PLN", 2),
    ("PYG", 0), ("QAR", 2), ("RON", 2), ("RSD", 2), ("RUB", 2), ("RWF", 0), ("SAR", 2), ("SBD", 2),
    ("SCR", 2), ("SDG", 2), ("SEK", 2), ("SGD", 2), ("SHP", 2), ("SLE", 2), ("SOS", 2), ("SRD", 2),
    ("SSP", 2), ("STN", 2), ("SVC", 2), ("SYP", 2), ("SZL", 2), ("THB", 2), ("TJS", 2), ("TMT", 2),
    ("TND", 3), ("TOP", 2), ("TRY", 2), ("TTD", 2), ("TWD", 2), ("TZS", 2), ("UAH", 2), ("UGX", 0),
    ("USD", 2), ("USN", 2), ("UYI", 0), ("UYU", 2), ("UYW", 4), ("UZS", 2), ("VED", 2), ("VES", 2),
    ("VND", 0), ("VUV", 0), ("WST", 2), ("XAD", 2), ("XAF", 0), ("XCD", 2), ("XCG", 2), ("XOF", 0),
    ("XPF", 0), ("YER", 2), ("ZAR", 2), ("ZMW", 2), ("ZWG", 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_well_formed() {
        assert!(ACTIVE.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ACTIVE.iter().all(|row| row.0.len() == 3 && row.0.bytes().all(|b| b.is_ascii_uppercase())));
        assert!(WITHOUT_MINOR_UNIT.iter().all(|code| ACTIVE.iter().all(|row| row.0 != *code)));
        assert_eq!(Currency::all().count(), 165);
    }

    #[test]
    fn exponents_other_than_two() {
        let of = |exponent: u32| {
            let codes: Vec<&str> =
                Currency::all().filter(|c| c.exponent() == exponent).map(Currency::code).collect();
            codes.join(" ")
        };
        assert_eq!(of(0), "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF");
        assert_eq!(of(3), "BHD IQD JOD KWD LYD OMR TND");
        assert_eq!(of(4), "CLF UYW");
        assert!(Currency::all().all(|currency| [0, 2, 3, 4].contains(&currency.exponent())));
    }

    #[test]
    fn refused() {
        for code in ["", "usd", "US", "USDX", "BTC", "BGN", "ANG", "HRK", "SLL", "ZWL", "CUC", "DEM", " USD"]
        {
            assert_eq!(Currency::parse(code), Err(CurrencyError::Unknown { code: code.to_owned() }));
        }
        for code in WITHOUT_MINOR_UNIT {
            assert_eq!(Currency::parse(code), Err(CurrencyError::NoMinorUnit { code }));
        }
        let error = Currency::parse("usd").unwrap_err();
        assert_eq!(error.to_string(), "expected an active ISO 4217 code such as USD, found `usd`");
    }

    #[test]
    fn every_code_reads_back() {
        for currency in Currency::all() {
            assert_eq!(Currency::parse(currency.code()), Ok(currency));
        }
    }
}
