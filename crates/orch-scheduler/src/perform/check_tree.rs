//! Check trees: the clean checkouts in which checks run.

use std::path::{Path, PathBuf};

use orch_core::check::{CheckRun, CheckState};

use super::checks::{self, CheckSubject};
use crate::run_repository::{main_worktree, require_run_git, to_commit_id};
use orch_git::{CheckoutTarget, RegisteredWorktree, Repository, ScratchLock, WorktreeSpec};
use orch_inbox::{Error, Session};

/// Follows the stage in the lock reason of a check tree.
const PURPOSE: &str = " checks of ";

/// A checkout of one commit, with the copied files and the output of the setup, that this process uses.
pub(super) struct CheckTree<'r> {
    repository: &'r Repository,
    path: PathBuf,
    reason: String,
    folder: PathBuf,
    _in_use: ScratchLock,
}

/// The result of preparing a check tree.
pub(super) enum CheckTreePreparation<'r> {
    /// It is ready.
    Ready(CheckTree<'r>),
    /// The setup did not succeed: its result, and the tail of its output.
    SetupFailed(CheckRun, String),
}

impl<'r> CheckTree<'r> {
    /// Checks the subject's commit out, copies the ignored files that it needs, and runs the setup.
    pub(super) fn prepare(
        session: &Session,
        repository: &'r Repository,
        subject: &CheckSubject<'_>,
    ) -> Result<CheckTreePreparation<'r>, Error> {
        let (path, reason) = check_tree_location(subject)?;
        let in_use = repository.acquire_scratch_lock(&path)?;
        repository.remove_scratch(&path, &reason)?;
        let commit = to_commit_id(subject.commit)?;
        let worktree = repository.add_worktree(&WorktreeSpec {
            path: &path,
            checkout: CheckoutTarget::Detached,
            commit: &commit,
            reason: &reason,
        })?;
        copy_ignored_files(repository, &worktree, &subject.run.rules.copy)?;
        let folder = worktree.top_level().to_owned();
        let tree = Self { repository, path, reason, folder, _in_use: in_use };
        if let Some(command) = &subject.run.rules.setup {
            let (check, tail) = checks::run_setup_in(session, subject, tree.folder(), command);
            if check.state != CheckState::Passed {
                tree.release()?;
                return Ok(CheckTreePreparation::SetupFailed(check, tail));
            }
        }
        Ok(CheckTreePreparation::Ready(tree))
    }

    /// The folder in which checks run.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the tree.
    pub(super) fn release(self) -> Result<(), Error> {
        Ok(self.repository.remove_scratch(&self.path, &self.reason)?)
    }
}

/// Copies the ignored files that a new worktree needs from the main worktree.
pub(super) fn copy_ignored_files(
    repository: &Repository,
    tree: &orch_git::Worktree<'_>,
    globs: &[String],
) -> Result<(), Error> {
    if let Some(main) = main_worktree(repository)?
        && main.top_level() != tree.top_level()
    {
        tree.copy_ignored_from(&main, globs)?;
    }
    Ok(())
}

/// The path and the lock reason of a check tree; the effect's lease keeps other processes away from it.
fn check_tree_location(subject: &CheckSubject<'_>) -> Result<(PathBuf, String), Error> {
    let root = Path::new(&require_run_git(subject.run)?.root);
    let stage = subject.stage.name();
    Ok(match subject.attempt {
        Some((_, name)) => (
            root.join(format!(".{stage}-{}.{}", name.task.key, name.number)),
            format!("{stage}{PURPOSE}{name}"),
        ),
        None => (root.join(format!(".{stage}")), format!("{stage}{PURPOSE}{}", subject.run.name)),
    })
}

/// Whether a worktree is a check tree.
pub(crate) fn is_check_tree(entry: &RegisteredWorktree) -> bool {
    let is_detached = entry.head.as_ref().is_some_and(|head| head.branch.is_none());
    is_detached && entry.purpose().is_some_and(|purpose| purpose.contains(PURPOSE))
}
