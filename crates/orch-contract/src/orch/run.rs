//! Answers about runs.

use serde::{Deserialize, Serialize};

use crate::run::{RunSummary, TaskCountsView};
use crate::{RunView, TaskOrSummary};

/// One run: the answer to a change of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunResponse {
    /// The run as it is now.
    pub run: RunView,
}

/// What `orch run list` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunListResponse {
    /// The runs of this part, newest first.
    pub runs: Vec<RunSummary>,
    /// How many the whole list has.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// What `orch run show` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunShowResponse {
    /// The run.
    pub run: RunView,
    /// How many tasks it has in each state.
    pub counts: TaskCountsView,
    /// The tasks of this part, oldest first.
    pub tasks: Vec<TaskOrSummary>,
    /// How many tasks it has.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// What `orch run rm` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunRemoveResponse {
    /// The run that is gone.
    pub run: String,
    /// How many tasks it had.
    pub tasks: i64,
    /// The references that keep what its worktrees held, and what was on its branches and nowhere else.
    pub salvage: Vec<String>,
    /// The repository that these are in; null for a run that had no worktrees.
    pub repository: Option<String>,
}
