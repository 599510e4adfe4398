//! The pool of a run's spare worktrees: finished ones that are kept for the run's next attempts.
//!
//! A spare is identified by its path, its lock reason and its commit alone.
//! Nothing in the store depends on it, and what it held was salvaged.
//! One that was touched meanwhile is left alone.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use orch_core::id::AttemptName;
use orch_core::run::Run;
use orch_core::worktree::spares_wanted;

use crate::check_tree;
use crate::run_repository::require_run_git;
use orch_git::{
    CheckoutTarget, CommitId, GitError, RefName, RegisteredWorktree, Repository, ReuseOutcome, Salvage,
    WorktreeSpec, canonicalize_existing, sweep_deleted_folders,
};
use orch_inbox::Error;

/// The prefix of a spare's folder name.
const PREFIX: &str = ".spare-";

/// Serializes the threads of this process that return worktrees, so that no more are kept than are wanted.
static RETURNING: Mutex<()> = Mutex::new(());

/// The spare worktrees of a run.
pub struct WorktreePool<'a> {
    repository: &'a Repository,
    run: &'a Run,
    /// The folder of the run's worktrees, as git reports it.
    root: PathBuf,
    /// The reason for which git keeps a spare locked.
    lock_reason: String,
}

/// A worktree that no process will come back for.
pub enum LeftoverWorktree {
    /// One whose creation was interrupted.
    Incomplete(PathBuf),
    /// A spare that no attempt will need, at this commit.
    Spare(PathBuf, CommitId),
    /// A check tree of a run that is over.
    CheckTree(PathBuf),
}

impl LeftoverWorktree {
    /// Its folder.
    pub fn into_path(self) -> PathBuf {
        match self {
            Self::Incomplete(path) | Self::Spare(path, _) | Self::CheckTree(path) => path,
        }
    }
}

impl<'a> WorktreePool<'a> {
    /// The pool of a run.
    pub fn new(repository: &'a Repository, run: &'a Run) -> Result<Self, Error> {
        let root = canonicalize_existing(Path::new(&require_run_git(run)?.root));
        Ok(Self { repository, run, root, lock_reason: format!("spare of {}", run.name) })
    }

    /// Turns a spare into the wanted worktree; `false` where no spare is suitable.
    pub fn acquire(&self, wanted: &WorktreeSpec<'_>) -> Result<bool, Error> {
        for entry in self.spares()? {
            if self.untouched_commit(&entry)?.is_none() {
                continue;
            }
            match self.repository.reuse_worktree(&entry.path, wanted) {
                Ok(ReuseOutcome::Reused(_)) => return Ok(true),
                // Another commit needs a fresh worktree, or another process was faster.
                Ok(ReuseOutcome::Obstructed(_)) | Err(GitError::NotAWorktree { .. }) => {}
                // Creating a fresh worktree meets the same error, and reports it.
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Returns a salvaged worktree to the pool; `false` where the run needs no more spares or it is unsuitable.
    pub fn put_back(&self, attempt: &AttemptName, salvage: &Salvage) -> Result<bool, Error> {
        let Some(commit) = salvage.head() else { return Ok(false) };
        let _serialized = RETURNING.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = usize::try_from(spares_wanted(self.run)).unwrap_or(0);
        if wanted == 0 || self.spares()?.len() >= wanted {
            return Ok(false);
        }
        let (path, checkout) = (self.spare_path(attempt), CheckoutTarget::Detached);
        let spare = WorktreeSpec { path: &path, checkout, commit, reason: &self.lock_reason };
        match self.repository.reuse_worktree(&salvage.worktree, &spare) {
            Ok(ReuseOutcome::Reused(_)) => Ok(true),
            Ok(ReuseOutcome::Obstructed(_)) => Ok(false),
            Err(_) => {
                self.discard(attempt)?;
                Ok(false)
            }
        }
    }

    /// Removes what an interrupted [`put_back`](Self::put_back) of this attempt's worktree has left.
    pub fn discard(&self, attempt: &AttemptName) -> Result<(), Error> {
        self.repository.sweep_incomplete(&self.spare_path(attempt))?;
        Ok(())
    }

    /// Removes the leftovers among these worktrees, except so many spares; returns the removed paths.
    /// One that a process is using stays.
    pub fn sweep(&self, entries: &[RegisteredWorktree], keep: i64) -> Result<Vec<PathBuf>, Error> {
        let mut removed = Vec::new();
        for leftover in self.find_leftovers(entries, keep)? {
            let outcome = match &leftover {
                LeftoverWorktree::Incomplete(path) => self.repository.sweep_incomplete(path),
                LeftoverWorktree::Spare(path, commit) => self
                    .repository
                    .remove_unused_worktree(path, &self.lock_reason, commit)
                    .map(|obstacle| obstacle.is_none()),
                LeftoverWorktree::CheckTree(path) => {
                    if check_tree::delete_check_tree(self.repository, path)? {
                        removed.push(leftover.into_path());
                    }
                    continue;
                }
            };
            match outcome {
                Ok(true) => removed.push(leftover.into_path()),
                Ok(false) | Err(GitError::Busy) => {}
                Err(error) => return Err(error.into()),
            }
        }
        sweep_deleted_folders(&self.root)?;
        Ok(removed)
    }

    /// The leftovers that [`sweep`](Self::sweep) would try to remove, spares first.
    pub fn find_leftovers(
        &self,
        entries: &[RegisteredWorktree],
        keep: i64,
    ) -> Result<Vec<LeftoverWorktree>, Error> {
        let (mut spares, mut others, mut kept) = (Vec::new(), Vec::new(), 0);
        for entry in entries.iter().filter(|entry| entry.path.parent() == Some(&self.root)) {
            let path = || entry.path.clone();
            let list = if self.is_spare(entry) { &mut spares } else { &mut others };
            if entry.is_incomplete() {
                list.push(LeftoverWorktree::Incomplete(path()));
            } else if self.is_spare(entry) {
                match self.untouched_commit(entry)? {
                    Some(_) if kept < keep => kept += 1,
                    Some(commit) => spares.push(LeftoverWorktree::Spare(path(), commit)),
                    None => {}
                }
            }
        }
        others.extend(check_tree::list_unneeded(self.run)?.into_iter().map(LeftoverWorktree::CheckTree));
        spares.append(&mut others);
        Ok(spares)
    }

    /// Whether a worktree lies where the run's spares do.
    pub fn is_spare(&self, entry: &RegisteredWorktree) -> bool {
        let name = entry.path.file_name().map(|name| name.to_string_lossy().starts_with(PREFIX));
        entry.path.parent() == Some(&self.root) && name == Some(true)
    }

    /// The commit of a spare that was not touched: it is on no branch, and at the last commit of its attempt.
    pub fn untouched_commit(&self, entry: &RegisteredWorktree) -> Result<Option<CommitId>, Error> {
        if entry.purpose() != Some(&self.lock_reason) || entry.prunable.is_some() {
            return Ok(None);
        }
        let Some(head) = entry.head.as_ref().filter(|head| head.branch.is_none()) else { return Ok(None) };
        let name = entry.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let attempt = name.strip_prefix(PREFIX).unwrap_or_default();
        let prefix = &require_run_git(self.run)?.branch_prefix;
        // Until it is archived, the attempt's branch is where the spare is.
        for name in
            [format!("refs/orch/kept/{}/{attempt}", self.run.name), format!("refs/heads/{prefix}/{attempt}")]
        {
            if self.repository.read_ref(&RefName::new(&name)?)?.as_ref() == Some(&head.commit) {
                return Ok(Some(head.commit.clone()));
            }
        }
        Ok(None)
    }

    /// The spares of the run; git is asked only where the folder has any.
    fn spares(&self) -> Result<Vec<RegisteredWorktree>, Error> {
        let Ok(folder) = std::fs::read_dir(&self.root) else { return Ok(Vec::new()) };
        if !folder.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
            return Ok(Vec::new());
        }
        let mut entries = self.repository.list_linked_worktrees()?;
        entries.retain(|entry| self.is_spare(entry));
        Ok(entries)
    }

    /// The path at which the worktree of an attempt becomes a spare.
    fn spare_path(&self, attempt: &AttemptName) -> PathBuf {
        self.root.join(format!("{PREFIX}{}.{}", attempt.task.key, attempt.number))
    }
}
