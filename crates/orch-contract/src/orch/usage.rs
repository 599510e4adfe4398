//! The response of `orch usage`.

use orch_core::run::CostSource;
use serde::{Deserialize, Serialize};

use crate::{TokensView, UsdAmount, WireWord};

/// What attempts used. A field that a row does not have in common with all of its attempts is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageRowView {
    /// The UTC day, like `2026-11-22`.
    pub day: Option<String>,
    /// The run, which may have been removed since.
    pub run: Option<String>,
    /// The profile.
    pub profile: Option<String>,
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The known cost in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// Where the cost comes from; `unknown` where that of an attempt is not known.
    pub cost_source: WireWord<CostSource>,
    /// The known tokens; null where none are known.
    pub tokens: Option<TokensView>,
    /// The number of attempts.
    pub attempts: i64,
}

/// The response of `orch usage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageResponse {
    /// The rows, newest day first, then by run, task and profile.
    pub rows: Vec<UsageRowView>,
    /// The length of the whole list.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
