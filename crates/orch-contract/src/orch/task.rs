//! Answers about tasks.

use serde::{Deserialize, Serialize};

use super::dependency::DependencyView;
use crate::{AttemptView, ReasonView, TaskOrSummary, TaskView};

/// A task: the response to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskResponse {
    /// The task as it is now.
    pub task: TaskOrSummary,
}

/// The response to a change of one or several tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskChangeResponse {
    /// The task as it is now, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskOrSummary>,
    /// The tasks as they are now, in the order in which they were named.
    pub tasks: Vec<TaskOrSummary>,
    /// Other tasks, `RUN/KEY`, that are skipped now.
    pub skipped: Vec<String>,
    /// Other tasks, `RUN/KEY`, that are no longer skipped.
    pub unskipped: Vec<String>,
    /// The next commands, the most useful first.
    pub next: Vec<String>,
}

/// A ready task that the budget keeps from being dispatched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusedReadyTask {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The reasons.
    pub reasons: Vec<ReasonView>,
}

/// The response of `orch task list` and `orch ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskListResponse {
    /// The tasks of this page, in the command's order.
    pub tasks: Vec<TaskOrSummary>,
    /// In `orch ready`: tasks of this page that the budget keeps from being dispatched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedReadyTask>,
    /// The length of the whole list.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// The response of `orch task show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskShowResponse {
    /// The task, whole.
    pub task: TaskView,
    /// Its dependencies, oldest first.
    pub dependencies: Vec<DependencyView>,
    /// Its dependents, oldest first.
    pub dependents: Vec<DependencyView>,
    /// Its attempts, newest first.
    pub attempts: Vec<AttemptView>,
}
