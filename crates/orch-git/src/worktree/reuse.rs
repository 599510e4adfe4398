//! Reusing a finished worktree for the next attempt: only the files that differ are written.
//!
//! The result has exactly the files and folders of a fresh worktree, byte for byte and with the same modes, and no others.
//! If that is not certain, the worktree is left unchanged, and the caller creates a fresh one.

use std::path::Path;

use super::add::{CheckoutTarget, WorktreeSpec, is_path_available};
use super::list::canonicalize_existing;
use super::lock::{RepositoryLock, tree_lock_number};
use super::lock_reason::refuse_foreign_lock;
use super::open::Worktree;
use super::survey::FolderSurvey;
use crate::error::GitError;
use crate::index::FileMode;
use crate::name::CommitId;
use crate::repository::Repository;

/// The result of a request to reuse a worktree.
#[derive(Debug)]
pub enum ReuseOutcome<'r> {
    /// It now matches the specification.
    Reused(Worktree<'r>),
    /// It was left unchanged.
    Obstructed(WorktreeObstacle),
}

/// Why a worktree cannot be reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorktreeObstacle {
    /// It has uncommitted changes.
    NotClean,
    /// A merge or a similar operation is in progress.
    InProgress,
    /// Processes with these pids work in it.
    Occupied(Vec<u32>),
    /// Some of its files are marked `assume-unchanged` or `skip-worktree`.
    HiddenFiles,
    /// It has settings or references of its own, or git wrote its files under other settings.
    OwnSettings,
    /// It contains nested repositories, or folders that cannot be read or deleted.
    ForeignContents,
    /// It has submodules.
    Submodules,
    /// The attributes, which convert files at checkout, differ between the two commits.
    Attributes,
}

impl Repository {
    /// Turns a clean worktree, whose commits are kept elsewhere, into the specified one.
    ///
    /// Everything in it that is not tracked is deleted.
    /// If that is interrupted, the worktree is incomplete and [`add_worktree`](Repository::add_worktree) creates it again.
    ///
    /// # Errors
    /// Those of `add_worktree`; `NotAWorktree` and `LockedByOthers` for the worktree to reuse.
    pub fn reuse_worktree(&self, from: &Path, spec: &WorktreeSpec<'_>) -> Result<ReuseOutcome<'_>, GitError> {
        let (lock, _other_lock) = self.lock_trees(from, spec.path)?;
        let worktree = self.open_worktree(from)?;
        let entry = self.find_registration(worktree.top_level())?;
        let entry = entry.ok_or_else(|| GitError::NotAWorktree(from.to_owned()))?;
        if entry.is_main {
            return Err(GitError::MainWorktree(from.to_owned()));
        }
        refuse_foreign_lock(&entry)?;
        let is_in_place = worktree.top_level() == canonicalize_existing(spec.path);
        if !is_in_place && !is_path_available(spec.path)? {
            return Err(GitError::PathTaken(spec.path.to_owned()));
        }
        if let CheckoutTarget::Branch(branch) = spec.checkout
            && !entry.is_on_branch(branch)
        {
            self.refuse_second_checkout(branch)?;
        }
        if let Some(obstacle) = worktree.find_obstacle(spec.commit)? {
            return Ok(ReuseOutcome::Obstructed(obstacle));
        }
        self.ensure_branch(spec)?;
        self.mark_incomplete(from)?;
        if !is_in_place {
            self.move_worktree(from, spec.path)?;
        }
        let has_attributes = worktree.has_attributes_files()?;
        let worktree = self.open_worktree(spec.path)?.with_known_index(worktree);
        worktree.reset_to_spec(spec, &lock)?;
        // The attributes of both commits are the same.
        self.verify_and_lock(spec, &worktree, Some(has_attributes))?;
        Ok(ReuseOutcome::Reused(worktree))
    }

    /// Locks the files of two worktrees, in an order that prevents deadlocks.
    fn lock_trees(
        &self,
        one: &Path,
        other: &Path,
    ) -> Result<(RepositoryLock, Option<RepositoryLock>), GitError> {
        let (one, other) = (tree_lock_number(one), tree_lock_number(other));
        let first = self.lock_tree_number(one.min(other))?;
        let second = if one == other { None } else { Some(self.lock_tree_number(one.max(other))?) };
        Ok((first, second))
    }

    fn move_worktree(&self, from: &Path, to: &Path) -> Result<(), GitError> {
        let lock = self.lock_registrations()?;
        // Git would move the worktree into an existing folder.
        match std::fs::remove_dir(to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::io("replace", to)(error));
            }
            _ => {}
        }
        if let Some(parent) = to.parent() {
            self.create_outer_folder(parent)?;
        }
        // `--force` twice includes a locked worktree.
        let words = ["worktree", "move", "--force", "--force", "--"].map(AsRef::as_ref);
        let paths = [from.as_os_str(), to.as_os_str()];
        self.git_command(words.into_iter().chain(paths))
            .with_lock(lock.share_handle()?)
            .read_stdout()
            .map(drop)
    }
}

impl Worktree<'_> {
    /// Returns why this worktree, checked out at a commit, might differ from a fresh one.
    pub(super) fn find_obstacle(&self, commit: &CommitId) -> Result<Option<WorktreeObstacle>, GitError> {
        if self.operation_in_progress().is_some() {
            return Ok(Some(WorktreeObstacle::InProgress));
        }
        if self.git_dir().join("modules").exists() {
            return Ok(Some(WorktreeObstacle::Submodules));
        }
        if self.has_settings_of_its_own()? {
            return Ok(Some(WorktreeObstacle::OwnSettings));
        }
        let survey = FolderSurvey::of_worktree(self.top_level());
        let obstacles = [&survey.unreadable, &survey.undeletable, &survey.mounts];
        if !survey.repositories.is_empty() || obstacles.iter().any(|list| !list.is_empty()) {
            return Ok(Some(WorktreeObstacle::ForeignContents));
        }
        let pids = self.repository.processes_working_in(self.top_level());
        if !pids.is_empty() {
            return Ok(Some(WorktreeObstacle::Occupied(pids)));
        }
        let status = self.read_status()?;
        let Some(head) = status.commit.as_ref().filter(|_| status.is_clean()) else {
            return Ok(Some(WorktreeObstacle::NotClean));
        };
        let entries = self.index_entries()?;
        if entries.iter().any(|entry| entry.is_assumed || entry.is_skipped) {
            return Ok(Some(WorktreeObstacle::HiddenFiles));
        }
        if entries.iter().any(|entry| entry.content.mode == FileMode::Submodule) {
            return Ok(Some(WorktreeObstacle::Submodules));
        }
        let attributes = [".gitattributes".to_owned()];
        if head != commit && !self.repository.changed_paths_matching(head, commit, &attributes)?.is_empty() {
            return Ok(Some(WorktreeObstacle::Attributes));
        }
        Ok(None)
    }

    /// Deletes everything that a fresh worktree would not have and checks out the specified head.
    fn reset_to_spec(&self, spec: &WorktreeSpec<'_>, lock: &RepositoryLock) -> Result<(), GitError> {
        self.delete_unlike_fresh(&self.index_entries()?)?;
        let head = match spec.checkout {
            CheckoutTarget::Branch(branch) => {
                self.git_command(["symbolic-ref", "-m", "orch", "HEAD", branch.as_str()])
            }
            CheckoutTarget::Detached => {
                self.git_command(["update-ref", "--no-deref", "-m", "orch", "HEAD", spec.commit.as_str()])
            }
        };
        self.repository.with_identity(head)?.read_stdout()?;
        // Tools can reset modification times, but not change times; and modes count.
        self.git_command(["read-tree", "--reset", "-u", spec.commit.as_str()])
            .with_config("core.trustctime=true")
            .with_config("core.checkStat=default")
            .with_config("core.fileMode=true")
            .with_lock(lock.share_handle()?)
            .read_stdout()
            .map(drop)
    }
}
