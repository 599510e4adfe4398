//! Moving damaged worktrees aside: nothing in them can be saved by git, and nothing of them is deleted.
//!
//! The registration of a worktree in the attic stays, so that git keeps the commits and staged files that only it names.
//! It is detached, so that its branch can be checked out and deleted, and locked, so that git does not prune it.

use std::fs;
use std::path::{Path, PathBuf};

use super::deletion::delete_folder;
use super::list::{RegisteredWorktree, canonicalize_existing};
use super::lock_reason::{format_lock_reason, refuse_foreign_lock};
use super::open::{Worktree, parse_path_file};
use super::survey::read_small_file;
use crate::error::GitError;
use crate::plain_ref::PlainHead;
use crate::repository::Repository;

/// What is at the path of a worktree.
#[derive(Debug)]
pub enum FoundWorktree<'r> {
    /// A worktree that git can read.
    Intact(Worktree<'r>),
    /// Something that is no worktree of this repository, or one that git cannot read; with the reason.
    Damaged(String),
    /// Nothing.
    Missing,
}

impl Repository {
    /// Looks at the path of a worktree, which may be damaged in any way.
    pub fn find_worktree(&self, path: &Path) -> Result<FoundWorktree<'_>, GitError> {
        let Ok(found) = path.symlink_metadata() else { return Ok(FoundWorktree::Missing) };
        if !found.is_dir() {
            return Ok(FoundWorktree::Damaged("it is not a folder".to_owned()));
        }
        let worktree = match self.open_worktree(path) {
            Err(GitError::NotAWorktree(_)) => {
                return Ok(FoundWorktree::Damaged("its `.git` does not lead to this repository".to_owned()));
            }
            opened => opened?,
        };
        Ok(match worktree.find_damage()? {
            Some(damage) => FoundWorktree::Damaged(damage),
            None => FoundWorktree::Intact(worktree),
        })
    }

    /// Moves what is at the path of a damaged worktree to another path, which is free; after a crash, repeating the call completes it.
    ///
    /// # Errors
    /// `PathTaken`; `LockedByOthers`; `MainWorktree`.
    pub fn move_to_attic(&self, path: &Path, to: &Path, name: &str) -> Result<(), GitError> {
        let _lock = self.lock_tree(path)?;
        let _registrations = self.lock_registrations()?;
        let is_moved = path.symlink_metadata().is_err();
        if !is_moved && to.symlink_metadata().is_ok() {
            return Err(GitError::PathTaken(to.to_owned()));
        }
        let folder = to.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(GitError::io("create", folder))?;
        if let Some(entry) = self.registration_at(path)? {
            if entry.is_main {
                return Err(GitError::MainWorktree(path.to_owned()));
            }
            refuse_foreign_lock(&entry)?;
            if let Some(git_dir) = self.git_folder_of(&entry) {
                write_file(&git_dir.join("locked"), &format_lock_reason(&format!("attic of {name}")))?;
                if let Some(head) = &entry.head {
                    write_file(&git_dir.join("HEAD"), &format!("{}\n", head.commit))?;
                }
                let link = canonicalize_existing(to).join(".git");
                write_file(&git_dir.join("gitdir"), &format!("{}\n", link.display()))?;
            }
        }
        if is_moved { Ok(()) } else { fs::rename(path, to).map_err(GitError::io("rename", path)) }
    }

    /// Deletes what was moved to the attic, and its registration; which may be missing already.
    pub fn delete_from_attic(&self, path: &Path) -> Result<(), GitError> {
        let _lock = self.lock_tree(path)?;
        let registered = self.registration_at(path)?.filter(|entry| !entry.is_main);
        if registered.is_some() {
            return self.delete_worktree(path);
        }
        delete_folder(path).map_err(GitError::io("delete", path))
    }

    /// Finds the registration of a path itself, even if the path is a symbolic link to elsewhere.
    fn registration_at(&self, path: &Path) -> Result<Option<RegisteredWorktree>, GitError> {
        let path = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => canonicalize_existing(parent).join(name),
            _ => path.to_owned(),
        };
        Ok(self.list_worktrees()?.into_iter().find(|entry| entry.path == path))
    }

    /// Finds the git folder of a registration by the path that is written there.
    fn git_folder_of(&self, entry: &RegisteredWorktree) -> Option<PathBuf> {
        let wanted = entry.path.join(".git");
        let folders = fs::read_dir(self.common_dir().join("worktrees")).ok()?;
        folders.flatten().map(|folder| folder.path()).find(|folder| {
            let named =
                read_small_file(&folder.join("gitdir")).map(|text| folder.join(parse_path_file(&text)));
            named.is_some_and(|named| {
                let parent = named.parent().map(canonicalize_existing);
                named == wanted || parent.is_some_and(|parent| parent == entry.path)
            })
        })
    }
}

impl Worktree<'_> {
    /// Returns why git cannot read it, if it cannot.
    fn find_damage(&self) -> Result<Option<String>, GitError> {
        let unless_transient = |error: GitError| match error {
            error if error.is_transient() => Err(error),
            GitError::Failed { stderr, .. } => Ok(Some(stderr.lines().next().unwrap_or_default().to_owned())),
            other => Ok(Some(other.to_string())),
        };
        let read = match PlainHead::read(self.git_dir()) {
            PlainHead::Detached(commit) => Some(commit),
            PlainHead::Branch(branch) => self.repository.read_ref(&branch).ok().flatten(),
            PlainHead::Missing | PlainHead::Unclear => None,
        };
        let read = match read {
            Some(commit) => self.repository.tree_of_commit(&commit).map(drop),
            None => self.git_command(["rev-parse", "--verify", "HEAD^{tree}"]).read_stdout().map(drop),
        };
        if let Err(error) = read {
            let is_unborn = self.git_command(["symbolic-ref", "--quiet", "HEAD"]).read_stdout().is_ok()
                && self.git_command(["show-ref", "--quiet", "--verify", "HEAD"]).read_stdout().is_err();
            if !is_unborn {
                return unless_transient(error);
            }
        }
        match self.index_entries() {
            Ok(_) => Ok(None),
            Err(error) => unless_transient(error),
        }
    }
}

/// Replaces a file in one step.
fn write_file(path: &Path, text: &str) -> Result<(), GitError> {
    let new = path.with_extension("orch");
    fs::write(&new, text).map_err(GitError::io("write", &new))?;
    fs::rename(&new, path).map_err(GitError::io("replace", path))
}
