//! Removing worktrees: with work only if it was salvaged and has not changed since.

use std::fs;
use std::path::{Path, PathBuf};

use super::deletion::{delete_folder, trash_path};
use super::list::RegisteredWorktree;
use super::lock::RepositoryLock;
use super::lock_reason::{format_lock_reason, refuse_foreign_lock};
use super::relink::read_link;
use super::reuse::WorktreeObstacle;
use crate::error::GitError;
use crate::name::CommitId;
use crate::repository::Repository;
use crate::salvage::Salvage;

impl Repository {
    /// Removes a worktree that was salvaged, but not its branch; a missing worktree is not an error.
    ///
    /// # Errors
    /// `ChangedSinceSalvage`, `LockedByOthers`, `MainWorktree`.
    pub fn remove_worktree(&self, salvage: &Salvage) -> Result<(), GitError> {
        let path = &salvage.worktree;
        let _lock = self.lock_tree(path)?;
        let Some(entry) = self.find_registration(path)? else {
            // Removed by an interrupted attempt.
            return if path.exists() { Err(GitError::NotAWorktree(path.clone())) } else { Ok(()) };
        };
        if entry.is_main {
            return Err(GitError::MainWorktree(path.clone()));
        }
        refuse_foreign_lock(&entry)?;
        if path.exists() && !self.open_worktree(path)?.is_as_salvaged(salvage)? {
            return Err(GitError::ChangedSinceSalvage(path.clone()));
        }
        self.delete_worktree(path)
    }

    /// Removes a worktree whose creation was interrupted; returns whether there was one.
    ///
    /// # Errors
    /// `Busy` if it is being created now.
    pub fn sweep_incomplete(&self, path: &Path) -> Result<bool, GitError> {
        self.restore_moved_link(path)?;
        let is_incomplete = || {
            Ok(self.find_registration(path)?.is_some_and(|entry: RegisteredWorktree| entry.is_incomplete()))
        };
        if !is_incomplete()? {
            return Ok(false);
        }
        let _lock = self.try_lock_tree(path)?;
        // Its creation may have been completed before the lock was acquired.
        if !is_incomplete()? {
            return Ok(false);
        }
        self.delete_worktree(path).map(|()| true)
    }

    /// Removes a clean worktree that has a detached head at this commit and this purpose.
    ///
    /// Returns why it was kept, if it was.
    pub fn remove_unused_worktree(
        &self,
        path: &Path,
        reason: &str,
        at: &CommitId,
    ) -> Result<Option<WorktreeObstacle>, GitError> {
        let _lock = self.lock_tree(path)?;
        // Another process may have reused it.
        let Some(entry) = self.find_registration(path)? else { return Ok(None) };
        let is_at_commit = entry.head.as_ref().is_some_and(|head| head.commit == *at);
        if !(is_at_commit && entry.is_detached() && entry.has_purpose(reason)) {
            return Ok(Some(WorktreeObstacle::NotClean));
        }
        if path.exists()
            && let Some(obstacle) = self.open_worktree(path)?.find_obstacle(at)?
        {
            return Ok(Some(obstacle));
        }
        self.delete_worktree(path).map(|()| None)
    }

    /// Deletes the registration of a worktree whose folder was deleted.
    ///
    /// # Errors
    /// `LockedByOthers`.
    pub fn unregister_missing_worktree(&self, path: &Path) -> Result<(), GitError> {
        let _lock = self.lock_tree(path)?;
        match self.find_registration(path)? {
            Some(entry) if !entry.is_main && path.symlink_metadata().is_err() => {
                refuse_foreign_lock(&entry)?;
                self.delete_worktree(path)
            }
            _ => Ok(()),
        }
    }

    /// Renames the folder, deletes the registration, and then deletes the files without holding a lock.
    pub(super) fn delete_worktree(&self, path: &Path) -> Result<(), GitError> {
        let trash = trash_path(path);
        let lock = self.lock_registrations()?;
        let inside = |entry: &RegisteredWorktree| entry.path != path && entry.path.starts_with(path);
        let nested: Vec<PathBuf> =
            self.list_linked_worktrees()?.into_iter().filter(inside).map(|entry| entry.path).collect();
        if path.symlink_metadata().is_ok() {
            fs::rename(path, &trash).map_err(GitError::io("rename", path))?;
        }
        if let Err(error) = self.delete_registration(path, &lock) {
            // A git that was killed may have deleted the part by which it lists the worktree.
            if !matches!(self.find_registration(path), Ok(None)) {
                let _ = fs::rename(&trash, path);
                return Err(error);
            }
            self.delete_partial_registration(&trash)?;
        }
        for path in nested {
            // One that stays registered only has its folder missing, which git reports and prunes.
            let _ = self.delete_registration(&path, &lock);
        }
        drop(lock);
        delete_folder(&trash).map_err(GitError::io("delete", trash))
    }

    /// Deletes what a killed git left of the registration of a worktree, whose folder names it.
    fn delete_partial_registration(&self, folder: &Path) -> Result<(), GitError> {
        let Some(registration) = read_link(&folder.join(".git")) else { return Ok(()) };
        let is_partial = registration.parent() == Some(&self.common_dir().join("worktrees"))
            && registration.is_dir()
            && !registration.join("gitdir").exists();
        if is_partial {
            fs::remove_dir_all(&registration).map_err(GitError::io("delete", &registration))?;
        }
        Ok(())
    }

    /// Deletes the registration of a worktree whose folder is not at its path.
    fn delete_registration(&self, path: &Path, lock: &RepositoryLock) -> Result<(), GitError> {
        // `--force` twice includes a locked worktree; without its folder only the registration is deleted.
        let words = ["worktree", "remove", "--force", "--force", "--"].map(AsRef::as_ref);
        self.git_command(words.into_iter().chain([path.as_os_str()]))
            .with_lock(lock.share_handle()?)
            .read_stdout()
            .map(drop)
    }
}

impl RegisteredWorktree {
    fn is_detached(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.branch.is_none())
    }

    /// Returns whether our lock has this reason.
    fn has_purpose(&self, reason: &str) -> bool {
        self.locked.as_deref() == Some(&format_lock_reason(reason))
    }
}
