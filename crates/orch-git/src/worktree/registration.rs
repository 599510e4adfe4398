//! Registrations of linked worktrees, read from git's files without starting git.
//!
//! `git worktree list` reads all of them and the configuration; most questions are about one worktree.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::list::{RegisteredWorktree, canonicalize_existing};
use super::open::parse_path_file;
use super::survey::read_small_file;
use crate::error::GitError;
use crate::plain_ref::{PlainHead, PlainRef};
use crate::repository::Repository;
use crate::status::WorktreeHead;

/// What git says of a worktree whose folder is missing.
const PRUNABLE: &str = "gitdir file points to non-existent location";

impl Repository {
    /// Lists all worktrees except the main one.
    pub fn list_linked_worktrees(&self) -> Result<Vec<RegisteredWorktree>, GitError> {
        if let Some(entries) = self.read_registrations() {
            return Ok(entries);
        }
        let mut entries = self.list_worktrees()?;
        entries.retain(|entry| !entry.is_main);
        Ok(entries)
    }

    /// Finds the registration of a worktree, even if its folder does not exist.
    pub fn find_registration(&self, path: &Path) -> Result<Option<RegisteredWorktree>, GitError> {
        let path = canonicalize_existing(path);
        if path != self.main_path() {
            if let Some(entry) = self.read_registration_of(&path) {
                return Ok(Some(entry));
            }
            if let Some(entries) = self.read_registrations() {
                return Ok(entries.into_iter().find(|entry| canonicalize_existing(&entry.path) == path));
            }
        }
        Ok(self.list_worktrees()?.into_iter().find(|entry| canonicalize_existing(&entry.path) == path))
    }

    /// Returns the git directories of all linked worktrees; `None` if they cannot be listed.
    pub(crate) fn linked_git_folders(&self) -> Option<Vec<PathBuf>> {
        match fs::read_dir(self.common_dir().join("worktrees")) {
            Ok(entries) => entries.map(|entry| entry.ok().map(|entry| entry.path())).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Some(Vec::new()),
            Err(_) => None,
        }
    }

    /// The path by which git lists the main worktree.
    fn main_path(&self) -> PathBuf {
        let common = canonicalize_existing(self.common_dir());
        match (common.file_name(), common.parent()) {
            (Some(name), Some(parent)) if name == ".git" => parent.to_owned(),
            _ => common,
        }
    }

    fn read_registrations(&self) -> Option<Vec<RegisteredWorktree>> {
        self.linked_git_folders()?.iter().map(|folder| self.read_registration(folder)).collect()
    }

    /// Reads the registration that the `.git` of a worktree names.
    fn read_registration_of(&self, top: &Path) -> Option<RegisteredWorktree> {
        let text = read_small_file(&top.join(".git"))?;
        let folder = top.join(parse_path_file(text.strip_prefix(b"gitdir: ")?)).canonicalize().ok()?;
        let is_ours = folder.parent() == Some(&self.common_dir().canonicalize().ok()?.join("worktrees"));
        let entry = if is_ours { self.read_registration(&folder)? } else { return None };
        (canonicalize_existing(&entry.path) == top).then_some(entry)
    }

    /// Reads a registration; `None` where only git can tell what it says.
    fn read_registration(&self, folder: &Path) -> Option<RegisteredWorktree> {
        let link = folder.join(parse_path_file(&read_small_file(&folder.join("gitdir"))?));
        if link.file_name() != Some(OsStr::new(".git"))
            || read_small_file(&folder.join("commondir")).is_none()
        {
            return None;
        }
        let head = match PlainHead::read(folder) {
            PlainHead::Detached(commit) => Some(WorktreeHead { commit, branch: None }),
            PlainHead::Branch(branch) => match self.read_plain_ref(&branch) {
                PlainRef::Commit(commit) => Some(WorktreeHead { commit, branch: Some(branch) }),
                PlainRef::Missing => None,
                PlainRef::Unclear => return None,
            },
            PlainHead::Missing | PlainHead::Unclear => return None,
        };
        let locked = match fs::read(folder.join("locked")) {
            Ok(text) => Some(String::from_utf8_lossy(text.trim_ascii()).into_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(_) => return None,
        };
        let is_prunable = locked.is_none() && link.symlink_metadata().is_err();
        Some(RegisteredWorktree {
            path: link.parent()?.to_owned(),
            head,
            is_main: false,
            locked,
            prunable: is_prunable.then(|| PRUNABLE.to_owned()),
        })
    }
}
