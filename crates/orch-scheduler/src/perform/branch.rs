//! Creating the run's branch.

use crate::lookup;
use crate::perform::effect_lease::EffectLease;
use orch_git::{GitError, record_seen_branch};
use orch_inbox::{Error, Session};
use orch_workspace::check_tree;
use orch_workspace::run_repository::{branch_ref, open_repository, require_run_git, to_commit_id};

/// Creates the branch; an existing one is left alone, wherever it is.
pub(crate) fn create_run_branch(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let git = require_run_git(&run)?;
    let repository = open_repository(session, &run)?;
    let branch = branch_ref(&git.branch)?;
    match repository.create_ref(&branch, &to_commit_id(&git.base)?) {
        Ok(()) | Err(GitError::RefExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    check_tree::save_settings(session, &repository, &run)?;
    repository.flush()?;
    record_seen_branch(repository.common_dir(), &branch);
    lease.complete_alone(session)
}
