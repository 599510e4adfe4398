//! The response of `orch land`.

use orch_core::run::LandingManner;
use orch_core::task::{ChecksStatus, TaskState};
use serde::{Deserialize, Serialize};

use crate::word::WireWord;
use crate::{CheckView, TaskSummary};

/// A task that is on the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LandedTask {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its title.
    pub title: String,
    /// The accepted attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
    /// The merge commit on the run's branch.
    pub merged_commit: Option<String>,
    /// The status of its checks.
    pub checks: WireWord<ChecksStatus>,
}

/// A task that is not on the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftTask {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// Its live or last attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
}

/// The response of `orch land`. Each list has at most 100 entries, oldest task first; its total says how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LandResponse {
    /// The run.
    pub run: String,
    /// The target branch.
    pub branch: String,
    /// The commit of the target branch.
    pub commit: String,
    /// The previous commit of the target branch; null if unknown.
    pub from_commit: Option<String>,
    /// Whether the target branch contained the run already.
    pub already: bool,
    /// How it landed: under its checks, without them, or by a merge made elsewhere; null if that is not recorded.
    pub manner: Option<WireWord<LandingManner>>,
    /// Why it landed although its checks or its files do not say that it may.
    pub reason: Option<String>,
    /// The run's checks on the commit, in order; empty if they had passed on it before.
    pub checks: Vec<CheckView>,
    /// The landed tasks.
    pub landed: Vec<LandedTask>,
    /// The amount used.
    pub landed_total: u64,
    /// The tasks that did not land.
    pub left: Vec<LeftTask>,
    /// The number of tasks that did not land.
    pub left_total: u64,
    /// The landed tasks without checks.
    pub unchecked: Vec<LandedTask>,
    /// The number of landed tasks without checks.
    pub unchecked_total: u64,
    /// The task that resolves the conflict because of which nothing landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskSummary>,
    /// The files in conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The command to push the branch; REMOTE is a placeholder if the remote is unknown.
    pub push: String,
    /// The command to undo the landing; null if the previous commit is unknown.
    pub undo: Option<String>,
    /// The next commands: the one that pushes, then the one that undoes.
    pub next: Vec<String>,
}
