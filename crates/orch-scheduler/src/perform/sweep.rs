//! Removing the worktrees that only an unfinished run needs.

use orch_core::worktree::spares_wanted;

use crate::lookup;
use crate::perform::effect_lease::EffectLease;
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::open_repository;
use orch_workspace::worktree_pool::WorktreePool;

/// Removes the leftovers of the run, except the spares that its next attempts will need.
pub(crate) fn sweep_run(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    WorktreePool::new(&repository, &run)?.sweep(&repository.list_worktrees()?, spares_wanted(&run))?;
    lease.complete_alone(session)
}
