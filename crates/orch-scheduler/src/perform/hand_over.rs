//! Handing the worktree of an ended attempt over to the attempt that continues it.
//!
//! Each step can be repeated after a crash: the branch at the last commit, the checkout of it, the reason of the
//! lock, and the merge of what a rejected commit conflicts with. Files that are not committed stay as they are.

use std::path::Path;

use orch_core::attempt::AttemptState;
use orch_core::escape;
use orch_core::id::AttemptName;
use orch_store::table::{attempt, worktree};

use crate::perform::prepare::{PreparingAttempt, ReadyWorktree};
use orch_git::{CheckoutTarget, CommitId, GitError, MergeOutcome, Repository, WorktreeSpec};
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::{branch_ref, find_attempt_worktree, to_commit_id, to_stored_commit};

/// What an ended attempt has left.
struct LeftWork {
    /// The commit from which its changes are counted.
    base: CommitId,
    /// The commit that was rejected; `None` for an attempt that was not judged.
    rejected: Option<CommitId>,
    /// The accepted commits that the task depends on.
    needed: Vec<CommitId>,
}

/// Takes over the worktree of an ended attempt, and merges the attempt's base into a rejected commit where they conflict.
pub(super) fn take_over_worktree(
    session: &mut Session,
    repository: &Repository,
    preparing: &PreparingAttempt,
    ended: &AttemptName,
) -> Result<ReadyWorktree, Error> {
    let tree = &preparing.tree;
    let path = Path::new(&tree.path);
    let left = load_left_work(session, preparing, ended)?;
    let name = &preparing.attempt.name;
    let registered = match find_attempt_worktree(repository, path, ended)? {
        None => find_attempt_worktree(repository, path, name)?,
        found => found,
    };
    let at = registered.and_then(|registered| Some(registered.head?.commit));
    let Some(head) = at.map(|at| left.rejected.clone().unwrap_or(at)) else {
        return Err(GitError::PathTaken(path.to_owned()).into());
    };
    let (branch, reason) = (branch_ref(&tree.branch)?, name.to_string());
    let checkout = CheckoutTarget::Branch(&branch);
    let spec = WorktreeSpec { path, checkout, commit: &head, reason: &reason };
    let worktree = repository.hand_over_worktree(&spec)?;
    let onto = to_commit_id(&tree.base)?;
    let is_contained = repository.is_ancestor(&onto, &head)?;
    let conflicts =
        || Ok::<_, GitError>(matches!(repository.merge_trees(&head, &onto)?, MergeOutcome::Conflict(_)));
    // Work that was not judged may conflict in files that are not committed, and is merged as any other later.
    let needs_merge = !is_contained
        && ((left.rejected.is_some() && conflicts()?) || !repository.contains_all(&head, &left.needed)?);
    if !needs_merge {
        return Ok(ReadyWorktree { base: to_stored_commit(&left.base), conflicts: Vec::new() });
    }
    let message = format!("Merge the run's branch into {name}");
    let files = worktree.merge_into_files(&onto, &message)?;
    let conflicts = files.iter().map(|file| escape::path_text(file)).collect();
    Ok(ReadyWorktree { base: tree.base.clone(), conflicts })
}

fn load_left_work(
    session: &mut Session,
    preparing: &PreparingAttempt,
    ended: &AttemptName,
) -> Result<LeftWork, Error> {
    let task = preparing.task.id;
    let (left, needed) = session.query(|tx| {
        let left = match attempt::load_by_number(tx, task, ended.number)? {
            Some(found) => worktree::load(tx, found.id)?.map(|tree| (found.state, tree)),
            None => None,
        };
        Ok((left, worktree::list_of_dependencies(tx, task)?))
    })?;
    let Some((state, left)) = left else {
        return Err(GitError::PathTaken(Path::new(&preparing.tree.path).to_owned()).into());
    };
    let needed = needed.iter().map(|tree| to_commit_id(tree.accepted_commit()));
    let rejected = left.head.filter(|_| state == AttemptState::Rejected);
    Ok(LeftWork {
        base: to_commit_id(&left.base)?,
        rejected: rejected.as_ref().map(to_commit_id).transpose()?,
        needed: needed.collect::<Result<_, _>>()?,
    })
}
