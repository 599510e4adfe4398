//! A finished worktree for the next attempt: only the files that differ are written.
//!
//! What comes out has the same tracked files, byte for byte, as a fresh worktree, and no others.
//! Wherever that is not sure the worktree is left as it is, and the caller makes a fresh one.

use std::path::Path;

use super::Worktree;
use super::add::{CheckoutTarget, WorktreeSpec, is_path_available, refuse_second_checkout};
use super::list::RegisteredWorktree;
use super::lock::RepositoryLock;
use super::lock_reason::refuse_foreign_lock;
use crate::{CommitId, GitError, Repository};
use orch_process::processes_working_in;

/// What came of asking for a worktree to be used again.
#[derive(Debug)]
pub enum ReuseOutcome<'r> {
    /// It is where and what was wanted.
    Reused(Worktree<'r>),
    /// It is left as it was.
    Obstructed(WorktreeObstacle),
}

/// Why a worktree is not used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorktreeObstacle {
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
    pub fn reuse_worktree(
        &self,
        from: &Path,
        addition: &WorktreeSpec<'_>,
    ) -> Result<ReuseOutcome<'_>, GitError> {
        let held = self.lock_trees(from, addition.path)?;
        let worktrees = self.list_worktrees()?;
        let worktree = self.open_worktree(from)?;
        let entry = worktrees.iter().find(|entry| entry.path == worktree.top_level());
        let entry = entry.ok_or_else(|| GitError::NotAWorktree { path: from.to_owned() })?;
        if entry.is_main {
            return Err(GitError::MainWorktree { path: from.to_owned() });
        }
        refuse_foreign_lock(entry)?;
        let stays = worktree.top_level() == super::list::canonicalize_existing(addition.path);
        if !stays && !is_path_available(addition.path)? {
            return Err(GitError::PathTaken { path: addition.path.to_owned() });
        }
        if let CheckoutTarget::Branch(branch) = addition.checkout {
            let others: Vec<RegisteredWorktree> =
                worktrees.iter().filter(|other| other.path != entry.path).cloned().collect();
            refuse_second_checkout(&others, branch)?;
        }
        if let Some(unfit) = worktree.find_obstacle(addition.commit)? {
            return Ok(ReuseOutcome::Obstructed(unfit));
        }
        self.ensure_branch(addition)?;
        self.mark_incomplete(from)?;
        if !stays {
            self.move_worktree(from, addition.path)?;
        }
        let worktree = self.open_worktree(addition.path)?;
        worktree.reset_to_spec(addition, &held)?;
        self.verify_and_lock(addition, &worktree)?;
        Ok(ReuseOutcome::Reused(worktree))
    }

    /// Locks both trees, in an order that all processes keep.
    fn lock_trees(&self, one: &Path, other: &Path) -> Result<Vec<RepositoryLock>, GitError> {
        let mut numbers = vec![super::lock::tree_lock_number(one), super::lock::tree_lock_number(other)];
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| self.lock_tree_number(number)).collect()
    }

    fn move_worktree(&self, from: &Path, to: &Path) -> Result<(), GitError> {
        let administration = self.lock_registrations()?;
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
        self.git_command(words.into_iter().chain(paths))
            .with_lock(administration.share_handle()?)
            .read_stdout()
            .map(drop)
    }
}

impl Worktree<'_> {
    /// Why this worktree could become another than a fresh one would be.
    pub(super) fn find_obstacle(&self, commit: &CommitId) -> Result<Option<WorktreeObstacle>, GitError> {
        if self.operation_in_progress().is_some() {
            return Ok(Some(WorktreeObstacle::InProgress));
        }
        if self.git_dir().join("config.worktree").exists() {
            return Ok(Some(WorktreeObstacle::OwnSettings));
        }
        let workers = processes_working_in(self.top_level());
        if !workers.is_empty() {
            return Ok(Some(WorktreeObstacle::Occupied(workers)));
        }
        let state = self.read_status()?;
        let Some(head) = state.commit.as_ref().filter(|_| state.is_clean()) else {
            return Ok(Some(WorktreeObstacle::NotClean));
        };
        let entries = self.index_entries()?;
        if entries.iter().any(|entry| entry.is_assumed || entry.is_skipped) {
            return Ok(Some(WorktreeObstacle::HiddenFiles));
        }
        if entries.iter().any(|entry| entry.content.mode == crate::index::FileMode::Submodule) {
            return Ok(Some(WorktreeObstacle::Submodules));
        }
        let attributes = [".gitattributes".to_owned()];
        if !self.repository.changed_paths_matching(head, commit, &attributes)?.is_empty() {
            return Ok(Some(WorktreeObstacle::Attributes));
        }
        Ok(None)
    }

    /// Leaves nothing of what was, and has what is wanted.
    fn reset_to_spec(&self, addition: &WorktreeSpec<'_>, held: &[RepositoryLock]) -> Result<(), GitError> {
        let share = || held.first().map(RepositoryLock::share_handle).transpose();
        let hold = |call: crate::program::GitCommand| -> Result<_, GitError> {
            Ok(match share()? {
                Some(lock) => call.with_lock(lock),
                None => call,
            })
        };
        hold(self.git_command(["clean", "-ffdx", "--quiet"]))?.read_stdout()?;
        let head = match addition.checkout {
            CheckoutTarget::Branch(branch) => {
                self.git_command(["symbolic-ref", "-m", "orch", "HEAD", branch.as_str()])
            }
            CheckoutTarget::Detached => {
                self.git_command(["update-ref", "--no-deref", "-m", "orch", "HEAD", addition.commit.as_str()])
            }
        };
        self.repository.with_identity(head)?.read_stdout()?;
        // Times may be set back, but not that of the last change; and a mode is part of the file.
        let read = self.git_command(["read-tree", "--reset", "-u", addition.commit.as_str()]);
        let read = read.with_config("core.trustctime=true").with_config("core.checkStat=default");
        hold(read.with_config("core.fileMode=true"))?.read_stdout().map(drop)
    }
}
