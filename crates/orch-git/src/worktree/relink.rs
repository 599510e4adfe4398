//! The links of worktrees after the repository was moved, or after a power loss emptied them.
//!
//! `git worktree repair` rewrites every link that it finds broken; here only those are rewritten that named the old place,
//! because others may belong to a repository that is still there.

use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::list::canonicalize_existing;
use crate::error::GitError;
use crate::repository::Repository;

impl Repository {
    /// Rewrites the links between this repository and its worktrees that name its old common directory.
    ///
    /// `moved` are folders with their new paths: a worktree below one of them was moved as well.
    ///
    /// # Errors
    /// A link cannot be read or written; those before it are rewritten.
    pub fn repair_moved_worktrees(
        &self,
        old_common_dir: &Path,
        moved: &[(PathBuf, PathBuf)],
    ) -> Result<(), GitError> {
        let entries = match fs::read_dir(self.common_dir().join("worktrees")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(GitError::io("read", &self.common_dir().join("worktrees"))(error)),
        };
        for entry in entries {
            let registration = entry.map_err(GitError::io("read", self.common_dir()))?.path();
            let Some(recorded) = read_path(&registration.join("gitdir"), "") else { continue };
            let link = new_path(&recorded, moved);
            let Some(target) = read_link(&link) else { continue };
            if !target.starts_with(old_common_dir) {
                continue;
            }
            replace_file(&link, b"gitdir: ", &registration)?;
            if link != recorded {
                replace_file(&registration.join("gitdir"), b"", &link)?;
            }
        }
        Ok(())
    }

    /// Restores the links from worktrees to the common directory that a power loss left empty, which stop every git command.
    ///
    /// Git never writes anything else there, so that a link that git is just writing becomes the same.
    pub(super) fn restore_common_links(&self) -> Result<(), GitError> {
        let Ok(entries) = fs::read_dir(self.common_dir().join("worktrees")) else { return Ok(()) };
        for entry in entries {
            let link = entry.map_err(GitError::io("read", self.common_dir()))?.path().join("commondir");
            if fs::metadata(&link).is_ok_and(|found| found.is_file() && found.len() == 0) {
                replace_file(&link, b"", Path::new("../.."))?;
            }
        }
        Ok(())
    }

    /// Restores the path in the registration of the worktree at a path, which a killed `git worktree move` leaves empty
    /// or naming the folder that was moved; git does not list such a worktree at its path.
    pub(super) fn restore_moved_link(&self, path: &Path) -> Result<(), GitError> {
        let link = canonicalize_existing(path).join(".git");
        let Some(registration) = read_link(&link) else { return Ok(()) };
        if registration.parent() != Some(&self.common_dir().join("worktrees")) || !registration.is_dir() {
            return Ok(());
        }
        let gitdir = registration.join("gitdir");
        match read_path(&gitdir, "") {
            Some(recorded) if recorded == link || read_link(&recorded).as_deref() == Some(&registration) => {
                Ok(())
            }
            _ => replace_file(&gitdir, b"", &link),
        }
    }
}

/// Returns a path as it is after the folders were moved.
fn new_path(path: &Path, moved: &[(PathBuf, PathBuf)]) -> PathBuf {
    let found = moved.iter().find_map(|(from, to)| Some(to.join(path.strip_prefix(from).ok()?)));
    found.unwrap_or_else(|| path.to_owned())
}

/// Reads the registration that the file `.git` of a worktree names.
pub(super) fn read_link(file: &Path) -> Option<PathBuf> {
    read_path(file, "gitdir: ")
}

/// Reads the path in a file of git, behind a prefix.
fn read_path(file: &Path, prefix: &str) -> Option<PathBuf> {
    let bytes = fs::read(file).ok()?;
    let path = bytes.strip_prefix(prefix.as_bytes())?;
    let path = path.strip_suffix(b"\n").unwrap_or(path);
    Some(PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())))
}

/// Replaces a file of git that names a path, in one step.
fn replace_file(file: &Path, prefix: &[u8], path: &Path) -> Result<(), GitError> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".orch");
    let new = file.with_file_name(name);
    let bytes = [prefix, path.as_os_str().as_bytes(), b"\n"].concat();
    fs::write(&new, bytes).map_err(GitError::io("write", &new))?;
    fs::rename(&new, file).map_err(GitError::io("replace", file))
}
