//! The response of `orch task add --file`.

use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::{TaskOrSummary, WireWord};

/// The result of adding a plan, or of a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanResponse {
    /// Tasks added.
    pub added: u64,
    /// Tasks changed.
    pub changed: u64,
    /// Dependencies added.
    pub dependencies: u64,
    /// Tasks on the longest chain of the plan.
    pub levels: u32,
    /// The number of its ready tasks.
    pub ready: u64,
    /// Tasks cancelled because the plan lacks them, with `--prune`.
    pub pruned: u64,
    /// The first 20 of its tasks.
    pub tasks: Vec<TaskOrSummary>,
    /// The first 100 changes of tasks, in the order of the plan; cancelled tasks last.
    pub changes: Vec<PlanChangeView>,
    /// The first 100 tasks that are not as the plan wants them, and why.
    pub left: Vec<PlanRemainderView>,
    /// The number of tasks that are not as the plan wants them.
    pub left_total: u64,
    /// The next commands, the most useful first.
    pub next: Vec<String>,
}

/// A change that a plan makes to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanChangeView {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// `add`, `edit` or `cancel`.
    pub change: String,
    /// The fields that change.
    pub fields: Vec<String>,
}

/// A task that is not as the plan wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanRemainderView {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// The fields that differ from the plan; empty where the plan lacks the task.
    pub fields: Vec<String>,
    /// Why it was left as it is.
    pub reason: String,
    /// The next command, if there is one.
    pub next: Option<String>,
}

/// The response of `orch task add`: a task, or the result of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum TaskAddResponse {
    /// With `--file`.
    Plan(PlanResponse),
    /// Without it.
    Task(super::task::TaskResponse),
}
