//! Why a worktree is locked: git removes none that is, and shows the reason to whoever tries.

use std::path::Path;

use super::Worktree;
use super::list::WorktreeEntry;
use crate::{GitError, Repository};

/// What every reason of ours begins with.
const OURS: &str = "orch: ";

/// The reason while a worktree is being made.
pub(super) const BEING_MADE: &str = "orch: being made";

/// Git's own reason while it registers one.
const INITIALIZING: &str = "initializing";

/// A reason as it is written down.
pub(super) fn ours(reason: &str) -> String {
    format!("{OURS}{reason}")
}

impl WorktreeEntry {
    /// What it is for, where a lock of ours says it.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.locked.as_deref()?.strip_prefix(OURS).filter(|_| !self.is_half_made())
    }

    /// Whether nobody can have worked in it yet: it is being made, or was when its maker ended.
    #[must_use]
    pub fn is_half_made(&self) -> bool {
        matches!(self.locked.as_deref(), Some(BEING_MADE | INITIALIZING))
    }
}

/// Refuses to touch a worktree that is locked for a reason that is not ours.
pub(super) fn refuse_lock_of_others(entry: &WorktreeEntry) -> Result<(), GitError> {
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
        self.change_lock(path, Some(&ours(reason))).map(drop)
    }

    /// Takes our lock off a worktree; one that is not locked is left as it is.
    ///
    /// # Errors
    /// `LockedByOthers`, `NotAWorktree`.
    pub fn unlock_worktree(&self, path: &Path) -> Result<(), GitError> {
        self.change_lock(path, None).map(drop)
    }

    /// Marks a worktree as one that is being made.
    pub(super) fn lock_for_making(&self, path: &Path) -> Result<(), GitError> {
        self.change_lock(path, Some(BEING_MADE)).map(drop)
    }

    /// Sets or takes away a lock; answers with the worktree as it was registered before.
    pub(super) fn change_lock(&self, path: &Path, reason: Option<&str>) -> Result<WorktreeEntry, GitError> {
        let administration = self.lock_administration()?;
        let entry = self.registration(path)?.filter(|entry| !entry.is_main);
        let entry = entry.ok_or_else(|| GitError::NotAWorktree { path: path.to_owned() })?;
        if entry.locked.as_deref() == reason {
            return Ok(entry);
        }
        refuse_lock_of_others(&entry)?;
        let run = |words: &[&str]| {
            let words = words.iter().map(AsRef::as_ref).chain([entry.path.as_os_str()]);
            self.call(words).held(administration.share()?).output().map(drop)
        };
        match (entry.locked.is_some(), reason) {
            (true, Some(reason)) => self.worktree(&entry.path)?.replace_lock(reason)?,
            (false, Some(reason)) => run(&["worktree", "lock", "--reason", reason, "--"])?,
            (_, None) => run(&["worktree", "unlock", "--"])?,
        }
        Ok(entry)
    }
}

impl Worktree<'_> {
    /// Changes the reason of a lock in one step, which git has no command for: between its `unlock` and its
    /// `lock` a crash would leave a worktree that nothing says anything about.
    fn replace_lock(&self, reason: &str) -> Result<(), GitError> {
        let (file, new) = (self.git_dir().join("locked"), self.git_dir().join("locked.orch"));
        std::fs::write(&new, reason).map_err(GitError::io("write", &new))?;
        std::fs::rename(&new, &file).map_err(GitError::io("replace", file))
    }
}
