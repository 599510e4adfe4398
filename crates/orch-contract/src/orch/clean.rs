//! The response of `orch clean`.

use serde::{Deserialize, Serialize};

/// Something that was deleted, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedResourceView {
    /// What it is: `run`, `worktree`, `spare`, `reference`, `folder`, `store`, or `attic` for a damaged worktree.
    pub what: String,
    /// The attempt that had it, `RUN/KEY@N`; null where it belonged to none.
    pub attempt: Option<String>,
    /// Its path, or the name of a run or a reference.
    pub path: String,
}

/// Something that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptResourceView {
    /// Its path, or the name of a run or a reference.
    pub what: String,
    /// Why it stays.
    pub why: String,
}

/// The response of `orch clean`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CleanResponse {
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// What was deleted, or would be.
    pub removes: Vec<RemovedResourceView>,
    /// What stays, and why.
    pub keeps: Vec<KeptResourceView>,
}
