//! Taking a worktree away: only one that was salvaged, and only as long as it is what was salvaged.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::list::RegisteredWorktree;
use super::lock_reason::{self, refuse_foreign_lock};
use super::reuse::WorktreeObstacle;
use crate::{CommitId, GitError, Repository, Salvage, WorktreeHead};
use orch_process::{ProcessIdentity, processes_working_in};

/// How the folder of a worktree is called between being taken away and being deleted.
const REMOVED: &str = ".orch-removed-";

impl Repository {
    /// Removes a worktree that was salvaged; one that is gone already is no error. Its branch stays.
    ///
    /// # Errors
    /// `ChangedSinceSalvage`, `LockedByOthers`, `MainWorktree`.
    pub fn remove_worktree(&self, salvage: &Salvage) -> Result<(), GitError> {
        let path = &salvage.worktree;
        let _held = self.lock_tree(path)?;
        let Some(entry) = self.find_registration(path)? else {
            // Deleted by an earlier try that was then cut off.
            return if path.exists() { Err(GitError::NotAWorktree { path: path.clone() }) } else { Ok(()) };
        };
        if entry.is_main {
            return Err(GitError::MainWorktree { path: path.clone() });
        }
        refuse_foreign_lock(&entry)?;
        if path.exists() && self.open_worktree(path)?.capture_contents()? != salvage.captured {
            return Err(GitError::ChangedSinceSalvage { path: path.clone() });
        }
        self.delete_worktree(path)
    }

    /// Removes a worktree in which only checks ran, also one that was not made to the end: it must stand on no branch and
    /// be locked for this reason.
    ///
    /// # Errors
    /// `NotAWorktree` where it is none of that kind; a folder that is gone is no error.
    pub fn remove_scratch(&self, path: &Path, reason: &str) -> Result<(), GitError> {
        let _held = self.lock_tree(path)?;
        let Some(entry) = self.find_registration(path)? else { return Ok(()) };
        let is_detached = entry.head.as_ref().is_some_and(|head| head.branch.is_none());
        let is_scratch = entry.locked.as_deref() == Some(&lock_reason::format_lock_reason(reason));
        if !(entry.is_incomplete() || is_detached && is_scratch) {
            return Err(GitError::NotAWorktree { path: path.to_owned() });
        }
        self.delete_worktree(path)
    }

    /// Removes what is left of a tree that was being made when its maker ended; says whether there was any.
    ///
    /// # Errors
    /// `Busy` where it is being made just now.
    pub fn sweep_incomplete(&self, path: &Path) -> Result<bool, GitError> {
        let Some(entry) = self.find_registration(path)?.filter(RegisteredWorktree::is_incomplete) else {
            return Ok(false);
        };
        let _held = self.try_lock_tree(path)?;
        match self.find_registration(path)? {
            Some(still) if still.is_incomplete() && still.path == entry.path => {
                self.delete_worktree(path).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// Removes a tree of checks whose process has ended; says whether it did.
    ///
    /// # Errors
    /// As [`Repository::remove_scratch`]; `Busy` where checks run in it.
    pub fn sweep_scratch(&self, path: &Path, reason: &str) -> Result<bool, GitError> {
        let _unused = self.try_lock_scratch(path)?;
        if self.find_registration(path)?.is_none() {
            return Ok(false);
        }
        if !processes_working_in(path).is_empty() {
            return Err(GitError::Busy);
        }
        self.remove_scratch(path, reason).map(|()| true)
    }

    /// Removes a worktree that nobody works in: on no branch, at this commit, clean, and locked for this reason.
    /// Answers with why it is left alone, where it is.
    ///
    /// # Errors
    /// Git cannot tell, or cannot do it.
    pub fn remove_unused_worktree(
        &self,
        path: &Path,
        reason: &str,
        at: &CommitId,
    ) -> Result<Option<WorktreeObstacle>, GitError> {
        let _held = self.lock_tree(path)?;
        // Taken by somebody else meanwhile.
        let Some(entry) = self.find_registration(path)? else { return Ok(None) };
        let expected = WorktreeHead { commit: at.clone(), branch: None };
        if entry.head != Some(expected)
            || entry.locked.as_deref() != Some(&lock_reason::format_lock_reason(reason))
        {
            return Ok(Some(WorktreeObstacle::NotClean));
        }
        if path.exists()
            && let Some(unfit) = self.open_worktree(path)?.find_obstacle(at)?
        {
            return Ok(Some(unfit));
        }
        self.delete_worktree(path).map(|()| None)
    }

    /// Drops the registration of a worktree whose folder somebody else deleted.
    ///
    /// # Errors
    /// `LockedByOthers`.
    pub fn unregister_missing_worktree(&self, path: &Path) -> Result<(), GitError> {
        let _held = self.lock_tree(path)?;
        match self.find_registration(path)? {
            Some(entry) if !entry.is_main && path.symlink_metadata().is_err() => {
                refuse_foreign_lock(&entry)?;
                self.delete_worktree(path)
            }
            _ => Ok(()),
        }
    }

    /// Takes the folder away at once, then its registration, and deletes the files without holding anybody up.
    pub(super) fn delete_worktree(&self, path: &Path) -> Result<(), GitError> {
        let aside = trash_path(path);
        let administration = self.lock_registrations()?;
        if path.symlink_metadata().is_ok() {
            fs::rename(path, &aside).map_err(GitError::io("move away", path))?;
        }
        // Twice: also one that is locked. Of a folder that is gone only the registration is removed.
        let words = ["worktree", "remove", "--force", "--force", "--"].map(AsRef::as_ref);
        let removed = self
            .git_command(words.into_iter().chain([path.as_os_str()]))
            .with_lock(administration.share_handle()?)
            .read_stdout();
        if let Err(error) = removed {
            let _ = fs::rename(&aside, path);
            return Err(error);
        }
        drop(administration);
        delete_folder(&aside).map_err(GitError::io("delete", aside))
    }
}

/// Deletes what is left in a folder of worktrees that were taken away by processes that then ended.
///
/// # Errors
/// Something cannot be deleted.
pub fn sweep_deleted_folders(folder: &Path) -> Result<(), GitError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(maker) = name.strip_prefix(REMOVED) else { continue };
        let maker = maker.split('-').next().and_then(|number| number.parse().ok());
        // One that is alive deletes it itself.
        if maker.is_none_or(|maker| maker == std::process::id() || !is_process_alive(maker)) {
            let path = entry.path();
            delete_folder(&path).map_err(GitError::io("delete", path))?;
        }
    }
    Ok(())
}

fn is_process_alive(process: u32) -> bool {
    ProcessIdentity::of_pid(process).is_some_and(ProcessIdentity::is_alive)
}

/// A name beside the folder that nobody else uses.
fn trash_path(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 8];
    // Without randomness the process and the number are still ours alone on this machine.
    let _ = getrandom::fill(&mut random);
    let random = u64::from_le_bytes(random);
    path.with_file_name(format!("{REMOVED}{}-{number}-{random:016x}", std::process::id()))
}

/// Deletes a folder, also where tools made folders in it read-only.
fn delete_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_folders_writable(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// Lets the owner change every folder in here.
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
    fn folders_that_may_not_be_changed_are_deleted_too() {
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
    fn only_what_was_taken_away_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, kept) = (trash_path(&folder.path().join("x")), folder.path().join("kept"));
        assert_ne!(gone, trash_path(&folder.path().join("x")));
        for path in [&gone, &kept] {
            fs::create_dir_all(path.join("inside")).unwrap();
        }
        sweep_deleted_folders(folder.path()).unwrap();
        assert!(kept.exists() && !gone.exists());
        sweep_deleted_folders(&folder.path().join("missing")).unwrap();
    }
}
