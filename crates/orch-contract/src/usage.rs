//! Usage: money and tokens, which are null where they are not known.

use orch_core::run as core;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in US dollars, exact to a millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsdAmount(pub i64);

impl Serialize for UsdAmount {
    #[expect(clippy::cast_precision_loss, reason = "amounts are far below what a float holds exactly")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

impl<'de> Deserialize<'de> for UsdAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "amounts are far below what a float holds exactly"
        )]
        Ok(Self((dollars * 1e6).round() as i64))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for UsdAmount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UsdAmount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An amount in US dollars, exact to a millionth.",
            "type": "number"
        })
    }
}

/// Tokens of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensView {
    /// Tokens that the model read, including cached ones.
    pub input: i64,
    /// The part of the input that came from a cache.
    pub cached_input: i64,
    /// Tokens that the model wrote, including its reasoning.
    pub output: i64,
}

impl TokensView {
    /// Returns the known tokens of a usage.
    #[must_use]
    pub fn of_usage(spent: core::ResourceUsage) -> Option<Self> {
        let core::TokenUsage { input, cached_input, output } = spent.tokens?;
        Some(Self { input, cached_input, output })
    }
}

/// What the workers of one profile used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileUsageView {
    /// The profile; null for workers without one.
    pub profile: Option<String>,
    /// The known cost in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens; null where none are known.
    pub tokens: Option<TokensView>,
    /// The number of attempts.
    pub attempts: i64,
}

impl ProfileUsageView {
    /// Returns the usage of a profile.
    #[must_use]
    pub fn from_usage(profile: Option<String>, spent: core::ResourceUsage) -> Self {
        Self {
            profile,
            cost_usd: spent.cost_micros.map(UsdAmount),
            tokens: TokensView::of_usage(spent),
            attempts: spent.attempts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_numbers() {
        for (micros, text) in [(0, "0.0"), (800_000, "0.8"), (1, "1e-6"), (1_234_567, "1.234567")] {
            assert_eq!(serde_json::to_string(&UsdAmount(micros)).unwrap(), text);
            assert_eq!(serde_json::from_str::<UsdAmount>(text).unwrap(), UsdAmount(micros));
        }
    }
}
