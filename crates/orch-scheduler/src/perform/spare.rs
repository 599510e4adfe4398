//! Finished worktrees that are kept beside the others for the run's next attempts.
//!
//! A spare is known by its place, its lock and its commit alone, and nothing in the store depends on it: what was in
//! it is kept elsewhere. Whoever finds one that nobody needs any more takes it away; one that was touched meanwhile is
//! left alone.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use orch_core::id::AttemptName;
use orch_core::run::Run;
use orch_core::worktree::spares_wanted;

use super::require_run_git;
use orch_git::{
    CheckoutTarget, CommitId, GitError, RefName, RegisteredWorktree, Repository, ReuseOutcome, Salvage,
    WorktreeSpec, canonicalize_existing,
};
use orch_inbox::Error;

/// What the folder of a spare begins with.
const PREFIX: &str = ".spare-";

/// No more are put aside than are wanted, however many threads would.
static PARKING: Mutex<()> = Mutex::new(());

/// What became of spares that nobody needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrimOutcome {
    /// Those that were taken away.
    pub removed: Vec<PathBuf>,
    /// Those that were touched, and stay.
    pub touched: Vec<PathBuf>,
}

/// Whether a worktree lies where spares of the run do.
pub(crate) fn is_spare_path(run: &Run, entry: &RegisteredWorktree) -> Result<bool, Error> {
    let root = worktrees_root(run)?;
    let name = entry.path.file_name().map(|name| name.to_string_lossy().starts_with(PREFIX));
    Ok(entry.path.parent() == Some(&root) && name == Some(true))
}

/// Puts a worktree that was salvaged aside for the next attempt, if there will be one; says whether it did.
pub(crate) fn park_spare(
    repository: &Repository,
    run: &Run,
    name: &AttemptName,
    salvage: &Salvage,
) -> Result<bool, Error> {
    let Some(head) = salvage.head() else { return Ok(false) };
    let _one_by_one = PARKING.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = usize::try_from(spares_wanted(run)).unwrap_or(0);
    if wanted == 0 || find_spares(repository, run)?.len() >= wanted {
        return Ok(false);
    }
    let (to, reason) = (spare_path(run, name)?, lock_reason(run));
    let addition =
        WorktreeSpec { path: &to, checkout: CheckoutTarget::Detached, commit: head, reason: &reason };
    match repository.reuse_worktree(&salvage.worktree, &addition) {
        Ok(ReuseOutcome::Reused(_)) => Ok(true),
        Ok(ReuseOutcome::Obstructed(_)) => Ok(false),
        Err(_) => {
            // It is removed as it would have been without any spare.
            remove_half_parked(repository, run, name)?;
            Ok(false)
        }
    }
}

/// Takes away what an earlier process left of putting this attempt's worktree aside.
pub(crate) fn remove_half_parked(
    repository: &Repository,
    run: &Run,
    name: &AttemptName,
) -> Result<(), Error> {
    repository.sweep_incomplete(&spare_path(run, name)?)?;
    Ok(())
}

/// Turns a spare into the worktree that is wanted, where there is one that is fit for it; says whether it did.
pub(crate) fn reuse_spare(
    repository: &Repository,
    run: &Run,
    addition: &WorktreeSpec<'_>,
) -> Result<bool, Error> {
    for entry in find_spares(repository, run)? {
        if untouched_commit(repository, run, &entry)?.is_none() {
            continue;
        }
        match repository.reuse_worktree(&entry.path, addition) {
            Ok(ReuseOutcome::Reused(_)) => return Ok(true),
            // Another commit needs a fresh one, or another process was faster.
            Ok(ReuseOutcome::Obstructed(_)) | Err(GitError::NotAWorktree { .. }) => {}
            // Making a fresh one meets the same, and tells it.
            Err(_) => return Ok(false),
        }
    }
    Ok(false)
}

/// Takes away the spares of a run beyond this many.
pub(crate) fn trim_spares(
    repository: &Repository,
    run: &Run,
    entries: &[RegisteredWorktree],
    keep: i64,
) -> Result<TrimOutcome, Error> {
    let mut trimmed = TrimOutcome::default();
    let mut kept = 0;
    for entry in entries {
        if !is_spare_path(run, entry)? {
            continue;
        }
        if entry.is_incomplete() {
            match repository.sweep_incomplete(&entry.path) {
                Ok(true) => trimmed.removed.push(entry.path.clone()),
                Ok(false) | Err(GitError::Busy) => {}
                Err(error) => return Err(error.into()),
            }
            continue;
        }
        let left = match untouched_commit(repository, run, entry)? {
            Some(_) if kept < keep => {
                kept += 1;
                continue;
            }
            Some(head) => repository.remove_unused_worktree(&entry.path, &lock_reason(run), &head)?.is_none(),
            None => false,
        };
        let list = if left { &mut trimmed.removed } else { &mut trimmed.touched };
        list.push(entry.path.clone());
    }
    Ok(trimmed)
}

/// The spares of a run; where there is none, git is not asked.
pub(crate) fn find_spares(repository: &Repository, run: &Run) -> Result<Vec<RegisteredWorktree>, Error> {
    let Ok(folder) = std::fs::read_dir(&require_run_git(run)?.root) else { return Ok(Vec::new()) };
    let is_one = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    if !folder.flatten().any(|entry| is_one(&entry)) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in repository.list_worktrees()? {
        if is_spare_path(run, &entry)? {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Where a spare stands that nobody has touched: on no branch, and on the commit of the attempt that it was made of.
pub(crate) fn untouched_commit(
    repository: &Repository,
    run: &Run,
    entry: &RegisteredWorktree,
) -> Result<Option<CommitId>, Error> {
    if entry.purpose() != Some(&lock_reason(run)) || entry.prunable.is_some() {
        return Ok(None);
    }
    let Some(head) = entry.head.as_ref().filter(|head| head.branch.is_none()) else { return Ok(None) };
    let name = entry.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let of = name.strip_prefix(PREFIX).unwrap_or_default();
    let ground = require_run_git(run)?;
    // Until its branch was put away, that is where it stands.
    let names =
        [format!("refs/orch/kept/{}/{of}", run.name), format!("refs/heads/{}/{of}", ground.branch_prefix)];
    for name in names {
        if repository.read_ref(&RefName::new(&name)?)?.as_ref() == Some(&head.commit) {
            return Ok(Some(head.commit.clone()));
        }
    }
    Ok(None)
}

/// Where the worktree of an attempt becomes a spare.
fn spare_path(run: &Run, name: &AttemptName) -> Result<PathBuf, Error> {
    Ok(worktrees_root(run)?.join(format!("{PREFIX}{}.{}", name.task.key, name.number)))
}

/// Why git is to leave a spare alone.
fn lock_reason(run: &Run) -> String {
    format!("spare of {}", run.name)
}

/// The folder of the run's worktrees as git tells it.
fn worktrees_root(run: &Run) -> Result<PathBuf, Error> {
    Ok(canonicalize_existing(Path::new(&require_run_git(run)?.root)))
}
