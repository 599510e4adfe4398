//! A finished worktree for the next attempt: only the files that differ are written.
//!
//! What comes out has the same tracked files, byte for byte, as a fresh worktree, and no others.
//! Wherever that is not sure the worktree is left as it is, and the caller makes a fresh one.

use std::path::Path;

use super::Worktree;
use super::add::{Addition, Checkout, is_free, refuse_second_checkout};
use super::list::WorktreeEntry;
use super::lock::Held;
use super::reason::refuse_lock_of_others;
use crate::{CommitId, GitError, Repository};
use orch_process::processes_in;

/// What came of asking for a worktree to be used again.
#[derive(Debug)]
pub enum Reuse<'r> {
    /// It is where and what was wanted.
    Done(Worktree<'r>),
    /// It is left as it was.
    Unfit(Unfit),
}

/// Why a worktree is not used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It holds changes that are not committed.
    NotClean,
    /// A merge or the like is under way in it.
    InProgress,
    /// These processes work in it.
    Occupied(Vec<u32>),
    /// Git was told not to look at some of its files.
    HiddenFiles,
    /// It has settings of its own.
    OwnSettings,
    /// It has submodules.
    Submodules,
    /// What turns git's contents into files differs between the two commits.
    Attributes,
}

impl Repository {
    /// Turns a clean worktree, whose work is kept elsewhere, into the one that is wanted.
    ///
    /// Its ignored files are deleted. Cut off in the middle, it says that it is being made, and
    /// [`add_worktree`](Repository::add_worktree) makes it anew.
    ///
    /// # Errors
    /// Those of `add_worktree`, and `NotAWorktree` or `LockedByOthers` for the one that is to be used again.
    pub fn reuse_worktree(&self, from: &Path, addition: &Addition<'_>) -> Result<Reuse<'_>, GitError> {
        let held = self.lock_trees(from, addition.path)?;
        let worktrees = self.list_worktrees()?;
        let worktree = self.worktree(from)?;
        let entry = worktrees.iter().find(|entry| entry.path == worktree.top());
        let entry = entry.ok_or_else(|| GitError::NotAWorktree { path: from.to_owned() })?;
        if entry.is_main {
            return Err(GitError::MainWorktree { path: from.to_owned() });
        }
        refuse_lock_of_others(entry)?;
        let stays = worktree.top() == super::list::real(addition.path);
        if !stays && !is_free(addition.path)? {
            return Err(GitError::PathTaken { path: addition.path.to_owned() });
        }
        if let Checkout::Branch(branch) = addition.checkout {
            let others: Vec<WorktreeEntry> =
                worktrees.iter().filter(|other| other.path != entry.path).cloned().collect();
            refuse_second_checkout(&others, branch)?;
        }
        if let Some(unfit) = worktree.unfit(addition.commit)? {
            return Ok(Reuse::Unfit(unfit));
        }
        self.make_branch(addition)?;
        self.lock_for_making(from)?;
        if !stays {
            self.move_worktree(from, addition.path)?;
        }
        let worktree = self.worktree(addition.path)?;
        worktree.become_fresh(addition, &held)?;
        self.accept(addition, &worktree)?;
        Ok(Reuse::Done(worktree))
    }

    /// Locks both trees, in an order that all processes keep.
    fn lock_trees(&self, one: &Path, other: &Path) -> Result<Vec<Held>, GitError> {
        let mut numbers = vec![super::lock::number_of(one), super::lock::number_of(other)];
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| self.lock_number(number)).collect()
    }

    fn move_worktree(&self, from: &Path, to: &Path) -> Result<(), GitError> {
        let administration = self.lock_administration()?;
        // Into a folder that is there git would move it, instead of to its place.
        match std::fs::remove_dir(to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::io("replace", to)(error));
            }
            _ => {}
        }
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(GitError::io("make the folder", parent))?;
        }
        // Twice: also one that is locked.
        let words = ["worktree", "move", "--force", "--force", "--"].map(AsRef::as_ref);
        let paths = [from.as_os_str(), to.as_os_str()];
        self.call(words.into_iter().chain(paths)).held(administration.share()?).output().map(drop)
    }
}

impl Worktree<'_> {
    /// Why this worktree could become another than a fresh one would be.
    pub(super) fn unfit(&self, commit: &CommitId) -> Result<Option<Unfit>, GitError> {
        if self.operation().is_some() {
            return Ok(Some(Unfit::InProgress));
        }
        if self.git_dir().join("config.worktree").exists() {
            return Ok(Some(Unfit::OwnSettings));
        }
        let workers = processes_in(self.top());
        if !workers.is_empty() {
            return Ok(Some(Unfit::Occupied(workers)));
        }
        let state = self.state()?;
        let Some(head) = state.commit.as_ref().filter(|_| state.is_clean()) else {
            return Ok(Some(Unfit::NotClean));
        };
        let entries = self.index_entries()?;
        if entries.iter().any(|entry| entry.is_assumed || entry.is_skipped) {
            return Ok(Some(Unfit::HiddenFiles));
        }
        if entries.iter().any(|entry| entry.content.mode == crate::index::Mode::Commit) {
            return Ok(Some(Unfit::Submodules));
        }
        let attributes = [".gitattributes".to_owned()];
        if !self.repository.matches_globs(head, commit, &attributes)?.is_empty() {
            return Ok(Some(Unfit::Attributes));
        }
        Ok(None)
    }

    /// Leaves nothing of what was, and has what is wanted.
    fn become_fresh(&self, addition: &Addition<'_>, held: &[Held]) -> Result<(), GitError> {
        let share = || held.first().map(Held::share).transpose();
        let hold = |call: crate::program::Call| -> Result<_, GitError> {
            Ok(match share()? {
                Some(lock) => call.held(lock),
                None => call,
            })
        };
        hold(self.call(["clean", "-ffdx", "--quiet"]))?.output()?;
        let head = match addition.checkout {
            Checkout::Branch(branch) => self.call(["symbolic-ref", "-m", "orch", "HEAD", branch.as_str()]),
            Checkout::Detached => {
                self.call(["update-ref", "--no-deref", "-m", "orch", "HEAD", addition.commit.as_str()])
            }
        };
        self.repository.with_identity(head)?.output()?;
        // Times may be set back, but not that of the last change; and a mode is part of the file.
        let read = self.call(["read-tree", "--reset", "-u", addition.commit.as_str()]);
        let read = read.setting("core.trustctime=true").setting("core.checkStat=default");
        hold(read.setting("core.fileMode=true"))?.output().map(drop)
    }
}
