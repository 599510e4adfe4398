//! Handing the worktree of a rejected attempt over to the attempt that continues it.
//!
//! Each step can be repeated after a crash: the branch at the rejected commit, the checkout of it, the reason of the
//! lock, and the merge of what the rejected commit conflicts with.

use std::path::Path;

use orch_core::escape;
use orch_core::id::AttemptName;
use orch_store::table::{attempt, worktree};

use crate::perform::prepare::{PreparingAttempt, ReadyWorktree};
use orch_git::{CheckoutTarget, CommitId, GitError, MergeOutcome, Repository, WorktreeSpec};
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::{branch_ref, find_attempt_worktree, to_commit_id, to_stored_commit};

/// What a rejected attempt has left.
struct RejectedCommit {
    /// The commit from which its changes are counted.
    base: CommitId,
    /// The commit that was rejected.
    head: CommitId,
    /// The accepted commits that the task depends on.
    needed: Vec<CommitId>,
}

/// Takes over the worktree of a rejected attempt, and merges the attempt's base into it where they conflict.
pub(super) fn take_over_worktree(
    session: &mut Session,
    repository: &Repository,
    preparing: &PreparingAttempt,
    rejected: &AttemptName,
) -> Result<ReadyWorktree, Error> {
    let tree = &preparing.tree;
    let path = Path::new(&tree.path);
    let left = load_rejected_commit(session, preparing, rejected)?;
    let name = &preparing.attempt.name;
    let is_ours = find_attempt_worktree(repository, path, rejected)?.is_some()
        || find_attempt_worktree(repository, path, name)?.is_some();
    if !is_ours {
        return Err(GitError::PathTaken(path.to_owned()).into());
    }
    let (branch, reason) = (branch_ref(&tree.branch)?, name.to_string());
    let checkout = CheckoutTarget::Branch(&branch);
    let spec = WorktreeSpec { path, checkout, commit: &left.head, reason: &reason };
    let worktree = repository.hand_over_worktree(&spec)?;
    let onto = to_commit_id(&tree.base)?;
    let is_contained = repository.is_ancestor(&onto, &left.head)?;
    let needs_merge = !is_contained
        && (matches!(repository.merge_trees(&left.head, &onto)?, MergeOutcome::Conflict(_))
            || !repository.contains_all(&left.head, &left.needed)?);
    if !needs_merge {
        return Ok(ReadyWorktree { base: to_stored_commit(&left.base), conflicts: Vec::new() });
    }
    let message = format!("Merge the run's branch into {name}");
    let files = worktree.merge_into_files(&onto, &message)?;
    let conflicts = files.iter().map(|file| escape::path_text(file)).collect();
    Ok(ReadyWorktree { base: tree.base.clone(), conflicts })
}

fn load_rejected_commit(
    session: &mut Session,
    preparing: &PreparingAttempt,
    rejected: &AttemptName,
) -> Result<RejectedCommit, Error> {
    let task = preparing.task.id;
    let (left, needed) = session.query(|tx| {
        let left = match attempt::load_by_number(tx, task, rejected.number)? {
            Some(found) => worktree::load(tx, found.id)?,
            None => None,
        };
        Ok((left, worktree::list_of_dependencies(tx, task)?))
    })?;
    let left = left.and_then(|tree| Some((tree.base, tree.head?)));
    let Some((base, head)) = left else {
        return Err(GitError::PathTaken(Path::new(&preparing.tree.path).to_owned()).into());
    };
    let needed = needed.iter().map(|tree| to_commit_id(tree.accepted_commit()));
    Ok(RejectedCommit {
        base: to_commit_id(&base)?,
        head: to_commit_id(&head)?,
        needed: needed.collect::<Result<_, _>>()?,
    })
}
