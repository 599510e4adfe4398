//! Checks that orch ran.

use orch_core::check as core;
use orch_core::check::{CheckSource, CheckStage, CheckState};
use serde::{Deserialize, Serialize};

use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// A check that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckView {
    /// The command; empty for a built-in check.
    pub command: String,
    /// Its final state.
    pub state: WireWord<CheckState>,
    /// Its exit status, if it exited with one.
    pub exit: Option<i32>,
    /// Its exit status under its earlier name.
    pub exit_status: Option<i32>,
    /// The reason, where the exit status does not tell it.
    pub message: Option<String>,
    /// Its stage.
    pub stage: WireWord<CheckStage>,
    /// Where it is defined.
    pub source: WireWord<CheckSource>,
    /// The commit that it ran on.
    pub commit: String,
    /// The tree of that commit; null in records of older versions.
    pub tree: Option<String>,
    /// Variables that the check did not get and that its command or output mentions, where it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_not_passed: Vec<String>,
    /// Whether the result was taken over from an earlier check of the same tree under the same conditions.
    pub reused: bool,
    /// Whether the check both failed and passed on the same tree under the same conditions.
    pub flaky: bool,
    /// Its duration.
    pub duration_ms: i64,
    /// The file that holds its output.
    pub log: Option<String>,
    /// When it ended.
    pub at: UtcTimestamp,
}

impl CheckView {
    /// Returns the check.
    #[must_use]
    pub fn from_check(check: &core::CheckRun) -> Self {
        Self {
            command: check.command.clone(),
            state: check.state.into(),
            exit: check.exit_status,
            exit_status: check.exit_status,
            message: check.message.clone(),
            stage: check.stage.into(),
            source: check.source.into(),
            commit: check.commit.to_string(),
            tree: check.tree.as_ref().map(ToString::to_string),
            env_not_passed: check.env_not_passed.clone(),
            reused: check.reused,
            flaky: check.flaky,
            duration_ms: check.duration.0,
            log: check.log.clone(),
            at: check.at.into(),
        }
    }
}
