//! Answers about dependencies.

use orch_core::id::TaskName;
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::{TaskOrSummary, WireWord};

/// One task waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DependencyView {
    /// The task that waits, `RUN/KEY`.
    pub task: String,
    /// The task it waits for, `RUN/KEY`.
    pub on: String,
    /// Whether that one is done.
    pub met: bool,
    /// The state of the other end: of `on`, in a list of dependents of `task`.
    pub state: WireWord<TaskState>,
}

impl DependencyView {
    /// The dependency between two tasks.
    #[must_use]
    pub fn between_tasks(task: &TaskName, on: &TaskName, met: bool, state: TaskState) -> Self {
        Self { task: task.to_string(), on: on.to_string(), met, state: state.into() }
    }
}

/// What `orch dep list` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DependencyListResponse {
    /// The dependencies of this part, by the age of the task that waits, then of the other.
    pub dependencies: Vec<DependencyView>,
    /// How many the whole list has.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// What `orch dep add` and `orch dep rm` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DependencyEditResponse {
    /// The task that waits.
    pub task: TaskOrSummary,
    /// Keys of the unfinished tasks it waits for now.
    pub waits_for: Vec<String>,
}
