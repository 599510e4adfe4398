//! What a salvage does not keep, although it may exist nowhere else.
//!
//! A worktree with such contents is removed only by a caller who was shown the list.

use std::path::PathBuf;

use rustix::fs::{Access, access};

use super::open::Worktree;
use super::pristine::has_only_folders;
use super::survey::FolderSurvey;
use crate::error::GitError;
use crate::status::WorktreeStatus;
use crate::unsaved_content::{UnsavedContent, UnsavedProblem};

impl Worktree<'_> {
    /// Finds what a salvage of the files git lists does not keep.
    ///
    /// # Errors
    /// `Unsaved` if git cannot list the worktree at all.
    pub fn find_unsaved(&self) -> Result<Vec<UnsavedContent>, GitError> {
        self.read_with_unsaved().map(|(_, unsaved)| unsaved)
    }

    /// Reads the status, and finds what a salvage of the files it lists does not keep.
    pub(crate) fn read_with_unsaved(&self) -> Result<(WorktreeStatus, Vec<UnsavedContent>), GitError> {
        let survey = FolderSurvey::of_worktree(self.top_level());
        let content =
            |path: &PathBuf, problem: UnsavedProblem| UnsavedContent { path: path.clone(), problem };
        let here = |problem| UnsavedContent { path: self.top_level().to_owned(), problem };
        let mut unsaved: Vec<UnsavedContent> =
            survey.mounts.iter().map(|path| content(path, UnsavedProblem::Mounted)).collect();
        unsaved.extend(survey.unreadable.iter().map(|path| content(path, UnsavedProblem::Unreadable)));
        unsaved.extend(survey.undeletable.iter().map(|path| content(path, UnsavedProblem::Undeletable)));
        if survey.blocks_git {
            return Err(GitError::Unsaved { path: self.top_level().to_owned(), contents: unsaved });
        }
        if let Some(operation) = self.operation_in_progress() {
            unsaved.push(here(UnsavedProblem::InProgress(operation)));
        }
        let autostashes = ["rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH"];
        if autostashes.iter().any(|file| self.git_dir().join(file).exists()) {
            unsaved.push(here(UnsavedProblem::Autostash));
        }
        if self.has_own_references()? {
            unsaved.push(here(UnsavedProblem::OwnReferences));
        }
        let status = self.read_status_with_modes()?;
        let is_unreadable = |path: &PathBuf| {
            path.symlink_metadata().is_ok_and(|found| found.is_file())
                && access(path, Access::READ_OK).is_err()
        };
        let changed = status.dirty.iter().map(|file| self.top_level().join(&file.path));
        unsaved.extend(changed.filter(is_unreadable).map(|path| content(&path, UnsavedProblem::Unreadable)));
        let nested = self.nested_problems(&survey)?;
        unsaved.extend(
            nested.into_iter().map(|(path, problem)| content(&path, UnsavedProblem::Repository(problem))),
        );
        Ok((status, unsaved))
    }

    /// Returns whether it has references that other worktrees do not have, apart from those of an operation in progress.
    fn has_own_references(&self) -> Result<bool, GitError> {
        let may_have =
            !has_only_folders(&self.git_dir().join("refs")) || self.git_dir().join("reftable").exists();
        if !(self.is_linked() && may_have) {
            return Ok(false);
        }
        let own = ["for-each-ref", "--count=1", "refs/worktree", "refs/rewritten"];
        Ok(!self.git_command(own).read_stdout()?.is_empty())
    }
}
