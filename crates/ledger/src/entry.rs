//! One debit or credit.

use std::fmt;

use metering::CivilDate;
use money::{Amount, Currency};

/// The command that posts a transaction; a repeated command has the same id and posts nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub String);

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of an entry: its command and its place in it, from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The command that posted it.
    pub command: CommandId,
    /// Its place in that command's transaction.
    pub index: u32,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.command, self.index)
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// Its name in files and tables.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            /// The value of that name, if there is one.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// What kind of truth an entry states.
    PostingType {
        /// An amount that rating yields and that can be rated again.
        Rated = "rated",
        /// Revenue moved in time.
        Recognition = "recognition",
        /// Goodwill on a scope, in force up to what is rated on it.
        Concession = "concession",
        /// An issued amount given up for good.
        Waiver = "waiver",
        /// History in recorded order: issuing, payments, numbers. Never rated again.
        Settlement = "settlement",
    }
}

named! {
    /// Where an entry posts.
    LedgerAccount {
        /// What payers owe.
        Receivable = "receivable",
        /// Recognised − billed, per line key.
        ContractPosition = "contract_position",
        /// Revenue, by line key.
        Revenue = "revenue",
        /// Tax owed, by component.
        Tax = "tax",
    }
}

named! {
    /// Debit or credit.
    Side {
        /// Left.
        Debit = "debit",
        /// Right.
        Credit = "credit",
    }
}

impl Side {
    /// The other side.
    pub fn opposite(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}

/// One debit or credit, with everything needed to report it by any of these fields later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identity.
    pub id: EntryId,
    /// The legal entity whose books these are.
    pub seller: String,
    /// Who owes.
    pub payer: String,
    /// Whose usage or contract it is about.
    pub account: String,
    /// The document, e.g. an invoice number.
    pub document: String,
    /// The document's line, counted from 1; absent where the entry is about the whole document.
    pub document_line: Option<u32>,
    /// The stable key of that line.
    pub line_key: Option<String>,
    /// Where it posts.
    pub ledger_account: LedgerAccount,
    /// What kind of truth it states.
    pub posting_type: PostingType,
    /// Why it was posted: the name of the command or rule.
    pub cause: String,
    /// The tax component of a tax entry.
    pub tax_component: Option<String>,
    /// The day of the books it belongs to, in the seller's zone.
    pub accounting_date: CivilDate,
    /// First day and first day after of the service, where there is one.
    pub service_period: Option<(CivilDate, CivilDate)>,
    /// The journal row that recorded it.
    pub recorded_position: u64,
    /// Debit or credit.
    pub side: Side,
    /// How much. **Units**: minor units of its currency; always above zero.
    pub amount: Amount,
}

impl Entry {
    /// The currency of its amount.
    pub fn currency(&self) -> Currency {
        self.amount.currency()
    }

    /// Its amount in minor units, debits positive and credits negative.
    pub fn signed_minor(&self) -> i128 {
        match self.side {
            Side::Debit => self.amount.minor(),
            Side::Credit => self.amount.neg().minor(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for value in PostingType::ALL {
            assert_eq!(PostingType::parse(value.as_str()), Some(*value));
        }
        for value in LedgerAccount::ALL {
            assert_eq!(LedgerAccount::parse(value.as_str()), Some(*value));
        }
        for value in Side::ALL {
            assert_eq!(Side::parse(value.as_str()), Some(*value));
            assert_ne!(value.opposite(), *value);
        }
        assert_eq!(LedgerAccount::parse("Revenue"), None);
    }
}
