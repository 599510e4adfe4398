//! Reasons of worktree locks: git refuses to remove a locked worktree and prints the reason.

use std::path::Path;

use super::list::RegisteredWorktree;
use super::open::Worktree;
use crate::error::GitError;
use crate::repository::Repository;

/// The prefix of our reasons.
const REASON_PREFIX: &str = "orch: ";

/// The reason while a worktree is being created.
pub(super) const INCOMPLETE: &str = "orch: being made";

/// Git's own reason while it registers a worktree.
const INITIALIZING: &str = "initializing";

/// Returns the text of our lock.
pub(super) fn format_lock_reason(reason: &str) -> String {
    format!("{REASON_PREFIX}{reason}")
}

impl RegisteredWorktree {
    /// Returns its purpose, which is the reason of our lock; `None` if it is incomplete or not ours.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.locked.as_deref()?.strip_prefix(REASON_PREFIX).filter(|_| !self.is_incomplete())
    }

    /// Returns whether its creation is in progress or was interrupted, so that it holds no work.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        matches!(self.locked.as_deref(), Some(INCOMPLETE | INITIALIZING))
    }
}

/// Rejects a worktree with a lock that is not ours.
pub(super) fn refuse_foreign_lock(entry: &RegisteredWorktree) -> Result<(), GitError> {
    match &entry.locked {
        Some(reason) if !reason.starts_with(REASON_PREFIX) && reason != INITIALIZING => {
            Err(GitError::LockedByOthers { path: entry.path.clone(), reason: reason.clone() })
        }
        _ => Ok(()),
    }
}

impl Repository {
    /// Marks a worktree as incomplete.
    pub(super) fn mark_incomplete(&self, path: &Path) -> Result<(), GitError> {
        self.set_lock_reason(path, INCOMPLETE).map(drop)
    }

    /// Locks a worktree or replaces the reason of its lock; returns the previous registration.
    pub(super) fn set_lock_reason(&self, path: &Path, reason: &str) -> Result<RegisteredWorktree, GitError> {
        let lock = self.lock_registrations()?;
        let entry = self.find_registration(path)?.filter(|entry| !entry.is_main);
        let entry = entry.ok_or_else(|| GitError::NotAWorktree(path.to_owned()))?;
        if entry.locked.as_deref() == Some(reason) {
            return Ok(entry);
        }
        refuse_foreign_lock(&entry)?;
        if entry.locked.is_some() {
            self.open_worktree(&entry.path)?.replace_lock_reason(reason)?;
        } else {
            let words = ["worktree", "lock", "--reason", reason, "--"].map(AsRef::as_ref);
            let command = self.git_command(words.into_iter().chain([entry.path.as_os_str()]));
            command.with_lock(lock.share_handle()?).read_stdout()?;
        }
        Ok(entry)
    }
}

impl Worktree<'_> {
    /// Replaces the reason of a lock atomically.
    ///
    /// Git has no command for that: a crash between its `unlock` and `lock` would leave a worktree without a purpose.
    fn replace_lock_reason(&self, reason: &str) -> Result<(), GitError> {
        let (file, new) = (self.git_dir().join("locked"), self.git_dir().join("locked.orch"));
        std::fs::write(&new, reason).map_err(GitError::io("write", &new))?;
        std::fs::rename(&new, &file).map_err(GitError::io("replace", file))
    }
}
