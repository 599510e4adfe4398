//! Why a worktree is locked: git removes none that is, and shows the reason to whoever tries.

use std::path::Path;

use super::Worktree;
use super::list::RegisteredWorktree;
use crate::{GitError, Repository};

/// What every reason of ours begins with.
const OURS: &str = "orch: ";

/// The reason while a worktree is being made.
pub(super) const BEING_MADE: &str = "orch: being made";

/// Git's own reason while it registers one.
const INITIALIZING: &str = "initializing";

/// A reason as it is written down.
pub(super) fn format_lock_reason(reason: &str) -> String {
    format!("{OURS}{reason}")
}

impl RegisteredWorktree {
    /// What it is for, where a lock of ours says it.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.locked.as_deref()?.strip_prefix(OURS).filter(|_| !self.is_incomplete())
    }

    /// Whether nobody can have worked in it yet: it is being made, or was when its maker ended.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        matches!(self.locked.as_deref(), Some(BEING_MADE | INITIALIZING))
    }
}

/// Refuses to touch a worktree that is locked for a reason that is not ours.
pub(super) fn refuse_foreign_lock(entry: &RegisteredWorktree) -> Result<(), GitError> {
    match &entry.locked {
        Some(reason) if !reason.starts_with(OURS) && reason != INITIALIZING => {
            Err(GitError::LockedByOthers { path: entry.path.clone(), reason: reason.clone() })
        }
        _ => Ok(()),
    }
}

impl Repository {
    /// Locks a worktree, so that nothing of git's removes it; a reason of ours gives way to a new one.
    ///
    /// # Errors
    /// `LockedByOthers`, `NotAWorktree`.
    pub fn lock_worktree(&self, path: &Path, reason: &str) -> Result<(), GitError> {
        self.set_lock_reason(path, Some(&format_lock_reason(reason))).map(drop)
    }

    /// Takes our lock off a worktree; one that is not locked is left as it is.
    ///
    /// # Errors
    /// `LockedByOthers`, `NotAWorktree`.
    pub fn unlock_worktree(&self, path: &Path) -> Result<(), GitError> {
        self.set_lock_reason(path, None).map(drop)
    }

    /// Marks a worktree as one that is being made.
    pub(super) fn mark_incomplete(&self, path: &Path) -> Result<(), GitError> {
        self.set_lock_reason(path, Some(BEING_MADE)).map(drop)
    }

    /// Sets or takes away a lock; answers with the worktree as it was registered before.
    pub(super) fn set_lock_reason(
        &self,
        path: &Path,
        reason: Option<&str>,
    ) -> Result<RegisteredWorktree, GitError> {
        let administration = self.lock_registrations()?;
        let entry = self.find_registration(path)?.filter(|entry| !entry.is_main);
        let entry = entry.ok_or_else(|| GitError::NotAWorktree { path: path.to_owned() })?;
        if entry.locked.as_deref() == reason {
            return Ok(entry);
        }
        refuse_foreign_lock(&entry)?;
        let run = |words: &[&str]| {
            let words = words.iter().map(AsRef::as_ref).chain([entry.path.as_os_str()]);
            self.git_command(words).with_lock(administration.share_handle()?).read_stdout().map(drop)
        };
        match (entry.locked.is_some(), reason) {
            (true, Some(reason)) => self.open_worktree(&entry.path)?.replace_lock_reason(reason)?,
            (false, Some(reason)) => run(&["worktree", "lock", "--reason", reason, "--"])?,
            (_, None) => run(&["worktree", "unlock", "--"])?,
        }
        Ok(entry)
    }
}

impl Worktree<'_> {
    /// Changes the reason of a lock in one step, which git has no command for: between its `unlock` and its
    /// `lock` a crash would leave a worktree that nothing says anything about.
    fn replace_lock_reason(&self, reason: &str) -> Result<(), GitError> {
        let (file, new) = (self.git_dir().join("locked"), self.git_dir().join("locked.orch"));
        std::fs::write(&new, reason).map_err(GitError::io("write", &new))?;
        std::fs::rename(&new, &file).map_err(GitError::io("replace", file))
    }
}
