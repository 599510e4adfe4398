//! Answers about tasks.

use serde::{Deserialize, Serialize};

use super::dependency::DependencyView;
use crate::{AttemptView, TaskOrSummary, TaskView};

/// One task: the answer to a change of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskResponse {
    /// The task as it is now.
    pub task: TaskOrSummary,
}

/// What `orch task list` and `orch ready` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskListResponse {
    /// The tasks of this part, in the command's order.
    pub tasks: Vec<TaskOrSummary>,
    /// How many the whole list has.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// What `orch task show` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskShowResponse {
    /// The task, whole.
    pub task: TaskView,
    /// What it waits for or waited for, oldest first.
    pub dependencies: Vec<DependencyView>,
    /// What waits for it, oldest first.
    pub dependents: Vec<DependencyView>,
    /// Its attempts, newest first.
    pub attempts: Vec<AttemptView>,
}
