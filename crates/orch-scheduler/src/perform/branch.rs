//! Making the run's branch.

use super::hold::Taken;
use super::{branch_ref, commit_id, decide, ground, repository, run_row};
use orch_git::GitError;
use orch_inbox::{Error, Session};

/// Makes the branch; one that is there, wherever it has gone meanwhile, is left alone.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let run = session.read(|tx, _| run_row(tx, taken.effect.run))?;
    let ground = ground(&run)?;
    let made = repository(session, &run)?.create_ref(&branch_ref(&ground.branch)?, &commit_id(&ground.base)?);
    match made {
        Ok(()) | Err(GitError::RefExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    decide(session, |stage| taken.finish(stage.tx).map(|_| ()))
}
