//! Making the run's branch.

use super::effect_lease::EffectLease;
use super::{branch_ref, load_run, open_repository, require_run_git, to_commit_id, tool_transaction};
use orch_git::GitError;
use orch_inbox::{Error, Session};

/// Makes the branch; one that is there, wherever it has gone meanwhile, is left alone.
pub(crate) fn create_run_branch(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| load_run(tx, taken.effect.run))?;
    let ground = require_run_git(&run)?;
    let made = open_repository(session, &run)?
        .create_ref(&branch_ref(&ground.branch)?, &to_commit_id(&ground.base)?);
    match made {
        Ok(()) | Err(GitError::RefExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()))
}
