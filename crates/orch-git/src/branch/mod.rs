//! Moving a branch by its own name, together with the files of its checkout.
//!
//! The reference is locked first, at the commit that the caller expects.
//! Under that lock the checkouts are looked up and the files are moved; then the reference moves.
//! A process that is killed in between leaves the files moved and the branch not: [`Repository::undo_branch_move`] moves
//! them back.
//! `checkouts` finds the checkouts of a branch, `files` moves their files, and `prepared_move` locks the reference.

mod checkouts;
mod files;
mod prepared_move;
mod step;

pub use step::BranchMove;

use std::path::{Path, PathBuf};

use super::error::GitError;
use super::name::RefName;
use super::plain_ref::PlainRef;
use super::repository::Repository;
use super::worktree::Worktree;
use files::LockedCheckout;
use prepared_move::PreparedMove;

/// How often the checkout is looked up again because it changed while the reference was being locked.
const LOOKUPS_MAX: u32 = 10;

impl Repository {
    /// Returns the branch that a name stands for: the end of a chain of symbolic references, usually the name itself.
    pub fn follow_symbolic_ref(&self, name: &RefName) -> Result<RefName, GitError> {
        if self.read_plain_ref(name) != PlainRef::Unclear {
            return Ok(name.clone());
        }
        let command = self.git_dir_command(self.common_dir(), ["symbolic-ref", "--quiet", name.as_str()]);
        let target = command
            .read_optional(|output| RefName::new(std::str::from_utf8(output).ok()?.trim_end()).ok())?;
        Ok(target.unwrap_or_else(|| name.clone()))
    }

    /// Returns the top of the checkout that has a branch checked out, if there is one and its branch could move.
    ///
    /// # Errors
    /// `BranchHeld`.
    pub fn branch_checkout(&self, branch: &RefName) -> Result<Option<PathBuf>, GitError> {
        let branch = self.follow_symbolic_ref(branch)?;
        Ok(self.find_checkout(&branch)?.map(|checkout| checkout.top_level().to_owned()))
    }

    /// Returns an error if a branch could not move now.
    ///
    /// # Errors
    /// `BranchHeld`.
    pub fn check_branch_move(&self, step: &BranchMove<'_>) -> Result<(), GitError> {
        let branch = self.follow_symbolic_ref(step.branch)?;
        match self.find_checkout(&branch)? {
            Some(checkout) => LockedCheckout::acquire(&checkout, &branch)?.check_move(step.from, step.to),
            None => Ok(()),
        }
    }

    /// Moves a branch and the files of its checkout, or changes nothing.
    ///
    /// # Errors
    /// `RefMoved` if the branch is at another commit; `BranchHeld`.
    pub fn move_branch(&self, step: &BranchMove<'_>) -> Result<(), GitError> {
        let branch = &self.follow_symbolic_ref(step.branch)?;
        let step = BranchMove { branch, ..*step };
        for _ in 0..LOOKUPS_MAX {
            let worktree = self.find_checkout(branch)?;
            let checkout =
                worktree.as_ref().map(|found| LockedCheckout::acquire(found, branch)).transpose()?;
            let git_dir = worktree.as_ref().map(Worktree::git_dir);
            let prepared = self.prepare_ref_move(git_dir.unwrap_or(self.common_dir()), &step)?;
            // The user may have switched to the branch or to another one meanwhile.
            let is_same =
                self.find_checkout(branch).map(|found| found.as_ref().map(Worktree::git_dir) == git_dir);
            if let Ok(true) = is_same {
                self.move_locked_branch(&step, checkout.as_ref(), prepared)?;
                drop(checkout);
                return self.confirm_branch_move(&step, git_dir);
            }
            prepared.abort()?;
            is_same?;
        }
        Err(GitError::Busy)
    }

    /// Moves the files and then the reference, or neither.
    fn move_locked_branch(
        &self,
        step: &BranchMove<'_>,
        checkout: Option<&LockedCheckout<'_>>,
        prepared: PreparedMove,
    ) -> Result<(), GitError> {
        let Some(checkout) = checkout else { return prepared.commit() };
        let moved = match checkout.move_files(step.from, step.to) {
            Ok(()) => prepared.commit(),
            Err(error) => prepared.abort().and(Err(error)),
        };
        match moved {
            // Git refuses all of it or nothing.
            Ok(()) | Err(GitError::BranchHeld { .. }) => {}
            // A full disk, for example, may stop it half-way.
            Err(_) if self.read_ref(step.branch)?.as_ref() == Some(step.from) => {
                checkout.undo_move(step.from, step.to)?;
            }
            Err(_) => {}
        }
        moved
    }

    /// Reads a moved branch back, and moves the files of a checkout that was switched to the branch at the last moment.
    fn confirm_branch_move(&self, step: &BranchMove<'_>, moved: Option<&Path>) -> Result<(), GitError> {
        let found = self.read_ref(step.branch)?;
        if found.as_ref() != Some(step.to) {
            let reference = step.branch.clone();
            return Err(GitError::RefMoved { reference, expected: step.to.clone(), found });
        }
        for late in self.find_all_checkouts(step.branch)?.into_iter().filter_map(Result::ok) {
            if Some(late.git_dir()) != moved {
                // It has either the files of before, which can move, or those of now.
                LockedCheckout::acquire(&late, step.branch)?.move_files(step.from, step.to)?;
            }
        }
        Ok(())
    }

    /// Moves the files of a checkout back after a move of its branch was interrupted before the branch moved.
    ///
    /// Where nothing was moved, nothing changes.
    ///
    /// # Errors
    /// `BranchHeld`.
    pub fn undo_branch_move(&self, step: &BranchMove<'_>) -> Result<(), GitError> {
        let branch = self.follow_symbolic_ref(step.branch)?;
        match self.find_checkout(&branch)? {
            Some(checkout) => LockedCheckout::acquire(&checkout, &branch)?.undo_move(step.from, step.to),
            None => Ok(()),
        }
    }
}
