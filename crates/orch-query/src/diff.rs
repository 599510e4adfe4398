//! `orch diff`: the changes of an attempt since its base commit.

use orch_core::attempt::Attempt;
use orch_core::id::CommitHash;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::worktree::{Worktree, WorktreeState};

use orch_git::{CommitId, DiffStyle, FileDiffStat, Repository};
use orch_inbox::{Error, Session};
use orch_scheduler::attempt_worktree::AttemptWorktree;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{AttemptSelector, lookup};
use orch_workspace::run_repository::{branch_ref, kept_ref, open_repository, to_commit_id, to_stored_commit};

/// The changes of an attempt.
#[derive(Clone, Debug)]
pub struct AttemptDiff {
    /// The attempt.
    pub attempt: Attempt,
    /// Its base commit.
    pub base: CommitHash,
    /// Its last commit: the tip of its branch while it is live, else what its worker reported.
    pub head: CommitHash,
    /// The changed files.
    pub files: Vec<FileDiffStat>,
    /// A summary line per file.
    pub stat: Vec<u8>,
    /// The patch, where it was requested.
    pub patch: Option<Vec<u8>>,
    /// Whether the texts were truncated.
    pub is_cut: bool,
}

/// How much of a diff is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffLimits {
    /// Whether the patch is included.
    pub patch: bool,
    /// The maximum length of each text in bytes.
    pub bytes_max: usize,
}

/// Shows what an attempt has committed since its base.
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

/// The last commit of an attempt.
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
    // An attempt that ended without a report may have commits.
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
