//! Committing what lies in a worktree as it is.

use super::index::TemporaryIndex;
use super::reference::DURABLE;
use super::{Change, CommitId, GitError, Unsupported, Worktree};

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
        let _held = self.repository.lock_tree(self.top())?;
        self.at_rest()?;
        let state = self.state()?;
        let parent = state.commit.clone().ok_or(GitError::Unborn)?;
        if state.is_clean() {
            return Ok(parent);
        }
        for file in &state.dirty {
            if file.change == Change::Unmerged {
                return Err(GitError::InProgress { path: self.top().to_owned(), operation: "merge" });
            }
            let is_folder = file.path.as_os_str().as_encoded_bytes().ends_with(b"/");
            if file.change == Change::Untracked && is_folder {
                let path = self.top().join(&file.path);
                return Err(GitError::Unsupported { path, what: Unsupported::NestedRepository });
            }
        }
        let index = TemporaryIndex::copy_of(self)?;
        self.call(["add", "--all", "--sparse", "--", "."]).index(index.file()).setting(DURABLE).output()?;
        let tree = index.tree()?;
        let commit = if tree == self.repository.tree(&parent)? {
            parent
        } else {
            let commit =
                self.repository.write_commit(&tree, std::slice::from_ref(&parent), message, &[DURABLE])?;
            self.advance(&commit, &parent)?;
            commit
        };
        self.adopt(&commit)?;
        Ok(commit)
    }

    /// Moves the branch that is checked out, or `HEAD` itself when it is detached.
    fn advance(&self, new: &CommitId, old: &CommitId) -> Result<(), GitError> {
        let words = ["update-ref", "-m", "orch: snapshot", "HEAD", new.as_str(), old.as_str()];
        self.repository.with_identity(self.call(words))?.setting(DURABLE).output().map(drop)
    }

    /// Makes the index that of a commit; what it knows of unchanged files stays.
    fn adopt(&self, commit: &CommitId) -> Result<(), GitError> {
        self.call(["read-tree", "--reset", commit.as_str()]).output()?;
        self.refresh()
    }

    /// Lets the index see which files are as it has them.
    pub(super) fn refresh(&self) -> Result<(), GitError> {
        // Git says 1 when some are not, which is no failure.
        let answer = self.call(["update-index", "-q", "--refresh"]).answer()?;
        if matches!(answer.code(), Some(0 | 1)) { Ok(()) } else { Err(answer.into_error()) }
    }
}
