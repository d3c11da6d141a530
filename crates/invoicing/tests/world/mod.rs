//! Random worlds: terms, a contract, one of its periods, and usage that leans on the edges.
//!
//! A world is a function of its seed, so a failure names the seed and nothing else.
#![allow(missing_docs, dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use invoicing::terms::{
    Charging, Contract, Item, NamedPrice, Pay, Plan, PriceSource, Prorate, Seller, Terms, Version,
};
use invoicing::{Bill, BillingProblem, CellFact, ExplainFacts, Line, LineSpec, Usage, bill, line_specs};
use metering::{Aggregation, CivilDate, Digest, Instant, Meter, Period, Zone, billing_periods};
use money::{Currency, Rational, Rounding};
use rating::{Price, Tier};

/// SplitMix64: small, seeded, the same everywhere.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(1))
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// A decimal below `whole` with up to `places` places.
    pub fn decimal(&mut self, whole: u64, places: u32) -> String {
        let power = 10u64.pow(places);
        let scaled = self.below(whole * power);
        format!("{}.{:0width$}", scaled / power, scaled % power, width = places as usize)
    }
}

pub fn number(text: &str) -> Rational {
    Rational::parse(text).unwrap()
}

pub fn date(text: &str) -> CivilDate {
    CivilDate::parse(text).unwrap()
}

pub fn version(number: u32) -> Version {
    Version { version: number, effective_at: Instant(0), recorded_at: u64::from(number) }
}

pub fn seller(currency: Currency) -> Seller {
    Seller {
        name: "demo".into(),
        version: version(1),
        series: "DEMO".into(),
        currency,
        zone: Zone::utc(),
        grace_days: 1,
    }
}

pub fn meter(name: &str) -> Meter {
    Meter {
        name: name.into(),
        version: 1,
        effective_at: Instant(0),
        recorded_at: 1,
        event_types: vec![name.into()],
        aggregation: Aggregation::Sum { property: "quantity".into() },
        filter: Vec::new(),
        dimensions: vec!["project".into()],
        unit: name.trim_end_matches('s').into(),
        allow_negative: true,
    }
}

pub fn usage_item(name: &str, meter: &str, price: PriceSource) -> Item {
    Item {
        name: name.into(),
        charging: Charging::Usage {
            meter: meter.into(),
            only: Vec::new(),
            included: Rational::ZERO,
            price,
            charge_when_unused: false,
            allow_negative: false,
        },
        description: None,
    }
}

pub fn fee_item(name: &str, amount: &str, pay: Pay) -> Item {
    Item {
        name: name.into(),
        charging: Charging::Fee {
            amount: number(amount),
            quantity: Rational::ONE,
            pay,
            prorate: Prorate::Day,
        },
        description: None,
    }
}

pub fn items(list: Vec<Item>) -> BTreeMap<String, Item> {
    list.into_iter().map(|item| (item.name.clone(), item)).collect()
}

pub fn contract(currency: Currency, own: Vec<Item>) -> Contract {
    Contract {
        name: "acme-2026".into(),
        version: version(1),
        account: "acme".into(),
        payer: "acme".into(),
        seller: "demo".into(),
        plan: None,
        items: items(own),
        currency,
        zone: Zone::utc(),
        start: date("2026-08-01"),
        end: None,
        anchor: 1,
        rounding: Rounding::HalfAwayFromZero,
    }
}

pub fn tier(up_to: Option<&str>, unit: &str, flat: &str) -> Tier {
    Tier { up_to: up_to.map(number), unit: number(unit), flat: number(flat) }
}

/// Everything that one bill is made from.
pub struct World {
    pub seed: u64,
    pub terms: Terms,
    pub contract: Contract,
    pub period: Period,
    pub specs: Vec<LineSpec>,
    pub usages: Vec<Option<Usage>>,
    pub problems: Vec<BillingProblem>,
}

impl World {
    pub fn random(seed: u64) -> Self {
        let chance = &mut Chance::new(seed);
        let currency = Currency::parse(chance.pick(&["USD", "JPY", "KWD", "EUR"])).unwrap();
        let mut terms = Terms::default();
        terms.sellers.add(seller(currency));
        let own: Vec<Item> =
            (0..1 + chance.below(4)).map(|index| random_item(chance, index, &mut terms, currency)).collect();
        let planned: Vec<Item> =
            (2..2 + chance.below(4)).map(|index| random_item(chance, index, &mut terms, currency)).collect();
        terms.plans.add(Plan { name: "team".into(), version: version(1), currency, items: items(planned) });
        let start = date("2024-01-01").plus_days(i64::try_from(chance.below(1000)).unwrap()).unwrap();
        let days = i64::try_from(1 + chance.below(70)).unwrap();
        let contract = Contract {
            plan: chance.one_in(2).then(|| "team".to_owned()),
            items: items(own),
            zone: Zone::parse(chance.pick(&["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]))
                .unwrap(),
            start,
            end: chance.one_in(2).then(|| start.plus_days(days).unwrap()),
            anchor: u8::try_from(1 + chance.below(31)).unwrap(),
            rounding: chance.pick(&Rounding::ALL),
            ..contract(currency, Vec::new())
        };
        terms.contracts.add(contract.clone());
        let periods: Vec<Period> =
            billing_periods(contract.anchor, &contract.zone, contract.start, contract.end).take(3).collect();
        let period = chance.pick(&periods);
        let (specs, problems) = line_specs(&terms, &contract, &period, &BTreeSet::new());
        let usages = specs.iter().map(|spec| random_usage(chance, spec)).collect();
        Self { seed, terms, contract, period, specs, usages, problems }
    }

    pub fn bill(&self) -> Bill {
        bill(&self.contract, &self.period, &self.specs, &self.usages).unwrap()
    }
}

fn random_item(chance: &mut Chance, index: u64, terms: &mut Terms, currency: Currency) -> Item {
    let name = format!("item-{index}");
    let included = if chance.one_in(2) { Rational::ZERO } else { random_bound(chance) };
    let charging = if chance.one_in(3) {
        Charging::Fee {
            amount: number(&chance.decimal(2000, 3)),
            quantity: Rational::from_integer(i128::from(1 + chance.below(4))),
            pay: chance.pick(&[Pay::Ahead, Pay::After]),
            prorate: chance.pick(&[Prorate::Day, Prorate::Day, Prorate::None]),
        }
    } else {
        let meter_name = format!("meter-{index}s");
        terms.meters.add(meter(&meter_name));
        let price = random_price(chance);
        let price = if chance.one_in(2) {
            PriceSource::Inline(price)
        } else {
            let named = format!("price-{index}");
            let currencies = BTreeMap::from([(currency, price)]);
            terms.prices.add(NamedPrice { name: named.clone(), version: version(1), currencies });
            PriceSource::Named(named)
        };
        Charging::Usage {
            meter: meter_name,
            only: if chance.one_in(4) { vec![("project".into(), vec!["a".into()])] } else { Vec::new() },
            included,
            price,
            charge_when_unused: chance.one_in(4),
            allow_negative: chance.one_in(4),
        }
    };
    Item { name, charging, description: chance.one_in(3).then(|| format!("Item {index}")) }
}

fn random_bound(chance: &mut Chance) -> Rational {
    number(chance.pick(&["0.5", "1", "3", "10", "100", "999.999999999999", "1000", "50000", "10000000"]))
}

fn random_tiers(chance: &mut Chance) -> Vec<Tier> {
    let mut bounds: BTreeSet<Rational> = (0..chance.below(4)).map(|_| random_bound(chance)).collect();
    let mut bounds: Vec<Option<Rational>> = std::mem::take(&mut bounds).into_iter().map(Some).collect();
    bounds.push(None);
    let random = |chance: &mut Chance, up_to| Tier {
        up_to,
        unit: number(&chance.decimal(4, 9)),
        flat: if chance.one_in(3) { number(&chance.decimal(30, 3)) } else { Rational::ZERO },
    };
    bounds.into_iter().map(|up_to| random(chance, up_to)).collect()
}

fn random_price(chance: &mut Chance) -> Price {
    let per = number(chance.pick(&["1", "1", "1000", "1000000", "7", "0.3"]));
    match chance.below(6) {
        0 => Price::Flat { amount: number(&chance.decimal(500, 3)) },
        1 => Price::Unit { rate: number(&chance.decimal(2, 12)), per },
        2 => Price::Volume { tiers: random_tiers(chance), per },
        3 => Price::Package { size: random_bound(chance), price: number(&chance.decimal(90, 4)) },
        _ => Price::Graduated { tiers: random_tiers(chance), per },
    }
}

/// The bounds that a line's price and allowance have: where one ulp matters.
fn edges(spec: &LineSpec) -> Vec<Rational> {
    let invoicing::LineTerm::Usage { price, .. } = &spec.term else { return Vec::new() };
    let mut edges = vec![price.included];
    if let Price::Graduated { tiers, .. } | Price::Volume { tiers, .. } = &price.price {
        for bound in tiers.iter().filter_map(|tier| tier.up_to) {
            edges.push(bound);
            edges.push(bound.checked_add(price.included).unwrap());
        }
    }
    if let Price::Package { size, .. } = &price.price {
        edges.push(size.checked_add(price.included).unwrap());
    }
    edges
}

fn random_usage(chance: &mut Chance, spec: &LineSpec) -> Option<Usage> {
    spec.meter.as_ref()?;
    let ulp = number("0.000000000001");
    let edges = edges(spec);
    let edge = edges[usize::try_from(chance.below(edges.len() as u64)).unwrap()];
    let edge = money::round_decimals(edge, 12, Rounding::HalfEven).unwrap();
    let quantity = match chance.below(10) {
        0 => Rational::ZERO,
        1 | 2 => edge,
        3 => edge.checked_add(ulp).unwrap(),
        4 => edge.checked_sub(ulp).unwrap(),
        5 => number(&chance.decimal(2000, 6)).neg(),
        6 => number(&chance.decimal(100_000_000, 4)),
        _ => number(&chance.decimal(60_000, 6)),
    };
    Some(Usage {
        records: chance.below(1000),
        quantity,
        unmeasured: if chance.one_in(10) { chance.below(5) } else { 0 },
        digest: Digest(u128::from(chance.draw()) << 64 | u128::from(chance.draw())),
    })
}

/// Facts for explaining a line, its usage cut into a few cells that sum to it.
pub fn facts(seed: u64, line: &Line) -> ExplainFacts {
    let chance = &mut Chance::new(seed ^ 0xCE11);
    ExplainFacts {
        invoice: "DEMO-000001".into(),
        position: chance.below(1_000_000),
        known_at: chance.below(1000),
        aggregate: None,
        cells: line.usage.as_ref().map_or_else(Vec::new, |usage| cells(chance, line, usage)),
        events: line.usage.as_ref().map(|_| "counterfoil usage --events".to_owned()),
    }
}

fn cells(chance: &mut Chance, line: &Line, usage: &Usage) -> Vec<CellFact> {
    let mut cells = Vec::new();
    let mut rest = CellFact {
        start: line.spec.service.start,
        end: line.spec.service.end,
        records: usage.records,
        quantity: usage.quantity,
        digest: usage.digest,
    };
    for _ in 0..chance.below(4) {
        let middle = Instant(rest.start.0 / 2 + rest.end.0 / 2);
        let quantity = number(&chance.decimal(500, 12));
        let left = rest.quantity.checked_sub(quantity).unwrap();
        let digest = u128::from(chance.draw()) << 64;
        let records = chance.below(rest.records + 1);
        cells.push(CellFact { end: middle, records, quantity, digest: Digest(digest), ..rest });
        rest = CellFact {
            start: middle,
            records: rest.records - records,
            quantity: left,
            digest: Digest(rest.digest.0.wrapping_sub(digest)),
            ..rest
        };
    }
    cells.push(rest);
    cells
}
