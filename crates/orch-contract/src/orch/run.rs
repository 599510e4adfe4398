//! Answers about runs.

use crate::orch::clean::{KeptResourceView, RemovedResourceView};
use serde::{Deserialize, Serialize};

use crate::run::{RunHeader, RunSummary, TaskCountsView};
use crate::{CheckView, RunView, TaskOrSummary, TaskSummary};

/// A run: the response to a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunResponse {
    /// The run as it is now.
    pub run: RunView,
    /// The fields of a new run that come from `[defaults]` in `orch.toml`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defaults: Vec<String>,
}

/// The response of `orch run list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunListResponse {
    /// The runs of this page, newest first.
    pub runs: Vec<RunSummary>,
    /// The length of the whole list.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// The response of `orch run use`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunUseResponse {
    /// The current run of this worktree; `null` when none is chosen.
    pub run: Option<RunHeader>,
}

/// The response of `orch status` and `orch brief` where several runs are unfinished and none is chosen, and of `orch`
/// where there is no run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenRunsResponse {
    /// The unfinished runs, newest first.
    pub runs: Vec<RunSummary>,
    /// The next commands, the most useful first.
    pub next: Vec<String>,
}

/// The response of `orch status`: of a run, or of all unfinished ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum StatusOrRuns {
    /// One run.
    Status(Box<super::status::StatusResponse>),
    /// Several runs, or none.
    Runs(OpenRunsResponse),
}

/// The response of `orch brief`: of a run, or of all unfinished ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum BriefOrRuns {
    /// One run.
    Brief(Box<super::brief::BriefResponse>),
    /// Several runs.
    Runs(OpenRunsResponse),
}

/// The response of `orch run show`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunShowResponse {
    /// The run.
    pub run: RunView,
    /// The number of its tasks in each state.
    pub counts: TaskCountsView,
    /// The tasks of this page, oldest first.
    pub tasks: Vec<TaskOrSummary>,
    /// The number of its tasks.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// The response of `orch run repair`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunRepairResponse {
    /// The run as it is now.
    pub run: RunView,
    /// The commit of its branch.
    pub commit: String,
    /// The run's checks on that commit, in order; empty for a commit that orch made.
    pub checks: Vec<CheckView>,
    /// The tasks, `RUN/KEY`, whose commits are not on the branch; they will be merged again.
    pub unmerged: Vec<String>,
}

/// The response of `orch run sync`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSyncResponse {
    /// The run as it is now.
    pub run: RunView,
    /// What was merged into the run's branch, by name.
    pub from: String,
    /// The commit of it that the run's branch has.
    pub base_commit: String,
    /// The previous commit of the run's branch.
    pub from_commit: String,
    /// The commit of the run's branch.
    pub commit: String,
    /// Whether the run's branch moved.
    pub changed: bool,
    /// The run's checks on that commit, in order; empty if the branch did not move.
    pub checks: Vec<CheckView>,
    /// The task that resolves the conflict because of which nothing was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskSummary>,
    /// The files in conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The next commands.
    pub next: Vec<String>,
}

/// The response of `orch run rm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunRemoveResponse {
    /// The removed run.
    pub run: String,
    /// The number of its tasks.
    pub tasks: i64,
    /// The references that keep the contents of its worktrees and unmerged commits of its branches.
    pub salvage: Vec<String>,
    /// The repository of these references; null for a run without worktrees.
    pub repository: Option<String>,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// What a dry run would delete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<RemovedResourceView>,
    /// What would stay after it, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<KeptResourceView>,
}
