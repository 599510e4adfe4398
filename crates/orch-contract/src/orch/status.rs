//! The response of `orch status`.

use serde::{Deserialize, Serialize};

use super::blocked::QuestionView;
use crate::run::{RunHeader, RunProgress, TaskCountsView};
use crate::{TaskSummary, UtcTimestamp};

/// A task with a live attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskSummary,
    /// When its attempt was created.
    pub since: UtcTimestamp,
    /// The last progress message of its worker.
    pub progress: Option<String>,
    /// The progress in percent, 0 to 100.
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

/// Two live attempts with conflicting changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClashView {
    /// Both attempts, `RUN/KEY@N`, the older first.
    pub attempts: Vec<String>,
    /// The conflicting files.
    pub files: Vec<String>,
}

/// A summary of a run. Each list has at most 20 entries; `counts` is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusResponse {
    /// The run.
    pub run: RunHeader,
    /// The number of its tasks in each state.
    pub counts: TaskCountsView,
    /// Tasks with a live attempt, oldest first.
    pub active: Vec<ActiveTask>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionView>,
    /// The dispatchable tasks, in order.
    pub ready: Vec<TaskSummary>,
    /// Failed tasks, oldest first.
    pub failed: Vec<FailedTask>,
    /// Live attempts with conflicting changes; the oldest eight that have commits are
    /// compared.
    pub clashes: Vec<ClashView>,
    /// Its progress.
    pub progress: RunProgress,
    /// Keys of the longest chain of unfinished tasks, in order.
    pub critical_path: Vec<String>,
    /// The estimated remaining time, if finished attempts allow an estimate.
    pub eta_ms: Option<i64>,
}
