//! What `orch land` answers.

use orch_core::task::{ChecksStatus, TaskState};
use serde::{Deserialize, Serialize};

use crate::CheckView;
use crate::word::WireWord;

/// A task that is on the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LandedTask {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its title.
    pub title: String,
    /// The attempt that did it, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
    /// The commit of the run's branch that has it.
    pub merged_commit: Option<String>,
    /// What the checks said.
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

/// What `orch land` answers. Each list has at most 100 entries, oldest task first; its total says how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LandResponse {
    /// The run.
    pub run: String,
    /// The branch that has it now.
    pub branch: String,
    /// Where that branch is.
    pub commit: String,
    /// Where it was before it moved there; null where that is not known.
    pub from_commit: Option<String>,
    /// Whether it was there before, and nothing had to be done.
    pub already: bool,
    /// The run's checks on the merged tree, in order; empty where the branch could simply move forward.
    pub checks: Vec<CheckView>,
    /// What landed.
    pub landed: Vec<LandedTask>,
    /// How much.
    pub landed_total: u64,
    /// What did not.
    pub left: Vec<LeftTask>,
    /// How much did not.
    pub left_total: u64,
    /// What landed without anything having judged it.
    pub unchecked: Vec<LandedTask>,
    /// How much of it.
    pub unchecked_total: u64,
    /// The command that publishes it; REMOTE stands for a remote where none is meant.
    pub push: String,
    /// The command that takes it back; null where it is not known what to go back to.
    pub undo: Option<String>,
}
