//! The tokens and costs that a client reports, and how it counts them.

use std::collections::VecDeque;

use serde::Deserialize;

use super::super::metering::TokenPrice;

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

/// The usage of a session in earlier starts of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTotals {
    /// Tokens.
    pub tokens: TokenCounts,
    /// Costs.
    pub cost: UsdMicros,
}

/// The meter of one quantity.
#[derive(Clone, Debug, Default)]
struct QuantityMeter<Q> {
    /// The usage of earlier starts in this session.
    before: Q,
    /// The usage since the client started; `None` while none was reported.
    run: Option<Q>,
    /// The client counts a new session, so `before` no longer applies.
    is_new_session: bool,
    /// The latest readings of events that are repeated, each by the key of its subject.
    repeated: VecDeque<(String, Q)>,
}

/// How many subjects of repeated events are remembered.
const REPEATED_MAX: usize = 64;

impl<Q: CountedQuantity> QuantityMeter<Q> {
    /// Records a reading. Of an event with a key, a later one with the same key replaces it.
    fn record_reading(&mut self, scope: CounterScope, key: Option<String>, value: Q) -> Q {
        let run = match scope {
            CounterScope::Each => {
                let run = self.run.unwrap_or_default().plus(value);
                match key.and_then(|key| self.replace_repeated(key, value)) {
                    Some(earlier) => run.difference_since(earlier).unwrap_or(run),
                    None => run,
                }
            }
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

    /// Remembers the reading of a subject; returns the one that it replaces.
    fn replace_repeated(&mut self, key: String, value: Q) -> Option<Q> {
        if let Some((_, known)) = self.repeated.iter_mut().find(|(known, _)| *known == key) {
            return Some(std::mem::replace(known, value));
        }
        if self.repeated.len() == REPEATED_MAX {
            self.repeated.pop_front();
        }
        self.repeated.push_back((key, value));
        None
    }
}

/// Counts the usage of one start of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct UsageCounter {
    tokens: QuantityMeter<TokenCounts>,
    cost: QuantityMeter<UsdMicros>,
    price: Option<TokenPrice>,
}

impl UsageCounter {
    pub(super) fn starting_from(before: SessionTotals, price: Option<TokenPrice>) -> Self {
        let mut usage = Self { price, ..Self::default() };
        usage.tokens.before = before.tokens;
        usage.cost.before = before.cost;
        usage
    }

    pub(super) fn record_tokens(
        &mut self,
        scope: CounterScope,
        key: Option<String>,
        value: TokenCounts,
    ) -> TokenCounts {
        self.tokens.record_reading(scope, key, value)
    }

    pub(super) fn record_cost(&mut self, scope: CounterScope, value: UsdMicros) -> UsdMicros {
        self.cost.record_reading(scope, None, value)
    }

    pub(super) const fn tokens(&self) -> Option<TokenCounts> {
        self.tokens.run
    }

    /// Returns the cost that the client reported, else the price of its tokens, and whether it was computed.
    pub(super) fn cost(&self) -> (Option<UsdMicros>, bool) {
        match (self.cost.run, self.price, self.tokens.run) {
            (Some(reported), ..) => (Some(reported), false),
            (None, Some(price), Some(tokens)) => (Some(price.cost_of(tokens)), true),
            (None, ..) => (None, false),
        }
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
        let check = |counts, before, told: &[u64], run: Option<u64>| {
            let mut meter = QuantityMeter { before: UsdMicros(before), ..QuantityMeter::default() };
            for value in told {
                meter.record_reading(counts, None, UsdMicros(*value));
            }
            assert_eq!(meter.run, run.map(UsdMicros), "{counts:?} {before} {told:?}");
        };
        check(CounterScope::Each, 10, &[1, 2, 3], Some(6));
        check(CounterScope::Run, 10, &[1, 3], Some(3));
        check(CounterScope::Session, 0, &[4, 6], Some(6));
        check(CounterScope::Session, 4, &[6], Some(2));
        check(CounterScope::Session, 4, &[4], Some(0));
        // The client began a new session, so its numbers are the totals.
        check(CounterScope::Session, 9, &[3, 12], Some(12));
        check(CounterScope::Session, 9, &[], None);
    }

    #[test]
    fn a_repeated_event_counts_once() {
        let mut meter = QuantityMeter::<UsdMicros>::default();
        let mut read = |key: Option<&str>, value| {
            meter.record_reading(CounterScope::Each, key.map(str::to_owned), UsdMicros(value)).0
        };
        assert_eq!(read(Some("m1"), 5), 5);
        assert_eq!(read(Some("m2"), 3), 8);
        // The events of two messages alternate.
        assert_eq!(read(Some("m1"), 7), 10);
        assert_eq!(read(Some("m2"), 3), 10);
        assert_eq!(read(None, 1), 11);
        assert_eq!(meter.record_reading(CounterScope::Run, None, UsdMicros(4)), UsdMicros(4));
    }

    #[test]
    fn tokens_have_a_price_until_the_client_reports_a_cost() {
        let price = toml::from_str("input = 1\noutput = 2").unwrap();
        let mut usage = UsageCounter::starting_from(SessionTotals::default(), Some(price));
        assert_eq!(usage.cost(), (None, false));
        usage.record_tokens(CounterScope::Run, None, TokenCounts { input: 10, cached_input: 0, output: 5 });
        assert_eq!(usage.cost(), (Some(UsdMicros(20)), true));
        usage.record_cost(CounterScope::Run, UsdMicros(17));
        assert_eq!(usage.cost(), (Some(UsdMicros(17)), false));
    }
}
