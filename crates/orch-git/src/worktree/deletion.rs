//! Deleting folders: renamed first, so that a killed process leaves nothing that looks like a worktree.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::GitError;

/// The prefix of a worktree's folder between its removal and its deletion.
const REMOVED_PREFIX: &str = ".orch-removed-";

/// Returns whether anything is at a path, a symbolic link to nowhere included.
#[must_use]
pub fn exists_at(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Returns whether a folder is at a path, and not a symbolic link to one.
#[must_use]
pub fn is_folder_at(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
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
pub(super) fn trash_path(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 8];
    // Without randomness the pid and the number are still unique on this machine.
    let _ = getrandom::fill(&mut random);
    let random = u64::from_le_bytes(random);
    path.with_file_name(format!("{REMOVED_PREFIX}{}-{number}-{random:016x}", std::process::id()))
}

/// Deletes a folder, even if tools made folders in it read-only; also a file or a symbolic link.
pub(crate) fn delete_folder(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
        return fs::remove_file(path);
    }
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
