//! What `orch task add --file` answers.

use serde::{Deserialize, Serialize};

use crate::TaskOrSummary;

/// What a plan came to, or would come to.
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
    /// How many of its tasks are ready.
    pub ready: u64,
    /// The first 20 of its tasks.
    pub tasks: Vec<TaskOrSummary>,
}

/// What `orch task add` answers: one task, or what a plan came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum TaskAddResponse {
    /// With `--file`.
    Plan(PlanResponse),
    /// Without it.
    Task(super::task::TaskResponse),
}
