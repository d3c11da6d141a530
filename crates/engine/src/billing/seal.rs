//! Seals: usage of a seller's periods with one end is pinned; what comes later is late.

use std::collections::BTreeMap;

use metering::Instant;
use serde_json::json;
use store::{Class, Cut, Effect, RowDraft};

use super::{OpenPeriod, PeriodName, RunReport, Work};
use crate::engine::{Caller, Engine};
use crate::error::{EngineError, ErrorKind};

const DAY_NS: i64 = 86_400_000_000_000;

impl Engine {
    /// The work whose period is sealed, with the cut of its seal; seals now what can be.
    ///
    /// A seal is of one seller and one end: contracts with other anchors have seals of their own, and a period
    /// never reads usage through the seal of one that ended before it.
    pub(super) fn seal(
        &mut self,
        caller: &Caller,
        name: PeriodName,
        work: Vec<Work>,
        early: Option<&str>,
        report: &mut RunReport,
    ) -> Result<Vec<(Work, Cut)>, EngineError> {
        let mut cuts: BTreeMap<(String, Instant), Cut> =
            self.tables.seals()?.into_iter().map(|seal| ((seal.seller, seal.end), seal.cut)).collect();
        let mut sealed = Vec::new();
        for one in work {
            let (seller, end) = (one.contract.seller.clone(), one.period.end);
            if let Some(cut) = cuts.get(&(seller.clone(), end)) {
                sealed.push((one, cut.clone()));
                continue;
            }
            let due = end.0.saturating_add(i64::from(self.seller(&seller, end)?.grace_days) * DAY_NS);
            let override_reason = match early {
                _ if self.now().0 >= due => None,
                Some(reason) => Some(reason.to_owned()),
                None => {
                    let contract = one.contract.name.clone();
                    report.open.push(OpenPeriod { contract, end, due: Instant(due) });
                    continue;
                }
            };
            let cut = self.seal_seller(caller, &seller, name, end, override_reason)?;
            cuts.insert((seller, end), cut.clone());
            sealed.push((one, cut));
        }
        match report.open.iter().min_by_key(|open| open.due) {
            Some(first) if sealed.is_empty() => Err(period_open(name, first)),
            _ => Ok(sealed),
        }
    }

    fn seal_seller(
        &mut self,
        caller: &Caller,
        seller: &str,
        name: PeriodName,
        end: Instant,
        override_reason: Option<String>,
    ) -> Result<Cut, EngineError> {
        let cut = self.roots.cut_now()?;
        self.record(RowDraft {
            class: Class::Billing,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            idempotency_key: None,
            command: "seal".to_owned(),
            command_version: 1,
            input: json!({ "seller": seller, "period": name.to_string() }),
            result: json!({ "end": end.to_string(), "position": cut.position }),
            effects: vec![Effect::Seal {
                seller: seller.to_owned(),
                period: name.to_string(),
                end,
                cut: cut.clone(),
                override_reason,
            }],
            cut: Some(cut.clone()),
            references: Vec::new(),
        })?;
        self.checkpoint_now(true)?;
        Ok(cut)
    }
}

fn period_open(name: PeriodName, open: &OpenPeriod) -> EngineError {
    let OpenPeriod { contract, end, due } = open;
    EngineError::new(
        ErrorKind::Conflict,
        "period_open",
        format!("`{name}` is still open: contract {contract} ends it at {end}, it can be sealed from {due}"),
        "wait until then, or seal early with --seal-early REASON; what comes later is then late",
    )
}
