//! The response of `orch task add --file`.

use serde::{Deserialize, Serialize};

use crate::TaskOrSummary;

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
    /// The first 20 of its tasks.
    pub tasks: Vec<TaskOrSummary>,
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
