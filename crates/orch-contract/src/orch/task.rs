//! Answers about tasks.

use serde::{Deserialize, Serialize};

use super::dependency::Dependency;
use crate::{Attempt, Task, TaskShown};

/// One task: the answer to a change of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskAnswer {
    /// The task as it is now.
    pub task: TaskShown,
}

/// What `orch task list` and `orch ready` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TasksAnswer {
    /// The tasks of this part, in the command's order.
    pub tasks: Vec<TaskShown>,
    /// How many the whole list has.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// What `orch task show` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskShowAnswer {
    /// The task, whole.
    pub task: Task,
    /// What it waits for or waited for, oldest first.
    pub dependencies: Vec<Dependency>,
    /// What waits for it, oldest first.
    pub dependents: Vec<Dependency>,
    /// Its attempts, newest first.
    pub attempts: Vec<Attempt>,
}
