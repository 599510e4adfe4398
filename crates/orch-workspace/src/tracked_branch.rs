//! Moving a branch from exactly the commit that it was seen at, together with its checkout.

use crate::run_repository::branch_ref;
use orch_git::{BranchMove, CommitId, GitError, RefName, Repository};
use orch_inbox::Error;

/// How often a merge is retried because another process moved the branch.
pub const MOVES_MAX: u32 = 20;

/// What the logs of moved references say.
const LOG_MESSAGE: &str = "orch";

/// A branch at the commit that it was last seen at.
pub struct TrackedBranch<'r> {
    /// Where the branch is.
    pub repository: &'r Repository,
    /// The full name of its reference.
    pub name: RefName,
    /// The commit that it was last seen at.
    pub tip: CommitId,
}

impl<'r> TrackedBranch<'r> {
    /// The branch of this name at its present commit.
    pub fn new(repository: &'r Repository, branch: &str, tip: CommitId) -> Result<Self, Error> {
        Ok(Self { repository, name: branch_ref(branch)?, tip })
    }

    /// Checks that the branch may move to a commit now.
    ///
    /// # Errors
    /// `BranchHeld` when its checkout does not allow that.
    pub fn check_advance(&self, to: &CommitId) -> Result<(), GitError> {
        self.repository.check_branch_move(&self.step(&self.tip, to))
    }

    /// Moves the branch to a commit, which need not descend from its present one; where it is checked out, its files are updated too.
    ///
    /// # Errors
    /// `RefMoved` when another process moved the branch; `BranchHeld`.
    pub fn advance(&self, to: &CommitId) -> Result<(), GitError> {
        self.repository.move_branch(&self.step(&self.tip, to))
    }

    /// Moves the files of the checkout back after a recorded step was interrupted before the branch moved.
    ///
    /// # Errors
    /// `BranchHeld`.
    pub fn undo_step(&self, from: &CommitId, to: &CommitId) -> Result<(), GitError> {
        self.repository.undo_branch_move(&self.step(from, to))
    }

    fn step<'s>(&'s self, from: &'s CommitId, to: &'s CommitId) -> BranchMove<'s> {
        BranchMove { branch: &self.name, from, to, message: LOG_MESSAGE }
    }
}
