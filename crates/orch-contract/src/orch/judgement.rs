//! The responses of the commands that verify, merge and land reported attempts.

use serde::{Deserialize, Serialize};

use crate::{AttemptView, CheckView, TaskOrSummary, TaskSummary};

/// The response of `orch verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyResponse {
    /// The task after the checks.
    pub task: TaskOrSummary,
    /// The attempt that was checked.
    pub attempt: AttemptView,
    /// The checks that ran, in order.
    pub checks: Vec<CheckView>,
}

/// An attempt that was merged into the run's branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntegratedAttempt {
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The merge commit on the run's branch.
    pub commit: Option<String>,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
}

/// An attempt that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RejectedAttempt {
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The conflicting files; empty without a merge conflict.
    pub files: Vec<String>,
}

/// A fault of orch itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FaultedAttempt {
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The fault.
    pub reason: Option<String>,
}

/// A task that resolves the conflict of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResolvingTaskView {
    /// The task.
    pub task: TaskSummary,
    /// The attempt, `RUN/KEY@N`, which stays reported until the task is merged.
    pub attempt: String,
    /// The files in conflict.
    pub paths: Vec<String>,
}

/// The response of `orch integrate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntegrateResponse {
    /// The run.
    pub run: String,
    /// The run's branch.
    pub branch: Option<String>,
    /// The merged attempts, in the order of merging.
    pub integrated: Vec<IntegratedAttempt>,
    /// The rejected attempts.
    pub rejected: Vec<RejectedAttempt>,
    /// Faults of orch itself, which are not counted as failures.
    pub faults: Vec<FaultedAttempt>,
    /// The tasks that resolve conflicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolving: Vec<ResolvingTaskView>,
    /// The next commands.
    pub next: Vec<String>,
}
