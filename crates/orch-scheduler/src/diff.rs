//! `orch diff`: what an attempt changed since the commit that it began from.

use orch_core::attempt::Attempt;
use orch_core::id::Commit;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::worktree::{Worktree, WorktreeState};

use super::perform::{branch_ref, commit, commit_id, kept_ref, repository};
use super::stage::read_fresh;
use super::worktree::Subject;
use super::{AttemptRef, scope};
use orch_git::{CommitId, DiffStyle, FileChange, Repository};
use orch_inbox::{Error, Session};

/// What an attempt changed.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The attempt.
    pub attempt: Attempt,
    /// The commit that it began from.
    pub base: Commit,
    /// How far it has come: where its branch is while it is under way, else what its worker reported.
    pub head: Commit,
    /// The changed files.
    pub files: Vec<FileChange>,
    /// A line for each file.
    pub stat: Vec<u8>,
    /// Every changed line, where it was wanted.
    pub patch: Option<Vec<u8>>,
    /// Whether there was more than was wanted.
    pub is_cut: bool,
}

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Whether every changed line is wanted.
    pub patch: bool,
    /// How many bytes at most.
    pub bytes_max: usize,
}

/// Shows what an attempt has committed since its base.
///
/// # Errors
/// There is no such attempt, it has no worktree, its commits are gone, or the store or git failed.
pub fn diff(session: &mut Session, wanted: &AttemptRef, extent: Extent) -> Result<Diff, Error> {
    let Subject { run, attempt, tree } = read_fresh(session, |tx, _| {
        let task = scope::one_task(tx, &wanted.task)?;
        if task.attempt.is_none() {
            return Err(Refusal::AttemptNotFound { task: task.name }.into());
        }
        Subject::named(tx, wanted)
    })?;
    let repository = repository(session, &run)?;
    let base = commit_id(&tree.base)?;
    let head = head(&repository, &attempt, &tree, &base)?;
    let stat = repository.diff_text(&base, &head, DiffStyle::Stat, extent.bytes_max)?;
    let patch = match extent.patch {
        true => Some(repository.diff_text(&base, &head, DiffStyle::Patch, extent.bytes_max)?),
        false => None,
    };
    Ok(Diff {
        files: repository.diff_stat(&base, &head)?,
        is_cut: stat.is_cut || patch.as_ref().is_some_and(|patch| patch.is_cut),
        stat: stat.bytes,
        patch: patch.map(|patch| patch.bytes),
        base: tree.base,
        head: commit(&head),
        attempt,
    })
}

/// How far an attempt has come.
fn head(
    repository: &Repository,
    attempt: &Attempt,
    tree: &Worktree,
    base: &CommitId,
) -> Result<CommitId, Error> {
    if tree.state == WorktreeState::Planned {
        return Ok(base.clone());
    }
    let reported = tree.head.as_ref().map(commit_id).transpose()?;
    if let Some(reported) = reported.filter(|_| !attempt.state.live()) {
        return Ok(reported);
    }
    // One that ended without a report may still have come somewhere.
    for reference in [branch_ref(&tree.branch)?, kept_ref(&attempt.name)?] {
        if let Some(tip) = repository.read_ref(&reference)? {
            return Ok(tip);
        }
    }
    match &tree.head {
        Some(head) => commit_id(head),
        None => Err(TreeRefusal::BranchNotFound { branch: tree.branch.clone() }.into()),
    }
}
