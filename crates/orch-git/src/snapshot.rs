//! Committing everything in a worktree.

use super::error::GitError;
use super::index::TemporaryIndex;
use super::name::CommitId;
use super::reference::DURABLE;
use super::status::FileChangeKind;
use super::worktree::Worktree;

impl Worktree<'_> {
    /// Commits all tracked and untracked files, except ignored ones; without changes, returns the current commit.
    ///
    /// The commit is written with a temporary index, and the branch moves only when it is complete.
    /// After a crash, repeating the call completes it.
    ///
    /// # Errors
    /// `InProgress` during a merge or a similar operation; `NestedRepository`; `Unborn`; `RefMoved`.
    pub fn snapshot_commit(&self, message: &str) -> Result<CommitId, GitError> {
        let _lock = self.repository.lock_tree(self.top_level())?;
        self.refuse_operation_in_progress()?;
        let status = self.read_status()?;
        let parent = status.commit.clone().ok_or(GitError::Unborn)?;
        if status.is_clean() {
            return Ok(parent);
        }
        for file in &status.dirty {
            if file.change == FileChangeKind::Unmerged {
                return Err(GitError::InProgress { path: self.top_level().to_owned(), operation: "merge" });
            }
            let is_folder = file.path.as_os_str().as_encoded_bytes().ends_with(b"/");
            if file.change == FileChangeKind::Untracked && is_folder {
                return Err(GitError::NestedRepository(self.top_level().join(&file.path)));
            }
        }
        let index = TemporaryIndex::copy_from_worktree(self)?;
        index.git_command(["add", "--all", "--sparse", "--", "."]).with_config(DURABLE).read_stdout()?;
        let tree = index.write_tree()?;
        let commit = if tree == self.repository.tree_of_commit(&parent)? {
            parent
        } else {
            let commit = self.repository.write_user_commit(
                &tree,
                std::slice::from_ref(&parent),
                message,
                &[DURABLE],
            )?;
            self.advance_head(&commit, &parent)?;
            commit
        };
        self.reset_index_to(&commit)?;
        Ok(commit)
    }

    /// Moves the branch that is checked out, or a detached `HEAD`.
    fn advance_head(&self, new: &CommitId, old: &CommitId) -> Result<(), GitError> {
        let words = ["update-ref", "-m", "orch: snapshot", "HEAD", new.as_str(), old.as_str()];
        self.repository.with_identity(self.git_command(words))?.with_config(DURABLE).read_stdout().map(drop)
    }

    /// Sets the index to a commit and keeps its data about unchanged files.
    fn reset_index_to(&self, commit: &CommitId) -> Result<(), GitError> {
        self.git_command(["read-tree", "--reset", commit.as_str()]).read_stdout()?;
        self.refresh_index()
    }

    /// Updates the index's data about unchanged files.
    pub(super) fn refresh_index(&self) -> Result<(), GitError> {
        // Git exits with 1 if some files differ, which is no failure.
        self.git_command(["update-index", "-q", "--refresh"]).read_optional(|_| Some(())).map(drop)
    }
}
