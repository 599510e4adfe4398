//! Removing worktrees: with work only if it was salvaged and has not changed since.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::list::RegisteredWorktree;
use super::lock_reason::{format_lock_reason, refuse_foreign_lock};
use super::reuse::WorktreeObstacle;
use crate::error::GitError;
use crate::name::CommitId;
use crate::repository::Repository;
use crate::salvage::Salvage;

/// The prefix of a worktree's folder between its removal and its deletion.
const REMOVED_PREFIX: &str = ".orch-removed-";

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
        if path.exists() && self.open_worktree(path)?.capture_contents()? != salvage.captured {
            return Err(GitError::ChangedSinceSalvage(path.clone()));
        }
        self.delete_worktree(path)
    }

    /// Removes a worktree whose creation was interrupted; returns whether there was one.
    ///
    /// # Errors
    /// `Busy` if it is being created now.
    pub fn sweep_incomplete(&self, path: &Path) -> Result<bool, GitError> {
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
        if path.symlink_metadata().is_ok() {
            fs::rename(path, &trash).map_err(GitError::io("rename", path))?;
        }
        // `--force` twice includes a locked worktree; without its folder only the registration is deleted.
        let words = ["worktree", "remove", "--force", "--force", "--"].map(AsRef::as_ref);
        let removed = self
            .git_command(words.into_iter().chain([path.as_os_str()]))
            .with_lock(lock.share_handle()?)
            .read_stdout();
        if let Err(error) = removed {
            let _ = fs::rename(&trash, path);
            return Err(error);
        }
        drop(lock);
        delete_folder(&trash).map_err(GitError::io("delete", trash))
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

/// Deletes the folders of removed worktrees that killed processes left in a folder.
pub fn sweep_deleted_folders(folder: &Path) -> Result<(), GitError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(name) = name.strip_prefix(REMOVED_PREFIX) else { continue };
        let remover = name.split('-').next().and_then(|pid| pid.parse().ok());
        // A process that is alive deletes its folders itself.
        if remover.is_none_or(|remover| remover == std::process::id() || !is_process_alive(remover)) {
            let path = entry.path();
            delete_folder(&path).map_err(GitError::io("delete", path))?;
        }
    }
    Ok(())
}

fn is_process_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    matches!(rustix::process::test_kill_process(pid), Ok(()) | Err(rustix::io::Errno::PERM))
}

/// Returns a unique path beside a folder.
fn trash_path(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 8];
    // Without randomness the pid and the number are still unique on this machine.
    let _ = getrandom::fill(&mut random);
    let random = u64::from_le_bytes(random);
    path.with_file_name(format!("{REMOVED_PREFIX}{}-{number}-{random:016x}", std::process::id()))
}

/// Deletes a folder, even if tools made folders in it read-only.
pub(crate) fn delete_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_folders_writable(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// Makes every folder below this one writable for its owner.
fn make_folders_writable(folder: &Path) -> io::Result<()> {
    let mut permissions = folder.symlink_metadata()?.permissions();
    permissions.set_mode(permissions.mode() | 0o700);
    fs::set_permissions(folder, permissions)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_folders_writable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_folders_are_deleted_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree");
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/file"), "x").unwrap();
        for part in ["a/b", "a"] {
            fs::set_permissions(path.join(part), fs::Permissions::from_mode(0o555)).unwrap();
        }
        make_folders_writable(&path).unwrap();
        assert_eq!(path.join("a/b").metadata().unwrap().permissions().mode() & 0o777, 0o755);
        fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o555)).unwrap();
        delete_folder(&path).unwrap();
        assert!(!path.exists());
        delete_folder(&path).unwrap();
    }

    #[test]
    fn only_removed_folders_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let (removed, kept) = (trash_path(&folder.path().join("x")), folder.path().join("kept"));
        assert_ne!(removed, trash_path(&folder.path().join("x")));
        for path in [&removed, &kept] {
            fs::create_dir_all(path.join("inside")).unwrap();
        }
        sweep_deleted_folders(folder.path()).unwrap();
        assert!(kept.exists() && !removed.exists());
        sweep_deleted_folders(&folder.path().join("missing")).unwrap();
    }
}
