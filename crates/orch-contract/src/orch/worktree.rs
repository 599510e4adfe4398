//! What the commands of `orch worktree` answer.

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::worktree::{self as core, WorktreePresence, WorktreeState};
use serde::{Deserialize, Serialize};

use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// The worktree of an attempt, with what is really there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedWorktree {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The attempt's state.
    pub attempt_state: WireWord<AttemptState>,
    /// Who works on it.
    pub agent: String,
    /// Its folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
    /// How far it is.
    pub state: WireWord<WorktreeState>,
    /// What is really there.
    pub found: WireWord<WorktreePresence>,
    /// The commit it began from.
    pub base_commit: String,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
    /// The commit of the run's branch that has it.
    pub merged_commit: Option<String>,
    /// The reference that keeps what it held when it was taken away last.
    pub salvage: Option<String>,
    /// When it last changed.
    pub updated_at: UtcTimestamp,
}

impl InspectedWorktree {
    /// The worktree of an attempt.
    #[must_use]
    pub fn from_worktree(attempt: &Attempt, tree: &core::Worktree, found: WorktreePresence) -> Self {
        Self {
            attempt: attempt.name.to_string(),
            attempt_state: attempt.state.into(),
            agent: attempt.agent.to_string(),
            path: tree.path.clone(),
            branch: tree.branch.clone(),
            state: tree.state.into(),
            found: found.into(),
            base_commit: tree.base.to_string(),
            head_commit: tree.head.as_ref().map(ToString::to_string),
            merged_commit: tree.merged.as_ref().map(ToString::to_string),
            salvage: tree.salvage.clone(),
            updated_at: tree.updated_at.into(),
        }
    }
}

/// What `orch worktree list` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeListResponse {
    /// The run.
    pub run: String,
    /// The worktrees of its attempts, oldest first.
    pub worktrees: Vec<InspectedWorktree>,
    /// Finished worktrees that are kept for the run's next attempts, by path.
    pub spares: Vec<String>,
    /// How many worktrees there are in all.
    pub total: u64,
    /// The cursor for `--after` to go on; null at the end.
    pub next: Option<String>,
}

/// What is in a worktree just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeContentsView {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The branch that is; null when it is detached.
    pub branch: Option<String>,
    /// An operation of git's that waits to be finished, such as `merge`.
    pub operation: Option<String>,
    /// Whether nothing is changed.
    pub clean: bool,
    /// The files that are changed and not committed, at most 100.
    pub dirty: Vec<String>,
    /// How many there are.
    pub dirty_total: u64,
    /// The processes that work in it.
    pub processes: Vec<u32>,
}

/// What `orch worktree show` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeShowResponse {
    /// The worktree.
    pub worktree: InspectedWorktree,
    /// What is in it; null where it is not there.
    pub contents: Option<WorktreeContentsView>,
    /// The command that brings it back, where it was taken away.
    pub restore: Option<String>,
}

/// What `orch worktree remove` and `restore` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeResponse {
    /// The worktree, after it.
    pub worktree: InspectedWorktree,
}

/// A worktree that was taken away, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedWorktree {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// Its folder.
    pub path: String,
    /// The reference that keeps what it held.
    pub salvage: Option<String>,
}

/// A worktree that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetainedWorktree {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// Its folder.
    pub path: String,
    /// The code of the error that `orch worktree remove` would be.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// What `orch worktree prune` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PruneResponse {
    /// The run.
    pub run: String,
    /// Whether it was only said what would be done.
    pub dry_run: bool,
    /// What was taken away, or would be.
    pub removed: Vec<RemovedWorktree>,
    /// What stays, and why.
    pub stayed: Vec<RetainedWorktree>,
    /// Worktrees of no attempt that were taken away as well: spares, and what processes that ended left behind.
    pub spares: Vec<String>,
}
