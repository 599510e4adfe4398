//! The response of `orch report`.

use serde::{Deserialize, Serialize};

use crate::{ProfileUsageView, TokensView, UsdAmount};

/// A report on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportResponse {
    /// The report, in Markdown.
    pub document: String,
    /// The known cost of the run in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens of the run; null where none are known.
    pub tokens: Option<TokensView>,
    /// What the workers of each profile used, where anything is known of it.
    pub profiles: Vec<ProfileUsageView>,
}
