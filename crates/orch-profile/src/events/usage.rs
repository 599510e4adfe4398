//! The tokens and costs that a client reports, and how it counts them.

use serde::Deserialize;

/// A number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Tokens that the model read, including cached ones.
    pub input: u64,
    /// The part of the input that came from a cache.
    pub cached_input: u64,
    /// Tokens that the model wrote, including its reasoning.
    pub output: u64,
}

impl TokenCounts {
    /// Returns input plus output.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsdMicros(pub u64);

impl UsdMicros {
    /// Converts a number of dollars; `None` for a negative, non-finite or implausibly large number.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let micros = (dollars * 1e6).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked before the cast is used"
        )]
        (0.0..1e15).contains(&micros).then_some(Self(micros as u64))
    }
}

/// The period that a number in an event covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterScope {
    /// The time since the last such event: numbers are added.
    Each,
    /// The time since the client started: the last number is the total.
    Run,
    /// The time since the session began: the usage of earlier starts is subtracted.
    Session,
}

/// Arithmetic on a quantity.
trait CountedQuantity: Copy + Default + PartialEq {
    fn plus(self, more: Self) -> Self;
    /// Subtracts `before`; `None` if that is larger, which means that another session is counted.
    fn difference_since(self, before: Self) -> Option<Self>;
}

impl CountedQuantity for TokenCounts {
    fn plus(self, more: Self) -> Self {
        Self {
            input: self.input.saturating_add(more.input),
            cached_input: self.cached_input.saturating_add(more.cached_input),
            output: self.output.saturating_add(more.output),
        }
    }

    fn difference_since(self, before: Self) -> Option<Self> {
        Some(Self {
            input: self.input.checked_sub(before.input)?,
            cached_input: self.cached_input.checked_sub(before.cached_input)?,
            output: self.output.checked_sub(before.output)?,
        })
    }
}

impl CountedQuantity for UsdMicros {
    fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    fn difference_since(self, before: Self) -> Option<Self> {
        self.0.checked_sub(before.0).map(Self)
    }
}

/// The usage of a session over all starts of the client, kept from one start to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTotals {
    /// Tokens.
    pub tokens: TokenCounts,
    /// Costs.
    pub cost: UsdMicros,
}

/// The meter of one quantity.
#[derive(Clone, Copy, Debug, Default)]
struct QuantityMeter<Q> {
    /// The usage of earlier starts in this session.
    before: Q,
    /// The usage since the client started; `None` while none was reported.
    run: Option<Q>,
    /// The client counts a new session, so `before` no longer applies.
    is_new_session: bool,
}

impl<Q: CountedQuantity> QuantityMeter<Q> {
    fn record_reading(&mut self, scope: CounterScope, value: Q) -> Q {
        let run = match scope {
            CounterScope::Each => self.run.unwrap_or_default().plus(value),
            CounterScope::Run => value,
            CounterScope::Session => {
                let since = value.difference_since(self.before).filter(|_| !self.is_new_session);
                self.is_new_session = since.is_none();
                since.unwrap_or(value)
            }
        };
        self.run = Some(run);
        run
    }

    fn total(&self) -> Q {
        let run = self.run.unwrap_or_default();
        if self.is_new_session { run } else { self.before.plus(run) }
    }
}

/// Counts the usage of one start of a client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UsageCounter {
    tokens: QuantityMeter<TokenCounts>,
    cost: QuantityMeter<UsdMicros>,
}

impl UsageCounter {
    pub(super) fn starting_from(before: SessionTotals) -> Self {
        let mut usage = Self::default();
        usage.tokens.before = before.tokens;
        usage.cost.before = before.cost;
        usage
    }

    pub(super) fn record_tokens(&mut self, scope: CounterScope, value: TokenCounts) -> TokenCounts {
        self.tokens.record_reading(scope, value)
    }

    pub(super) fn record_cost(&mut self, scope: CounterScope, value: UsdMicros) -> UsdMicros {
        self.cost.record_reading(scope, value)
    }

    pub(super) const fn tokens(&self) -> Option<TokenCounts> {
        self.tokens.run
    }

    pub(super) const fn cost(&self) -> Option<UsdMicros> {
        self.cost.run
    }

    pub(super) fn totals(&self) -> SessionTotals {
        SessionTotals { tokens: self.tokens.total(), cost: self.cost.total() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implausible_dollars_are_ignored() {
        for (dollars, micros) in [
            (0.0, Some(0)),
            (0.030_000_000_000_000_002, Some(30_000)),
            (1.5, Some(1_500_000)),
            (-1.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (1e12, None),
        ] {
            assert_eq!(UsdMicros::from_dollars(dollars), micros.map(UsdMicros), "{dollars}");
        }
    }

    #[test]
    fn readings_are_counted_by_their_scope() {
        let check = |counts, before, told: &[u64], run, total| {
            let mut meter = QuantityMeter { before: UsdMicros(before), ..QuantityMeter::default() };
            for value in told {
                meter.record_reading(counts, UsdMicros(*value));
            }
            assert_eq!((meter.run, meter.total()), (run, UsdMicros(total)), "{counts:?} {before} {told:?}");
        };
        let used = |micros| Some(UsdMicros(micros));
        check(CounterScope::Each, 10, &[1, 2, 3], used(6), 16);
        check(CounterScope::Run, 10, &[1, 3], used(3), 13);
        check(CounterScope::Session, 0, &[4, 6], used(6), 6);
        check(CounterScope::Session, 4, &[6], used(2), 6);
        check(CounterScope::Session, 4, &[4], used(0), 4);
        // The client began a new session, so its numbers are the totals.
        check(CounterScope::Session, 9, &[3, 12], used(12), 12);
        check(CounterScope::Session, 9, &[], None, 9);
    }
}
