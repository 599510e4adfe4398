//! What `orch status` answers.

use serde::{Deserialize, Serialize};

use super::blocked::QuestionView;
use crate::run::{RunHeader, RunProgress, TaskCountsView};
use crate::{TaskSummary, UtcTimestamp};

/// A task under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskSummary,
    /// Since when its attempt is under way.
    pub since: UtcTimestamp,
    /// What its worker last said of its progress.
    pub progress: Option<String>,
    /// How far it says it is, 0 to 100.
    pub percent: Option<u8>,
    /// When the lease of its thread expires.
    pub lease_expires_at: Option<UtcTimestamp>,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskSummary,
    /// Why its last attempt failed.
    pub reason: Option<String>,
}

/// Two attempts that do not merge with each other as they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClashView {
    /// Both, `RUN/KEY@N`, the older first.
    pub attempts: Vec<String>,
    /// The files that contradict each other.
    pub files: Vec<String>,
}

/// One run at a glance. Each list has at most 20 entries; `counts` says how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusResponse {
    /// The run.
    pub run: RunHeader,
    /// How many tasks it has in each state.
    pub counts: TaskCountsView,
    /// Tasks under way, oldest first.
    pub active: Vec<ActiveTask>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionView>,
    /// What can be dispatched now, in order.
    pub ready: Vec<TaskSummary>,
    /// Failed tasks, oldest first.
    pub failed: Vec<FailedTask>,
    /// Attempts under way that do not merge with each other; the oldest eight that have committed something are
    /// looked at.
    pub clashes: Vec<ClashView>,
    /// How far it is.
    pub progress: RunProgress,
    /// Keys of the longest chain of unfinished tasks, in order.
    pub critical_path: Vec<String>,
    /// How long the rest will take, where finished attempts tell.
    pub eta_ms: Option<i64>,
}
