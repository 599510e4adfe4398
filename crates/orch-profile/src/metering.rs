//! How the cost of a client becomes known: by its own reports, by prices, or not at all.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::events::{TokenCounts, UsdMicros};

/// When the usage of a client becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeteringMode {
    /// While it works.
    Live,
    /// When it ends.
    AtEnd,
    /// Never.
    None,
}

impl MeteringMode {
    /// Returns the word that profiles use for the mode.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::AtEnd => "at_end",
            Self::None => "none",
        }
    }
}

/// A declaration about the cost of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostDeclaration {
    /// It costs nothing.
    None,
}

/// Prices in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenPrice {
    input: MillionPrice,
    /// The price of input that came from a cache; that of other input when not given.
    cached_input: Option<MillionPrice>,
    output: MillionPrice,
}

/// A price of a million tokens, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MillionPrice(u64);

impl<'de> Deserialize<'de> for MillionPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        let micros = UsdMicros::from_dollars(dollars);
        micros
            .map(|price| Self(price.0))
            .ok_or_else(|| D::Error::custom("a price is a number of US dollars from 0"))
    }
}

impl TokenPrice {
    /// Returns the price of tokens, rounded up to a millionth of a US dollar.
    #[must_use]
    pub fn cost_of(&self, tokens: TokenCounts) -> UsdMicros {
        let cached = tokens.cached_input.min(tokens.input);
        let parts = [
            (tokens.input - cached, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (tokens.output, self.output),
        ];
        let sum: u128 = parts.iter().map(|(count, price)| u128::from(*count) * u128::from(price.0)).sum();
        UsdMicros(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_priced_exactly() {
        let price: TokenPrice = toml::from_str("input = 3\ncached_input = 0.3\noutput = 15.0").unwrap();
        let plain: TokenPrice = toml::from_str("input = 3\noutput = 15").unwrap();
        for (input, cached_input, output, micros, uncached) in [
            (0, 0, 0, 0, 0),
            (1_000_000, 0, 0, 3_000_000, 3_000_000),
            (1_000_000, 1_000_000, 0, 300_000, 3_000_000),
            (1_000, 400, 100, 3_420, 4_500),
            // A part of a millionth is rounded up.
            (1, 1, 0, 1, 3),
        ] {
            let tokens = TokenCounts { input, cached_input, output };
            assert_eq!(price.cost_of(tokens), UsdMicros(micros), "{tokens:?}");
            assert_eq!(plain.cost_of(tokens), UsdMicros(uncached), "{tokens:?}");
        }
        for wrong in
            ["input = -1\noutput = 1", "input = nan\noutput = 1", "input = 1", "input = 1\noutput = 1\nx = 1"]
        {
            assert!(toml::from_str::<TokenPrice>(wrong).is_err(), "{wrong}");
        }
    }
}
