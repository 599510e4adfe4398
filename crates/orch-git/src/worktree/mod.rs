//! Worktrees: one checkout of a repository each, made, reused, locked and removed under locks of ours.
//!
//! `add` and `reuse` make one, `remove` takes one away that was salvaged, `list` knows which there are,
//! `reason` says why one is locked against git, `lock` keeps processes of ours apart.

mod add;
mod list;
pub(super) mod lock;
mod lock_reason;
mod remove;
mod reuse;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub(super) use add::is_path_available;
pub use add::{CheckoutTarget, WorktreeSpec};
pub use list::{RegisteredWorktree, canonicalize_existing};
pub use lock::ScratchLock;
pub use remove::sweep_deleted_folders;
pub use reuse::{ReuseOutcome, WorktreeObstacle};

use super::program::GitCommand;
use super::{GitError, Repository, WorktreeStatus, status};

/// A checkout of a repository, known to be one of its worktrees.
#[derive(Clone, Debug)]
pub struct Worktree<'r> {
    pub(super) repository: &'r Repository,
    top: PathBuf,
    git_dir: PathBuf,
}

/// What git leaves in a worktree's git folder while it is at something, and what that is.
const OPERATIONS: [(&str, &str); 7] = [
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry-pick"),
    ("BISECT_LOG", "bisect"),
];

impl Repository {
    /// Opens a worktree by its top.
    ///
    /// # Errors
    /// `NotAWorktree` where the folder is gone, has lost its `.git`, or belongs to another repository.
    pub fn open_worktree(&self, top: &Path) -> Result<Worktree<'_>, GitError> {
        let not_one = || GitError::NotAWorktree { path: top.to_owned() };
        let top = top.canonicalize().map_err(|_| not_one())?;
        let git_dir = self.find_git_dir(&top).ok_or_else(not_one)?;
        Ok(Worktree { repository: self, top, git_dir })
    }

    /// The git folder of a worktree, if it and the worktree name each other.
    fn find_git_dir(&self, top: &Path) -> Option<PathBuf> {
        if self.top_level() == Some(top) {
            return Some(self.git_dir().to_owned());
        }
        let common = self.common_dir().canonicalize().ok()?;
        let dot_git = top.join(".git");
        if dot_git.is_dir() {
            return (dot_git.canonicalize().ok()? == common).then_some(dot_git);
        }
        let text = std::fs::read(&dot_git).ok()?;
        let named = parse_path_file(text.strip_prefix(b"gitdir: ")?);
        let git_dir = top.join(named).canonicalize().ok()?;
        if git_dir == common {
            return Some(git_dir);
        }
        let named_common = parse_path_file(&std::fs::read(git_dir.join("commondir")).ok()?);
        let named_back = parse_path_file(&std::fs::read(git_dir.join("gitdir")).ok()?);
        let is_ours = git_dir.join(named_common).canonicalize().ok()? == common;
        (is_ours && canonicalize_existing(&git_dir.join(named_back)) == dot_git).then_some(git_dir)
    }
}

/// A path in a file of git's, without the line end behind it.
fn parse_path_file(text: &[u8]) -> PathBuf {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    PathBuf::from(OsStr::from_bytes(&text[..end]))
}

impl Worktree<'_> {
    /// Its top, without symbolic links.
    #[must_use]
    pub fn top_level(&self) -> &Path {
        &self.top
    }

    /// Where git keeps what is this worktree's own.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Whether it was made beside the main one; the main worktree is the user's own.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.top.join(".git").is_file()
    }

    /// Says where it stands and what is changed in it.
    ///
    /// # Errors
    /// Git cannot tell.
    pub fn read_status(&self) -> Result<WorktreeStatus, GitError> {
        self.read_status_with(self.git_command(status::ARGUMENTS))
    }

    /// The same by a command that was given more settings.
    pub(super) fn read_status_with(&self, call: GitCommand) -> Result<WorktreeStatus, GitError> {
        let answer = call.run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        status::parse_status(&answer.stdout).ok_or_else(|| answer.into_unreadable())
    }

    /// Says which operation of git's is under way in it, such as a merge that waits for its conflicts to be resolved.
    #[must_use]
    pub fn operation_in_progress(&self) -> Option<&'static str> {
        OPERATIONS.iter().find(|(file, _)| self.git_dir.join(file).exists()).map(|(_, operation)| *operation)
    }

    /// Refuses a worktree in which an operation of git's is under way.
    pub(super) fn refuse_operation_in_progress(&self) -> Result<(), GitError> {
        match self.operation_in_progress() {
            Some(operation) => Err(GitError::InProgress { path: self.top.clone(), operation }),
            None => Ok(()),
        }
    }

    /// Waits until a command of ours that an earlier process left behind has done with its files.
    ///
    /// # Errors
    /// It takes too long.
    pub fn wait_until_unlocked(&self) -> Result<(), GitError> {
        self.repository.lock_tree(&self.top).map(drop)
    }

    /// Moves its branch, its index and its files forward to a commit that descends from where it stands.
    ///
    /// # Errors
    /// Changes that are not committed, or files that git does not know, are in the way; nothing was changed then.
    pub fn fast_forward(&self, to: &super::CommitId) -> Result<(), GitError> {
        let held = self.repository.lock_tree(&self.top)?;
        let call = self.git_command([
            "merge",
            "--ff-only",
            // By default an ignored file gives way, and what it held is nowhere else.
            "--no-overwrite-ignore",
            "--no-autostash",
            "--quiet",
            "--no-verify",
            "--no-stat",
            to.as_str(),
        ]);
        match self.repository.with_identity(call)?.with_lock(held.share_handle()?).read_stdout() {
            Err(GitError::Failed { stderr, .. }) if stderr.contains("would be overwritten by merge") => {
                Err(GitError::NotClean { path: self.top.clone(), files: self.read_status()?.dirty })
            }
            other => other.map(drop),
        }
    }

    /// Prepares a command in it.
    pub(super) fn git_command<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.repository.worktree_command(&self.git_dir, &self.top, arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_gits_files_keep_what_is_theirs() {
        for (text, expected) in
            [(&b"/a b\n"[..], "/a b"), (b"/a\nb\n", "/a\nb"), (b"../..\r\n", "../.."), (b"\n", "")]
        {
            assert_eq!(parse_path_file(text), Path::new(expected));
        }
    }
}
