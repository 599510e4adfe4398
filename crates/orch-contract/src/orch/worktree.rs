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

/// A damaged worktree in the attic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AtticWorktree {
    /// The attempt that had it, `RUN/KEY@N`.
    pub attempt: String,
    /// The run, which may have been removed.
    pub run: String,
    /// Where it is.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
    /// When it was moved.
    pub moved_at: UtcTimestamp,
    /// Whether it is still there.
    pub exists: bool,
}

impl AtticWorktree {
    /// Returns the view of a damaged worktree.
    #[must_use]
    pub fn from_entry(entry: &core::DamagedWorktree, exists: bool) -> Self {
        Self {
            attempt: entry.attempt.clone(),
            run: entry.run.to_string(),
            path: entry.path.clone(),
            reason: entry.reason.clone(),
            moved_at: entry.moved_at.into(),
            exists,
        }
    }
}

/// The response of `orch worktree list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeListResponse {
    /// The run; null with `--attic` for all runs.
    pub run: Option<String>,
    /// The worktrees of its attempts, oldest first; with `--attic` only those in the attic.
    pub worktrees: Vec<InspectedWorktree>,
    /// Spare worktrees, which are kept for the run's next attempts, by path.
    pub spares: Vec<String>,
    /// With `--attic`: the damaged worktrees that were moved aside, those of removed runs included, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attic: Option<Vec<AtticWorktree>>,
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

/// A part of a worktree that could not be saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LostPart {
    /// Its path, relative to the worktree where it was inside; `.` for the worktree itself.
    pub path: String,
    /// Why it could not be saved.
    pub reason: String,
}

/// The response of `orch worktree remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeRemoveResponse {
    /// The worktree after the change.
    pub worktree: InspectedWorktree,
    /// With `--force`: what was deleted although it could not be saved.
    pub lost: Vec<LostPart>,
}

/// The response of `orch worktree restore`.
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
