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

use super::ground;
use orch_git::{
    Addition, Checkout, CommitId, GitError, RefName, Repository, Reuse, Salvage, WorktreeEntry, real,
};
use orch_inbox::Error;

/// What the folder of a spare begins with.
const PREFIX: &str = ".spare-";

/// No more are put aside than are wanted, however many threads would.
static PARKING: Mutex<()> = Mutex::new(());

/// What became of spares that nobody needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trimmed {
    /// Those that were taken away.
    pub removed: Vec<PathBuf>,
    /// Those that were touched, and stay.
    pub touched: Vec<PathBuf>,
}

/// Whether a worktree lies where spares of the run do.
pub(crate) fn is_place(run: &Run, entry: &WorktreeEntry) -> Result<bool, Error> {
    let root = root(run)?;
    let name = entry.path.file_name().map(|name| name.to_string_lossy().starts_with(PREFIX));
    Ok(entry.path.parent() == Some(&root) && name == Some(true))
}

/// Puts a worktree that was salvaged aside for the next attempt, if there will be one; says whether it did.
pub(crate) fn park(
    repository: &Repository,
    run: &Run,
    name: &AttemptName,
    salvage: &Salvage,
) -> Result<bool, Error> {
    let Some(head) = salvage.head() else { return Ok(false) };
    let _one_by_one = PARKING.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = usize::try_from(spares_wanted(run)).unwrap_or(0);
    if wanted == 0 || find(repository, run)?.len() >= wanted {
        return Ok(false);
    }
    let (to, reason) = (place(run, name)?, purpose(run));
    let addition = Addition { path: &to, checkout: Checkout::Detached, commit: head, reason: &reason };
    match repository.reuse_worktree(&salvage.worktree, &addition) {
        Ok(Reuse::Done(_)) => Ok(true),
        Ok(Reuse::Unfit(_)) => Ok(false),
        Err(_) => {
            // It is removed as it would have been without any spare.
            heal(repository, run, name)?;
            Ok(false)
        }
    }
}

/// Takes away what an earlier process left of putting this attempt's worktree aside.
pub(crate) fn heal(repository: &Repository, run: &Run, name: &AttemptName) -> Result<(), Error> {
    repository.clear_half_made(&place(run, name)?)?;
    Ok(())
}

/// Turns a spare into the worktree that is wanted, where there is one that is fit for it; says whether it did.
pub(crate) fn take(repository: &Repository, run: &Run, addition: &Addition<'_>) -> Result<bool, Error> {
    for entry in find(repository, run)? {
        if untouched(repository, run, &entry)?.is_none() {
            continue;
        }
        match repository.reuse_worktree(&entry.path, addition) {
            Ok(Reuse::Done(_)) => return Ok(true),
            // Another commit needs a fresh one, or another process was faster.
            Ok(Reuse::Unfit(_)) | Err(GitError::NotAWorktree { .. }) => {}
            // Making a fresh one meets the same, and tells it.
            Err(_) => return Ok(false),
        }
    }
    Ok(false)
}

/// Takes away the spares of a run beyond this many.
pub(crate) fn trim(
    repository: &Repository,
    run: &Run,
    entries: &[WorktreeEntry],
    keep: i64,
) -> Result<Trimmed, Error> {
    let mut trimmed = Trimmed::default();
    let mut kept = 0;
    for entry in entries {
        if !is_place(run, entry)? {
            continue;
        }
        if entry.is_half_made() {
            match repository.clear_half_made(&entry.path) {
                Ok(true) => trimmed.removed.push(entry.path.clone()),
                Ok(false) | Err(GitError::Busy) => {}
                Err(error) => return Err(error.into()),
            }
            continue;
        }
        let left = match untouched(repository, run, entry)? {
            Some(_) if kept < keep => {
                kept += 1;
                continue;
            }
            Some(head) => repository.remove_unused(&entry.path, &purpose(run), &head)?.is_none(),
            None => false,
        };
        let list = if left { &mut trimmed.removed } else { &mut trimmed.touched };
        list.push(entry.path.clone());
    }
    Ok(trimmed)
}

/// The spares of a run; where there is none, git is not asked.
pub(crate) fn find(repository: &Repository, run: &Run) -> Result<Vec<WorktreeEntry>, Error> {
    let Ok(folder) = std::fs::read_dir(&ground(run)?.root) else { return Ok(Vec::new()) };
    let is_one = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    if !folder.flatten().any(|entry| is_one(&entry)) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in repository.list_worktrees()? {
        if is_place(run, &entry)? {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Where a spare stands that nobody has touched: on no branch, and on the commit of the attempt that it was made of.
pub(crate) fn untouched(
    repository: &Repository,
    run: &Run,
    entry: &WorktreeEntry,
) -> Result<Option<CommitId>, Error> {
    if entry.purpose() != Some(&purpose(run)) || entry.prunable.is_some() {
        return Ok(None);
    }
    let Some(head) = entry.head.as_ref().filter(|head| head.branch.is_none()) else { return Ok(None) };
    let name = entry.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let of = name.strip_prefix(PREFIX).unwrap_or_default();
    let ground = ground(run)?;
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
fn place(run: &Run, name: &AttemptName) -> Result<PathBuf, Error> {
    Ok(root(run)?.join(format!("{PREFIX}{}.{}", name.task.key, name.number)))
}

/// Why git is to leave a spare alone.
fn purpose(run: &Run) -> String {
    format!("spare of {}", run.name)
}

/// The folder of the run's worktrees as git tells it.
fn root(run: &Run) -> Result<PathBuf, Error> {
    Ok(real(Path::new(&ground(run)?.root)))
}
