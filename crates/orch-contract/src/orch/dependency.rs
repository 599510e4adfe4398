//! Answers about dependencies.

use orch_core::id::TaskName;
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::{TaskOrSummary, WireWord};

/// A dependency of one task on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DependencyView {
    /// The task that waits, `RUN/KEY`.
    pub task: String,
    /// The task that it waits for, `RUN/KEY`.
    pub on: String,
    /// Whether the dependency is done.
    pub met: bool,
    /// The state of the other end: of `on`, in a list of dependents of `task`.
    pub state: WireWord<TaskState>,
}

impl DependencyView {
    /// Returns the dependency between two tasks.
    #[must_use]
    pub fn between_tasks(task: &TaskName, on: &TaskName, met: bool, state: TaskState) -> Self {
        Self { task: task.to_string(), on: on.to_string(), met, state: state.into() }
    }
}

/// The response of `orch dep list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DependencyListResponse {
    /// The dependencies of this page, by the age of the task that waits, then of the other.
    pub dependencies: Vec<DependencyView>,
    /// The length of the whole list.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// The response of `orch dep add` and `orch dep rm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DependencyEditResponse {
    /// The task that waits.
    pub task: TaskOrSummary,
    /// Keys of its unfinished dependencies now.
    pub waits_for: Vec<String>,
}
