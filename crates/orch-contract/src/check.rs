//! Checks that the tool ran.

use orch_core::check as core;
use orch_core::check::{CheckSource, CheckStage, CheckState};
use serde::{Deserialize, Serialize};

use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// A check that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckView {
    /// What was run; empty for what the tool itself found.
    pub command: String,
    /// How it ended.
    pub state: WireWord<CheckState>,
    /// Its exit status, where it ended with one.
    pub exit_status: Option<i32>,
    /// Why, where its exit status does not say it.
    pub message: Option<String>,
    /// On what it ran.
    pub stage: WireWord<CheckStage>,
    /// Whose it is.
    pub source: WireWord<CheckSource>,
    /// The commit it ran on.
    pub commit: String,
    /// How long it took.
    pub duration_ms: i64,
    /// The file that holds its output.
    pub log: Option<String>,
    /// When it ended.
    pub at: UtcTimestamp,
}

impl CheckView {
    /// The check.
    #[must_use]
    pub fn from_check(check: &core::CheckRun) -> Self {
        Self {
            command: check.command.clone(),
            state: check.state.into(),
            exit_status: check.exit_status,
            message: check.message.clone(),
            stage: check.stage.into(),
            source: check.source.into(),
            commit: check.commit.to_string(),
            duration_ms: check.duration.0,
            log: check.log.clone(),
            at: check.at.into(),
        }
    }
}
