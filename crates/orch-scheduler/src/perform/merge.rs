//! Moving a branch from exactly the commit that it was seen at, together with its checkout.

use std::path::PathBuf;

use crate::run_repository::branch_ref;
use orch_git::{CommitId, GitError, RefName, Repository};
use orch_inbox::Error;

/// How often a merge is retried because another process moved the branch.
pub(super) const MOVES_MAX: u32 = 20;

/// A branch at the commit that it was last seen at.
pub(super) struct TrackedBranch<'r> {
    pub(super) repository: &'r Repository,
    pub(super) name: RefName,
    pub(super) tip: CommitId,
    /// The worktree that has it checked out, which must move with it.
    pub(super) checkout: Option<PathBuf>,
}

impl<'r> TrackedBranch<'r> {
    /// The branch of this name at its present commit.
    pub(super) fn new(repository: &'r Repository, branch: &str, tip: CommitId) -> Result<Self, Error> {
        let name = branch_ref(branch)?;
        let checkout = repository.find_worktree_on_branch(&name)?.map(|entry| entry.path);
        Ok(Self { repository, name, tip, checkout })
    }

    /// Moves the branch to a commit; where it is checked out, its files are updated too.
    ///
    /// # Errors
    /// `RefMoved` when another process moved the branch.
    pub(super) fn advance(&self, to: &CommitId) -> Result<(), GitError> {
        let Some(path) = &self.checkout else {
            return self.repository.compare_and_swap(&self.name, to, &self.tip);
        };
        let Err(error) = self.repository.open_worktree(path)?.fast_forward(to) else { return Ok(()) };
        // A person may have committed in the checkout meanwhile.
        let found = self.repository.read_ref(&self.name)?;
        if found.as_ref() == Some(&self.tip) {
            return Err(error);
        }
        Err(GitError::RefMoved { reference: self.name.clone(), expected: self.tip.clone(), found })
    }
}
