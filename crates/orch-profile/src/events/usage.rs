//! Tokens and money, and how a client counts them.

use serde_json::Value;

use super::json_path::JsonPath;

/// Tokens that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// What the model read, the cached part with it.
    pub input: u64,
    /// The part of the input that came from a cache.
    pub cached_input: u64,
    /// What the model wrote, its reasoning with it.
    pub output: u64,
}

impl TokenCounts {
    /// Input and output.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsdMicros(pub u64);

impl UsdMicros {
    /// From dollars as clients print them; less than nothing, or no number at all, is none.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let micros = (dollars * 1e6).round();
        // A sum that no client can have spent is a misread one.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was just found to lie within"
        )]
        (0.0..1e15).contains(&micros).then_some(Self(micros as u64))
    }
}

/// What a number in an event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterScope {
    /// What happened since the last such event: the numbers are added up.
    Each,
    /// Everything since the client was started: the last one stands.
    Run,
    /// Everything since the session began, earlier starts with it: what they used is taken off.
    Session,
}

/// What a quantity can do for counting.
trait CountedQuantity: Copy + Default + PartialEq {
    fn plus(self, more: Self) -> Self;
    /// `None` when there is less than before: then it is another session that is counted.
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

/// What a session has used so far, over all starts of the client. To be kept from one start to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTotals {
    /// Tokens.
    pub tokens: TokenCounts,
    /// Money.
    pub cost: UsdMicros,
}

/// One quantity as it grows.
#[derive(Clone, Copy, Debug, Default)]
struct QuantityMeter<Q> {
    before: Q,
    /// Since the client was started; `None` while nothing was told.
    run: Option<Q>,
    /// What stands for `before` at the next start, where the client counts another session.
    begun_anew: bool,
}

impl<Q: CountedQuantity> QuantityMeter<Q> {
    fn record_reading(&mut self, counts: CounterScope, value: Q) -> Q {
        let run = match counts {
            CounterScope::Each => self.run.unwrap_or_default().plus(value),
            CounterScope::Run => value,
            CounterScope::Session => {
                let since = value.difference_since(self.before).filter(|_| !self.begun_anew);
                self.begun_anew = since.is_none();
                since.unwrap_or(value)
            }
        };
        self.run = Some(run);
        run
    }

    fn total(&self) -> Q {
        let run = self.run.unwrap_or_default();
        if self.begun_anew { run } else { self.before.plus(run) }
    }
}

/// Counts what one start of a client uses.
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

    pub(super) fn record_tokens(&mut self, rule: &TokenRule, event: &Value) -> Option<TokenCounts> {
        let value = rule.extract_tokens(event)?;
        Some(self.tokens.record_reading(rule.counts, value))
    }

    pub(super) fn record_cost(&mut self, rule: &CostRule, event: &Value) -> Option<UsdMicros> {
        let value = UsdMicros::from_dollars(rule.usd.find(event)?.as_f64()?)?;
        Some(self.cost.record_reading(rule.counts, value))
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

/// Where an event tells tokens. Several paths for one number are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRule {
    pub(crate) when: super::EventCondition,
    pub(crate) counts: CounterScope,
    pub(crate) input: Vec<JsonPath>,
    pub(crate) cached_input: Vec<JsonPath>,
    pub(crate) output: Vec<JsonPath>,
}

impl TokenRule {
    fn extract_tokens(&self, event: &Value) -> Option<TokenCounts> {
        let sum = |paths: &[JsonPath]| {
            let numbers = paths.iter().filter_map(|path| path.find(event)?.as_u64());
            numbers.reduce(u64::saturating_add)
        };
        let (input, cached, output) = (sum(&self.input), sum(&self.cached_input), sum(&self.output));
        input.or(output)?;
        Some(TokenCounts {
            input: input.unwrap_or_default(),
            cached_input: cached.unwrap_or_default(),
            output: output.unwrap_or_default(),
        })
    }
}

/// Where an event tells money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRule {
    pub(crate) when: super::EventCondition,
    pub(crate) counts: CounterScope,
    pub(crate) usd: JsonPath,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_with_care() {
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
    fn numbers_count_what_the_profile_says() {
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
        // The client began another session: what it tells is all there is.
        check(CounterScope::Session, 9, &[3, 12], used(12), 12);
        check(CounterScope::Session, 9, &[], None, 9);
    }
}
