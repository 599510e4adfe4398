//! The responses of the commands of `orch worktree`.

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::worktree::{self as core, WorktreePresence, WorktreeState};
use serde::{Deserialize, Serialize};

use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// The worktree of an attempt, with what exists at its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedWorktree {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The attempt's state.
    pub attempt_state: WireWord<AttemptState>,
    /// The agent.
    pub agent: String,
    /// Its folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
    /// Its progress.
    pub state: WireWord<WorktreeState>,
    /// What exists at its path.
    pub found: WireWord<WorktreePresence>,
    /// Its base commit.
    pub base_commit: String,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
    /// The merge commit on the run's branch.
    pub merged_commit: Option<String>,
    /// The reference that keeps its contents from its last removal.
    pub salvage: Option<String>,
    /// When it last changed.
    pub updated_at: UtcTimestamp,
}

impl InspectedWorktree {
    /// Returns the worktree of an attempt.
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

/// The response of `orch worktree list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeListResponse {
    /// The run.
    pub run: String,
    /// The worktrees of its attempts, oldest first.
    pub worktrees: Vec<InspectedWorktree>,
    /// Spare worktrees, which are kept for the run's next attempts, by path.
    pub spares: Vec<String>,
    /// The total number of worktrees.
    pub total: u64,
    /// The cursor of the next page, for `--after`; null at the end.
    pub next: Option<String>,
}

/// The current contents of a worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeContentsView {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The branch that is checked out; null for a detached HEAD.
    pub branch: Option<String>,
    /// An unfinished git operation, such as `merge`.
    pub operation: Option<String>,
    /// Whether there are no uncommitted changes.
    pub clean: bool,
    /// The files with uncommitted changes, at most 100.
    pub dirty: Vec<String>,
    /// Their total number.
    pub dirty_total: u64,
    /// The processes that use it.
    pub processes: Vec<u32>,
}

/// The response of `orch worktree show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeShowResponse {
    /// The worktree.
    pub worktree: InspectedWorktree,
    /// Its contents; null if it does not exist.
    pub contents: Option<WorktreeContentsView>,
    /// The command that restores it, if it was removed.
    pub restore: Option<String>,
}

/// The response of `orch worktree remove` and `restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeResponse {
    /// The worktree after the change.
    pub worktree: InspectedWorktree,
}

/// A worktree that was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedWorktree {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// Its folder.
    pub path: String,
    /// The reference that keeps its contents.
    pub salvage: Option<String>,
}

/// A worktree that was not removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetainedWorktree {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// Its folder.
    pub path: String,
    /// The error code that `orch worktree remove` would return.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// The response of `orch worktree prune`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PruneResponse {
    /// The run.
    pub run: String,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// The worktrees that were removed, or would be.
    pub removed: Vec<RemovedWorktree>,
    /// The worktrees that were not removed, and why.
    pub stayed: Vec<RetainedWorktree>,
    /// Worktrees without an attempt that were removed as well: spare ones, and leftovers of crashed processes.
    pub spares: Vec<String>,
}
