//! The condition of a thread on a worktree: what must hold before its holder may close it as done.
//!
//! This module compares the condition with an observed status; it does not read the worktree.

use super::Thread;
use crate::id::CommitHash;
use crate::refusal::{Refusal, TreeProblem, TreeRefusal};

/// Requires a clean worktree, on its branch, at a descendant of its base commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeCondition {
    /// The worktree's folder.
    pub tree: String,
    /// The branch that must be checked out.
    pub branch: String,
    /// Its base commit.
    pub base: CommitHash,
    /// A commit that must be merged, besides the base.
    pub merges: Option<CommitHash>,
    /// Whether at least one commit since the base is required.
    pub needs_commit: bool,
}

/// The state of the worktree when a thread was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingSnapshot {
    /// The commit that is checked out.
    pub head: CommitHash,
    /// The changed files, a JSON document.
    pub changes: Option<String>,
}

/// The status of a worktree when its thread should be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeStatus {
    /// The commit that is checked out.
    pub head: CommitHash,
    /// The branch that is checked out; `None` when it is detached.
    pub branch: Option<String>,
    /// The commit that it lacks: its base, or what must be merged; `None` when it has both.
    pub lacks: Option<CommitHash>,
    /// The first of the files with uncommitted changes.
    pub dirty: Vec<String>,
    /// Their total number.
    pub dirty_total: usize,
}

/// Checks that a worktree will meet the condition of its thread once its uncommitted changes are committed.
///
/// # Errors
/// The worktree is on another branch or commit, or has no change of its own.
pub fn check_condition_after_commit(
    thread: &Thread,
    condition: &TreeCondition,
    seen: TreeStatus,
) -> Result<(), Refusal> {
    let needs_commit = condition.needs_commit && seen.dirty_total == 0;
    let condition = TreeCondition { needs_commit, ..condition.clone() };
    check_condition(thread, &condition, &TreeStatus { dirty: Vec::new(), dirty_total: 0, ..seen })
}

/// Checks that a worktree meets the condition of its thread.
///
/// # Errors
/// The worktree has uncommitted changes, is on another branch or commit, or has no commit of its own.
pub fn check_condition(thread: &Thread, condition: &TreeCondition, seen: &TreeStatus) -> Result<(), Refusal> {
    let tree = condition.tree.clone();
    let conflict = |problem| Err(TreeRefusal::WorktreeConflict { tree: tree.clone(), problem }.into());
    if seen.branch.as_deref() != Some(&condition.branch) {
        let (branch, found) = (condition.branch.clone(), seen.branch.clone());
        return conflict(TreeProblem::OtherBranch { branch, found });
    }
    if !seen.dirty.is_empty() {
        let (files, total) = (seen.dirty.clone(), seen.dirty_total);
        return Err(TreeRefusal::WorktreeDirty { thread: Some(thread.id), tree, files, total }.into());
    }
    if let Some(base) = seen.lacks.clone() {
        let head = seen.head.clone();
        return conflict(TreeProblem::NotDescending { base, head });
    }
    if condition.needs_commit && seen.head == condition.base {
        let base = condition.base.clone();
        return Err(TreeRefusal::NoChanges { thread: thread.id, tree, base }.into());
    }
    Ok(())
}
