//! `orch diff`: what an attempt changed since the commit that it began from.

use orch_core::attempt::Attempt;
use orch_core::id::CommitHash;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::worktree::{Worktree, WorktreeState};

use super::perform::{branch_ref, kept_ref, open_repository, to_commit_id, to_stored_commit};
use super::unit_of_work::read_fresh;
use super::worktree::AttemptWorktree;
use super::{AttemptSelector, lookup};
use orch_git::{CommitId, DiffStyle, FileDiffStat, Repository};
use orch_inbox::{Error, Session};

/// What an attempt changed.
#[derive(Clone, Debug)]
pub struct AttemptDiff {
    /// The attempt.
    pub attempt: Attempt,
    /// The commit that it began from.
    pub base: CommitHash,
    /// How far it has come: where its branch is while it is under way, else what its worker reported.
    pub head: CommitHash,
    /// The changed files.
    pub files: Vec<FileDiffStat>,
    /// A line for each file.
    pub stat: Vec<u8>,
    /// Every changed line, where it was wanted.
    pub patch: Option<Vec<u8>>,
    /// Whether there was more than was wanted.
    pub is_cut: bool,
}

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffLimits {
    /// Whether every changed line is wanted.
    pub patch: bool,
    /// How many bytes at most.
    pub bytes_max: usize,
}

/// Shows what an attempt has committed since its base.
///
/// # Errors
/// There is no such attempt, it has no worktree, its commits are gone, or the store or git failed.
pub fn diff_attempt(
    session: &mut Session,
    wanted: &AttemptSelector,
    extent: DiffLimits,
) -> Result<AttemptDiff, Error> {
    let AttemptWorktree { run, attempt, tree } = read_fresh(session, |tx, _| {
        let task = lookup::find_task(tx, &wanted.task)?;
        if task.attempt.is_none() {
            return Err(Refusal::AttemptNotFound { task: task.name }.into());
        }
        AttemptWorktree::find_named(tx, wanted)
    })?;
    let repository = open_repository(session, &run)?;
    let base = to_commit_id(&tree.base)?;
    let head = attempt_head(&repository, &attempt, &tree, &base)?;
    let stat = repository.diff_text(&base, &head, DiffStyle::Stat, extent.bytes_max)?;
    let patch = match extent.patch {
        true => Some(repository.diff_text(&base, &head, DiffStyle::Patch, extent.bytes_max)?),
        false => None,
    };
    Ok(AttemptDiff {
        files: repository.diff_stat(&base, &head)?,
        is_cut: stat.is_cut || patch.as_ref().is_some_and(|patch| patch.is_cut),
        stat: stat.bytes,
        patch: patch.map(|patch| patch.bytes),
        base: tree.base,
        head: to_stored_commit(&head),
        attempt,
    })
}

/// How far an attempt has come.
fn attempt_head(
    repository: &Repository,
    attempt: &Attempt,
    tree: &Worktree,
    base: &CommitId,
) -> Result<CommitId, Error> {
    if tree.state == WorktreeState::Planned {
        return Ok(base.clone());
    }
    let reported = tree.head.as_ref().map(to_commit_id).transpose()?;
    if let Some(reported) = reported.filter(|_| !attempt.state.is_live()) {
        return Ok(reported);
    }
    // One that ended without a report may still have come somewhere.
    for reference in [branch_ref(&tree.branch)?, kept_ref(&attempt.name)?] {
        if let Some(tip) = repository.read_ref(&reference)? {
            return Ok(tip);
        }
    }
    match &tree.head {
        Some(head) => to_commit_id(head),
        None => Err(TreeRefusal::BranchNotFound { branch: tree.branch.clone() }.into()),
    }
}
