//! Removing what only an unfinished run needs: worktrees, check trees, and of a cancelled one the known results of its checks.

use orch_core::run::RunStatus;
use orch_core::worktree::spares_wanted;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::check_result;

use crate::lookup;
use crate::perform::effect_lease::EffectLease;
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::open_repository;
use orch_workspace::worktree_pool::WorktreePool;

/// Removes the leftovers of the run, except the spares that its next attempts will need, and the known results of checks of a cancelled run.
pub(crate) fn sweep_run(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    let run = session.read(|tx, _| lookup::load_run(tx, lease.run))?;
    let repository = open_repository(session, &run)?;
    WorktreePool::new(&repository, &run)?.sweep(&repository.list_worktrees()?, spares_wanted(&run))?;
    session.write(WriteDurability::Power, |tx, _| {
        if lease.complete(tx)? && run.state.status() == RunStatus::Cancelled {
            check_result::clear(tx, run.id)?;
        }
        Ok(TxEnd::Commit(()))
    })
}
