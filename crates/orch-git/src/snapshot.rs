//! Committing what lies in a worktree as it is.

use super::index::TemporaryIndex;
use super::reference::DURABLE;
use super::{CommitId, FileChangeKind, GitError, UnsupportedContent, Worktree};

impl Worktree<'_> {
    /// Commits tracked and untracked files as they are, except ignored ones; where nothing is changed,
    /// answers with the commit that is there.
    ///
    /// The commit is made beside the worktree's own index; the branch moves only when it is complete. A
    /// crash in between is healed by asking again.
    ///
    /// # Errors
    /// `InProgress` in the middle of a merge or the like; `Unsupported`; `Unborn`; `RefMoved`.
    pub fn snapshot_commit(&self, message: &str) -> Result<CommitId, GitError> {
        let _held = self.repository.lock_tree(self.top_level())?;
        self.refuse_operation_in_progress()?;
        let state = self.read_status()?;
        let parent = state.commit.clone().ok_or(GitError::Unborn)?;
        if state.is_clean() {
            return Ok(parent);
        }
        for file in &state.dirty {
            if file.change == FileChangeKind::Unmerged {
                return Err(GitError::InProgress { path: self.top_level().to_owned(), operation: "merge" });
            }
            let is_folder = file.path.as_os_str().as_encoded_bytes().ends_with(b"/");
            if file.change == FileChangeKind::Untracked && is_folder {
                let path = self.top_level().join(&file.path);
                return Err(GitError::Unsupported { path, what: UnsupportedContent::NestedRepository });
            }
        }
        let index = TemporaryIndex::copy_from_worktree(self)?;
        self.git_command(["add", "--all", "--sparse", "--", "."])
            .with_index_file(index.file())
            .with_config(DURABLE)
            .read_stdout()?;
        let tree = index.write_tree()?;
        let commit = if tree == self.repository.tree_of_commit(&parent)? {
            parent
        } else {
            let commit =
                self.repository.write_commit(&tree, std::slice::from_ref(&parent), message, &[DURABLE])?;
            self.advance_head(&commit, &parent)?;
            commit
        };
        self.reset_index_to(&commit)?;
        Ok(commit)
    }

    /// Moves the branch that is checked out, or `HEAD` itself when it is detached.
    fn advance_head(&self, new: &CommitId, old: &CommitId) -> Result<(), GitError> {
        let words = ["update-ref", "-m", "orch: snapshot", "HEAD", new.as_str(), old.as_str()];
        self.repository.with_identity(self.git_command(words))?.with_config(DURABLE).read_stdout().map(drop)
    }

    /// Makes the index that of a commit; what it knows of unchanged files stays.
    fn reset_index_to(&self, commit: &CommitId) -> Result<(), GitError> {
        self.git_command(["read-tree", "--reset", commit.as_str()]).read_stdout()?;
        self.refresh_index()
    }

    /// Lets the index see which files are as it has them.
    pub(super) fn refresh_index(&self) -> Result<(), GitError> {
        // Git says 1 when some are not, which is no failure.
        let answer = self.git_command(["update-index", "-q", "--refresh"]).run_to_output()?;
        if matches!(answer.exit_code(), Some(0 | 1)) { Ok(()) } else { Err(answer.into_error()) }
    }
}
