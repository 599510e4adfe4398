//! Locking a reference before it moves.

use std::path::Path;

use super::step::BranchMove;
use crate::error::GitError;
use crate::program::RunningCommand;
use crate::reference::{DURABLE, RefUpdate, format_ref_update};
use crate::repository::Repository;

/// A locked reference that is about to move; the lock is released when this process ends.
#[derive(Debug)]
#[must_use = "the reference is locked until the move is committed or aborted"]
pub(super) struct PreparedMove {
    running: RunningCommand,
}

impl PreparedMove {
    /// Moves the reference.
    pub(super) fn commit(self) -> Result<(), GitError> {
        self.finish(b"commit\0")
    }

    /// Leaves the reference where it is.
    pub(super) fn abort(self) -> Result<(), GitError> {
        self.finish(b"abort\0")
    }

    fn finish(self, input: &[u8]) -> Result<(), GitError> {
        let output = self.running.finish(input)?;
        if output.exit_code() == Some(0) { Ok(()) } else { Err(output.into_error()) }
    }
}

impl Repository {
    /// Locks a branch at the expected commit, so that a move of it cannot fail any more.
    ///
    /// The log of the `HEAD` with this git directory gets an entry if it stands for the branch.
    ///
    /// # Errors
    /// `RefMoved` if the branch is at another commit.
    pub(super) fn prepare_ref_move(
        &self,
        git_dir: &Path,
        step: &BranchMove<'_>,
    ) -> Result<PreparedMove, GitError> {
        let update = RefUpdate::Move { reference: step.branch, new: step.to, old: step.from };
        self.remove_stale_ref_locks(&[update]);
        let mut prepared = self.start_ref_move(git_dir, step.message, &update);
        // Git has waited longer than a lock must be old.
        if let Err(GitError::LockExists { path, .. }) = &prepared
            && self.remove_managed_lock(path)
        {
            prepared = self.start_ref_move(git_dir, step.message, &update);
        }
        match prepared {
            Err(GitError::LockExists { path, .. }) => Err(GitError::held_by_lock(step.branch, path)),
            Err(error @ GitError::Failed { .. }) => Err(self.moved_or(error, step.branch, step.from)?),
            prepared => prepared,
        }
    }

    fn start_ref_move(
        &self,
        git_dir: &Path,
        message: &str,
        update: &RefUpdate<'_>,
    ) -> Result<PreparedMove, GitError> {
        let words = ["update-ref", "--no-deref", "--stdin", "-z", "-m", message];
        let command = self.with_identity(self.git_dir_command(git_dir, words))?.with_config(DURABLE);
        let mut running = command.start()?;
        let input = format!("start\0{}prepare\0", format_ref_update(update));
        if running.exchange(input.as_bytes(), b"prepare: ok\n")? {
            return Ok(PreparedMove { running });
        }
        Err(running.finish(b"")?.into_error())
    }
}
