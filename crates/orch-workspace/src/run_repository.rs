//! The git repository of a run, and the names that references and commits of a run have there.

use std::path::Path;

use orch_core::id::{AttemptName, CommitHash, Slug};
use orch_core::refusal::TreeRefusal;
use orch_core::run::{Run, RunGit};

use orch_git::{CommitId, GitError, RefName, RegisteredWorktree, Repository, canonicalize_existing};
use orch_inbox::{Error, Session};

/// The repository, branch and base of a run.
///
/// # Errors
/// The run has no worktrees.
pub fn require_run_git(run: &Run) -> Result<&RunGit, Error> {
    run.ground.as_ref().ok_or_else(|| TreeRefusal::BaseNotFound { revision: None }.into())
}

/// Opens the run's repository.
pub fn open_repository(session: &Session, run: &Run) -> Result<Repository, Error> {
    let git = require_run_git(run)?;
    let path = Path::new(&git.repository);
    match session.world().open_repository(path) {
        Err(error @ GitError::NotARepository(_)) => match session.elsewhere_fault(path) {
            Some(fault) => Err(fault.into()),
            None => Err(error.into()),
        },
        opened => Ok(opened?.managing_refs(managed_ref_prefixes(git))),
    }
}

/// The prefixes of the references that orch manages for a run: its branches, and what is kept of all runs.
pub fn managed_ref_prefixes(git: &RunGit) -> [String; 2] {
    [format!("refs/heads/{}/", git.branch_prefix), "refs/orch/".to_owned()]
}

/// Converts a commit's name from the store's form to git's.
pub fn to_commit_id(commit: &CommitHash) -> Result<CommitId, Error> {
    CommitId::parse(commit.as_str())
        .ok_or_else(|| orch_store::Fault::Value { table: "worktree", value: commit.to_string() }.into())
}

/// Converts a commit's name from git's form to the store's.
pub fn to_stored_commit(id: &CommitId) -> CommitHash {
    CommitHash::from_stored(id.as_str().to_owned())
}

/// The reference of a branch.
pub fn branch_ref(name: &str) -> Result<RefName, Error> {
    Ok(RefName::from_branch_name(name)?)
}

/// The commit that a branch is at.
///
/// # Errors
/// There is no such branch.
pub fn branch_tip(repository: &Repository, branch: &str) -> Result<CommitId, Error> {
    let missing = || TreeRefusal::BranchNotFound { branch: branch.to_owned() };
    let name = RefName::from_branch_name(branch).map_err(|_| missing())?;
    Ok(repository.read_ref(&name)?.ok_or_else(missing)?)
}

/// The prefix of the references that keep the salvaged work of a run.
#[must_use]
pub fn salvage_prefix(run: &Slug) -> String {
    format!("refs/orch/salvage/{run}/")
}

/// The prefix of the references that keep the branches of a run's attempts.
#[must_use]
pub fn kept_prefix(run: &Slug) -> String {
    format!("refs/orch/kept/{run}/")
}

/// The reference that keeps the salvaged contents of an attempt's worktree.
pub fn salvage_ref(name: &AttemptName) -> Result<RefName, Error> {
    Ok(RefName::new(&format!("refs/orch/salvage/{}/{}.{}", name.task.run, name.task.key, name.number))?)
}

/// The reference that keeps the branch of an attempt whose worktree was removed.
pub fn kept_ref(name: &AttemptName) -> Result<RefName, Error> {
    Ok(RefName::new(&format!("refs/orch/kept/{}/{}.{}", name.task.run, name.task.key, name.number))?)
}

/// The worktree at this path, if it was created for the attempt.
pub fn find_attempt_worktree(
    repository: &Repository,
    path: &Path,
    attempt: &AttemptName,
) -> Result<Option<RegisteredWorktree>, Error> {
    let wanted = canonicalize_existing(path);
    let purpose = attempt.to_string();
    let found = repository.find_registration(path)?;
    Ok(found.filter(|entry| entry.path == wanted && entry.purpose() == Some(&purpose)))
}

/// The main worktree: `None` in a bare repository, and where nothing says where the files are.
pub fn main_worktree(repository: &Repository) -> Result<Option<orch_git::Worktree<'_>>, Error> {
    Ok(repository.open_main_checkout()?)
}
