//! What a thread may ask of a worktree before its holder may close it as done.
//!
//! Looking is somebody else's: here is only what is asked, what was seen, and what that means.

use super::Thread;
use crate::id::CommitHash;
use crate::refusal::{Refusal, TreeProblem, TreeRefusal};

/// A tree that must be clean, on its branch, at a commit that descends from where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeCondition {
    /// The worktree's folder.
    pub tree: String,
    /// The branch that must be checked out.
    pub branch: String,
    /// The commit that it began from.
    pub base: CommitHash,
    /// Whether there must be at least one commit since then.
    pub needs_commit: bool,
}

/// What was found when a thread was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingSnapshot {
    /// The commit that is checked out.
    pub head: CommitHash,
    /// The changed files, a JSON document.
    pub changes: Option<String>,
}

/// How a worktree looks to whoever wants to close its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeStatus {
    /// The commit that is checked out.
    pub head: CommitHash,
    /// The branch that is checked out; `None` when it is detached.
    pub branch: Option<String>,
    /// Whether the commit descends from the base, or is the base.
    pub descends: bool,
    /// The files with changes that are not committed, the first ones.
    pub dirty: Vec<String>,
    /// How many there are.
    pub dirty_total: usize,
}

/// Whether the tree is as the thread asks.
///
/// # Errors
/// It has changes that are not committed, is somewhere else, or has no commit of its own.
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
    if !seen.descends {
        let (base, head) = (condition.base.clone(), seen.head.clone());
        return conflict(TreeProblem::NotDescending { base, head });
    }
    if condition.needs_commit && seen.head == condition.base {
        let base = condition.base.clone();
        return Err(TreeRefusal::NoChanges { thread: thread.id, tree, base }.into());
    }
    Ok(())
}
