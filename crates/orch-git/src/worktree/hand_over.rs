//! Handing a worktree over: a new branch at its commit, with the files as they are, and what a merge leaves in it.

use std::path::PathBuf;

use super::add::{CheckoutTarget, WorktreeSpec};
use super::lock_reason::refuse_foreign_lock;
use super::open::Worktree;
use crate::error::GitError;
use crate::name::CommitId;
use crate::repository::Repository;
use crate::status::FileChangeKind;

/// The beginning of a line that a conflict leaves in a file.
const MARKER: &[u8] = b"<<<<<<< ";

impl Repository {
    /// Gives a worktree to another purpose: its files stay, and the specified branch is checked out at its commit.
    ///
    /// Each step can be repeated, so that a call after an interrupted one completes it.
    ///
    /// # Errors
    /// `NotAWorktree`; `LockedByOthers`; `RefExists` if the branch is at another commit; `PathTaken` if another commit
    /// is checked out.
    pub fn hand_over_worktree(&self, spec: &WorktreeSpec<'_>) -> Result<Worktree<'_>, GitError> {
        let _lock = self.lock_tree(spec.path)?;
        let entry = self.find_registration(spec.path)?.filter(|entry| !entry.is_main);
        let entry = entry.ok_or_else(|| GitError::NotAWorktree(spec.path.to_owned()))?;
        refuse_foreign_lock(&entry)?;
        let CheckoutTarget::Branch(branch) = spec.checkout else {
            return Err(GitError::PathTaken(spec.path.to_owned()));
        };
        let worktree = self.open_worktree(spec.path)?;
        let head = entry.head.as_ref();
        // An interrupted call may have merged already, which makes no commit while there are conflicts.
        if head.and_then(|head| head.branch.as_ref()) != Some(branch) {
            if head.is_none_or(|head| head.commit != *spec.commit) {
                return Err(GitError::PathTaken(spec.path.to_owned()));
            }
            self.ensure_branch(spec)?;
            let command = worktree.git_command(["symbolic-ref", "-m", "orch", "HEAD", branch.as_str()]);
            self.with_identity(command)?.read_stdout()?;
        }
        self.lock_for_use(spec)?;
        Ok(worktree)
    }
}

impl Worktree<'_> {
    /// Merges a commit into the branch that is checked out; conflicts stay in the files and in the index.
    ///
    /// Returns the files with conflicts. A merge in progress is left as it is.
    pub fn merge_into_files(&self, commit: &CommitId, message: &str) -> Result<Vec<PathBuf>, GitError> {
        if self.operation_in_progress().is_none() {
            let words = ["merge", "--quiet", "--no-ff", "--no-squash", "--no-verify", "-m", message];
            let command = self.git_command(words.into_iter().chain([commit.as_str()]));
            let output = self.repository.with_identity(command)?.run_to_output()?;
            if output.exit_code() != Some(0) && self.operation_in_progress().is_none() {
                return Err(output.into_error());
            }
        }
        self.unmerged_files()
    }

    /// Lists the files with merge conflicts that are not resolved in the index.
    fn unmerged_files(&self) -> Result<Vec<PathBuf>, GitError> {
        let dirty = self.read_status()?.dirty.into_iter();
        Ok(dirty.filter(|file| file.change == FileChangeKind::Unmerged).map(|file| file.path).collect())
    }

    /// Lists the files in which a merge in progress has conflicts that are not resolved.
    pub fn list_conflicting_files(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut files = self.unmerged_files()?;
        files.retain(|file| {
            let text = std::fs::read(self.top_level().join(file)).unwrap_or_default();
            text.split(|byte| *byte == b'\n').any(|line| line.starts_with(MARKER))
        });
        Ok(files)
    }

    /// Commits a merge in progress with all files as they are.
    pub fn conclude_merge(&self, message: &str) -> Result<(), GitError> {
        let _lock = self.repository.lock_tree(self.top_level())?;
        self.git_command(["add", "--all", "--sparse", "--", "."]).read_stdout()?;
        let command = self.git_command(["commit", "--quiet", "--no-verify", "-m", message]);
        self.repository.with_identity(command)?.read_stdout().map(drop)
    }
}
