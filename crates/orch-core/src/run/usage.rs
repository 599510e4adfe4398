//! What attempts use: tokens and money, and whether that is known.

use std::fmt;

use serde::Serialize;

/// Tokens of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenUsage {
    /// Tokens that the model read, including cached ones.
    pub input: i64,
    /// The part of the input that came from a cache.
    pub cached_input: i64,
    /// Tokens that the model wrote, including its reasoning.
    pub output: i64,
}

impl TokenUsage {
    /// Returns input plus output.
    #[must_use]
    pub fn total(self) -> i64 {
        self.input.saturating_add(self.output)
    }

    /// Returns the sum.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            input: self.input.saturating_add(more.input),
            cached_input: self.cached_input.saturating_add(more.cached_input),
            output: self.output.saturating_add(more.output),
        }
    }

    /// Returns the difference, which may be negative.
    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        Self {
            input: self.input.saturating_sub(less.input),
            cached_input: self.cached_input.saturating_sub(less.cached_input),
            output: self.output.saturating_sub(less.output),
        }
    }
}

/// The resources that attempts have used, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Cost in millionths of a US dollar; `None` where no cost is known.
    pub cost_micros: Option<i64>,
    /// Tokens; `None` where none are known.
    pub tokens: Option<TokenUsage>,
    /// The number of attempts.
    pub attempts: i64,
}

impl ResourceUsage {
    /// Returns the known cost in millionths of a US dollar.
    #[must_use]
    pub fn known_cost(self) -> i64 {
        self.cost_micros.unwrap_or(0)
    }

    /// Returns the number of known tokens.
    #[must_use]
    pub fn known_tokens(self) -> i64 {
        self.tokens.map_or(0, TokenUsage::total)
    }

    /// Returns the sum; what is known of either is known of both.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            cost_micros: add_known(self.cost_micros, more.cost_micros, i64::saturating_add),
            tokens: add_known(self.tokens, more.tokens, TokenUsage::plus),
            attempts: self.attempts.saturating_add(more.attempts),
        }
    }
}

fn add_known<Q>(one: Option<Q>, other: Option<Q>, add: impl FnOnce(Q, Q) -> Q) -> Option<Q> {
    match (one, other) {
        (Some(one), Some(other)) => Some(add(one, other)),
        (one, other) => one.or(other),
    }
}

named_enum! {
    /// Where a cost comes from.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum CostSource {
        /// The client reported it.
        Reported = "reported",
        /// It was computed from tokens by the prices of the profile, or the profile costs nothing.
        Computed = "computed",
        /// It is not known, or not of all attempts.
        Unknown = "unknown",
    }
}

/// Displays millionths of a US dollar with two decimals, or with six when needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DollarAmount(pub i64);

impl fmt::Display for DollarAmount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        if part % 10_000 == 0 {
            write!(out, "{sign}{whole}.{:02}", part / 10_000)
        } else {
            write!(out, "{sign}{whole}.{part:06}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_displayed_exactly() {
        for (micros, expected) in [
            (0, "0.00"),
            (1, "0.000001"),
            (500_000, "0.50"),
            (1_230_000, "1.23"),
            (1_000_001, "1.000001"),
            (-20_000, "-0.02"),
        ] {
            assert_eq!(DollarAmount(micros).to_string(), expected);
        }
    }

    #[test]
    fn the_unknown_stays_unknown_until_something_is_known() {
        let tokens = TokenUsage { input: 3, cached_input: 1, output: 2 };
        let none = ResourceUsage { attempts: 1, ..ResourceUsage::default() };
        let some = ResourceUsage { cost_micros: Some(5), tokens: Some(tokens), attempts: 1 };
        assert_eq!(none.plus(none).cost_micros, None);
        assert_eq!(none.plus(some).cost_micros, Some(5));
        assert_eq!(some.plus(some).known_tokens(), 10);
        assert_eq!(some.plus(none).attempts, 2);
    }
}
