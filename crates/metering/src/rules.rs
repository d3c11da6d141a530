//! The rules of a journal position: what the terms say about a new event.

use crate::code::{Code, Rejection};
use crate::instant::Instant;
use crate::meter::Meter;
use crate::view::EventView;

/// What is known at journal row K, and checks new events.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Every version of every meter known at K, in any order.
    pub meters: &'a [Meter],
    /// Whether an event may name an account that is not known, and so creates it.
    pub first_sight: bool,
    /// Whether an account is known at K.
    pub known_account: &'a dyn Fn(&str) -> bool,
    /// How far an event may be ahead of its receipt.
    pub future_limit_ns: i64,
}

impl<'a> Rules<'a> {
    /// Checks an event whose identity is new.
    ///
    /// Checked in this order, and the first problem is told:
    /// 1. `time_in_future`: `occurred_at` is later than `received_at` + `future_limit_ns`; the limit itself is
    ///    allowed.
    /// 2. `unknown_type`: no meter names the type, in its version that holds at `occurred_at`.
    /// 3. `unknown_account`: the account is not known and first sight creates none.
    /// 4. What [`Meter::value_of`] refuses, of the meters that count the event; of several, the one whose name
    ///    sorts first.
    ///
    /// An event that no filter lets through is accepted: it stands in the base cells alone.
    ///
    /// **Errors**: [`Rejection`].
    pub fn check<'e>(&self, event: impl Into<EventView<'e>>, received_at: Instant) -> Result<(), Rejection> {
        let event = event.into();
        self.check_time(event.occurred_at, received_at)?;
        let meters: Vec<&Meter> = self.meters_of(event.event_type, event.occurred_at).collect();
        if meters.is_empty() {
            let message = format!(
                "expected a type that a meter names at {}, found `{}`",
                event.occurred_at, event.event_type
            );
            return Err(Rejection::new(Code::UnknownType, message));
        }
        if !self.first_sight && !(self.known_account)(event.account) {
            let message = format!("expected a known account, found `{}`", event.account);
            return Err(Rejection::new(Code::UnknownAccount, message));
        }
        let refusals = meters.into_iter().filter(|meter| meter.counts(event)).filter_map(|meter| {
            meter.value_of(event).err().map(|rejection| (meter.name.as_str(), rejection))
        });
        match refusals.min_by_key(|(name, _)| *name) {
            Some((_, rejection)) => Err(rejection),
            None => Ok(()),
        }
    }

    /// The meters that name a type, each in its version that holds at `occurred_at`: of those
    /// effective then, the one with the greatest (`effective_at`, `recorded_at`, version).
    pub fn meters_of<'s>(&'s self, event_type: &'s str, at: Instant) -> impl Iterator<Item = &'a Meter> + 's {
        let meters: &'a [Meter] = self.meters;
        let order = |meter: &Meter| (meter.effective_at, meter.recorded_at, meter.version);
        let is_replaced = move |meter: &Meter| {
            meters.iter().any(|other| {
                other.name == meter.name && other.effective_at <= at && order(other) > order(meter)
            })
        };
        meters
            .iter()
            .filter(move |meter| meter.effective_at <= at && meter.names(event_type))
            .filter(move |meter| !is_replaced(meter))
    }

    fn check_time(&self, occurred_at: Instant, received_at: Instant) -> Result<(), Rejection> {
        // Where the limit lies beyond the time line, no time is too late.
        match received_at.checked_add_ns(self.future_limit_ns) {
            Some(latest) if occurred_at > latest => {
                let message = format!("expected a time of {latest} or before, found `{occurred_at}`");
                Err(Rejection::new(Code::TimeInFuture, message))
            }
            _ => Ok(()),
        }
    }
}
